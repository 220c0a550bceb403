//! clamd's stream protocol (clamd(8), INSTREAM): chunks with their lengths before them, an empty one at the end, then one
//! line. Its answer is looked for while chunks are sent: beyond its StreamMaxLength it answers early and closes. Only what
//! it says after the end is a verdict.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf, split};

use super::{Connection, Endpoint, Patience, ScanError, Verdict, within, write};
use crate::limits;

/// A document on its way to clamd.
pub struct Scan {
    talk: Talk,
}

/// A connection, and what came on it so far of an answer.
struct Talk {
    reading: ReadHalf<Connection>,
    writing: WriteHalf<Connection>,
    answer: Vec<u8>,
    patience: Patience,
}

/// Asks whether it is there.
pub(super) async fn ping(endpoint: &Endpoint, patience: Patience) -> Result<(), ScanError> {
    let mut talk = Talk::begin(endpoint, patience, b"zPING\0").await?;
    match talk.read().await?.as_str() {
        "PONG" => Ok(()),
        other => Err(unexpected(other)),
    }
}

impl Scan {
    pub(super) async fn begin(endpoint: &Endpoint, patience: Patience) -> Result<Self, ScanError> {
        Ok(Self { talk: Talk::begin(endpoint, patience, b"zINSTREAM\0").await? })
    }

    pub(super) async fn chunk(&mut self, chunk: &Bytes) -> Result<(), ScanError> {
        // An empty chunk would end the stream.
        if chunk.is_empty() {
            return Ok(());
        }
        let length =
            u32::try_from(chunk.len()).map_err(|_| ScanError::NoVerdict("a chunk of 4 GiB".into()))?;
        self.talk.send(&[&length.to_be_bytes(), chunk]).await
    }

    pub(super) async fn finish(mut self) -> Result<Verdict, ScanError> {
        self.talk.send(&[&[0; 4]]).await?;
        let patience = self.talk.patience.verdict;
        verdict(&within(patience, self.talk.read()).await?)
    }
}

impl Talk {
    async fn begin(endpoint: &Endpoint, patience: Patience, command: &[u8]) -> Result<Self, ScanError> {
        let (reading, mut writing) = split(Connection::open(endpoint, patience).await?);
        write(&mut writing, &[command], patience).await?;
        Ok(Self { reading, writing, answer: Vec::new(), patience })
    }

    /// Sends a part of the stream. An answer that is there before its end says only why there will be no verdict.
    async fn send(&mut self, slices: &[&[u8]]) -> Result<(), ScanError> {
        let Self { reading, writing, answer, patience } = self;
        tokio::select! {
            biased;
            early = read(reading, answer) => Err(early.map_or_else(|error| error, |said| unexpected(&said))),
            written = write(writing, slices, *patience) => match written {
                // It closed: its answer says why, if there is one.
                Err(ScanError::Away(why)) => {
                    let answer = within(patience.write, read(reading, answer)).await;
                    Err(answer.map_or(ScanError::Away(why), |said| unexpected(&said)))
                }
                written => written,
            },
        }
    }

    async fn read(&mut self) -> Result<String, ScanError> {
        read(&mut self.reading, &mut self.answer).await
    }
}

/// Reads an answer up to its NUL. May be dropped and called again: what has come stays in `answer`.
async fn read(from: &mut ReadHalf<Connection>, answer: &mut Vec<u8>) -> Result<String, ScanError> {
    loop {
        match from.read_u8().await {
            Ok(0) => return Ok(String::from_utf8_lossy(&std::mem::take(answer)).into_owned()),
            Ok(byte) => answer.push(byte),
            Err(error) if answer.is_empty() => return Err(error.into()),
            // What is cut off could have said anything.
            Err(_) => return Err(ScanError::NoVerdict("its answer breaks off".into())),
        }
        if answer.len() > limits::MAX_SCANNER_ANSWER_BYTES {
            return Err(ScanError::NoVerdict("its answer is too long".into()));
        }
    }
}

/// `stream: OK`, `stream: NAME FOUND`, `… ERROR`.
fn verdict(answer: &str) -> Result<Verdict, ScanError> {
    let said = answer.strip_prefix("stream:").map(str::trim);
    match (said, said.and_then(|said| said.strip_suffix(" FOUND"))) {
        (_, Some(name)) => Ok(Verdict::found(name)),
        (Some("OK"), None) => Ok(Verdict::Clean),
        _ => Err(unexpected(answer)),
    }
}

/// What is no verdict, such as `INSTREAM size limit exceeded. ERROR`.
fn unexpected(answer: &str) -> ScanError {
    let shown = answer.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    ScanError::NoVerdict(shown.take(limits::MAX_FINDING_CHARS).collect())
}
