//! Whole messages, out and in again, and every attack that ends at the envelope.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::*;
use crate::limits::{self, Limits};
use crate::wire::stream::{self, Content, StreamError, chunks};
use crate::wire::xml::{Ns, Tree};

const ACTION: &str = "urn:ihe:iti:2007:RetrieveDocumentSet";
const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const WSA: &str = "http://www.w3.org/2005/08/addressing";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn headers(content_type: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap())])
}

async fn receive_bytes(content_type: &str, body: &[u8], chunk: usize) -> Result<Message, SoapError> {
    let pieces: Vec<_> = body.chunks(chunk.max(1)).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let stream = Content::from_stream(None, Box::pin(futures_util::stream::iter(pieces)));
    receive(&headers(content_type), stream::body([stream]).1, &Limits::default()).await
}

fn received(content_type: &str, body: &str) -> Result<Message, SoapError> {
    run(receive_bytes(content_type, body.as_bytes(), body.len()))
}

/// A simple message with these header blocks and this in its body.
fn simple(header: &str, body: &str) -> Result<Message, SoapError> {
    received("application/soap+xml", &envelope(header, body))
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{SOAP}' xmlns:a='{WSA}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// The fault that a request with these header blocks gets.
fn refusal(header: &str) -> Option<Fault> {
    let message = match simple(header, "<q/>") {
        Ok(message) => message,
        Err(error) => return Some(error.fault()),
    };
    message.envelope.check(&[ACTION], &[("urn:known", "Known")]).err().map(|fault| *fault)
}

fn action_and(rest: &str) -> String {
    format!("<a:Action>{ACTION}</a:Action>{rest}")
}

fn subcodes(fault: &Fault) -> Vec<&str> {
    fault.subcodes.iter().map(|subcode| subcode.1).collect()
}

async fn parts(mut attachments: Attachments) -> Result<Vec<(AttachedPart, Vec<u8>)>, StreamError> {
    let mut parts = Vec::new();
    while let Some(part) = attachments.next().await? {
        let mut bytes = Vec::new();
        while let Some(chunk) = attachments.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        parts.push((part, bytes));
    }
    Ok(parts)
}

async fn written(reply: Reply) -> (String, Vec<u8>) {
    let mut written = Vec::new();
    let mut body = chunks(reply.body);
    while let Some(frame) = futures_util::StreamExt::next(&mut body).await {
        written.extend_from_slice(&frame.unwrap());
    }
    assert_eq!(reply.length, Some(written.len() as u64));
    (reply.content_type, written)
}

fn outgoing(form: Form, documents: &[&[u8]]) -> Outgoing {
    let attachment = |(n, document): (usize, &&[u8])| Attachment {
        content_id: format!("{n}@sekisho"),
        content_type: "application/pdf".into(),
        content: Content::from_bytes(document.to_vec()),
    };
    Outgoing {
        form,
        action: ACTION.into(),
        to: Some("https://127.0.0.1/services?a&b".into()),
        message_id: None,
        relates_to: None,
        body: vec![Bytes::from_static(b"<q>"), Bytes::from_static(b"</q>")],
        attachments: documents.iter().enumerate().map(attachment).collect(),
    }
}

/// User pain 14: sizes around every threshold at which somebody spools.
#[test]
fn what_is_sent_is_received_in_both_forms() {
    run(async {
        let (content_type, body) = written(send(outgoing(Form::Simple, &[]))).await;
        for chunk in [1, 7, body.len()] {
            let message = receive_bytes(&content_type, &body, chunk).await.unwrap();
            assert_eq!(message.form, Form::Simple);
            assert!(message.envelope.body().unwrap().is(Ns::NONE, "q"));
            message.envelope.check(&[ACTION], &[]).unwrap();
        }
        let large: Vec<u8> = (0..1_048_577_usize).map(|n| (n * 31 >> 3) as u8).collect();
        let documents =
            [0, 1, 65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_048_577].map(|size| &large[..size]);
        let (content_type, body) = written(send(outgoing(Form::Mtom, &documents))).await;
        for chunk in [9_973, 65_536, body.len()] {
            let message = receive_bytes(&content_type, &body, chunk).await.unwrap();
            assert_eq!(message.form, Form::Mtom);
            assert_eq!(message.envelope.addressing.to.as_deref(), Some("https://127.0.0.1/services?a&b"));
            let parts = parts(message.attachments).await.unwrap();
            assert_eq!(parts.len(), documents.len());
            for (n, (part, bytes)) in parts.iter().enumerate() {
                assert_eq!(part.content_id, format!("{n}@sekisho"));
                assert_eq!(part.content_type.as_deref(), Some("application/pdf"));
                assert!(bytes == documents[n], "document of {} bytes", documents[n].len());
            }
        }
    });
}
