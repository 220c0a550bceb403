//! Rows of documents that were retrieved lately: with them, and with the kernel's page cache, a small document is read
//! without a hop to another thread, which costs several times what reading does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::index::Row;
use crate::limits;

/// Rows by uniqueId, in two generations: what was not asked for while one generation filled up is forgotten. Rows never
/// change; whoever removes a document must forget its row here.
#[derive(Default)]
pub(super) struct Recent(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<String, Arc<Row>>,
    old: HashMap<String, Arc<Row>>,
}

impl Recent {
    pub(super) fn find(&self, unique_id: &str) -> Option<Arc<Row>> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.young.get(unique_id) {
            return Some(row.clone());
        }
        let row = rows.old.remove(unique_id)?;
        rows.keep(row.clone());
        Some(row)
    }

    /// Remembers a row that a reader has seen: what only the writer has seen may still be taken back.
    pub(super) fn remember(&self, row: Arc<Row>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keep(row);
    }

    /// Forgets a document.
    pub(super) fn forget(&self, unique_id: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.young.remove(unique_id);
        rows.old.remove(unique_id);
    }
}

impl Generations {
    fn keep(&mut self, row: Arc<Row>) {
        if self.young.len() >= limits::MAX_RECENT_DOCUMENTS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(row.document.unique_id.clone(), row);
    }
}
