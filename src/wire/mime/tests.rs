//! Reader and writer together: every way a body can be cut into chunks, every way a boundary can mislead.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::wire::stream::{ByteStream, Content, StreamError, chunks};

/// A part as the reader gave it: Content-ID, Content-Type, bytes.
type Read = (Option<String>, Option<String>, Vec<u8>);

fn stream(pieces: Vec<Bytes>) -> ByteStream {
    Box::pin(futures_util::stream::iter(pieces.into_iter().map(Ok)))
}

fn cut(body: &[u8], size: usize) -> Vec<Bytes> {
    body.chunks(size.max(1)).map(Bytes::copy_from_slice).collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn read(pieces: Vec<Bytes>, boundary: &str) -> Result<Vec<Read>, StreamError> {
    run(read_parts(pieces, boundary))
}

async fn read_parts(pieces: Vec<Bytes>, boundary: &str) -> Result<Vec<Read>, StreamError> {
    let mut reader = MultipartReader::new(stream(pieces), boundary)?;
    let mut parts = Vec::new();
    while let Some(headers) = reader.next_part().await? {
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.next_chunk().await? {
            assert!(!chunk.is_empty());
            bytes.extend_from_slice(&chunk);
        }
        parts.push((headers.content_id, headers.content_type, bytes));
    }
    Ok(parts)
}

/// Contents of the parts, the same however the body is cut.
fn contents(body: &[u8], boundary: &str) -> Result<Vec<Vec<u8>>, StreamError> {
    let whole = read(cut(body, body.len()), boundary);
    for size in (1..24).chain([limits::MIN_READ_BYTES]) {
        let again = read(cut(body, size), boundary);
        assert_eq!(format!("{again:?}"), format!("{whole:?}"), "in chunks of {size}");
    }
    for at in 1..body.len().min(2000) {
        let again =
            read(vec![Bytes::copy_from_slice(&body[..at]), Bytes::copy_from_slice(&body[at..])], boundary);
        assert_eq!(format!("{again:?}"), format!("{whole:?}"), "cut at {at}");
    }
    Ok(whole?.into_iter().map(|(_, _, bytes)| bytes).collect())
}

fn texts(body: &str, boundary: &str) -> Vec<String> {
    contents(body.as_bytes(), boundary).unwrap().into_iter().map(|b| String::from_utf8(b).unwrap()).collect()
}

#[test]
fn line_breaks_preambles_and_epilogues_are_tolerated() {
    let crlf = "--b\r\nContent-ID: <1>\r\n\r\none\r\n--b\r\nContent-ID: <2>\r\n\r\ntwo\r\n--b--\r\n";
    assert_eq!(texts(crlf, "b"), ["one", "two"]);
    assert_eq!(texts(&crlf.replace("\r\n", "\n"), "b"), ["one", "two"]);
    assert_eq!(texts(&format!("\r\n{crlf}"), "b"), ["one", "two"]);
    assert_eq!(
        texts(&format!("This is a MIME message.\r\n-- b\r\n{crlf}\r\nThe end.\r\n--b\r\n"), "b"),
        ["one", "two"]
    );
    assert_eq!(texts(crlf.trim_end(), "b"), ["one", "two"]);
    assert_eq!(texts(&crlf.replace("--b\r\n", "--b \t \r\n"), "b"), ["one", "two"]);
    assert_eq!(texts(&format!("{}  \r\n", crlf.trim_end()), "b"), ["one", "two"]);
}

#[test]
fn parts_may_be_empty_and_headers_missing() {
    assert_eq!(
        texts("--b\r\n\r\n\r\n--b\r\n\r\n--b\r\nA: 1\r\n--b\r\n\r\nx\r\n--b--", "b"),
        ["", "", "", "x"]
    );
    assert_eq!(texts("--b\r\n<a/>\r\n--b\r\n\r\n<c/>\r\n--b--", "b"), ["<a/>", "<c/>"]);
    assert_eq!(texts("--b--", "b"), [""; 0]);
}

#[test]
fn headers_fold_come_in_any_case_and_with_others() {
    let body =
        b"--b\r\nX-Other: 1\r\ncontent-ID:\r\n <a%40b>\r\nCONTENT-TYPE: text/xml;\r\n\tcharset=UTF-8\r\n\
        Content-transfer-encoding: Binary;\r\nContent-Length: 99\r\n\r\nx\r\n--b--";
    let parts = read(cut(body, 7), "b").unwrap();
    assert_eq!(parts, [(Some("a@b".into()), Some("text/xml; charset=UTF-8".into()), b"x".to_vec())]);
}

/// User pain 19: the boundary directly behind the envelope. Only there: in a document the same bytes are its own.
#[test]
fn a_boundary_may_be_glued_to_the_envelope_only() {
    let glued = |kind: &str| format!("--b\r\nContent-Type: {kind}\r\n\r\n<e>--b</e>--b\r\n\r\ntwo\r\n--b--");
    assert_eq!(
        texts(&glued("application/xop+xml; type=\"application/soap+xml\""), "b"),
        ["<e>--b</e>", "two"]
    );
    assert_eq!(texts(&glued("text/xml"), "b"), ["<e>--b</e>--b\r\n\r\ntwo"]);
    assert_eq!(texts("--b\n\n<e></e>--b\n\n<x>--b\n--b--", "b"), ["<e></e>", "<x>--b"]);
}

#[test]
fn attack_22_a_boundary_inside_a_document_is_the_documents() {
    let tricky = "x--b\r\n--bb\r\n--b-\r\n--b-- x\r\n--b--x\r\n --b\r\n\r--b\r\n--b x\r\n--B\r\n--b\rx";
    let body = format!("--b\r\n\r\n{tricky}\r\n--b\r\n\r\n\r\n--bb--\r\n\r\n--b--\r\n");
    assert_eq!(texts(&body, "b"), [tricky, "\r\n--bb--\r\n"]);
    let lf = format!("--b\n\n{}\r\n--b\n\n\n--b--\n", "x\r");
    assert_eq!(texts(&lf, "b"), ["x\r\r", ""]);
}

#[test]
fn attack_22_a_boundary_absent_too_long_or_nowhere() {
    assert!(matches!(read(vec![], " "), Err(StreamError::Malformed(_))));
    assert!(matches!(read(vec![], &"b".repeat(129)), Err(StreamError::TooLarge { .. })));
    let long = "b".repeat(128);
    assert_eq!(texts(&format!("--{long}\r\n\r\nx\r\n--{long}--"), &long), ["x"]);
    assert!(matches!(contents(b"--c\r\n\r\nx\r\n--c--", "b"), Err(StreamError::Malformed(_))));
    let preamble = vec![b'x'; limits::MAX_MIME_PREAMBLE_BYTES + 1];
    assert!(matches!(read(cut(&preamble, 9999), "b"), Err(StreamError::TooLarge { .. })));
}

#[test]
fn a_body_without_its_closing_delimiter_was_cut_off() {
    let whole = b"--b\r\nContent-ID: <1>\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--";
    for end in 0..whole.len() {
        assert!(read(cut(&whole[..end], 5), "b").is_err(), "cut off at {end}");
    }
}

#[test]
fn attack_23_parts_are_counted() {
    let parts = |n: usize| format!("{}--b--", "--b\r\n\r\n\r\n".repeat(n));
    assert_eq!(read(cut(parts(1001).as_bytes(), 999), "b").unwrap().len(), 1001);
    for n in [1002, 100_000] {
        assert!(matches!(read(cut(parts(n).as_bytes(), 999), "b"), Err(StreamError::TooLarge { .. })));
    }
}

#[test]
fn attack_24_headers_of_a_part_are_bounded() {
    for header in [format!("X: {}\r\n", "y".repeat(1 << 20)), "X: y\r\n".repeat(200_000), "z".repeat(1 << 20)]
    {
        for size in [17, 4096, 1 << 22] {
            let body = format!("--b\r\n{header}\r\nx\r\n--b--");
            assert!(matches!(read(cut(body.as_bytes(), size), "b"), Err(StreamError::TooLarge { .. })));
        }
    }
}

#[test]
fn attack_26_a_chunk_per_byte_costs_no_more_than_its_bytes() {
    let document = vec![b'\n'; 300_000];
    let body = [b"--b\r\n\r\n", &document[..], b"\r\n--b--"].concat();
    assert_eq!(read(cut(&body, 1), "b").unwrap()[0].2, document);
}

#[test]
fn attack_29_a_nested_multipart_is_an_opaque_part() {
    let nested = "--bb\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\ninner\r\n--bb--\r\n";
    let body = format!("--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n{nested}\r\n--b--");
    assert_eq!(texts(&body, "b"), [nested]);
}

#[test]
fn attack_30_transfer_encodings_are_undone_or_refused() {
    let body = |encoding: &str, content: &str| {
        format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n--b--")
    };
    for (encoding, content) in [
        ("BASE64", "aGVs\r\nbG8=\r\n"),
        ("quoted-printable", "=68el=\r\nlo"),
        ("8bit", "hello"),
        ("7bit", "hello"),
        ("binary", "hello"),
    ] {
        assert_eq!(texts(&body(encoding, content), "b"), ["hello"], "{encoding}");
    }
    assert!(contents(body("base64", "hello, world").as_bytes(), "b").is_err());
    assert!(contents(body("x-zip", "hello").as_bytes(), "b").is_err());
}

#[test]
fn attack_25_a_part_that_never_ends_gives_what_came_and_then_the_idle_error() {
    run(async {
        let stalled = vec![Ok(Bytes::from_static(b"--b\r\n\r\nhalf\r\n--")), Err(StreamError::Idle(30_000))];
        let mut reader = MultipartReader::new(Box::pin(futures_util::stream::iter(stalled)), "b").unwrap();
        reader.next_part().await.unwrap().unwrap();
        assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "half");
        assert!(matches!(reader.next_chunk().await, Err(StreamError::Idle(30_000))));
    });
}

