//! Scanners that are slow, cut off, or talk nonsense: none of it is ever taken for "clean". What they do when they behave is
//! tested with whole submissions.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

/// What a scanner of straw does with a connection.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Answers before it has read anything.
    AtOnce(&'static [u8]),
    /// Reads the document, answers and closes.
    AtTheEnd(&'static [u8]),
    /// Answers for ever.
    Endless(&'static [u8]),
    /// Takes the connection, and nothing from it.
    Deaf,
}

const SHORT: Patience = Patience {
    connect: Duration::from_secs(5),
    write: Duration::from_secs(1),
    verdict: Duration::from_secs(1),
};
/// An ICAP service that wants no preview.
const OPTIONS: &[u8] = b"ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\n\r\n";

/// Starts one; `end` is what the stream of a document ends with. It tells when it has answered.
async fn straw(manner: Manner, end: &'static [u8]) -> (u16, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let _ = serve(stream, manner, end, &tell).await;
            });
        }
    });
    (port, told)
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    end: &[u8],
    tell: &mpsc::UnboundedSender<()>,
) -> io::Result<()> {
    let mut first = [0; 8];
    stream.peek(&mut first).await?;
    if first.starts_with(b"OPTIONS") {
        read_until(&mut stream, b"\r\n\r\n").await?;
        return stream.write_all(OPTIONS).await;
    }
    match manner {
        Manner::AtOnce(answer) => {
            stream.write_all(answer).await?;
            let _ = tell.send(());
            read_until(&mut stream, b"never").await
        }
        Manner::AtTheEnd(answer) => {
            read_until(&mut stream, end).await?;
            stream.write_all(answer).await
        }
        Manner::Endless(answer) => loop {
            stream.write_all(answer).await?;
        },
        Manner::Deaf => std::future::pending().await,
    }
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) -> io::Result<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(end) {
        seen.push(stream.read_u8().await?);
    }
    Ok(())
}

/// A document's way through a scanner.
async fn scan(address: Address, document: &[u8], mut told: Option<mpsc::UnboundedReceiver<()>>) -> String {
    let scanned = async {
        let mut scan = Scanner::new(address, SHORT).begin().await?;
        scan.chunk(&Bytes::copy_from_slice(document)).await?;
        if let Some(told) = &mut told {
            // The answer is on its way before the document's end is.
            told.recv().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        scan.finish().await
    };
    match scanned.await {
        Ok(verdict) => format!("{verdict:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_clamd_says_too_early_or_in_part_is_no_verdict() {
    use Manner::{AtOnce, AtTheEnd, Deaf, Endless};
    for (manner, expected) in [
        (AtTheEnd(b"stream: OK\0"), "Clean"),
        (AtTheEnd(b"stream: Win.Test OK FOUND\0"), "Found(\"Win.Test OK\")"),
        // It was not asked to the end.
        (AtOnce(b"stream: OK\0"), "gave no verdict: stream: OK"),
        (AtOnce(b"stream: O"), "does not answer within"),
        // "stream: OK.Worm FOUND", perhaps.
        (AtTheEnd(b"stream: OK"), "its answer breaks off"),
        (AtTheEnd(b""), "the scanner is away"),
        (AtTheEnd(b"\0"), "gave no verdict"),
        (AtTheEnd(b"OK\0"), "gave no verdict: OK"),
        (AtTheEnd(b"stream: NOT OK\0"), "gave no verdict"),
        (AtTheEnd(b"\xff\xfe{\"ok\":true}\r\n\0"), "gave no verdict"),
        (AtTheEnd(b"PONG\0stream: OK\0"), "gave no verdict"),
        (Endless(b"stream: OK "), "its answer is too long"),
        (Deaf, "does not answer within"),
    ] {
        let (port, told) = straw(manner, &[0; 4]).await;
        let address = Address::Clamd(Endpoint::Tcp("127.0.0.1".to_owned(), port));
        let told = matches!(manner, AtOnce(_)).then_some(told);
        let verdict = scan(address, b"document", told).await;
        assert!(verdict.contains(expected), "{manner:?}: {verdict}");
    }
}

#[tokio::test]
async fn what_an_icap_server_says_too_early_or_in_part_is_no_verdict() {
    use Manner::{AtOnce, AtTheEnd, Deaf, Endless};
    const SAME: &[u8] = b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n8\r\ndocument\r\n0\r\n\r\n";
    const OTHER: &[u8] = b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n8\r\nDocument\r\n0\r\n\r\n";
    const CUT: &[u8] = b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n8\r\ndocu";
    const PAGE: &[u8] =
        b"ICAP/1.0 200 OK\r\nX-Virus-ID: Worm\r\nEncapsulated: res-body=0\r\n\r\nff\r\nit is b";
    for (manner, expected) in [
        (AtTheEnd(b"ICAP/1.0 204 No Content\r\n\r\n"), "Clean"),
        (AtTheEnd(SAME), "Clean"),
        (AtTheEnd(OTHER), "Found(\"unnamed"),
        (AtTheEnd(CUT), "gave no verdict: its chunks are broken"),
        (AtTheEnd(PAGE), "Found(\"Worm\")"),
        (AtOnce(b"ICAP/1.0 204 No Content\r\n\r\n"), "before it had all of the document"),
        (AtOnce(b"ICAP/1.0 100 Continue\r\n\r\n"), "before it had all of the document"),
        (AtOnce(b"ICAP/1.0 403 Forbidden\r\nX-Virus-ID: Worm\r\n\r\n"), "Found(\"Worm\")"),
        (AtTheEnd(b"HTTP/1.1 204 No Content\r\n\r\n"), "does not speak ICAP/1.0"),
        (AtTheEnd(b"ICAP/1.0 2"), "the scanner is away"),
        (AtTheEnd(b"ICAP/1.0 204 No Content\r\nX-A: "), "the scanner is away"),
        (AtTheEnd(b"ICAP/1.0 -204 No\r\n\r\n"), "does not speak ICAP/1.0"),
        (
            AtTheEnd(b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nfffffffffffffffff\r\n"),
            "chunks are broken",
        ),
        (Endless(b"ICAP/1.0 204 No Content\r\nX-A: b\r\n"), "its answer is too long"),
        (Deaf, "does not answer within"),
    ] {
        let (port, told) = straw(manner, b"0\r\n\r\n").await;
        let address = Address::Icap { host: "127.0.0.1".to_owned(), port, service: "scan".to_owned() };
        let told = matches!(manner, AtOnce(_)).then_some(told);
        let verdict = scan(address, b"document", told).await;
        assert!(verdict.contains(expected), "{manner:?}: {verdict}");
    }
}

#[tokio::test]
async fn a_scanner_that_takes_no_bytes_is_late() {
    let document = vec![b'x'; 16 << 20];
    let (port, _told) = straw(Manner::Deaf, b"").await;
    let host = "127.0.0.1".to_owned();
    for address in [
        Address::Clamd(Endpoint::Tcp(host.clone(), port)),
        Address::Icap { host, port, service: "scan".to_owned() },
    ] {
        let verdict = scan(address, &document, None).await;
        assert!(verdict.contains("does not answer within"), "{verdict}");
    }
}
