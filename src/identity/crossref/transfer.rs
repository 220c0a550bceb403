//! Export and import of the cache, one JSON object a line: to look at it, to move it, to bring in what a region knows
//! already.

use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::{Crossref, Decided, Digest, Entry, now};
use crate::ids::{HomeCommunityId, PatientId};
use crate::limits;

/// A line. Holds patient identifiers: it is for files of the operator's, never for logs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Our patient, a CX.
    local: String,
    /// homeCommunityId, `urn:oid:…`.
    community: String,
    /// Identifiers there, CX; none means that nobody there is this patient.
    remote: Vec<String>,
    /// 0 to 100.
    #[serde(default = "certain")]
    score: u8,
    /// Who decided; `operator` if left out.
    #[serde(default)]
    decided: Option<String>,
    /// Of the demographics, hexadecimal.
    #[serde(default)]
    digest: Option<String>,
    /// RFC 3339; now if left out.
    #[serde(default)]
    obtained: Option<String>,
    /// RFC 3339.
    expires: String,
}

fn certain() -> u8 {
    100
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Lines that were taken.
    pub taken: u64,
    /// Lines whose time was over.
    pub expired: u64,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A line is no entry.
    #[error("line {0}: {1}")]
    Line(u64, String),
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The cache.
    #[error("the cache could not be read")]
    Cache,
}

impl Crossref {
    /// Writes every entry that holds, a line each; gives their number. Touches the disk.
    pub fn export(&self, mut out: impl Write) -> Result<u64, TransferError> {
        let mut written = 0;
        let mut entries = self.inner.entries.iter();
        loop {
            let next = self.inner.guarded(|_| entries.next().transpose()).ok_or(TransferError::Cache)?;
            let Some((key, value)) = next else { return Ok(written) };
            let key = Key::read(&key, &self.inner.tenant);
            let Some((local, community)) = key.and_then(|key| key.parts()) else { continue };
            let Some(entry) = Entry::decode(&value).filter(|entry| entry.expires > now()) else { continue };
            if !std::iter::once(&local).chain(&entry.remote).all(can_be_written) {
                continue;
            }
            let decided = Decided::ALL.iter().find(|(kind, _)| *kind == entry.decided);
            let line = Line {
                local: local.to_cx(),
                community: community.to_urn(),
                remote: entry.remote.iter().map(PatientId::to_cx).collect(),
                score: entry.score,
                decided: decided.map(|(_, name)| (*name).to_owned()),
                digest: (entry.digest != Digest::NONE).then(|| entry.digest.to_hex()),
                obtained: Some(timestamp(entry.obtained)),
                expires: timestamp(entry.expires),
            };
            serde_json::to_writer(&mut out, &line).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            written += 1;
        }
    }

    /// Takes entries in, line by line; stops at the first that is wrong. Touches the disk.
    pub fn import(&self, lines: impl BufRead) -> Result<Imported, TransferError> {
        self.import_but(lines, |_| false)
    }

    /// The same, but for identifiers that must not be kept: a line with such a one is wrong. Touches the disk.
    pub fn import_but(
        &self,
        mut lines: impl BufRead,
        refused: impl Fn(&PatientId) -> bool,
    ) -> Result<Imported, TransferError> {
        let mut imported = Imported::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if lines.by_ref().take(limits::MAX_CROSSREF_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (local, community, entry) = read(&line).map_err(|why| TransferError::Line(number, why))?;
            if std::iter::once(&local).chain(&entry.remote).any(&refused) {
                return Err(TransferError::Line(
                    number,
                    "an identifier that must not be kept (My Number)".to_owned(),
                ));
            }
            if entry.expires <= now() {
                imported.expired += 1;
                continue;
            }
            let ticket = self.ticket(&local);
            let kept = self.inner.guarded(|inner| inner.keep(&ticket, &community, &entry));
            kept.ok_or(TransferError::Cache)?;
            imported.taken += 1;
        }
        Ok(imported)
    }
}

/// An identifier of other delimiters or spaces would be read as another one, or none.
fn can_be_written(patient: &PatientId) -> bool {
    PatientId::parse(&patient.to_cx()).is_ok_and(|read| read == *patient)
}

fn read(line: &[u8]) -> Result<(PatientId, HomeCommunityId, Entry), String> {
    // What serde says of a wrong value would repeat it.
    let line: Line = serde_json::from_slice(line)
        .map_err(|error| format!("column {}: no entry of the cross-reference cache", error.column()))?;
    let patient = |cx: &str| {
        let patient =
            PatientId::parse(cx).ok().filter(|patient| patient.id().len() <= limits::MAX_IDENTIFIER_BYTES);
        patient.ok_or_else(|| "an identifier must read id^^^&OID&ISO".to_owned())
    };
    if line.remote.len() > limits::MAX_IDENTITIES_PER_COMMUNITY {
        return Err(format!("`remote` has more than {} identifiers", limits::MAX_IDENTITIES_PER_COMMUNITY));
    }
    let decided = line.decided.as_deref().unwrap_or("operator");
    let known = Decided::ALL.iter().find(|(_, name)| *name == decided);
    let (decided, _) = known.ok_or("`decided` is none of community, initiator, manager, operator")?;
    let digest = match &line.digest {
        Some(hex) => Digest::from_hex(hex).ok_or("`digest` must have 32 hexadecimal digits")?,
        None => Digest::NONE,
    };
    let second = |time: &str| {
        let time: jiff::Timestamp =
            time.parse().map_err(|_| "a time must read 2026-12-31T23:59:59Z".to_owned())?;
        Ok::<_, String>(u64::try_from(time.as_second()).unwrap_or_default())
    };
    let entry = Entry {
        remote: line.remote.iter().map(|cx| patient(cx)).collect::<Result<_, _>>()?,
        digest,
        score: line.score.min(100),
        decided: *decided,
        obtained: line.obtained.as_deref().map_or_else(|| Ok(now()), second)?,
        expires: second(&line.expires)?,
    };
    let community = HomeCommunityId::parse(&line.community);
    let community = community.map_err(|_| "`community` must read urn:oid:1.2.3".to_owned())?;
    Ok((patient(&line.local)?, community, entry))
}

fn timestamp(second: u64) -> String {
    let time = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}
