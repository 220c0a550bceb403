//! One call to a peer over a real socket, and every way in which peers fail: which side is wrong must be seen from the error.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sekisho::limits::Limits;
use sekisho::wire::http::{Client, ClientSettings};
use sekisho::wire::soap::{
    Attachment, CallError, Endpoint, Fault, FaultCode, Form, Message, Outgoing, SoapError, call,
};
use sekisho::wire::stream::{Content, StreamError};
use sekisho::wire::xml::Ns;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::http::NOBODY;

const MESSAGE_ID: &str = "urn:uuid:2f0d2f0e-8a3b-4a43-9d07-ef5a29f0c001";
const SIMPLE: &str = "application/soap+xml; charset=UTF-8";
const MTOM: &str = "multipart/related; type=\"application/xop+xml\"; boundary=b";

/// What a peer does once it has read the request.
struct Peer {
    answer: Vec<u8>,
    /// Then it waits, instead of closing the connection.
    stalls: bool,
}

fn envelope(relates_to: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:RelatesTo>{relates_to}</a:RelatesTo></s:Header>\
         <s:Body>{body}</s:Body></s:Envelope>",
        Ns::SOAP.uri(),
        Ns::WSA.uri()
    )
}

fn http(status: u16, content_type: &str, body: &str) -> Peer {
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Peer { answer: answer.into(), stalls: false }
}

/// The same, cut off: the connection is closed behind `bytes` of the body.
fn cut(content_type: &str, body: &str, bytes: usize) -> Peer {
    let Peer { mut answer, .. } = http(200, content_type, body);
    answer.truncate(answer.len() - body.len() + bytes);
    Peer { answer, stalls: false }
}

fn request(form: Form) -> Outgoing {
    Outgoing {
        form,
        action: "urn:x".into(),
        message_id: Some(MESSAGE_ID.into()),
        body: vec![Bytes::from_static(b"<q/>")],
        ..Outgoing::default()
    }
}

/// Calls a peer that reads one request and then does as told.
async fn ask(peer: Peer, request: Outgoing, relates_to_optional: bool) -> Result<Message, CallError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services", listener.local_addr().unwrap()).parse().unwrap();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"</soap:Envelope>") && !request.ends_with(b"--\r\n") {
            assert!(socket.read_buf(&mut request).await.unwrap() > 0);
        }
        socket.write_all(&peer.answer).await.unwrap();
        if peer.stalls {
            std::future::pending::<()>().await;
        }
    });
    let settings = ClientSettings { body_idle_timeout_ms: 200, ..ClientSettings::default() };
    let client = Client::new(&settings).unwrap();
    let deadline = Instant::now() + Duration::from_millis(1500);
    let endpoint = Endpoint { url, relates_to_optional };
    let outcome = call(&client, &endpoint, request, &Limits::default(), deadline).await;
    serving.abort();
    outcome
}

async fn asked(peer: Peer) -> Result<Message, CallError> {
    ask(peer, request(Form::Simple), false).await
}

#[tokio::test]
async fn answers_in_either_form_are_taken() {
    let answer = envelope(MESSAGE_ID, "<r/>");
    let multipart = format!("--b\r\n\r\n{answer}\r\n--b\r\nContent-ID: 1\r\n\r\ndocument\r\n--b--");
    for (peer, form) in
        [(http(200, SIMPLE, &answer), Form::Simple), (http(200, MTOM, &multipart), Form::Mtom)]
    {
        let document = Attachment {
            content_id: "1@x".into(),
            content_type: "text/plain".into(),
            content: Content::from_bytes("document"),
        };
        let request = Outgoing { attachments: vec![document], ..request(Form::Mtom) };
        let mut message = ask(peer, request, false).await.unwrap();
        assert_eq!(message.form, form);
        assert!(message.envelope.body().unwrap().is(Ns::NONE, "r"));
        assert_eq!(message.attachments.next().await.unwrap().is_some(), form == Form::Mtom);
        message.attachments.drain().await.unwrap();
    }
}

#[tokio::test]
async fn refused() {
    let url = format!("http://{NOBODY}/").parse().unwrap();
    let client = Client::new(&ClientSettings::default()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let endpoint = Endpoint { url, relates_to_optional: false };
    let outcome = call(&client, &endpoint, request(Form::Simple), &Limits::default(), deadline).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, CallError::Connect(_)) && error.may_retry(), "{error}");
}

