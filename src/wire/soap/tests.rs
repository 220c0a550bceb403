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
    let checked = message.envelope.check(&[ACTION], &[("urn:known", "Known")]);
    checked.and_then(|()| message.envelope.route(&AllowedReplies::none())).err().map(|fault| *fault)
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
        body: vec![Bytes::from_static(b"<q>"), Bytes::from_static(b"</q>")],
        attachments: documents.iter().enumerate().map(attachment).collect(),
        ..Outgoing::default()
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
        let large: Vec<u8> = (0..1_048_577_usize).map(|n| ((n * 31) >> 3) as u8).collect();
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

#[test]
fn frames_are_few() {
    run(async {
        let document = vec![7; 100_000];
        let mut frames = Vec::new();
        let mut body = chunks(send(outgoing(Form::Mtom, &[&document])).body);
        while let Some(frame) = futures_util::StreamExt::next(&mut body).await {
            frames.push(frame.unwrap());
        }
        // Envelope and part headers in one, the document untouched, the end.
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[1], document);
    });
}

#[test]
fn attack_13_an_envelope_has_one_body_with_one_child_and_nothing_else() {
    let body = format!("<s:Body xmlns:s='{SOAP}'/>");
    for (broken, rule) in [
        (envelope("", "<q/><q/>"), "soap.body"),
        (envelope("", "<q/>").replace("</s:Envelope>", &format!("{body}</s:Envelope>")), "soap.body"),
        (envelope("", "<q/>").replace("</s:Envelope>", "<x/></s:Envelope>"), "soap.body"),
        (envelope("", "<q/>").replace("<s:Header>", "<x/><s:Header>"), "soap.body"),
        (envelope("", "<q/>").replace("s:Header", "s:Body"), "soap.body"),
        (format!("<s:Envelope xmlns:s='{SOAP}'/>"), "soap.body"),
        (format!("<s:Envelope xmlns:s='{SOAP}'><s:Header/></s:Envelope>"), "soap.body"),
        (envelope("", "text"), "soap.text"),
        (envelope("text", "<q/>"), "soap.text"),
        ("<html><body/></html>".to_owned(), "soap.envelope"),
        (envelope("", "<q/>").replace(SOAP, "urn:other"), "soap.envelope"),
    ] {
        match received("application/soap+xml", &broken) {
            Err(error @ SoapError::Envelope(found, _)) if found == rule => {
                assert_eq!(error.fault().http_status(), 400);
            }
            other => panic!("{broken}: {:?}", other.err()),
        }
    }
    for broken in [envelope("", "<q/>") + "x", envelope("", "<q/>").repeat(2), envelope("", "<q>")] {
        assert!(matches!(received("application/soap+xml", &broken), Err(SoapError::Xml(_))), "{broken}");
    }
    assert!(received("application/soap+xml", &envelope("", "")).unwrap().envelope.body().is_none());
}

#[test]
fn attack_14_soap_11_is_a_version_mismatch() {
    let old = envelope("", "<q/>").replace(SOAP, Ns::SOAP11.uri());
    for content_type in ["text/xml; charset=utf-8", "application/soap+xml"] {
        let fault = received(content_type, &old).unwrap_err().fault();
        assert_eq!((fault.code, fault.http_status()), (FaultCode::VersionMismatch, 500));
        let written = String::from_utf8(fault.envelope(None)).unwrap();
        assert!(
            written
                .contains("<soap:Upgrade><soap:SupportedEnvelope qname=\"soap:Envelope\"/></soap:Upgrade>")
        );
    }
}

#[test]
fn attack_15_the_action_must_fit_the_body_and_no_parameter_decides() {
    assert_eq!(refusal(&action_and("")), None);
    let fault = refusal("<a:Action>urn:other</a:Action>").unwrap();
    assert_eq!(subcodes(&fault), ["InvalidAddressingHeader", "ActionMismatch"]);
    assert_eq!(fault.problem_action.as_deref(), Some("urn:other"));
    let fault = refusal("").unwrap();
    assert_eq!(subcodes(&fault), ["MessageAddressingHeaderRequired"]);
    assert_eq!(fault.problem_header, Some("wsa:Action"));
    let other_parameter = "application/soap+xml; action=\"urn:other\"";
    let message = received(other_parameter, &envelope(&action_and(""), "<q/>")).unwrap();
    assert_eq!(message.envelope.check(&["urn:x", ACTION], &[]), Ok(()));
}

