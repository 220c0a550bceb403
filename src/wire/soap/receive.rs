//! From an HTTP body to a message: the envelope is parsed while the parts behind it are still arriving.

use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::early::EarlyParts;
use super::fault::{INVALID_CARDINALITY, INVALID_HEADER};
use super::{Attachments, Envelope, EnvelopeMemory, EnvelopeShare, Form};
use crate::limits::{self, Limits};
use crate::wire::mime::{ContentType, MultipartReader, PartHeaders, decode_content_id};
use crate::wire::soap::{Fault, FaultCode, Message};
use crate::wire::stream::{self, Body, ByteStream, Gathered, StreamError};
use crate::wire::xml::{Tree, XmlError};

/// Why bytes are no SOAP message for us. [`SoapError::fault`] says what the sender is told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SoapError {
    /// No or another Content-Type than SOAP 1.2's or multipart/related; holds what was there.
    #[error(
        "Content-Type {0:?} is neither application/soap+xml nor multipart/related with application/xop+xml"
    )]
    ContentType(String),
    /// Content-Encoding is not read.
    #[error("Content-Encoding {0:?} is not accepted; send the message unencoded")]
    ContentEncoding(String),
    /// There was no body at all.
    #[error("the message is empty")]
    Empty,
    /// Not XML, or beyond a bound.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not an envelope, two bodies, and the like: the rule's name and what is wrong.
    #[error("{1} ({0})")]
    Envelope(&'static str, String),
    /// An addressing header that may stand there once stands there twice.
    #[error("{0} is there more than once (WS-Addressing 1.0 SOAP Binding, 6.4.1.2)")]
    DuplicateHeader(&'static str),
    /// A SOAP 1.1 envelope.
    #[error("this is a SOAP 1.1 envelope; SOAP 1.2 is required")]
    Version,
    /// All envelopes together take as much memory as they may.
    #[error("there are too many large envelopes at the moment")]
    Crowded,
    /// MIME rules broken, a limit exceeded, or the connection ended.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl SoapError {
    /// The fault that the sender is told.
    pub fn fault(&self) -> Fault {
        match self {
            Self::ContentType(_) | Self::ContentEncoding(_) => {
                Fault::sender(self.to_string()).with_status(415)
            }
            Self::Crowded => Fault::receiver(self.to_string()).with_status(503),
            Self::Version => Fault::new(FaultCode::VersionMismatch, self.to_string()),
            Self::DuplicateHeader(header) => Fault {
                problem_header: Some(header),
                ..Fault::addressing(&[INVALID_HEADER, INVALID_CARDINALITY], self.to_string())
            },
            Self::Stream(StreamError::TooLarge { .. }) => Fault::sender(self.to_string()).with_status(413),
            Self::Stream(StreamError::Idle(_)) => Fault::sender(self.to_string()).with_status(408),
            // What went wrong inside is for the log, under the trace id.
            Self::Stream(StreamError::Store(_)) => {
                Fault::receiver("the message could not be kept while it arrived")
            }
            Self::Stream(StreamError::Interrupted(_) | StreamError::Malformed(_))
            | Self::Empty
            | Self::Xml(_)
            | Self::Envelope(..) => Fault::sender(self.to_string()),
        }
    }
}

/// Reads a message up to the end of its envelope.
pub async fn receive(headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Message, SoapError> {
    whole(read(headers, body, limits, EnvelopeShare::default()).await?)
}

/// The same with memory that all envelopes share.
pub async fn receive_within(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    memory: &EnvelopeMemory,
) -> Result<Message, SoapError> {
    whole(read(headers, body, limits, memory.share()).await?)
}

fn whole(received: Received) -> Result<Message, SoapError> {
    let Received { form, tree, attachments, memory } = received;
    Ok(Message { form, envelope: Envelope::read(tree)?, attachments, memory })
}

/// The form in which an answer to a request with these headers is due, also where the request could not be read.
pub fn form_of(headers: &HeaderMap) -> Form {
    let text = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = text.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let mtom: [&[u8]; 2] = [b"multipart/related", b"application/xop+xml"];
    let is_mtom = mtom.iter().any(|form| essence.eq_ignore_ascii_case(form));
    if is_mtom { Form::Mtom } else { Form::Simple }
}

/// A message whose root part is XML.
pub(super) struct Received {
    pub(super) form: Form,
    pub(super) tree: Tree,
    pub(super) attachments: Attachments,
    pub(super) memory: EnvelopeShare,
}

/// Reads a message up to the end of its root part, whatever XML that holds.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
    mut memory: EnvelopeShare,
) -> Result<Received, SoapError> {
    for encoding in headers.get_all(CONTENT_ENCODING) {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        if !encoding.split(',').all(|one| matches!(one.trim().to_ascii_lowercase().as_str(), "" | "identity"))
        {
            return Err(SoapError::ContentEncoding(encoding.into_owned()));
        }
    }
    let mut body = stream::chunks(body);
    let first = loop {
        match body.next().await.transpose()? {
            Some(chunk) if chunk.is_empty() => {}
            Some(chunk) => break chunk,
            None => return Err(SoapError::Empty),
        }
    };
    let body: ByteStream = Box::pin(futures_util::stream::iter([Ok(first)]).chain(body));
    let form = form_of(headers);
    let (content_type, text) = content_type(headers);
    match content_type {
        Some(related) if related.essence == "multipart/related" => {
            read_related(&related, text, body, limits, memory).await
        }
        // XML types are read for what they hold: SOAP 1.1 is told so, and faults in it are understood.
        Some(xml) if PLAIN_TYPES.contains(&xml.essence.as_str()) => {
            refuse_charset(&xml)?;
            let tree = read_plain(body, limits, &mut memory).await?;
            Ok(Received { form, tree, attachments: Attachments::none(), memory })
        }
        _ => Err(SoapError::ContentType(text)),
    }
}

/// Types under which an envelope comes without parts.
const PLAIN_TYPES: [&str; 4] = ["application/soap+xml", "application/xop+xml", "text/xml", "application/xml"];
/// Types that a root part may have: XOP's, and those of SOAP with attachments.
const ROOT_TYPES: [&str; 3] = ["application/xop+xml", "application/soap+xml", "text/xml"];

/// The Content-Type, parsed and as sent.
fn content_type(headers: &HeaderMap) -> (Option<ContentType>, String) {
    let text = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    (text.as_deref().and_then(ContentType::parse), text.unwrap_or_default())
}

/// The parser reads UTF-8; a Content-Type that declares something else contradicts it (attack 11).
fn refuse_charset(content_type: &ContentType) -> Result<(), SoapError> {
    match content_type.parameter("charset").map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(other) => Err(SoapError::Envelope(
            "soap.charset",
            format!("the envelope is declared as charset {other:?}; UTF-8 is required"),
        )),
    }
}

