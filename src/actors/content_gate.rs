//! The content gate of a Document Repository: what is looked at in documents while they arrive. Their first bytes are held
//! against their entries by the rules of [`crate::metadata::validate`]; a malware scanner, where there is one, gets every
//! byte before the document becomes visible. Bytes are never altered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::limits;
use crate::metadata::DocumentEntry;
use crate::metadata::validate::{self, Beginning, Report, Settings};
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::wire::scanner::{Address, Patience, Scan, ScanError, Scanner, Verdict};

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
    turns: Arc<Semaphore>,
    turn_wait: Duration,
}

/// A document that is being looked at.
pub(super) struct Inspection {
    beginning: Beginning,
    state: State,
}

/// How far the scanner is.
enum State {
    NoScanner,
    NoTurn,
    Running(Scan, Scanning, OwnedSemaphorePermit),
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
        let turns = Arc::new(Semaphore::new(limits::MAX_CONCURRENT_SCANS));
        let scanner = Scanner::new(address.clone(), Patience::default());
        let turn_wait = limits::SCAN_TURN_WAIT;
        Self { scanning: Some(Scanning { address, scanner, away, turns, turn_wait }) }
    }

    /// Where its scanner is, and what becomes of documents while it is away; None without one.
    pub fn scanner(&self) -> Option<(&Address, Away)> {
        self.scanning.as_ref().map(|scanning| (&scanning.address, scanning.away))
    }

    /// Begins with a document.
    pub(super) async fn inspect(&self) -> Inspection {
        let state = match &self.scanning {
            None => State::NoScanner,
            Some(scanning) => scanning.begin().await,
        };
        Inspection { beginning: Beginning::default(), state }
    }
}

impl Scanning {
    async fn begin(&self) -> State {
        let turn = timeout(self.turn_wait, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return State::NoTurn };
        match self.scanner.begin().await {
            Ok(scan) => State::Running(scan, self.clone(), turn),
            Err(error) => State::Failed(error, self.clone()),
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
        if let State::Running(scan, scanning, _) = &mut self.state
            && let Err(error) = scan.chunk(chunk).await
        {
            self.state = State::Failed(error, scanning.clone());
        }
    }

    /// The document is whole.
    pub(super) async fn finish(self) -> Inspected {
        let scanned = match self.state {
            State::NoScanner => None,
            State::NoTurn => Some(Err(Unscanned::NoTurn)),
            State::Failed(error, scanning) => Some(Err(scanning.unscanned(error).await)),
            State::Running(scan, scanning, _turn) => Some(match scan.finish().await {
                Ok(verdict) => Ok(verdict),
                Err(error) => Err(scanning.unscanned(error).await),
            }),
        };
        Inspected { beginning: self.beginning, scanned }
    }
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
    use super::*;
    use crate::metadata::DocumentEntryBuilder;

    /// Who sends many at once gets none past the scanner by that, and others are told to come again.
    #[tokio::test]
    async fn a_document_that_gets_no_turn_is_refused_as_busy_whatever_the_policy() {
        let nowhere = Address::parse("clamd://127.0.0.1:1").unwrap();
        let mut gate = ContentGate::scanning(nowhere, Away::Pass);
        let scanning = gate.scanning.as_mut().unwrap();
        scanning.turn_wait = Duration::from_millis(1);
        let all = u32::try_from(limits::MAX_CONCURRENT_SCANS).unwrap();
        let turns = Arc::clone(&scanning.turns).acquire_many_owned(all).await.unwrap();
        let entry = DocumentEntryBuilder::stable("Document01").unique_id("1.2.3").build();
        let refusal = async |gate: &ContentGate| {
            let mut inspection = gate.inspect().await;
            inspection.chunk(&Bytes::from_static(b"document")).await;
            let entry = DocumentEntry::of(&entry).unwrap();
            inspection.finish().await.refusal(entry, &Caller::default())
        };
        assert_eq!(refusal(&gate).await.unwrap().code, code::REPOSITORY_BUSY);
        drop(turns);
        assert_eq!(refusal(&gate).await, None, "the scanner is away, and the policy says pass");
    }
}
