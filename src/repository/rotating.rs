//! Changing a tenant's key: data keys are wrapped anew with the current key, and no document's bytes are touched. Documents
//! that were stored before there were keys stay as they are.
//!
//! In what order: the new key is added to the configuration and made current, every gateway is restarted (old keys are still
//! read), data keys are rewrapped, and then the old key may go. Until then a gateway without it refuses to start.

use super::Repository;
use super::index::{Index, Row};
use super::sealing::{Keys, Wrapped};
use crate::store::{Connection, Store, StoreError};

/// What a rotation came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Documents whose keys were wrapped anew.
    pub rewrapped: u64,
    /// Documents whose keys were wrapped with the current key already.
    pub current: u64,
    /// Documents that are not encrypted.
    pub unencrypted: u64,
    /// Documents whose keys cannot be unwrapped: they are damaged.
    pub damaged: u64,
}

/// Whether every key that rows may be wrapped with is here, and is the one that it was. Blocks.
pub(super) fn check_keys(store: &Store, index: &Index, keys: Option<&Keys>) -> Result<(), StoreError> {
    let noted = {
        let index = index.clone();
        store.read_blocking(move |connection| index.keys(connection))?
    };
    for (id, proof) in noted {
        let (tenant, repository) = (&index.tenant, &index.repository);
        let problem = match keys.and_then(|keys| keys.proof(&id)) {
            Some(same) if same == proof => continue,
            Some(_) => "is not the key that they were encrypted with under that name",
            None => "is not in the configuration",
        };
        return Err(std::io::Error::other(format!(
            "documents of {tenant}, repository {repository}, are encrypted with key {id:?}, which {problem}: give it \
             under [documents.encryption.keys]"
        ))
        .into());
    }
    Ok(())
}

impl Repository {
    /// Wraps every data key with the current key; `tell` hears how many documents were looked at, a page at a time. Blocks.
    pub fn rotate_keys_blocking(&self, mut tell: impl FnMut(u64)) -> Result<Rotated, StoreError> {
        let mut rotated = Rotated::default();
        let Some(keys) = self.rooms.dock.seals.keys() else { return Ok(rotated) };
        let current = keys.current().to_owned();
        {
            let (rooms, keys) = (self.rooms.clone(), keys.clone());
            self.store.write_blocking(move |connection| rooms.index.note_key(connection, &keys))?;
        }
        self.each(|rows| {
            tell(rows.len() as u64);
            let mut due = Vec::new();
            for row in rows {
                match &row.wrapped {
                    None => rotated.unencrypted += 1,
                    Some(wrapped) if wrapped.key_id == current => rotated.current += 1,
                    Some(wrapped) => match self.rewrapped(&row, wrapped) {
                        Ok(fresh) => due.push((row.document.unique_id.clone(), wrapped.clone(), fresh)),
                        Err(error) => {
                            tracing::error!(place = ?row.place, %error, "a document's key is damaged");
                            rotated.damaged += 1;
                        }
                    },
                }
            }
            rotated.rewrapped += self.rewrap(due)?;
            Ok(())
        })?;
        let rooms = self.rooms.clone();
        let forget = move |connection: &Connection| rooms.index.forget_other_keys(connection, &current);
        self.store.write_blocking(forget)?;
        Ok(rotated)
    }

    fn rewrapped(&self, row: &Row, wrapped: &Wrapped) -> std::io::Result<Wrapped> {
        let seals = &self.rooms.dock.seals;
        let id = &row.document.unique_id;
        seals.wrap(id, &seals.unwrap(id, wrapped)?)
    }

    fn rewrap(&self, due: Vec<(String, Wrapped, Wrapped)>) -> Result<u64, StoreError> {
        if due.is_empty() {
            return Ok(0);
        }
        let rooms = self.rooms.clone();
        self.store.write_blocking(move |connection| {
            let mut changed = 0;
            for (unique_id, was, is) in &due {
                changed += u64::from(rooms.index.rewrap(connection, unique_id, was, is)?);
            }
            Ok(changed)
        })
    }
}