#[test]
fn a_failed_reader_stays_failed_and_passes_over_what_is_left() {
    run(async {
        let body = b"--b\r\n\r\nlong document\r\n--b\r\n\r\ntwo\r\n--b--";
        let mut reader = MultipartReader::new(stream(cut(body, 10)), "b").unwrap();
        assert_eq!(reader.next_chunk().await.unwrap(), None);
        reader.next_part().await.unwrap().unwrap();
        assert!(reader.next_chunk().await.unwrap().is_some());
        reader.next_part().await.unwrap().unwrap();
        assert_eq!(reader.next_chunk().await.unwrap().unwrap(), "two");
        assert_eq!(reader.next_chunk().await.unwrap(), None);
        assert_eq!(reader.next_part().await.unwrap(), None);

        let failing = vec![Ok(Bytes::from_static(b"--b\r\n\r\nx")), Err(StreamError::Idle(5))];
        let mut reader = MultipartReader::new(Box::pin(futures_util::stream::iter(failing)), "b").unwrap();
        reader.next_part().await.unwrap().unwrap();
        while reader.next_chunk().await.is_ok() {}
        assert!(matches!(reader.next_chunk().await, Err(StreamError::Idle(5))));
        assert!(matches!(reader.next_part().await, Err(StreamError::Idle(5))));
    });
}

