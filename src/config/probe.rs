//! What the world outside of the file must be like: certificates and keys that belong together and hold today, a data
//! volume on which SQLite's write-ahead log, fsync and temporary files work (user pains 93 and 114).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::store::rusqlite;

/// Days before its end at which a certificate is warned about.
const EXPIRY_WARNING_DAYS: u32 = 30;

/// What a certificate's dates say about today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// Good for longer than a month.
    Good,
    /// Ends within a month; holds when.
    EndsSoon(String),
    /// Holds what is wrong.
    Bad(String),
}

/// The first certificate of a PEM file.
pub fn certificate(file: &Path) -> Result<X509, String> {
    let pem = readable(file)?;
    X509::from_pem(&pem).map_err(|_| format!("{} holds no PEM certificate", file.display()))
}

/// All certificates of a PEM file.
pub fn authorities(file: &Path) -> Result<Vec<X509>, String> {
    let pem = readable(file)?;
    match X509::stack_from_pem(&pem) {
        Ok(stack) if !stack.is_empty() => Ok(stack),
        _ => Err(format!("{} holds no PEM certificate", file.display())),
    }
}

/// The private key of a PEM file.
pub fn key(file: &Path) -> Result<PKey<Private>, String> {
    let pem = readable(file)?;
    PKey::private_key_from_pem_callback(&pem, |_| Ok(0))
        .map_err(|_| format!("{} holds no unencrypted PEM private key", file.display()))
}

/// Whether the key is the certificate's.
pub fn belong_together(certificate: &X509, key: &PKey<Private>) -> bool {
    certificate.public_key().is_ok_and(|public| public.public_eq(key))
}

/// What the certificate's dates say about today.
pub fn validity(certificate: &X509) -> Validity {
    let in_days = |days| Asn1Time::days_from_now(days).ok();
    let (Some(now), Some(soon)) = (in_days(0), in_days(EXPIRY_WARNING_DAYS)) else { return Validity::Good };
    let end = certificate.not_after();
    if certificate.not_before() > now {
        Validity::Bad(format!("is not valid before {}", certificate.not_before()))
    } else if end < now {
        Validity::Bad(format!("expired on {end}"))
    } else if end < soon {
        Validity::EndsSoon(end.to_string())
    } else {
        Validity::Good
    }
}

/// Whether others than the owner may read a file.
#[cfg(unix)]
pub fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

/// Whether others than the owner may read a file.
#[cfg(not(unix))]
pub fn is_open_to_others(_: &Path) -> bool {
    false
}

/// Tries the data directory, or where it would be made: a file written and synced, a database in WAL mode. The error names
/// what failed and the file system.
pub fn data_directory(directory: &Path) -> Result<(), String> {
    let existing = directory
        .ancestors()
        .map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path })
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(format!("{} is not a directory", existing.display()));
    }
    let probe = existing.join(format!(".sekisho-probe-{}", uuid::Uuid::new_v4().simple()));
    let result = fs::create_dir(&probe)
        .map_err(|error| format!("cannot make files there: {error}"))
        .and_then(|()| written_and_synced(&probe))
        .and_then(|()| write_ahead_log(&probe));
    let removed = fs::remove_dir_all(&probe);
    match (result, removed) {
        (Err(problem), _) => Err(format!("{} ({}): {problem}", existing.display(), file_system(existing))),
        (Ok(()), Err(error)) => Err(format!("{}: cannot remove files there: {error}", existing.display())),
        (Ok(()), Ok(())) => Ok(()),
    }
}

fn written_and_synced(directory: &Path) -> Result<(), String> {
    let temporary = directory.join("temporary");
    fs::File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(b"sekisho")?;
            file.sync_all()?;
            fs::rename(&temporary, directory.join("renamed"))?;
            fs::File::open(directory)?.sync_all()
        })
        .map_err(|error| format!("write, fsync and rename do not work there: {error}"))
}

fn write_ahead_log(directory: &Path) -> Result<(), String> {
    let tried = || -> Result<String, rusqlite::Error> {
        let database = rusqlite::Connection::open(directory.join("probe.db"))?;
        let mode = database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
        database.execute_batch("CREATE TABLE probe (x); INSERT INTO probe VALUES (1);")?;
        Ok(mode)
    };
    match tried() {
        Ok(mode) if mode.eq_ignore_ascii_case("wal") => Ok(()),
        Ok(mode) => Err(format!("SQLite's write-ahead log does not work there (journal mode stays {mode})")),
        Err(error) => Err(format!("SQLite does not work there: {error}")),
    }
}

/// The type of the file system that holds a path, as the kernel calls it.
fn file_system(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((PathBuf::from(fields.next()?), fields.next()?))
        })
        .filter(|(mount, _)| path.starts_with(mount))
        .max_by_key(|(mount, _)| mount.as_os_str().len())
        .map_or_else(|| "unknown file system".to_owned(), |(_, kind)| format!("file system {kind}"))
}

fn readable(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_is_tried_and_left_as_it_was() {
        let place = std::env::temp_dir().join(format!("sekisho-probe-{}", uuid::Uuid::new_v4()));
        assert_eq!(data_directory(&place.join("deep/down")), Ok(()));
        assert!(!place.exists());
        fs::write(&place, "a file").unwrap();
        assert!(data_directory(&place).unwrap_err().contains("is not a directory"));
        fs::remove_file(&place).unwrap();
    }
}
