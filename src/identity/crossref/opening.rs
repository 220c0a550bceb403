//! Opens the trees in sled, and tells a damaged database from one that cannot be used now.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::limits;

pub(super) enum Opening {
    Locked(String),
    Unusable(String),
    Damaged(String),
}

/// A process that is on its way out, as at a restart, is waited for up to [`limits::CROSSREF_BUSY_TIMEOUT`].
pub(super) fn unlocked(directory: &Path, memory: u64) -> Result<[sled::Tree; 3], Opening> {
    let patience = Instant::now() + limits::CROSSREF_BUSY_TIMEOUT;
    loop {
        match trees(directory, memory) {
            Err(Opening::Locked(_)) if Instant::now() < patience => {
                std::thread::sleep(limits::STORE_LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

pub(super) fn trees(directory: &Path, memory: u64) -> Result<[sled::Tree; 3], Opening> {
    let open = || -> sled::Result<[sled::Tree; 3]> {
        let config = sled::Config::new().path(directory).cache_capacity(memory).print_profile_on_drop(false);
        let db = config.open()?;
        Ok([db.open_tree("entries")?, db.open_tree("expiry")?, db.open_tree("place")?])
    };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(trees)) => Ok(trees),
        Ok(Err(sled::Error::Io(error))) if is_lock(&error) => Err(Opening::Locked(error.to_string())),
        // No permission, no space: what lies there is whole.
        Ok(Err(sled::Error::Io(error))) if !is_damage(&error) => Err(Opening::Unusable(error.to_string())),
        Ok(Err(error)) => Err(Opening::Damaged(error.to_string())),
        Err(_) => Err(Opening::Damaged("it cannot be read".to_owned())),
    }
}

/// sled gives its lock no kind of its own.
fn is_lock(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::Other && error.to_string().contains("could not acquire lock")
}

fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput)
}

/// The damaged one stays for those who want to know why; the one before it goes.
pub(super) fn move_aside(directory: &Path) -> std::io::Result<()> {
    let mut aside = directory.as_os_str().to_owned();
    aside.push(".damaged");
    let aside = PathBuf::from(aside);
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    std::fs::rename(directory, &aside)
}
