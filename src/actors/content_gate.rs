//! The content gate of a Document Repository: what is looked at in documents while they arrive. Their first bytes are held
//! against their entries by the rules of [`crate::metadata::validate`]; a malware scanner, where there is one, gets every
//! byte before the document becomes visible. Bytes are never altered.

mod turns;

use std::sync::Arc;

use bytes::Bytes;

use self::turns::{Taken, Turns};

use crate::limits;
use crate::metadata::DocumentEntry;
use crate::metadata::validate::{self, Beginning, Report, Settings};
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::wire::scanner::{Address, Patience, ScanError, Scanner, Verdict};

/// What becomes of documents while the scanner is away. One that is there and gives no verdict on a document refuses it
/// in either case: its sender may be the cause, by size, by slowness, by sending much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Away {
    /// They are refused.
    #[default]
    Refuse,
    /// They are taken, and an alarm raised.
    Pass,
}

/// The gate of one repository. Cheap to clone.
#[derive(Clone, Default)]
pub struct ContentGate {
    scanning: Option<Scanning>,
}

#[derive(Clone)]
struct Scanning {
    address: Address,
    scanner: Scanner,
    away: Away,
    turns: Turns,
}

/// A document that is being looked at.
pub(super) struct Inspection {
    beginning: Beginning,
    state: State,
}

/// How far the scanner is.
enum State {
    NoScanner,
    /// It may be whole before it needs a turn.
    Gathering(Vec<Bytes>, Scanning),
    /// It got no turn, or was too slow to keep it.
    NoTurn,
    Running(Arc<Taken>, Scanning),
    Failed(ScanError, Scanning),
}

/// What the gate saw of a document.
pub(super) struct Inspected {
    beginning: Beginning,
    scanned: Option<Result<Verdict, Unscanned>>,
}

/// A document without a verdict.
enum Unscanned {
    /// Too many were being scanned at once.
    NoTurn,
    Refused(ScanError),
    Passed(ScanError),
}

impl ContentGate {
    /// With a scanner.
    pub fn scanning(address: Address, away: Away) -> Self {
        let scanner = Scanner::new(address.clone(), Patience::default());
        Self { scanning: Some(Scanning { address, scanner, away, turns: Turns::default() }) }
    }

    /// Where its scanner is, and what becomes of documents while it is away; None without one.
    pub fn scanner(&self) -> Option<(&Address, Away)> {
        self.scanning.as_ref().map(|scanning| (&scanning.address, scanning.away))
    }

    /// Begins with a document.
    pub(super) fn inspect(&self) -> Inspection {
        let state = match &self.scanning {
            None => State::NoScanner,
            Some(scanning) => State::Gathering(Vec::new(), scanning.clone()),
        };
        Inspection { beginning: Beginning::default(), state }
    }
}

impl Scanning {
    /// Begins with what has gathered, once there is a turn.
    async fn begin(self, gathered: Vec<Bytes>) -> State {
        let Some(turn) = self.turns.wait().await else { return State::NoTurn };
        let begun = async {
            let mut scan = self.scanner.begin().await?;
            for chunk in &gathered {
                scan.chunk(chunk).await?;
            }
            Ok(scan)
        };
        match begun.await {
            Ok(scan) => State::Running(self.turns.taken(scan, turn, size(&gathered)), self),
            Err(error) => State::Failed(error, self),
        }
    }

    /// Goes on with a chunk.
    async fn go_on(self, taken: Arc<Taken>, chunk: &Bytes) -> State {
        let Some((mut scan, turn)) = taken.resume(chunk.len() as u64) else { return State::NoTurn };
        match scan.chunk(chunk).await {
            Ok(()) => {
                taken.pause(scan, turn);
                State::Running(taken, self)
            }
            Err(error) => State::Failed(error, self),
        }
    }

