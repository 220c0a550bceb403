//! ICAP (RFC 3507): a document goes to the server as the body of an HTTP response (RESPMOD), or, where the server has only
//! that, of a request (REQMOD). First a preview, as long as the server wants it; then, if it says 100 Continue, the rest.
//! 204 means that it would change nothing. Documents are never altered: whatever a server would change is a finding, unless
//! it sends back the very bytes, as old servers do that know no 204.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Connection, Endpoint, Patience, ScanError, Verdict, within, write};
use crate::limits;

/// Headers by which servers name what they found.
const FINDINGS: [&str; 4] = ["x-infection-found", "x-virus-id", "x-violations-found", "x-virus-name"];

/// An ICAP server's service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    endpoint: Endpoint,
    authority: Arc<str>,
    service: Arc<str>,
    patience: Patience,
    options: Arc<Mutex<Option<(Instant, Options)>>>,
}

/// What a service wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    method: &'static str,
    /// None wants the whole document at once.
    preview: Option<usize>,
    life: Duration,
}

/// An answer, without its body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
}

/// What the server came to.
enum Outcome {
    Continue,
    Final(Answer, Returned),
}

/// The body that it sent back: how long, with which checksum.
#[derive(Default)]
struct Returned {
    length: u64,
    crc: crc32fast::Hasher,
}

/// A document on its way to an ICAP server.
pub struct Scan {
    patience: Patience,
    writing: WriteHalf<Connection>,
    answers: mpsc::Receiver<Result<Outcome, ScanError>>,
    reader: JoinHandle<()>,
    state: State,
    sent: Returned,
}

enum State {
    /// Gathering what the server wants to see first.
    Preview {
        wanted: usize,
        gathered: Vec<u8>,
    },
    Streaming,
    /// The server has seen enough.
    Decided(Verdict),
}

impl Server {
    pub(super) fn new(host: String, port: u16, service: String, patience: Patience) -> Self {
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self {
            endpoint: Endpoint::Tcp(host, port),
            authority: authority.into(),
            service: service.into(),
            patience,
            options: Arc::default(),
        }
    }

    pub(super) async fn begin(&self) -> Result<Scan, ScanError> {
        let (Options { method, preview, .. }, patience) = (self.options().await?, self.patience);
        let (reading, mut writing) = split(Connection::open(&self.endpoint, patience).await?);
        let http = match method {
            "RESPMOD" => {
                let request = "GET http://document.invalid/ HTTP/1.1\r\nHost: document.invalid\r\n\r\n";
                let response = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
                let (first, second) = (request.len(), request.len() + response.len());
                let parts = format!("req-hdr=0, res-hdr={first}, res-body={second}");
                format!("Encapsulated: {parts}\r\n\r\n{request}{response}")
            }
            _ => {
                let request = "PUT http://document.invalid/ HTTP/1.1\r\nHost: document.invalid\r\n\
                               Content-Type: application/octet-stream\r\n\r\n";
                format!("Encapsulated: req-hdr=0, req-body={}\r\n\r\n{request}", request.len())
            }
        };
        let preview_header = preview.map(|bytes| format!("Preview: {bytes}\r\n")).unwrap_or_default();
        let head = self.head(method);
        let head = format!("{head}Allow: 204\r\n{preview_header}{http}");
        write(&mut writing, &[head.as_bytes()], patience).await?;
        let (tell, answers) = mpsc::channel(2);
        let reader = tokio::spawn(read_answers(BufReader::new(reading), tell));
        let state = match preview {
            Some(wanted) => State::Preview { wanted, gathered: Vec::new() },
            None => State::Streaming,
        };
        Ok(Scan { patience, writing, answers, reader, state, sent: Returned::default() })
    }

    fn head(&self, method: &str) -> String {
        let Self { authority, service, .. } = self;
        format!(
            "{method} icap://{authority}/{service} ICAP/1.0\r\nHost: {authority}\r\nConnection: close\r\n"
        )
    }

    /// What the service wants, asked once in a while.
    async fn options(&self) -> Result<Options, ScanError> {
        let known = *self.options.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, options)) = known.filter(|(asked, options)| asked.elapsed() < options.life) {
            return Ok(options);
        }
        let options = within(self.patience.write, self.ask_options()).await?;
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), options));
        Ok(options)
    }

    async fn ask_options(&self) -> Result<Options, ScanError> {
        let (reading, mut writing) = split(Connection::open(&self.endpoint, self.patience).await?);
        let head = format!("{}Encapsulated: null-body=0\r\n\r\n", self.head("OPTIONS"));
        write(&mut writing, &[head.as_bytes()], self.patience).await?;
        Options::of(&Answer::read(&mut BufReader::new(reading)).await?)
    }

    /// Asks whether it is there.
    pub(super) async fn ping(&self) -> Result<(), ScanError> {
        within(self.patience.connect, self.ask_options()).await.map(drop)
    }
}

