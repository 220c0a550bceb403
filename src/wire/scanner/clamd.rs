//! clamd's stream protocol (clamd(8), INSTREAM): chunks with their lengths before them, an empty one at the end, then one
//! line. Its answer is read while chunks are sent: beyond its StreamMaxLength it answers early and closes.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf, split};

use super::{Connection, Endpoint, ScanError, Verdict, within, write};
use crate::limits;

/// A document on its way to clamd.
pub struct Scan {
    reading: ReadHalf<Connection>,
    writing: WriteHalf<Connection>,
}

impl Scan {
    pub(super) async fn begin(endpoint: &Endpoint) -> Result<Self, ScanError> {
        let (reading, mut writing) = split(Connection::open(endpoint).await?);
        write(&mut writing, &[b"zINSTREAM\0"]).await?;
        Ok(Self { reading, writing })
    }

    pub(super) async fn chunk(&mut self, chunk: &Bytes) -> Result<(), ScanError> {
        // An empty chunk would end the stream.
        if chunk.is_empty() {
            return Ok(());
        }
        let length =
            u32::try_from(chunk.len()).map_err(|_| ScanError::NoVerdict("a chunk of 4 GiB".into()))?;
        let Self { reading, writing } = self;
        let (length, patience) = (length.to_be_bytes(), limits::SCANNER_WRITE_TIMEOUT);
        let slices: [&[u8]; 2] = [&length, chunk];
        tokio::select! {
            biased;
            written = write(writing, &slices) => match written {
                // It closed: its answer says why, if there is one.
                Err(ScanError::Away(why)) => {
                    Err(within(patience, read(reading)).await.map_or(ScanError::Away(why), unexpected))
                }
                written => written,
            },
            early = read(reading) => Err(early.map_or_else(|error| error, unexpected)),
        }
    }

    pub(super) async fn finish(mut self) -> Result<Verdict, ScanError> {
        let ended = write(&mut self.writing, &[&[0; 4]]).await;
        let answer = within(limits::SCAN_VERDICT_TIMEOUT, read(&mut self.reading)).await;
        match (answer, ended) {
            (Ok(answer), _) => verdict(&answer),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }
}

/// Reads the answer, which ends with NUL or with the connection.
async fn read(from: &mut ReadHalf<Connection>) -> Result<String, ScanError> {
    let mut answer = Vec::new();
    loop {
        let byte = match from.read_u8().await {
            Ok(0) => break,
            Ok(byte) => byte,
            Err(error) if answer.is_empty() => return Err(error.into()),
            Err(_) => break,
        };
        if answer.len() >= limits::MAX_SCANNER_ANSWER_BYTES {
            return Err(ScanError::NoVerdict("its answer is too long".into()));
        }
        answer.push(byte);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// `stream: OK`, `stream: NAME FOUND`, `… ERROR`.
fn verdict(answer: &str) -> Result<Verdict, ScanError> {
    let answer = answer.trim();
    let said = answer.strip_prefix("stream:").unwrap_or(answer).trim();
    match said.strip_suffix("FOUND") {
        Some(name) => Ok(Verdict::found(name)),
        None if said == "OK" => Ok(Verdict::Clean),
        None => Err(unexpected(answer.to_owned())),
    }
}

/// What is no verdict, such as `INSTREAM size limit exceeded. ERROR`.
fn unexpected(answer: String) -> ScanError {
    let shown = answer.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    ScanError::NoVerdict(shown.take(limits::MAX_FINDING_CHARS).collect())
}
