//! Dry runs: a submission, an update or a removal that is checked by every rule, and of which nothing is carried out. No
//! part of the Technical Framework; ours, and marked so that nobody takes one for the other.
//!
//! A request is marked by a header block `DryRun` of [`Ns::DRY_RUN`], which should be `mustUnderstand`: who does not know
//! it refuses the message instead of storing it. Where a sender cannot add header blocks, the HTTP header
//! `Sekisho-Dry-Run: true` says the same. The answer to a dry run has both marks, and a warning.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};

use super::Malformed;
use super::errors::{Answering, RegistryError, RegistryResponse, code};
use crate::wire::soap::Envelope;
use crate::wire::xml::{Ns, Writer};

/// The HTTP header.
pub const HTTP_HEADER: &str = "sekisho-dry-run";
/// The header block, as namespace and local name.
pub const BLOCK: (&str, &str) = ("urn:sekisho:dry-run:1", "DryRun");

/// How far a request is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effect {
    /// As it says.
    #[default]
    Lasting,
    /// It is checked, and nothing changes.
    DryRun,
}

impl Effect {
    /// What the marks of a request say. A mark that cannot be read is refused: the sender did not want it stored.
    pub fn of(http_header: Option<&HeaderValue>, envelope: &Envelope) -> Result<Self, Malformed> {
        let block = is_marked(envelope);
        match http_header.map(|value| value.as_bytes().trim_ascii()) {
            None if block => Ok(Self::DryRun),
            None => Ok(Self::Lasting),
            Some(b"false") if !block => Ok(Self::Lasting),
            Some(b"true") => Ok(Self::DryRun),
            Some(_) => Err(Malformed {
                rule: "dry-run.mark",
                section: "docs/dry-run.md",
                problem: format!("HTTP header {HTTP_HEADER} must be \"true\" for a dry run, or left out"),
            }),
        }
    }
}

/// The HTTP header's value; of several, one that asks for a dry run.
pub fn mark(headers: &HeaderMap) -> Option<&HeaderValue> {
    let marks = headers.get_all(HTTP_HEADER);
    marks.iter().find(|mark| *mark != "false").or_else(|| marks.iter().next())
}

/// Whether a message has the header block.
pub fn is_marked(envelope: &Envelope) -> bool {
    envelope.header().is_some_and(|header| header.child(Ns::DRY_RUN, BLOCK.1).is_some())
}

/// The header block of a request.
pub fn request_block() -> Bytes {
    block(Some("true"))
}

/// The header block of an answer: who asked knows it.
pub fn answer_block() -> Bytes {
    block(None)
}

fn block(must_understand: Option<&str>) -> Bytes {
    let mut out = Writer::with_capacity(128);
    out.start(Ns::DRY_RUN, BLOCK.1).declare(&[Ns::DRY_RUN]);
    if let Some(must) = must_understand {
        out.attr_ns(Ns::SOAP, "mustUnderstand", must);
    }
    out.end();
    out.finish().into()
}

/// The answer to a dry run: every error, and the warning that nothing was done.
pub fn response(mut errors: Vec<RegistryError>, answering: Answering) -> RegistryResponse {
    let code = match answering {
        Answering::Registry => code::REGISTRY_ERROR,
        Answering::Repository => code::REPOSITORY_ERROR,
    };
    let verdict = if errors.is_empty() { "would be accepted" } else { "would be refused" };
    let warning = format!("dry run: the request {verdict}; nothing was stored or changed");
    errors.push(RegistryError::warning(code, warning));
    RegistryResponse::from_errors(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::errors::Status;
    use crate::wire::xml::Tree;

    fn envelope(block: &str) -> Envelope {
        let xml = format!(
            "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Header>{block}</e:Header>\
             <e:Body><x/></e:Body></e:Envelope>"
        );
        Envelope::read(Tree::parse(xml.into()).unwrap()).unwrap()
    }

    #[test]
    fn either_mark_makes_a_dry_run_and_an_unreadable_one_is_refused() {
        let marked = "<DryRun xmlns=\"urn:sekisho:dry-run:1\"/>";
        for (header, block, expected) in [
            (None, "", Some(Effect::Lasting)),
            (None, marked, Some(Effect::DryRun)),
            (Some("true"), "", Some(Effect::DryRun)),
            (Some("true"), marked, Some(Effect::DryRun)),
            (Some("false"), "", Some(Effect::Lasting)),
            (Some("false"), marked, None),
            (Some("yes"), "", None),
            (Some(""), "", None),
        ] {
            let said = header.map(HeaderValue::from_static);
            assert_eq!(Effect::of(said.as_ref(), &envelope(block)).ok(), expected, "{header:?} {block}");
        }
    }

    #[test]
    fn one_mark_of_several_is_enough() {
        let marked = |marks: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for text in marks {
                headers.append(HTTP_HEADER, HeaderValue::from_static(text));
            }
            Effect::of(mark(&headers), &envelope("")).ok()
        };
        assert_eq!(marked(&[]), Some(Effect::Lasting));
        assert_eq!(marked(&["false", "false"]), Some(Effect::Lasting));
        assert_eq!(marked(&["false", "true"]), Some(Effect::DryRun));
        assert_eq!(marked(&["false", "perhaps"]), None);
    }

    #[test]
    fn an_answer_warns_and_keeps_its_status() {
        assert_eq!(response(Vec::new(), Answering::Registry).status, Status::Success);
        let error = RegistryError::error(code::REPOSITORY_ERROR, "x");
        let refused = response(vec![error], Answering::Repository);
        assert_eq!((refused.status, refused.errors.len()), (Status::Failure, 2));
    }
}