#[test]
fn attack_16_headers_that_must_be_understood_are_or_are_named() {
    let block = |attributes: &str| action_and(&format!("<x:Odd xmlns:x='urn:x' {attributes}/>"));
    for must in ["1", "true", " 1 "] {
        let fault = refusal(&block(&format!("s:mustUnderstand='{must}'"))).unwrap();
        assert_eq!((fault.code, fault.http_status()), (FaultCode::MustUnderstand, 500));
        assert_eq!(fault.not_understood, [("urn:x".to_owned(), "Odd".to_owned())]);
        let written = String::from_utf8(fault.envelope(None)).unwrap();
        assert!(written.contains("<soap:NotUnderstood qname=\"n:Odd\" xmlns:n=\"urn:x\"/>"), "{written}");
    }
    for role in ["next", "ultimateReceiver"] {
        assert!(refusal(&block(&format!("s:mustUnderstand='1' s:role='{SOAP}/role/{role}'"))).is_some());
    }
    for harmless in
        ["", "s:mustUnderstand='0'", "mustUnderstand='1'", "s:mustUnderstand='1' s:role='urn:somebody-else'"]
    {
        assert_eq!(refusal(&block(harmless)), None, "{harmless}");
    }
    let security = format!("<w:Security xmlns:w='{}' s:mustUnderstand='1'/>", Ns::WSSE.uri());
    let known = "<k:Known xmlns:k='urn:known' s:mustUnderstand='1'/><a:Odd s:mustUnderstand='1'/>";
    assert_eq!(refusal(&action_and(&format!("{security}{known}"))), None);
    let many = refusal(&action_and(&"<x:Odd xmlns:x='urn:x' s:mustUnderstand='1'/>".repeat(10_000))).unwrap();
    assert_eq!(many.not_understood.len(), limits::MAX_NOT_UNDERSTOOD, "a fault is no larger than it helps");
    assert!(many.envelope(None).len() < 8 * 1024);
}

#[test]
fn what_answers_repeat_is_bounded() {
    for header in ["MessageID", "To", "RelatesTo"] {
        let with = |bytes: usize| format!("<a:{header}>{}</a:{header}>", "u".repeat(bytes));
        assert!(simple(&action_and(&with(limits::MAX_ADDRESSING_BYTES)), "<q/>").is_ok());
        let problem = simple(&action_and(&with(limits::MAX_ADDRESSING_BYTES + 1)), "<q/>").unwrap_err();
        assert!(matches!(problem, SoapError::Envelope("soap.addressing-length", _)), "{problem}");
        assert!(problem.to_string().contains(header) && problem.fault().http_status() == 400);
    }
}

#[test]
fn attack_18_replies_go_back_on_the_same_connection_only() {
    for header in ["ReplyTo", "FaultTo"] {
        let to = |address: &str| refusal(&action_and(&format!("<a:{header}>{address}</a:{header}>")));
        assert_eq!(to(&format!("<a:Address> {ANONYMOUS} </a:Address>")), None);
        for address in ["http://169.254.169.254/", "http://127.0.0.1:9090/", "urn:nobody"] {
            let fault = to(&format!("<a:Address>{address}</a:Address>")).unwrap();
            assert_eq!(subcodes(&fault), ["InvalidAddressingHeader", "OnlyAnonymousAddressSupported"]);
            assert_eq!(
                fault.problem_header,
                Some(if header == "ReplyTo" { "wsa:ReplyTo" } else { "wsa:FaultTo" })
            );
            assert!(!fault.reason.contains(address));
        }
        assert_eq!(subcodes(&to("").unwrap()), ["InvalidAddressingHeader", "MissingAddressInEPR"]);
    }
}

#[test]
fn addressing_headers_stand_there_once() {
    for header in ["Action", "MessageID", "To"] {
        let fault =
            refusal(&action_and(&format!("<a:{header}>x</a:{header}><a:{header}>x</a:{header}>"))).unwrap();
        assert_eq!(subcodes(&fault), ["InvalidAddressingHeader", "InvalidCardinality"]);
        assert_eq!(fault.problem_header, Some(format!("wsa:{header}").as_str()));
    }
    let others = format!(
        "<a:To s:role='urn:other'>1</a:To><a:To>2</a:To><a:MessageID>m</a:MessageID>\
         <a:RelatesTo RelationshipType='urn:x'>3</a:RelatesTo><a:RelatesTo RelationshipType='{WSA}/reply'>4</a:RelatesTo>"
    );
    let addressing = simple(&action_and(&others), "<q/>").unwrap().envelope.addressing;
    assert_eq!(addressing.to.as_deref(), Some("2"));
    assert_eq!(addressing.relates_to.as_deref(), Some("4"));
    assert_eq!(addressing.message_id.as_deref(), Some("m"));
}

