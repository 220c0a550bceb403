//! The lock on the data directory: one process writes in it. The rooms above keep files there that SQLite's own locks know
//! nothing of (the repository's segments, what is still arriving), and a second process would settle and overwrite what
//! the first one is writing.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Instant;

use super::StoreError;
use crate::limits;

/// Makes a directory that only its owner may look into, with those above it; one that is there stays as it is.
pub(super) fn own_directory(directory: &Path) -> Result<(), StoreError> {
    Ok(DirBuilder::new().recursive(true).mode(0o700).create(directory)?)
}

/// Locks a directory for as long as the file lives; the kernel lets go of it however the process ends. A process that is
/// on its way out, as at a restart, is waited for up to [`limits::STORE_BUSY_TIMEOUT`].
pub(super) fn take(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("sekisho.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    let patience = Instant::now() + limits::STORE_BUSY_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < patience => {
                std::thread::sleep(limits::STORE_LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