    /// What becomes of a document without a verdict.
    async fn unscanned(&self, error: ScanError) -> Unscanned {
        match self.away {
            Away::Pass if self.scanner.ping().await.is_err() => Unscanned::Passed(error),
            _ => Unscanned::Refused(error),
        }
    }
}

impl Inspection {
    /// Looks at the next chunk; waits while the scanner is behind.
    pub(super) async fn chunk(&mut self, chunk: &Bytes) {
        self.beginning.look(chunk);
        self.state = match std::mem::replace(&mut self.state, State::NoTurn) {
            State::Gathering(mut gathered, scanning) => {
                gathered.push(chunk.clone());
                match size(&gathered) > limits::SCAN_GATHERED_BYTES {
                    true => scanning.begin(gathered).await,
                    false => State::Gathering(gathered, scanning),
                }
            }
            State::Running(taken, scanning) => scanning.go_on(taken, chunk).await,
            state => state,
        };
    }

    /// The document is whole.
    pub(super) async fn finish(self) -> Inspected {
        let state = match self.state {
            State::Gathering(gathered, scanning) => scanning.begin(gathered).await,
            state => state,
        };
        let scanned = match state {
            State::NoScanner => None,
            State::NoTurn | State::Gathering(..) => Some(Err(Unscanned::NoTurn)),
            State::Failed(error, scanning) => Some(Err(scanning.unscanned(error).await)),
            State::Running(taken, scanning) => Some(match taken.resume(0) {
                None => Err(Unscanned::NoTurn),
                Some((scan, _turn)) => match scan.finish().await {
                    Ok(verdict) => Ok(verdict),
                    Err(error) => Err(scanning.unscanned(error).await),
                },
            }),
        };
        Inspected { beginning: self.beginning, scanned }
    }
}