#[test]
fn attack_20_only_a_cid_within_the_message_is_resolved() {
    let content = |content: &str| {
        let xml = format!("<d xmlns:x='{}'>{content}</d>", Ns::XOP.uri());
        binary_content(Tree::parse(xml.into()).unwrap().root())
    };
    for href in [
        "http://127.0.0.1/a",
        "https://a/",
        "file:///etc/passwd",
        "gopher://a/",
        "cid:",
        "",
        "#a",
        "a",
        "cid\u{130}:a",
    ] {
        assert!(content(&format!("<x:Include href='{href}'/>")).unwrap_err().starts_with("d: "), "{href}");
    }
    assert!(content("<x:Include/>").is_err());
    let include = "<x:Include href='cid:a%40b'/>";
    assert_eq!(content(include), Ok(BinaryContent::Part("a@b".into())));
    assert_eq!(content(&format!("\n {include} \n")), Ok(BinaryContent::Part("a@b".into())));
    for mixed in
        [format!("AAAA{include}"), include.repeat(2), "<y/>".into(), "<Include href='cid:a'/>".into()]
    {
        assert!(content(&mixed).is_err(), "{mixed}");
    }
}

#[test]
fn attack_30_inline_base64_with_white_space_is_read_and_what_is_none_refused() {
    let content = |text: &str| binary_content(Tree::parse(format!("<d>{text}</d>").into()).unwrap().root());
    for text in ["aGVsbG8=", "aGVsbG8", " aGVs\r\n\tbG8= ", "aGV<![CDATA[sbG]]>8<!-- -->="] {
        assert_eq!(content(text), Ok(BinaryContent::Inline("hello".into())), "{text}");
    }
    assert_eq!(content(""), Ok(BinaryContent::Inline(Bytes::new())));
    for text in ["aGVsbG8*", "a", "aGVs=bG8"] {
        assert!(content(text).is_err(), "{text}");
    }
}

/// A multipart/related message; parts are (headers, content).
fn multipart(parts: &[(&str, &str)]) -> String {
    let parts: String =
        parts.iter().map(|(head, content)| format!("--b\r\n{head}\r\n\r\n{content}\r\n")).collect();
    parts + "--b--\r\n"
}

const MTOM: &str = "multipart/related; boundary=b; type=\"application/xop+xml\"; start=\"<root>\"";
const ROOT: &str =
    "Content-ID: <root>\r\nContent-Type: application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"";

#[test]
fn attack_21_two_parts_with_one_content_id() {
    let root = envelope(&action_and(""), "<q/>");
    for ids in [["1", "1"], ["root", "2"], ["cid:%31", "<1>"]] {
        let heads = ids.map(|id| format!("Content-ID: {id}"));
        let body = multipart(&[(ROOT, &root), (&heads[0], "x"), (&heads[1], "y")]);
        let message = received(MTOM, &body).unwrap();
        assert!(matches!(run(parts(message.attachments)), Err(StreamError::Malformed(_))), "{ids:?}");
    }
    let early = multipart(&[("Content-ID: 1", "x"), (ROOT, &root), ("Content-ID: 1", "y")]);
    assert!(run(parts(received(MTOM, &early).unwrap().attachments)).is_err());
}