async fn read_plain(
    mut body: ByteStream,
    limits: &Limits,
    memory: &mut EnvelopeShare,
) -> Result<Tree, SoapError> {
    let mut envelope = gathered(limits);
    while let Some(chunk) = body.next().await {
        envelope.push(chunk?)?;
        memory.cover(envelope.len())?;
    }
    parse(envelope.finish()).await
}

async fn read_related(
    content_type: &ContentType,
    text: String,
    body: ByteStream,
    limits: &Limits,
    mut memory: EnvelopeShare,
) -> Result<Received, SoapError> {
    let root_type = content_type.parameter("type").map(str::to_ascii_lowercase);
    if root_type.is_some_and(|root| !ROOT_TYPES.contains(&root.split(';').next().unwrap_or_default().trim()))
    {
        return Err(SoapError::ContentType(text));
    }
    let start = content_type.parameter("start").map(decode_content_id);
    let mut reader = MultipartReader::new(body, content_type.parameter("boundary").unwrap_or_default())?;
    let mut early = EarlyParts::new(limits.max_document_bytes);
    let root = loop {
        match reader.next_part().await? {
            Some(part) if is_root(&part, start.as_deref(), early.is_empty()) => break part,
            Some(part) => early.keep(part.into(), &mut reader).await?,
            None => {
                return Err(SoapError::Envelope(
                    "mime.start",
                    "no MIME part has the Content-ID that the start parameter of the Content-Type names (RFC 2387, 3.2)"
                        .to_owned(),
                ));
            }
        }
    };
    if let Some(root_type) = root.content_type.as_deref().and_then(ContentType::parse) {
        refuse_charset(&root_type)?;
    }
    let mut envelope = gathered(limits);
    while let Some(chunk) = reader.next_chunk().await? {
        envelope.push(chunk)?;
        memory.cover(envelope.len())?;
    }
    let tree = parse(envelope.finish()).await?;
    let attachments = Attachments::new(reader, early, root.content_id, limits.max_document_bytes);
    Ok(Received { form: Form::Mtom, tree, attachments, memory })
}

/// The root is the part that `start` names, else the first. A first part without Content-ID, of a root's type, is what a
/// `start` without match must mean.
fn is_root(part: &PartHeaders, start: Option<&str>, first: bool) -> bool {
    match (&part.content_id, start.filter(|start| !start.is_empty())) {
        (_, None) => first,
        (Some(id), Some(start)) => id == start,
        (None, Some(_)) => {
            let essence = part.content_type.as_deref().and_then(ContentType::parse).map(|t| t.essence);
            first && essence.is_none_or(|essence| ROOT_TYPES.contains(&essence.as_str()))
        }
    }
}

fn gathered(limits: &Limits) -> Gathered {
    Gathered::new("the SOAP envelope (bytes)", limits.max_envelope_bytes as u64)
}

async fn parse(envelope: Bytes) -> Result<Tree, SoapError> {
    if envelope.len() <= limits::PARSE_INLINE_BYTES {
        return Ok(Tree::parse(envelope)?);
    }
    match tokio::task::spawn_blocking(move || Tree::parse(envelope)).await {
        Ok(tree) => Ok(tree?),
        Err(error) => Err(StreamError::Store(format!("the parser ended: {error}")).into()),
    }
}
