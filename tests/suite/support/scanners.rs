//! Malware scanners: clamd itself where it is installed, with a database that knows one harmless file, and servers of straw
//! that speak clamd's and ICAP's protocols to the letter and check what they are sent.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::certs::TempDir;
use super::http::unused_port;

/// What scanners are tested with: every one knows it, and nothing is wrong with it. In two pieces, so that none finds it here.
pub fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", r"-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// Whether a scanner of straw finds something.
fn is_bad(document: &[u8]) -> bool {
    let eicar = eicar();
    document.windows(eicar.len()).any(|window| window == eicar)
}

/// How a scanner of straw behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Good,
    /// It takes the connection and hangs up.
    HangsUp,
    /// It takes this many bytes, and then says that it is too much (clamd's StreamMaxLength).
    AtMost(usize),
    /// An ICAP server that wants a preview of so many bytes, and knows 204.
    Preview(usize),
    /// An ICAP server that knows neither: it sends back what it gets.
    Echo,
    /// An ICAP server that only knows REQMOD.
    Requests,
    /// An ICAP server that is overloaded.
    Overloaded,
}

/// A scanner of straw.
pub struct Straw {
    pub address: String,
    documents: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Straw {
    pub async fn clamd(manner: Manner) -> Self {
        Self::start("clamd", "", move |stream, documents| clamd(stream, manner, documents)).await
    }

    pub async fn icap(manner: Manner) -> Self {
        Self::start("icap", "/avscan", move |stream, documents| icap(stream, manner, documents)).await
    }

    /// What it was sent, as far as it wanted it.
    pub fn documents(&self) -> Vec<Vec<u8>> {
        self.documents.lock().unwrap().clone()
    }

    async fn start<F>(
        scheme: &str,
        path: &str,
        serve: impl Fn(BufReader<TcpStream>, Arc<Mutex<Vec<Vec<u8>>>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("{scheme}://{}{path}", listener.local_addr().unwrap());
        let documents = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&documents);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(BufReader::new(stream), Arc::clone(&kept)));
            }
        });
        Self { address, documents }
    }
}

async fn clamd(
    mut stream: BufReader<TcpStream>,
    manner: Manner,
    documents: Arc<Mutex<Vec<Vec<u8>>>>,
) -> std::io::Result<()> {
    if manner == Manner::HangsUp {
        return Ok(());
    }
    let mut command = Vec::new();
    stream.read_until(0, &mut command).await?;
    if command == b"zPING\0" {
        return stream.write_all(b"PONG\0").await;
    }
    assert_eq!(command, b"zINSTREAM\0");
    let mut document = Vec::new();
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        let mut chunk = vec![0; length];
        stream.read_exact(&mut chunk).await?;
        document.extend_from_slice(&chunk);
        if matches!(manner, Manner::AtMost(most) if document.len() > most) {
            return stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await;
        }
    }
    let verdict: &[u8] = match is_bad(&document) {
        true => b"stream: Eicar-Test-Signature FOUND\0",
        false => b"stream: OK\0",
    };
    documents.lock().unwrap().push(document);
    stream.write_all(verdict).await
}

/// Reads a head up to its empty line.
async fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await? > 0 {}
    Ok(head)
}

/// Reads chunks up to the last one, which may be marked as the document's end.
async fn chunks(stream: &mut BufReader<TcpStream>, document: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).await?;
        let (size, extension) = size.trim_end().split_once(';').unwrap_or((size.trim_end(), ""));
        let mut chunk = vec![0; usize::from_str_radix(size, 16).unwrap() + 2];
        stream.read_exact(&mut chunk).await?;
        assert!(chunk.ends_with(b"\r\n"));
        if chunk.len() == 2 {
            return Ok(extension.trim() == "ieof");
        }
        document.extend_from_slice(&chunk[..chunk.len() - 2]);
    }
}

