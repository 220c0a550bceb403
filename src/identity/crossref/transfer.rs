//! Export and import of the cache, one JSON object a line: to look at it, to move it, to bring in what a region knows
//! already.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{Crossref, Decided, Digest, Entry, now};
use crate::ids::{HomeCommunityId, Oid, PatientId};

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
        for pair in self.inner.entries.iter() {
            let (key, value) = pair.map_err(|_| TransferError::Cache)?;
            let Some((local, community)) = self.inner.read_key(&key) else { continue };
            let Some(entry) = Entry::decode(&value).filter(|entry| entry.expires > now()) else { continue };
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
        Ok(written)
    }

    /// Takes entries in, line by line; stops at the first that is wrong. Touches the disk.
    pub fn import(&self, lines: impl BufRead) -> Result<Imported, TransferError> {
        self.import_but(lines, |_| false)
    }

    /// The same, but for identifiers that must not be kept: a line with such a one is wrong. Touches the disk.
    pub fn import_but(
        &self,
        lines: impl BufRead,
        refused: impl Fn(&PatientId) -> bool,
    ) -> Result<Imported, TransferError> {
        let mut imported = Imported::default();
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line?;
            if line.trim().is_empty() {
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

impl super::Inner {
    /// The reverse of [`super::Inner::key`].
    fn read_key(&self, key: &[u8]) -> Option<(PatientId, HomeCommunityId)> {
        let mut rest = key;
        let mut part = || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (text, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = behind;
            std::str::from_utf8(text).ok()
        };
        let (tenant, authority, id) = (part()?, part()?, part()?);
        let local = PatientId::new(id, Oid::parse(authority).ok()?);
        let community = HomeCommunityId::parse(std::str::from_utf8(rest).ok()?).ok()?;
        (tenant == self.tenant).then_some((local, community))
    }
}

fn read(line: &str) -> Result<(PatientId, HomeCommunityId, Entry), String> {
    // What serde says of a wrong value would repeat it.
    let line: Line = serde_json::from_str(line)
        .map_err(|error| format!("column {}: no entry of the cross-reference cache", error.column()))?;
    let patient =
        |cx: &str| PatientId::parse(cx).map_err(|_| "an identifier must read id^^^&OID&ISO".to_owned());
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
    let community = HomeCommunityId::parse(&line.community).map_err(|error| error.to_string())?;
    Ok((patient(&line.local)?, community, entry))
}

fn timestamp(second: u64) -> String {
    let time = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}
