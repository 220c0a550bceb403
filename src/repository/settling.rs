//! What a crash leaves behind is bytes without a row: they are taken away when the repository is opened.
//!
//! A crash can leave no more than what was in flight. Where there is more than that, the rows are older than the files
//! (a backup of the one was restored without the other): then everything stays where it is, and somebody is told.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::files::LargeFiles;
use super::index::{Index, Position};
use super::record::{BLOCK_BYTES, walk};
use super::segments::Segments;
use crate::limits;
use crate::store::{Store, StoreError};

/// What was found at opening that no row refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Documents that were still arriving.
    pub unfinished: usize,
    /// Large documents that had arrived, but whose submission was not accepted yet.
    pub unaccepted: usize,
    /// Small ones, whole.
    pub unaccepted_small: usize,
    /// Bytes that were taken off the segments.
    pub truncated: u64,
    /// Things that no crash leaves behind; each sentence says what was left as it is.
    pub alarms: Vec<String>,
}

impl Settled {
    /// Documents that were removed.
    pub fn documents(&self) -> usize {
        self.unfinished + self.unaccepted + self.unaccepted_small
    }

    pub(super) fn report(&self, directory: &Path) {
        for alarm in &self.alarms {
            metrics::counter!("sekisho_repository_alarms_total").increment(1);
            tracing::error!(directory = %directory.display(), "{alarm}");
        }
        let documents = self.documents();
        if documents > 0 || self.truncated > 0 {
            metrics::counter!("sekisho_repository_settled_total").increment(documents as u64);
            let (unfinished, truncated) = (self.unfinished, self.truncated);
            let unaccepted = self.unaccepted + self.unaccepted_small;
            tracing::warn!(
                unfinished,
                unaccepted,
                truncated,
                "documents that no submission refers to were removed"
            );
        }
    }
}

/// Settles a repository's folder; gives the segments, ready to go on behind the last record that a row refers to.
pub(super) fn settle(
    directory: &Path,
    store: &Store,
    index: &Index,
    files: &LargeFiles,
) -> Result<(Segments, Settled), StoreError> {
    let mut settled = settle_incoming(files)?;
    settle_large(store, index, files, &mut settled)?;
    let folder = directory.join("segments");
    fs::create_dir_all(&folder)?;
    super::files::sync_folder(directory)?;
    let index = index.clone();
    let end = store.read_blocking(move |connection| index.segment_end(connection))?;
    let end = settle_segments(&folder, end, &mut settled)?;
    Ok((Segments::new(folder, end), settled))
}

/// Takes away what was still arriving.
pub(super) fn settle_incoming(files: &LargeFiles) -> io::Result<Settled> {
    let mut settled = Settled::default();
    for path in files.incoming()? {
        fs::remove_file(path)?;
        settled.unfinished += 1;
    }
    Ok(settled)
}

fn settle_large(
    store: &Store,
    index: &Index,
    files: &LargeFiles,
    settled: &mut Settled,
) -> Result<(), StoreError> {
    let finished = files.finished()?;
    let index = index.clone();
    let orphans = store.read_blocking(move |connection| {
        let mut orphans = Vec::new();
        for name in finished {
            if !index.has_file(connection, &name)? {
                orphans.push(name);
            }
        }
        Ok(orphans)
    })?;
    if orphans.len() > limits::MAX_SETTLED_FILES {
        settled.alarms.push(format!(
            "{} large documents have no row, more than a crash can leave: the index is older than the files; they stay",
            orphans.len()
        ));
        return Ok(());
    }
    for name in &orphans {
        fs::remove_file(files.path(name))?;
    }
    settled.unaccepted = orphans.len();
    Ok(())
}

/// Takes off what lies behind the last record that a row refers to. Where that is not safe, the next segment is begun.
fn settle_segments(folder: &Path, end: Option<Position>, settled: &mut Settled) -> io::Result<Position> {
    let end = end.unwrap_or(Position { segment: 1, offset: 0 });
    let end_of_block = end.offset.next_multiple_of(BLOCK_BYTES);
    let segments = Segments::list(folder)?;
    let last = segments.last().copied().unwrap_or(end.segment).max(end.segment);
    let fresh = Position { segment: last + 1, offset: 0 };

    let mut tails = Vec::new();
    for &segment in segments.iter().filter(|segment| **segment >= end.segment) {
        let file = OpenOptions::new().read(true).write(true).open(Segments::path(folder, segment))?;
        let (used, keep) = if segment == end.segment { (end.offset, end_of_block) } else { (0, 0) };
        let length = file.metadata()?.len();
        if length < used {
            settled.alarms.push(format!(
                "segment {segment} has {length} bytes, but rows refer to {used}: documents are missing from it"
            ));
            return Ok(fresh);
        }
        tails.push((file, keep, length.saturating_sub(keep)));
    }
    if end.offset > 0 && !segments.contains(&end.segment) {
        settled.alarms.push(format!("segment {} is not there: its documents are missing", end.segment));
        return Ok(fresh);
    }
    let bytes: u64 = tails.iter().map(|(_, _, tail)| tail).sum();
    if bytes > limits::MAX_SETTLED_BYTES {
        settled.alarms.push(format!(
            "{bytes} bytes of the segments have no rows, more than a crash can leave: the index is older than the \
             segments; they stay"
        ));
        return Ok(fresh);
    }
    for (file, keep, tail) in tails.iter().filter(|(_, _, tail)| *tail > 0) {
        settled.unaccepted_small += walk(file, *keep)?.len();
        file.set_len(*keep)?;
        file.sync_all()?;
        settled.truncated += tail;
    }
    Ok(Position { offset: end_of_block, ..end })
}