impl Options {
    fn of(answer: &Answer) -> Result<Self, ScanError> {
        if answer.status != 200 {
            return Err(ScanError::NoVerdict(format!("its OPTIONS have status {}", answer.status)));
        }
        let methods = answer.header("methods").unwrap_or_default().to_ascii_uppercase();
        let method = ["RESPMOD", "REQMOD"].into_iter().find(|method| methods.contains(method));
        let method =
            method.ok_or_else(|| ScanError::NoVerdict("it has neither RESPMOD nor REQMOD".into()))?;
        let number = |name| answer.header(name).and_then(|value| value.trim().parse::<usize>().ok());
        let life =
            number("options-ttl").map_or(limits::MAX_ICAP_OPTIONS_LIFE, |s| Duration::from_secs(s as u64));
        Ok(Self {
            method,
            preview: number("preview").map(|bytes| bytes.min(limits::MAX_ICAP_PREVIEW_BYTES)),
            life: life.min(limits::MAX_ICAP_OPTIONS_LIFE),
        })
    }
}

impl Scan {
    pub(super) async fn chunk(&mut self, chunk: &Bytes) -> Result<(), ScanError> {
        self.sent.take(chunk);
        match &mut self.state {
            State::Decided(_) => Ok(()),
            State::Streaming => self.stream(chunk).await,
            State::Preview { wanted, gathered } => {
                let room = wanted.saturating_sub(gathered.len()).min(chunk.len());
                let (first, rest) = chunk.split_at(room);
                gathered.extend_from_slice(first);
                if rest.is_empty() {
                    return Ok(());
                }
                let preview = std::mem::take(gathered);
                write_chunk(&mut self.writing, &preview, self.patience).await?;
                write(&mut self.writing, &[b"0\r\n\r\n"], self.patience).await?;
                match self.answer().await? {
                    Outcome::Continue => {
                        self.state = State::Streaming;
                        self.stream(rest).await
                    }
                    // What it would send back is the document as far as it has seen it.
                    Outcome::Final(answer, _) => {
                        self.state = State::Decided(answer.verdict(None)?);
                        Ok(())
                    }
                }
            }
        }
    }

    async fn stream(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        match write_chunk(&mut self.writing, bytes, self.patience).await {
            // It closed, having answered perhaps.
            Err(ScanError::Away(why)) => {
                let answer = self.answer().await.map_err(|_| ScanError::Away(why))?;
                self.state = State::Decided(early(answer)?);
                Ok(())
            }
            written => written,
        }
    }