async fn icap(
    mut stream: BufReader<TcpStream>,
    manner: Manner,
    documents: Arc<Mutex<Vec<Vec<u8>>>>,
) -> std::io::Result<()> {
    let request = head(&mut stream).await?;
    let method = request.split(' ').next().unwrap();
    assert!(request.contains("ICAP/1.0\r\nHost: 127.0.0.1:"), "{request}");
    if method == "OPTIONS" {
        let wants = match manner {
            Manner::Preview(bytes) => format!("Methods: RESPMOD\r\nPreview: {bytes}\r\nAllow: 204\r\n"),
            Manner::Requests => "Methods: REQMOD\r\nAllow: 204\r\n".to_owned(),
            _ => "Methods: RESPMOD, REQMOD\r\nOptions-TTL: 60\r\n".to_owned(),
        };
        let answer = format!("ICAP/1.0 200 OK\r\n{wants}ISTag: \"1\"\r\nEncapsulated: null-body=0\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    if manner == Manner::Overloaded {
        return stream.write_all(b"ICAP/1.0 503 Service overloaded\r\n\r\n").await;
    }
    assert_eq!(method, if manner == Manner::Requests { "REQMOD" } else { "RESPMOD" });
    let encapsulated = request.lines().find_map(|line| line.strip_prefix("Encapsulated: ")).unwrap();
    let body = encapsulated.rsplit_once('=').unwrap().1.parse::<usize>().unwrap();
    let mut http = vec![0; body];
    stream.read_exact(&mut http).await?;
    assert!(http.ends_with(b"\r\n\r\n"), "the body begins where Encapsulated says");
    let mut document = Vec::new();
    let mut whole = chunks(&mut stream, &mut document).await?;
    if let Manner::Preview(most) = manner {
        assert!(document.len() <= most);
        if !whole && !is_bad(&document) {
            stream.write_all(b"ICAP/1.0 100 Continue\r\n\r\n").await?;
            chunks(&mut stream, &mut document).await?;
            whole = true;
        }
        let _ = whole;
    }
    let bad = is_bad(&document);
    let answer = match manner {
        _ if bad => {
            let page = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n";
            format!(
                "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test-Signature;\r\n\
                 Encapsulated: res-hdr=0, res-body={}\r\n\r\n{page}4\r\nno!\n\r\n0\r\n\r\n",
                page.len()
            )
            .into_bytes()
        }
        Manner::Echo => {
            let page = "HTTP/1.1 200 OK\r\n\r\n";
            let head =
                format!("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{page}", page.len());
            [head.as_bytes(), format!("{:x}\r\n", document.len()).as_bytes(), &document, b"\r\n0\r\n\r\n"]
                .concat()
        }
        _ => b"ICAP/1.0 204 No Content\r\n\r\n".to_vec(),
    };
    documents.lock().unwrap().push(document);
    stream.write_all(&answer).await
}

/// clamd, whose database knows only what scanners are tested with.
pub struct Clamd {
    child: Child,
    _folder: TempDir,
    /// On a Unix socket and over TCP.
    pub addresses: [String; 2],
}

impl Clamd {
    /// Starts it; None where it is not installed.
    pub async fn start() -> Option<Self> {
        let program =
            ["/usr/sbin/clamd", "/usr/local/sbin/clamd"].into_iter().find(|file| Path::new(file).exists())?;
        let folder = TempDir::new();
        let place = folder.path();
        let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(place.join("test.ndb"), format!("Eicar-Test-Signature:0:*:{hex}\n")).unwrap();
        let port = unused_port();
        let shown = place.display();
        let config = format!(
            "Foreground yes\nLocalSocket {shown}/clamd.sock\nTCPAddr 127.0.0.1\nTCPSocket {port}\n\
             DatabaseDirectory {shown}\nTemporaryDirectory {shown}\nStreamMaxLength 2M\n"
        );
        let file = place.join("clamd.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let socket = place.join("clamd.sock");
        let started = Instant::now();
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "clamd does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let addresses = [format!("clamd://{}", socket.display()), format!("clamd://127.0.0.1:{port}")];
        Some(Self { child, _folder: folder, addresses })
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