#[test]
fn attack_27_the_root_part_is_the_one_that_start_names() {
    let root = envelope(&action_and(""), "<q/>");
    let large = "x".repeat(limits::MAX_EARLY_PART_MEMORY);
    let body = multipart(&[
        ("Content-ID: 1", "one"),
        ("Content-ID: 2", &large),
        ("Content-ID: 3", &large[..limits::CHUNK_BYTES + 1]),
        (ROOT, &root),
        ("Content-ID: 4", "four"),
    ]);
    run(async {
        for chunk in [8_191, 100_000, body.len()] {
            let message = receive_bytes(MTOM, body.as_bytes(), chunk).await.unwrap();
            assert!(message.envelope.body().unwrap().is(Ns::NONE, "q"));
            let parts = parts(message.attachments).await.unwrap();
            let read: Vec<_> =
                parts.iter().map(|(part, bytes)| (part.content_id.as_str(), bytes.len())).collect();
            assert_eq!(read, [("1", 3), ("2", large.len()), ("3", limits::CHUNK_BYTES + 1), ("4", 4)]);
            assert!(parts[1].1.iter().chain(&parts[2].1).all(|b| *b == b'x'));
        }
    });
    let elsewhere = MTOM.replace("<root>", "<nobody>");
    match received(&elsewhere, &multipart(&[(ROOT, &root), ("Content-ID: 1", "x")])) {
        Err(error @ SoapError::Envelope("mime.start", _)) => assert_eq!(error.fault().http_status(), 400),
        other => panic!("{:?}", other.err()),
    }
    for (content_type, head) in [
        ("multipart/related; boundary=b", "Content-ID: <other>"),
        ("multipart/related; boundary=b; start=\"\"; type=text/xml", "Content-Type: text/xml"),
        (MTOM, "Content-Type: application/xop+xml"),
        ("Multipart/Related;TYPE=application/soap+xml;Start=root;BOUNDARY=\"b\";", "content-id: root"),
    ] {
        let message = received(content_type, &multipart(&[(head, &root), ("Content-ID: 1", "x")])).unwrap();
        assert_eq!(message.form, Form::Mtom);
        assert_eq!(run(parts(message.attachments)).unwrap().len(), 1, "{content_type}");
    }
}

#[test]
fn attack_28_no_content_encoding_is_undone() {
    run(async {
        for (encoding, status) in [("gzip", 415), ("identity, deflate", 415), ("identity", 0), ("", 0)] {
            let mut headers = headers("application/soap+xml");
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            let body = stream::body([Content::from_bytes(envelope("", "<q/>"))]).1;
            let outcome = receive(&headers, body, &Limits::default()).await;
            assert_eq!(outcome.err().map_or(0, |error| error.fault().http_status()), status, "{encoding}");
        }
    });
}

#[test]
fn other_content_types_are_told_so() {
    let body = envelope("", "<q/>");
    for content_type in [
        "text/html",
        "application/json",
        "multipart/form-data; boundary=b",
        "multipart/related; type=text/plain; boundary=b",
        " ",
    ] {
        let error = received(content_type, &body).unwrap_err();
        assert!(matches!(error, SoapError::ContentType(_)), "{content_type}");
        assert_eq!(error.fault().http_status(), 415);
        assert!(matches!(received(content_type, ""), Err(SoapError::Empty)));
    }
    assert!(matches!(received(MTOM, ""), Err(SoapError::Empty)));
    assert!(matches!(
        received("multipart/related; type=\"application/xop+xml\"", "--b"),
        Err(SoapError::Stream(_))
    ));
    for (content_type, form) in [
        ("application/xop+xml; type=\"application/soap+xml\"", Form::Mtom),
        ("APPLICATION/SOAP+XML;charset=\"utf-8\"", Form::Simple),
        ("text/xml", Form::Simple),
    ] {
        assert_eq!(received(content_type, &body).unwrap().form, form);
    }
    assert!(received("application/soap+xml; charset=iso-8859-1", &body).is_err());
    let latin = ROOT.replace("UTF-8", "utf-16");
    assert!(received(MTOM, &multipart(&[(&latin, &body)])).is_err());
}

#[test]
fn an_envelope_is_bounded_and_a_large_one_parsed_elsewhere() {
    let large = envelope("", &format!("<q>{}</q>", "x".repeat(limits::PARSE_INLINE_BYTES)));
    run(async {
        for (limit, fits) in [(large.len(), true), (large.len() - 1, false)] {
            let limits = Limits { max_envelope_bytes: limit, ..Limits::default() };
            for (content_type, body) in
                [("application/soap+xml", large.clone()), (MTOM, multipart(&[(ROOT, &large)]))]
            {
                let body = stream::body([Content::from_bytes(body)]).1;
                let outcome = receive(&headers(content_type), body, &limits).await;
                match outcome {
                    Ok(_) => assert!(fits),
                    Err(error) => assert_eq!((fits, error.fault().http_status()), (false, 413)),
                }
            }
        }
    });
}