    pub(super) async fn finish(mut self) -> Result<Verdict, ScanError> {
        let end: &[u8] = match std::mem::replace(&mut self.state, State::Streaming) {
            State::Decided(verdict) => return Ok(verdict),
            State::Streaming => b"0\r\n\r\n",
            State::Preview { gathered, .. } => {
                write_chunk(&mut self.writing, &gathered, self.patience).await?;
                b"0; ieof\r\n\r\n"
            }
        };
        if let Ok(answer) = self.answers.try_recv() {
            return early(answer?);
        }
        let ended = write(&mut self.writing, &[end], self.patience).await;
        match (self.answer().await, ended) {
            (Ok(answer), Err(_)) => early(answer),
            (Ok(Outcome::Final(answer, returned)), Ok(())) => {
                let same = returned.is(&self.sent);
                answer.verdict(Some(same))
            }
            (Ok(Outcome::Continue), Ok(())) => Err(ScanError::NoVerdict("100 Continue at the end".into())),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    async fn answer(&mut self) -> Result<Outcome, ScanError> {
        let closed = || ScanError::Away("it closed the connection".into());
        let answer = async { self.answers.recv().await.unwrap_or_else(|| Err(closed())) };
        within(self.patience.verdict, answer).await
    }
}

/// What an answer means that was there before the document's end: a finding is one, and anything else was said of a part.
fn early(outcome: Outcome) -> Result<Verdict, ScanError> {
    let part = || ScanError::NoVerdict("it answered before it had all of the document".into());
    match outcome {
        Outcome::Continue => Err(part()),
        Outcome::Final(answer, _) => match answer.verdict(None)? {
            Verdict::Clean => Err(part()),
            found => Ok(found),
        },
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Answer {
    /// Reads the status line and headers.
    async fn read(from: &mut BufReader<ReadHalf<Connection>>) -> Result<Self, ScanError> {
        let mut room = limits::MAX_SCANNER_ANSWER_BYTES;
        let status = line(from, &mut room).await?;
        let status = status.strip_prefix("ICAP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| ScanError::NoVerdict("it does not speak ICAP/1.0".into()))?;
        Ok(Self { status, headers: headers(from, &mut room).await? })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What it names that it found.
    fn finding(&self) -> Option<&str> {
        let said = FINDINGS.iter().find_map(|name| self.header(name))?;
        // Type=0; Resolution=2; Threat=NAME;
        let threat = said.split(';').find_map(|part| part.trim().strip_prefix("Threat="));
        Some(threat.unwrap_or(said))
    }

    /// What it means; `same` says whether the document came back as it was, if all of it was sent.
    fn verdict(&self, same: Option<bool>) -> Result<Verdict, ScanError> {
        match (self.status, self.finding()) {
            (200..=299 | 403, Some(name)) => Ok(Verdict::found(name)),
            (204, None) => Ok(Verdict::Clean),
            (200, None) if same == Some(true) => Ok(Verdict::Clean),
            (200 | 403, None) => Ok(Verdict::found("unnamed: the scanner would alter the document")),
            (status, _) => Err(ScanError::NoVerdict(format!("ICAP status {status}"))),
        }
    }
}

impl Returned {
    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.crc.update(bytes);
    }

    fn is(&self, other: &Self) -> bool {
        self.length == other.length && self.crc.clone().finalize() == other.crc.clone().finalize()
    }
}

/// Reads answers up to the final one, and what that sends back: also while the document is still being sent, since a server
/// may answer before it has all of it.
async fn read_answers(
    mut from: BufReader<ReadHalf<Connection>>,
    tell: mpsc::Sender<Result<Outcome, ScanError>>,
) {
    loop {
        let outcome = read_outcome(&mut from).await;
        let goes_on = matches!(outcome, Ok(Outcome::Continue));
        if tell.send(outcome).await.is_err() || !goes_on {
            return;
        }
    }
}

async fn read_outcome(from: &mut BufReader<ReadHalf<Connection>>) -> Result<Outcome, ScanError> {
    let answer = Answer::read(from).await?;
    if answer.status == 100 {
        return Ok(Outcome::Continue);
    }
    let mut returned = Returned::default();
    let parts = answer.header("encapsulated").unwrap_or_default();
    if parts.contains("-body=") && !parts.contains("null-body=") {
        let mut room = limits::MAX_SCANNER_ANSWER_BYTES;
        for _ in 0..parts.matches("-hdr=").count() {
            line(from, &mut room).await?;
            headers(from, &mut room).await?;
        }
        // A server that found something may close in the middle of its page about it.
        if let Err(error) = read_chunks(from, &mut returned).await
            && answer.finding().is_none()
        {
            return Err(error);
        }
    }
    Ok(Outcome::Final(answer, returned))
}

/// Reads a chunked body.
async fn read_chunks(
    from: &mut BufReader<ReadHalf<Connection>>,
    returned: &mut Returned,
) -> Result<(), ScanError> {
    let broken = || ScanError::NoVerdict("its chunks are broken".into());
    let mut buffer = vec![0; limits::MAX_SCANNER_ANSWER_BYTES];
    loop {
        let size = line(from, &mut limits::MAX_SCANNER_ANSWER_BYTES.clone()).await?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let mut left = u64::from_str_radix(size, 16).map_err(|_| broken())?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = from.read(buffer.get_mut(..most).unwrap_or_default()).await?;
            if read == 0 {
                return Err(broken());
            }
            returned.take(buffer.get(..read).unwrap_or_default());
            left -= read as u64;
        }
        line(from, &mut limits::MAX_SCANNER_ANSWER_BYTES.clone()).await?;
    }
}

/// Reads headers up to the empty line; names in lower case.
async fn headers(
    from: &mut BufReader<ReadHalf<Connection>>,
    room: &mut usize,
) -> Result<Vec<(String, String)>, ScanError> {
    let mut headers = Vec::new();
    loop {
        let line = line(from, room).await?;
        if line.is_empty() {
            return Ok(headers);
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

/// Reads a line, without its end; `room` says how many bytes may still come.
async fn line(from: &mut BufReader<ReadHalf<Connection>>, room: &mut usize) -> Result<String, ScanError> {
    let mut line = Vec::new();
    let read = from.take(*room as u64).read_until(b'\n', &mut line).await?;
    *room -= read;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()),
        Some(_) if *room == 0 => Err(ScanError::NoVerdict("its answer is too long".into())),
        _ => Err(ScanError::Away("it closed the connection".into())),
    }
}

async fn write_chunk(
    to: &mut WriteHalf<Connection>,
    bytes: &[u8],
    patience: Patience,
) -> Result<(), ScanError> {
    // An empty chunk would end the body.
    if bytes.is_empty() {
        return Ok(());
    }
    write(to, &[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"], patience).await
}
