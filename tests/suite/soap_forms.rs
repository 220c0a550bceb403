//! Whole messages as the stacks of the field write them, which must be read, and as we write them, which those stacks must
//! read: one wrong character here has cost others weeks (user pains 1, 5, 10, 15, 18, 19, 99).

use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use sekisho::limits::Limits;
use sekisho::wire::mime::ContentType;
use sekisho::wire::soap::{
    Attachment, BinaryContent, Fault, Form, Message, Outgoing, binary_content, receive, send,
};
use sekisho::wire::stream::{self, Content, chunks};
use sekisho::wire::xml::{Element, Ns};

use crate::support::{golden, messages};

const RESPONSE: &str = "urn:ihe:iti:2007:RetrieveDocumentSetResponse";
/// wsa:RelatesTo of every golden that is read.
const RELATES_TO: &str = "urn:uuid:6d296e90-e5dc-43d0-b455-7c1f3eb35d83";
/// The document of every golden that is read: line breaks and dashes where they mislead, and bytes that are no text.
const DOCUMENT: &[u8] = b"%PDF-1.7\r\n%\xe2\xe3\xcf\xd3\r\n\x00\xff--not a boundary\r\n--MIME\r\n\n";

/// An HTTP message as kept in a file, cut into chunks.
async fn message(file: &[u8], chunk: usize) -> Message {
    let end = file.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(file[..end].to_vec()).unwrap();
    let content_type = head.split("Content-Type: ").nth(1).unwrap();
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap())]);
    let pieces: Vec<_> = file[end + 4..].chunks(chunk).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let body = Content::from_stream(None, Box::pin(futures_util::stream::iter(pieces)));
    receive(&headers, stream::body([body]).1, &Limits::default()).await.unwrap()
}

fn descendant<'t>(element: Element<'t>, local: &str) -> Option<Element<'t>> {
    if element.local() == local {
        return Some(element);
    }
    element.children().find_map(|child| descendant(child, local))
}

/// The bytes of an element's content, inline or from its part.
async fn bytes_of(message: &mut Message, local: &str) -> Vec<u8> {
    let element = descendant(message.envelope.tree.root(), local).unwrap();
    let wanted = match binary_content(element).unwrap() {
        BinaryContent::Inline(bytes) => return bytes.to_vec(),
        BinaryContent::Part(id) => id,
    };
    let mut found = None;
    while let Some(part) = message.attachments.next().await.unwrap() {
        let mut bytes = Vec::new();
        while let Some(chunk) = message.attachments.chunk().await.unwrap() {
            bytes.extend_from_slice(&chunk);
        }
        if part.content_id == wanted {
            found = Some(bytes);
        }
    }
    found.unwrap_or_else(|| panic!("no part {wanted}"))
}

async fn reads(file: &[u8], form: Form) {
    for chunk in [1, 13, 64, file.len()] {
        let mut message = message(file, chunk).await;
        assert_eq!(message.form, form);
        let addressing = &message.envelope.addressing;
        assert_eq!(addressing.action.as_deref(), Some(RESPONSE));
        assert_eq!(addressing.relates_to.as_deref(), Some(RELATES_TO));
        assert_eq!(message.envelope.check(&[RESPONSE], &[]), Ok(()));
        assert!(message.envelope.body().unwrap().is(Ns::XDS, "RetrieveDocumentSetResponse"));
        assert_eq!(bytes_of(&mut message, "Document").await, DOCUMENT);
    }
}

macro_rules! read_goldens {
    ($($name:ident $file:literal $form:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            reads(include_bytes!(concat!("../golden/mime/read/", $file, ".http")), Form::$form).await;
        })*
    };
}
read_goldens! {
    reads_axis2_1_5 "axis2-1.5" Mtom;
    reads_axis2_1_6 "axis2-1.6" Mtom;
    reads_cxf "cxf" Mtom;
    reads_cxf_encoded_twice "cxf-encoded-twice" Mtom;
    reads_dotnet_core "dotnet-core" Mtom;
    reads_gsoap "gsoap" Mtom;
    reads_line_feeds "line-feeds" Mtom;
    reads_metro "metro" Mtom;
    reads_mtom_with_the_document_inline "mtom-inline" Mtom;
    reads_nist_toolkit "nist-toolkit" Mtom;
    reads_a_root_part_that_comes_last "root-last" Mtom;
    reads_saaj_attachments "saaj-attachments" Mtom;
    reads_simple_with_the_document_inline "simple-inline" Simple;
    reads_wcf "wcf" Mtom;
    reads_xop_without_multipart "xop-alone-inline" Mtom;
}

/// User pain 5: a stack that makes a part of everything, the certificate in wsse:Security included.
#[tokio::test]
async fn reads_a_part_that_a_header_block_refers_to() {
    let mut message = message(include_bytes!("../golden/mime/read/dotnet-core.http"), 50).await;
    assert_eq!(bytes_of(&mut message, "BinarySecurityToken").await, b"\x30\x82certificate");
}