/// Bytes of chunks.
fn size(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

impl Inspected {
    /// What the rules say of the document's beginning. Blocks for up to a few milliseconds where that is a large one.
    pub(super) fn check(&self, entry: DocumentEntry<'_>, rules: &Settings) -> Report {
        validate::check_media_type(entry, &self.beginning, rules)
    }

    /// The scanner's refusal, which is logged and counted as every verdict is.
    pub(super) fn refusal(&self, entry: DocumentEntry<'_>, caller: &Caller) -> Option<RegistryError> {
        let scanned = self.scanned.as_ref()?;
        let unique_id = super::document_repository::shown(entry.unique_id().unwrap_or_default());
        let trace = &*caller.trace;
        let (verdict, problem) = match scanned {
            Ok(Verdict::Clean) => ("clean", None),
            Ok(Verdict::Found(finding)) => {
                tracing::warn!(
                    trace,
                    finding,
                    "a document is refused: the malware scanner found something in it"
                );
                let problem = format!("the malware scanner found {finding:?} in it");
                ("found", Some((code::INVALID_DOCUMENT_CONTENT, problem)))
            }
            Err(Unscanned::NoTurn) => {
                tracing::warn!(trace, "a document is refused: too many are being scanned at once");
                let problem = "too many documents are being scanned at once; try again later".to_owned();
                ("busy", Some((code::REPOSITORY_BUSY, problem)))
            }
            Err(Unscanned::Refused(error)) => {
                tracing::error!(trace, %error, "a document is refused: it could not be scanned");
                let problem = format!("it could not be scanned for malware; try again later (trace {trace})");
                ("away", Some((code::REPOSITORY_ERROR, problem)))
            }
            Err(Unscanned::Passed(error)) => {
                tracing::error!(trace, %error, "ALARM: a document is taken that was not scanned for malware");
                ("passed", None)
            }
        };
        metrics::counter!("sekisho_document_scans_total", "verdict" => verdict).increment(1);
        let (code, problem) = problem?;
        let context = format!("document {unique_id:?} is refused: {problem} (ITI TF-3: 4.2.4.1)");
        Some(RegistryError::error(code, context))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::metadata::DocumentEntryBuilder;

    const ALL: usize = limits::MAX_CONCURRENT_SCANS;

    /// What becomes of a document that comes in one chunk.
    async fn refusal(gate: &ContentGate, size: usize) -> Option<RegistryError> {
        refusal_of(inspecting(gate, size).await).await
    }

    /// A document so far.
    async fn inspecting(gate: &ContentGate, size: usize) -> Inspection {
        let mut inspection = gate.inspect();
        inspection.chunk(&Bytes::from(vec![0x20; size])).await;
        inspection
    }

    async fn refusal_of(inspection: Inspection) -> Option<RegistryError> {
        let entry = DocumentEntryBuilder::stable("Document01").unique_id("1.2.3").build();
        inspection.finish().await.refusal(DocumentEntry::of(&entry).unwrap(), &Caller::default())
    }

    /// Who sends many at once gets none past the scanner by that, and others are told to come again.
    #[tokio::test]
    async fn a_document_that_gets_no_turn_is_refused_as_busy_whatever_the_policy() {
        let nowhere = Address::parse("clamd://127.0.0.1:1").unwrap();
        let mut gate = ContentGate::scanning(nowhere, Away::Pass);
        let scanning = gate.scanning.as_mut().unwrap();
        scanning.turns.patience = Duration::from_millis(1);
        let mut turns = Vec::new();
        for _ in 0..ALL {
            turns.push(scanning.turns.wait().await.unwrap());
        }
        assert_eq!(refusal(&gate, 10).await.unwrap().code, code::REPOSITORY_BUSY);
        drop(turns);
        assert_eq!(refusal(&gate, 10).await, None, "the scanner is away, and the policy says pass");
    }

    /// A clamd that finds nothing, and the gate before it.
    async fn clean() -> ContentGate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::parse(&format!("clamd://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    stream.read_exact(&mut [0; 10]).await?;
                    loop {
                        let length = stream.read_u32().await? as usize;
                        if length == 0 {
                            return stream.write_all(b"stream: OK\0").await;
                        }
                        stream.read_exact(&mut vec![0; length]).await?;
                    }
                });
            }
        });
        ContentGate::scanning(address, Away::Refuse)
    }

    #[tokio::test]
    async fn slow_uploads_do_not_keep_others_from_the_scanner() {
        let mut gate = clean().await;
        let large = limits::SCAN_GATHERED_BYTES as usize + 1;
        // Small ones take no turn before they are whole.
        let mut slow = Vec::new();
        for _ in 0..2 * ALL {
            slow.push(inspecting(&gate, 100).await);
        }
        assert_eq!(refusal(&gate, large).await, None);
        for inspection in slow {
            assert_eq!(refusal_of(inspection).await, None);
        }
        // Large ones do, and keep it unless others wait and they are slow.
        let mut slow = Vec::new();
        for _ in 0..ALL {
            slow.push(inspecting(&gate, large).await);
        }
        let scanning = gate.scanning.as_mut().unwrap();
        scanning.turns.patience = Duration::from_millis(1);
        assert_eq!(
            refusal(&gate, 100).await.unwrap().code,
            code::REPOSITORY_BUSY,
            "they are within their grace"
        );
        let scanning = gate.scanning.as_mut().unwrap();
        (scanning.turns.patience, scanning.turns.grace) = (limits::SCAN_TURN_WAIT, Duration::ZERO);
        scanning.turns.slowest = 1 << 20;
        for (n, inspection) in slow.iter_mut().enumerate() {
            // All but one are fast enough.
            if n > 0 {
                inspection.chunk(&Bytes::from(vec![0x20; 1 << 20])).await;
            }
        }
        assert_eq!(refusal(&gate, 100).await, None);
        let mut refused = 0;
        for inspection in slow {
            refused += usize::from(refusal_of(inspection).await.is_some());
        }
        assert_eq!(refused, 1, "the slowest lost its turn");
    }
}