#[test]
fn a_document_is_bounded_whether_it_is_read_or_passed_over() {
    let root = envelope(&action_and(""), "<q/>");
    let after = multipart(&[(ROOT, &root), ("Content-ID: 1", "12345"), ("Content-ID: 2", "12345")]);
    let before = multipart(&[("Content-ID: 1", "12345"), (ROOT, &root)]);
    run(async {
        let message = |body: &str, max_document_bytes| {
            let body = stream::body([Content::from_bytes(body.to_owned())]).1;
            let limits = Limits { max_document_bytes, ..Limits::default() };
            async move { receive(&headers(MTOM), body, &limits).await }
        };
        assert!(parts(message(&after, 5).await.unwrap().attachments).await.is_ok());
        assert!(parts(message(&after, 4).await.unwrap().attachments).await.is_err());
        assert!(message(&after, 10).await.unwrap().attachments.drain().await.is_ok());
        assert!(message(&after, 9).await.unwrap().attachments.drain().await.is_err());
        assert!(message(&before, 5).await.is_ok());
        assert!(message(&before, 4).await.is_err());
    });
}

#[test]
fn faults_are_read_as_they_were_written_in_both_forms() {
    let mut fault = Fault::addressing(&[fault::INVALID_HEADER, fault::ACTION_MISMATCH], "wrong < & > action");
    fault.problem_action = Some("urn:x".into());
    fault.trace = Some("0123".into());
    fault.not_understood = vec![("urn:x".into(), "A".into()), (String::new(), "B".into())];
    run(async {
        for form in [Form::Simple, Form::Mtom] {
            let (status, content_type, body) = fault.answer(form, Some("urn:uuid:1"));
            assert_eq!(status, 400);
            assert_eq!(form_of(&headers(&content_type)), form);
            let message = receive_bytes(&content_type, &body, body.len()).await.unwrap();
            assert_eq!(message.form, form);
            assert_eq!(message.envelope.addressing.relates_to.as_deref(), Some("urn:uuid:1"));
            assert_eq!(message.envelope.addressing.action.as_deref(), Some(fault.action()));
            let read = Fault::read(message.envelope.body().unwrap());
            assert_eq!(read, Fault { reason: "wrong < & > action [trace 0123]".into(), ..fault.clone() });
        }
    });
}

/// A request without wsa:MessageID is answered all the same.
#[test]
fn answers_to_messages_without_an_id_relate_to_nothing() {
    let fault = String::from_utf8(Fault::sender("x").envelope(None)).unwrap();
    let reply = Outgoing { relates_to: Some(String::new()), ..outgoing(Form::Simple, &[]) };
    let reply = String::from_utf8(run(written(send(reply))).1).unwrap();
    for written in [fault, reply] {
        assert!(!written.contains("RelatesTo") && !written.contains("ReplyTo"), "{written}");
    }
}

#[test]
fn faults_of_other_stacks_are_read() {
    let read = |xml: &str| Fault::read(Tree::parse(xml.to_owned().into()).unwrap().root());
    let fault = read(&format!(
        "<Fault xmlns='{SOAP}'><Code><Value xmlns:e='{SOAP}'>e:Sender</Value></Code><Reason><Text xml:lang='ja'>誤り</Text>\
         <Text xml:lang='en-US'> wrong </Text></Reason></Fault>"
    ));
    assert_eq!((fault.code, fault.reason.as_str()), (FaultCode::Sender, "wrong"));
    let old = format!(
        "<S:Fault xmlns:S='{}'><faultcode>S:Client.Auth</faultcode><faultstring>no</faultstring></S:Fault>",
        Ns::SOAP11.uri()
    );
    assert_eq!(read(&old), Fault::sender("no"));
    assert_eq!(read(&format!("<Fault xmlns='{SOAP}'/>")), Fault::receiver(""));
    let endless =
        format!("<Fault xmlns='{SOAP}'><Reason><Text>{}</Text></Reason></Fault>", "x".repeat(100_000));
    assert_eq!(read(&endless).reason.len(), limits::MAX_FAULT_REASON_CHARS);
}

#[test]
fn what_went_wrong_inside_is_not_told() {
    let fault = SoapError::Stream(StreamError::Store("/var/lib/x: disk full".into())).fault();
    assert_eq!((fault.code, fault.http_status()), (FaultCode::Receiver, 500));
    assert!(!fault.reason.contains("disk"));
}
