//! The journal of a bulk submission: which files were accepted, with which bytes and by whom, so that starting again goes
//! on where it stopped. JSON, a line for each; the first says when it was begun, which is the submissionTime of everything
//! that it records: a submission that was sent and not recorded is sent again just as it was, and answered again.
//!
//! Files are often named after patients, so that only its owner may read it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_JOURNAL_LINE_BYTES;
use crate::time::now_dtm;

/// What was accepted, and the file that says so.
pub struct Journal {
    begun: String,
    /// Whose acceptance counts: what another one has taken is new to this one.
    url: String,
    accepted: HashMap<String, String>,
    file: Mutex<File>,
}

#[derive(Serialize, Deserialize)]
struct Begun {
    begun: String,
}

#[derive(Serialize, Deserialize)]
struct Accepted {
    file: String,
    sha1: String,
    /// Journals of before have none: theirs counts for nobody.
    #[serde(default)]
    url: Option<String>,
}

impl Journal {
    /// Opens the journal of what goes to a URL, or begins one. Blocks.
    pub fn open(path: &Path, url: &str) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("the journal {}: {error}", path.display());
        let no_journal = || format!("{} is no journal of `sekisho submit`", path.display());
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).mode(0o600).open(path).map_err(problem)?;
        if file.try_lock().is_err() {
            return Err(format!("another `sekisho submit` writes the journal {}", path.display()));
        }
        let mut lines = BufReader::new(&mut file);
        let (mut begun, mut accepted, mut whole) = (None, HashMap::new(), 0);
        loop {
            let mut line = String::new();
            lines.by_ref().take(MAX_JOURNAL_LINE_BYTES).read_line(&mut line).map_err(problem)?;
            if !line.ends_with('\n') {
                // It was being written when the program was stopped. Anything else is somebody's file, and stays.
                let start = if begun.is_none() { "{\"begun\":\"" } else { "{\"file\":\"" };
                match start.starts_with(&line) || line.starts_with(start) {
                    true => break,
                    false => return Err(no_journal()),
                }
            }
            whole += line.len() as u64;
            if begun.is_none() {
                let first: Begun = serde_json::from_str(&line).map_err(|_| no_journal())?;
                begun = Some(first.begun);
                continue;
            }
            let one: Accepted = serde_json::from_str(&line).map_err(|_| no_journal())?;
            if one.url.as_deref() == Some(url) {
                accepted.insert(one.file, one.sha1);
            }
        }
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(problem)?;
        let begun = match begun {
            Some(begun) => begun,
            None => {
                let begun = now_dtm();
                append(&mut file, &Begun { begun: begun.clone() })
                    .and_then(|()| file.sync_all())
                    .map_err(problem)?;
                begun
            }
        };
        Ok(Self { begun, url: url.to_owned(), accepted, file: Mutex::new(file) })
    }

    /// submissionTime.
    pub fn begun(&self) -> &str {
        &self.begun
    }

    /// Whether a file was accepted with these bytes.
    pub fn has(&self, file: &str, sha1: &str) -> bool {
        self.accepted.get(file).is_some_and(|known| known == sha1)
    }

    /// Records that a file was accepted.
    pub fn accept(&self, file: &str, sha1: &str) -> std::io::Result<()> {
        let mut journal = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, sha1, url) = (file.to_owned(), sha1.to_owned(), Some(self.url.clone()));
        append(&mut journal, &Accepted { file, sha1, url })
    }
}

fn append(file: &mut File, line: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_string(line)?;
    line.push('\n');
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_journal_goes_on_behind_its_last_whole_line() {
        let folder = Folder::new();
        let path = folder.0.join("journal");
        let open = || Journal::open(&path, "http://a/");
        let journal = open().unwrap();
        let begun = journal.begun().to_owned();
        journal.accept("a.txt", "00").unwrap();
        assert!(open().is_err(), "two at once");
        drop(journal);
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"file\":\"b.t").unwrap();
        drop(torn);
        let journal = open().unwrap();
        assert!(journal.has("a.txt", "00") && !journal.has("a.txt", "01") && !journal.has("b.txt", "00"));
        journal.accept("b.txt", "02").unwrap();
        drop(journal);
        let journal = open().unwrap();
        assert!(journal.has("b.txt", "02"));
        assert_eq!(journal.begun(), begun);
        drop(journal);
        let elsewhere = Journal::open(&path, "http://b/").unwrap();
        assert!(!elsewhere.has("b.txt", "02"), "another peer has not accepted it");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_journal_stays_as_it_is() {
        let folder = Folder::new();
        let path = folder.0.join("other");
        let long = "x".repeat(2 * MAX_JOURNAL_LINE_BYTES as usize);
        let begun = "{\"begun\":\"20260101\"}\n".to_owned();
        for text in [
            "title,patient\n".to_owned(),
            "a letter without an end of line".to_owned(),
            "{\"patient\":\"1^^^&1.2.3&ISO\"}".to_owned(),
            begun.clone() + "something else",
            begun.clone() + "{}\n",
            long,
        ] {
            std::fs::write(&path, &text).unwrap();
            let problem = Journal::open(&path, "http://a/").err().unwrap();
            assert!(problem.contains("is no journal"), "{problem}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        for torn in ["", "{\"beg", "{\"begun\":\"2026"] {
            std::fs::write(&path, torn).unwrap();
            assert!(Journal::open(&path, "http://a/").is_ok(), "{torn}");
        }
    }

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("sekisho-journal-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
