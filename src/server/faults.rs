//! Faults: what a request that cannot be acted on is told, and what the operator counts. RegistryErrors are not here: they
//! travel in responses ([`crate::transactions::errors`]).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};

use super::admission::Shed;
use crate::limits;
use crate::transactions::Malformed;
use crate::trust::Refused;
use crate::wire::soap::{Fault, FaultCode, Form, SoapError, Subcode};
use crate::wire::stream::{Body, StreamError};

/// A request that ends in a fault.
pub(super) struct Refusal {
    /// What the sender is told.
    pub(super) fault: Box<Fault>,
    /// A stable name for metrics and logs: from our own tables, never from the message.
    pub(super) rule: &'static str,
    /// What went wrong inside, for the log only.
    pub(super) internal: Option<String>,
    header: Option<(HeaderName, String)>,
}

impl Refusal {
    fn new(rule: &'static str, fault: Fault) -> Self {
        Self { fault: Box::new(fault), rule, internal: None, header: None }
    }

    /// There is nothing at this path.
    pub(super) fn unknown_path() -> Self {
        let reason = "there is no service at this path; each transaction has its own, such as \
                      /services/iti-18, where the configuration offers it";
        Self::new("http.path", Fault::sender(reason).with_status(404))
    }
    /// There is, but not for this method.
    pub(super) fn method(method: &Method) -> Self {
        let reason = match *method {
            Method::GET => "SOAP messages are sent by POST; GET with ?wsdl gives this service's description",
            _ => "SOAP messages are sent by POST",
        };
        let mut refusal = Self::new("http.method", Fault::sender(reason).with_status(405));
        refusal.header = Some((ALLOW, "POST, GET".to_owned()));
        refusal
    }
    /// GET asked for a description that is not there.
    pub(super) fn no_description() -> Self {
        let reason = "there is no such description; each transaction's own path gives its WSDL (/services/iti-18?wsdl), \
                      which names the schemas that it needs";
        Self::new("http.description", Fault::sender(reason).with_status(404))
    }
    /// More requests than we can answer in time, or more answers than their readers take.
    fn shed() -> Self {
        metrics::counter!("sekisho_requests_shed_total").increment(1);
        let reason = "too many requests at the moment; nothing was done, try again later";
        let mut refusal = Self::new("overload", Fault::receiver(reason).with_status(503));
        refusal.header = Some((RETRY_AFTER, limits::RETRY_AFTER.as_secs().to_string()));
        refusal
    }
    /// A body that is declared larger than any message without parts may be.
    pub(super) fn too_large(declared: u64, limit: u64) -> Self {
        let reason = format!(
            "the message has {declared} bytes; without MIME parts at most {limit} are read: send documents as MTOM"
        );
        Self::new("limit.envelope", Fault::sender(reason).with_status(413))
    }
    /// The request did not arrive in time.
    pub(super) fn request_late(after: Duration) -> Self {
        let reason = format!("the message's envelope did not arrive within {} ms", after.as_millis());
        Self::new("deadline.request", Fault::sender(reason).with_status(408))
    }
    /// We did not find the answer in time.
    pub(super) fn answer_late(after: Duration) -> Self {
        let reason = format!("no answer was found within {} ms", after.as_millis());
        Self::new("deadline.answer", Fault::receiver(reason))
    }
    /// This service's answers go back on the same connection only.
    pub(super) fn not_elsewhere() -> Self {
        Box::new(Fault::only_anonymous("wsa:ReplyTo")).into()
    }
    /// A dry run where there is none: better refused than carried out.
    pub(super) fn no_dry_run() -> Self {
        let reason = "this service has no dry run; nothing was done";
        Self::new("dry-run.offered", Fault::sender(reason))
    }
    /// An answer to a request of ours that says to none.
    pub(super) fn unrelated() -> Self {
        Box::new(Fault::header_required("wsa:RelatesTo", "V.3.2.2")).into()
    }
    /// soap:Body holds nothing.
    pub(super) fn empty_body() -> Self {
        Self::new("soap.body", Fault::sender("soap:Body holds no element (ITI TF-2: Appendix V)"))
    }
    /// We have a bug.
    pub(super) fn panicked() -> Self {
        let reason = "the request could not be answered because of an internal error";
        Self::new("internal", Fault::receiver(reason))
    }
    /// The answer's documents could not be put into the answer.
    pub(super) fn answer_failed(error: StreamError) -> Self {
        let fault = match &error {
            StreamError::TooLarge { limit, .. } => Fault::receiver(format!(
                "the documents exceed the limit of {limit} for an answer without MIME parts: ask by MTOM"
            )),
            _ => Fault::receiver("the documents could not be read"),
        };
        Self { internal: Some(error.to_string()), ..Self::new("answer.documents", fault) }
    }

    /// The answer, in the form of the request.
    pub(super) fn response(self, form: Form, relates_to: &str, trace: &str) -> Response<Body> {
        let (status, content_type, body) = self.fault.traced(trace).answer(form, Some(relates_to));
        let mut response = Response::new(whole(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let own = (CONTENT_TYPE, content_type);
        for (name, value) in std::iter::once(own).chain(self.header) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// A body that is here already.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Body::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

impl From<Shed> for Refusal {
    fn from(_: Shed) -> Self {
        Self::shed()
    }
}

impl From<SoapError> for Refusal {
    fn from(error: SoapError) -> Self {
        let rule = match &error {
            SoapError::Crowded => return Self::shed(),
            SoapError::ContentType(_) => "http.content-type",
            SoapError::ContentEncoding(_) => "http.content-encoding",
            SoapError::Empty => "http.empty",
            SoapError::Xml(error) => error.rule,
            SoapError::Envelope(rule, _) => rule,
            SoapError::DuplicateHeader(_) => "soap.duplicate-header",
            SoapError::Version => "soap.version",
            SoapError::Stream(error) => stream_rule(error),
        };
        let internal = matches!(error, SoapError::Stream(StreamError::Store(_))).then(|| error.to_string());
        let mut fault = error.fault();
        if let SoapError::Xml(_) = error {
            // The other texts name their rule themselves.
            fault.reason.push_str(&format!(" ({rule})"));
        }
        Self { internal, ..Self::new(rule, fault) }
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        SoapError::from(error).into()
    }
}

fn stream_rule(error: &StreamError) -> &'static str {
    match error {
        StreamError::Interrupted(_) => "http.interrupted",
        StreamError::Idle(_) => "deadline.idle",
        StreamError::TooLarge { .. } => "limit.size",
        StreamError::Malformed(_) => "mime",
        StreamError::Store(_) => "internal.store",
    }
}

impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Self::new(error.rule, Fault::sender(error.to_string()))
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::new(refused.rule.name, refused.fault())
    }
}

/// A fault of the envelope's headers is named by its subcode.
impl From<Box<Fault>> for Refusal {
    fn from(fault: Box<Fault>) -> Self {
        let rule = match (fault.subcodes.last(), fault.code) {
            (Some(Subcode(_, name)), _) => name,
            (None, FaultCode::MustUnderstand) => "MustUnderstand",
            (None, _) => "soap.header",
        };
        Self::new(rule, *fault)
    }
}