/// Writes parts (their contents cut in two) and reads them again, in chunks of `size`.
fn through(documents: &[Vec<u8>], size: usize, known: bool) -> Vec<Vec<u8>> {
    run(async {
        let parts = documents
            .iter()
            .enumerate()
            .map(|(n, document)| Part {
                content_id: format!("{n}@sekisho"),
                content_type: "application/octet-stream".into(),
                content: Content {
                    length: known.then_some(document.len() as u64),
                    head: vec![Bytes::copy_from_slice(&document[..document.len() / 3])],
                    rest: Some(stream(cut(&document[document.len() / 3..], size))),
                },
            })
            .collect();
        let (content_type, length, body) = multipart("urn:a", parts);
        assert_eq!(length.is_some(), known);
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), length);
        let mut written = Vec::new();
        let mut body = chunks(body);
        while let Some(frame) = futures_util::StreamExt::next(&mut body).await {
            written.extend_from_slice(&frame.unwrap());
        }
        assert_eq!(length.unwrap_or(written.len() as u64), written.len() as u64);
        let boundary = ContentType::parse(&content_type).unwrap().parameter("boundary").unwrap().to_owned();
        assert!(boundary.len() <= 70);
        let parts = read_parts(cut(&written, size), &boundary).await.unwrap();
        parts.into_iter().map(|(_, _, bytes)| bytes).collect()
    })
}

/// User pain 14: sizes around every threshold at which somebody spools.
#[test]
fn every_size_arrives_whole() {
    for size in [0, 1, 65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_048_577] {
        let document: Vec<u8> = (0..size).map(|n: usize| ((n * 7919) >> 3) as u8).collect();
        for chunk in [997, 65_536, 1 << 20] {
            assert_eq!(through(&[b"<e/>".to_vec(), document.clone()], chunk, chunk != 997)[1], document);
        }
    }
}

#[test]
fn a_content_of_another_length_than_announced_breaks_the_body_off() {
    for length in [4, 6] {
        let content = Content { length: Some(length), ..Content::from_bytes("hello") };
        let part = Part { content_id: "a".into(), content_type: "a/b".into(), content };
        let (_, _, body) = multipart("urn:a", vec![part]);
        let frames: Vec<_> = run(futures_util::StreamExt::collect(chunks(body)));
        assert!(frames.last().unwrap().is_err(), "announced {length}");
    }
}

#[test]
fn what_is_put_into_headers_cannot_end_them() {
    let part = Part {
        content_id: "a>\r\nX: 1".into(),
        content_type: "a/b\r\nY: 1".into(),
        content: Content::from_bytes("x"),
    };
    let (content_type, _, body) = multipart("urn:\"a\r\n", vec![part]);
    assert!(content_type.contains("start=\"<aX:1>\"; start-info=\"application/soap+xml\"; action=\"urn:a\""));
    let frames: Vec<_> = run(futures_util::StreamExt::collect(chunks(body)));
    let text = String::from_utf8(frames[0].clone().unwrap().to_vec()).unwrap();
    assert!(text.contains(
        "Content-Type: a/bY: 1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <aX:1>\r\n\r\nx\r\n"
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Documents made of what boundaries are made of.
    #[test]
    fn what_is_written_is_read(
        documents in prop::collection::vec("[-b\r\n<> \u{0}a=]{0,60}", 1..5),
        size in 1usize..80,
        known: bool,
    ) {
        let documents: Vec<Vec<u8>> = documents.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(through(&documents, size, known), documents);
    }

    /// Whatever arrives: an answer, the same for every cut, and no panic.
    #[test]
    fn any_bytes_read_the_same_however_they_are_cut(
        body in "(--b|--|b|\r\n|\n|\r| |<e>|Content-ID: 1\r\n|:|x){0,40}",
        size in 1usize..20,
    ) {
        let whole = read(cut(body.as_bytes(), body.len()), "b");
        let again = read(cut(body.as_bytes(), size), "b");
        prop_assert_eq!(format!("{:?}", whole), format!("{:?}", again));
    }
}