#[tokio::test]
async fn what_is_no_soap_is_named_with_status_and_type() {
    for (status, body, retry) in [(200, "<html>Welcome</html>", false), (503, "<html>Later</html>", true)] {
        let error = asked(http(status, "text/html; charset=utf-8", body)).await.unwrap_err();
        assert_eq!(error.may_retry(), retry);
        let CallError::NotSoap { status: found, content_type } = error else { panic!("{error}") };
        assert_eq!((found, content_type.as_str()), (status, "text/html; charset=utf-8"));
    }
    for status in [200, 202, 500] {
        let error = asked(http(status, SIMPLE, "")).await.unwrap_err();
        assert!(matches!(error, CallError::Empty(found) if found == status), "{error}");
    }
    for garbage in ["<html>Welcome", "\0\u{1}garbage", "<html/>", "{\"resourceType\": \"Bundle\"}"] {
        let error = asked(http(200, SIMPLE, garbage)).await.unwrap_err();
        assert!(matches!(error, CallError::Malformed(_)), "{error}");
    }
    let old = envelope(MESSAGE_ID, "<r/>").replace(Ns::SOAP.uri(), Ns::SOAP11.uri());
    let error = asked(http(200, "text/xml", &old)).await.unwrap_err();
    assert!(matches!(error, CallError::Malformed(SoapError::Version)), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_or_stalls_is_told_apart_from_a_late_answer() {
    let answer = envelope(MESSAGE_ID, "<r/>");
    let error = asked(cut(SIMPLE, &answer, 40)).await.unwrap_err();
    assert!(matches!(error, CallError::Interrupted(_)) && error.may_retry(), "{error}");
    let error = asked(Peer { answer: vec![], stalls: false }).await.unwrap_err();
    assert!(matches!(error, CallError::Interrupted(_)), "{error}");
    let stalled = Peer { stalls: true, ..cut(SIMPLE, &answer, 40) };
    let error = asked(stalled).await.unwrap_err();
    assert!(matches!(error, CallError::Interrupted(_)), "{error}");
    let silent = Peer { answer: vec![], stalls: true };
    let error = asked(silent).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline(_)), "{error}");
}

#[tokio::test]
async fn a_truncated_multipart_never_passes_for_a_whole_one() {
    let answer = envelope(MESSAGE_ID, "<r/>");
    let multipart = format!("--b\r\n\r\n{answer}\r\n--b\r\nContent-ID: 1\r\n\r\ndocument\r\n--b--");
    let read_all = async |peer: Peer| {
        let mut message = asked(peer).await.map_err(|error| error.to_string())?;
        message.attachments.drain().await.map_err(|error| error.to_string())
    };
    let within_document = multipart.len() - 10;
    assert!(read_all(cut(MTOM, &multipart, within_document)).await.is_err());
    assert!(read_all(http(200, MTOM, &multipart[..within_document])).await.is_err());
    assert!(read_all(http(200, MTOM, &multipart)).await.is_ok());
    // Within the envelope already, by a peer that thinks it is done.
    let error = asked(http(200, MTOM, &multipart[..60])).await.unwrap_err();
    assert!(matches!(error, CallError::Interrupted(_)), "{error}");
    let mut stalled = asked(Peer { stalls: true, ..cut(MTOM, &multipart, within_document) }).await.unwrap();
    assert!(matches!(
        stalled.attachments.drain().await,
        Err(StreamError::Idle(_) | StreamError::Interrupted(_))
    ));
}

#[tokio::test]
async fn relates_to_must_name_the_request() {
    let other = http(200, SIMPLE, &envelope("urn:uuid:other", "<r/>"));
    let error = ask(other, request(Form::Simple), true).await.unwrap_err();
    assert!(matches!(&error, CallError::WrongRelatesTo(Some(id)) if id == "urn:uuid:other"), "{error}");
    let none = || http(200, SIMPLE, &envelope("", "<r/>").replace("<a:RelatesTo></a:RelatesTo>", ""));
    let error = asked(none()).await.unwrap_err();
    assert!(matches!(&error, CallError::WrongRelatesTo(None)) && !error.may_retry(), "{error}");
    assert!(ask(none(), request(Form::Simple), true).await.is_ok());
}

#[tokio::test]
async fn a_fault_is_a_fault_under_every_status_form_and_version() {
    let fault = Fault::sender("wrong community");
    let (_, simple, body) = fault.answer(Form::Simple, None);
    let (_, mtom, parts) = fault.answer(Form::Mtom, Some("urn:uuid:another"));
    let (body, parts) = (String::from_utf8(body).unwrap(), String::from_utf8(parts).unwrap());
    let old = format!(
        "<e:Envelope xmlns:e='{}'><e:Body><e:Fault><faultcode>e:Client</faultcode>\
         <faultstring>wrong community</faultstring></e:Fault></e:Body></e:Envelope>",
        Ns::SOAP11.uri()
    );
    for status in [200, 400, 500, 503] {
        for (content_type, body) in [(&*simple, &*body), (&*mtom, &*parts), ("text/xml", &*old)] {
            let error = asked(http(status, content_type, body)).await.unwrap_err();
            let CallError::Fault(fault) = error else { panic!("{error}") };
            assert_eq!((fault.code, fault.reason.as_str()), (FaultCode::Sender, "wrong community"));
        }
    }
}