/// An HTTP message as text.
async fn http(content_type: &str, length: u64, body: &[u8]) -> Vec<u8> {
    let head = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn written(name: &str, outgoing: Outgoing) {
    let reply = send(outgoing);
    let mut frames = chunks(reply.body);
    let mut body = Vec::new();
    while let Some(frame) = frames.next().await {
        body.extend_from_slice(&frame.unwrap());
    }
    check(name, &reply.content_type, reply.length.unwrap(), &body).await;
}

/// Golden, schema folder, and what every stack needs of a multipart Content-Type.
async fn check(name: &str, content_type: &str, length: u64, body: &[u8]) {
    assert_eq!(length, body.len() as u64);
    golden::check(&format!("mime/written/{name}.http"), &http(content_type, length, body).await);
    let text = String::from_utf8_lossy(body);
    messages::keep_envelopes(name, body);
    let parsed = ContentType::parse(content_type).unwrap();
    if let Some(boundary) = parsed.parameter("boundary") {
        assert!(
            boundary.len() <= 70 && boundary.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        );
        assert!(
            text.starts_with(&format!("--{boundary}\r\n"))
                && text.ends_with(&format!("\r\n--{boundary}--\r\n"))
        );
    }
}

fn response(form: Form, document: &str) -> Outgoing {
    let attachments = match form {
        Form::Simple => vec![],
        Form::Mtom => vec![Attachment {
            content_id: "1.6d296e90-e5dc-43d0-b455-7c1f3eb35d83@sekisho".into(),
            content_type: "text/plain".into(),
            content: Content::from_bytes("the document\n"),
        }],
    };
    let body = format!(
        "<xds:RetrieveDocumentSetResponse xmlns:xds=\"urn:ihe:iti:xds-b:2007\"><rs:RegistryResponse \
         xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\" \
         status=\"urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success\"/><xds:DocumentResponse>\
         <xds:RepositoryUniqueId>1.2.3</xds:RepositoryUniqueId><xds:DocumentUniqueId>1.2.3.4</xds:DocumentUniqueId>\
         <xds:mimeType>text/plain</xds:mimeType><xds:Document>{document}</xds:Document></xds:DocumentResponse>\
         </xds:RetrieveDocumentSetResponse>"
    );
    Outgoing {
        form,
        action: RESPONSE.into(),
        relates_to: Some(RELATES_TO.into()),
        body: vec![body.into()],
        attachments,
        ..Outgoing::default()
    }
}

#[tokio::test]
async fn writes_the_forms_that_stacks_read() {
    let include = "<xop:Include xmlns:xop=\"http://www.w3.org/2004/08/xop/include\" \
                   href=\"cid:1.6d296e90-e5dc-43d0-b455-7c1f3eb35d83@sekisho\"/>";
    written("response-mtom", response(Form::Mtom, include)).await;
    written("response-simple", response(Form::Simple, "dGhlIGRvY3VtZW50Cg==")).await;
    let request = |form| {
        Outgoing {
        action: "urn:ihe:iti:2007:RetrieveDocumentSet".into(),
        to: Some("https://poi.example.jp:8443/services/iti-43".into()),
        relates_to: None,
        body: vec![Bytes::from_static(
            b"<xds:RetrieveDocumentSetRequest xmlns:xds=\"urn:ihe:iti:xds-b:2007\"><xds:DocumentRequest>\
              <xds:RepositoryUniqueId>1.2.3</xds:RepositoryUniqueId><xds:DocumentUniqueId>1.2.3.4</xds:DocumentUniqueId>\
              </xds:DocumentRequest></xds:RetrieveDocumentSetRequest>",
        )],
        attachments: vec![],
        ..response(form, "")
    }
    };
    written("request-mtom", request(Form::Mtom)).await;
    written("request-simple", request(Form::Simple)).await;
}

#[tokio::test]
async fn writes_faults_in_schema_order_in_the_form_of_the_request() {
    let mut not_understood = Fault::new(
        sekisho::wire::soap::FaultCode::MustUnderstand,
        "these header blocks must be understood and are not: {urn:x}Odd",
    );
    not_understood.not_understood = vec![("urn:x".into(), "Odd".into())];
    let unsupported =
        Fault::action_not_supported(Some("urn:x"), "no operation of this endpoint has the action \"urn:x\"");
    for (name, fault, form) in [
        ("fault-mtom", Fault::sender("the body is no RetrieveDocumentSetRequest"), Form::Mtom),
        ("fault-not-understood", not_understood, Form::Simple),
        ("fault-action", unsupported, Form::Simple),
        (
            "fault-version",
            Fault::new(sekisho::wire::soap::FaultCode::VersionMismatch, "SOAP 1.1"),
            Form::Simple,
        ),
    ] {
        let (status, content_type, body) = fault.traced("00c0ffee").answer(form, Some(RELATES_TO));
        assert_eq!(status, if name == "fault-mtom" || name == "fault-action" { 400 } else { 500 });
        check(name, &content_type, body.len() as u64, &body).await;
    }
}
