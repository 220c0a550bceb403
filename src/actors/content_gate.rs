//! The content gate of a Document Repository: what is looked at in documents while they arrive. Their first bytes are held
//! against their entries by the rules of [`crate::metadata::validate`]; a malware scanner, where there is one, gets every
//! byte before the document becomes visible. Bytes are never altered.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::limits;
use crate::metadata::DocumentEntry;
use crate::metadata::validate::{self, Beginning, Report, Settings};
use crate::transactions::Caller;
use crate::transactions::errors::{RegistryError, code};
use crate::wire::scanner::{Address, Scan, ScanError, Scanner, Verdict};

/// What becomes of a document for which the scanner gives no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Away {
    /// It is refused.
    #[default]
    Refuse,
    /// It is taken, and an alarm raised.
    Pass,
}

/// The gate of one repository. Cheap to clone.
#[derive(Clone, Default)]
pub struct ContentGate {
    scanning: Option<Scanning>,
}

#[derive(Clone)]
struct Scanning {
    scanner: Scanner,
    away: Away,
    turns: Arc<Semaphore>,
}

/// A document that is being looked at.
pub(super) struct Inspection {
    beginning: Beginning,
    state: State,
}

/// How far the scanner is.
enum State {
    NoScanner,
    Running(Scan, Away, OwnedSemaphorePermit),
    Failed(ScanError, Away),
}

/// What the gate saw of a document.
pub(super) struct Inspected {
    beginning: Beginning,
    scanned: Option<Result<Verdict, (ScanError, Away)>>,
}

impl ContentGate {
    /// With a scanner.
    pub fn scanning(address: Address, away: Away) -> Self {
        let turns = Arc::new(Semaphore::new(limits::MAX_CONCURRENT_SCANS));
        Self { scanning: Some(Scanning { scanner: Scanner::new(address), away, turns }) }
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
        let turn = timeout(limits::SCAN_TURN_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return State::Failed(ScanError::Late(limits::SCAN_TURN_WAIT), self.away);
        };
        match self.scanner.begin().await {
            Ok(scan) => State::Running(scan, self.away, turn),
            Err(error) => State::Failed(error, self.away),
        }
    }
}

impl Inspection {
    /// Looks at the next chunk; waits while the scanner is behind.
    pub(super) async fn chunk(&mut self, chunk: &Bytes) {
        self.beginning.look(chunk);
        if let State::Running(scan, away, _) = &mut self.state
            && let Err(error) = scan.chunk(chunk).await
        {
            self.state = State::Failed(error, *away);
        }
    }

    /// The document is whole.
    pub(super) async fn finish(self) -> Inspected {
        let scanned = match self.state {
            State::NoScanner => None,
            State::Failed(error, away) => Some(Err((error, away))),
            State::Running(scan, away, _turn) => Some(scan.finish().await.map_err(|error| (error, away))),
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
            Err((error, Away::Refuse)) => {
                tracing::error!(trace, %error, "a document is refused: it could not be scanned");
                let problem = format!("it could not be scanned for malware; try again later (trace {trace})");
                ("away", Some((code::REPOSITORY_ERROR, problem)))
            }
            Err((error, Away::Pass)) => {
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
