//! The journal of a bulk submission: which files were accepted, with which bytes, so that starting again goes on where it
//! stopped. JSON, a line for each; the first says when it was begun, which is the submissionTime of everything that it
//! records: a submission that was sent and not recorded is sent again just as it was, and answered again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_JOURNAL_LINE_BYTES;
use crate::time::now_dtm;

/// What was accepted, and the file that says so.
pub struct Journal {
    begun: String,
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
}

impl Journal {
    /// Opens a journal, or begins one. Blocks.
    pub fn open(path: &Path) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("the journal {}: {error}", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(problem)?;
        if file.try_lock().is_err() {
            return Err(format!("another `sekisho submit` writes the journal {}", path.display()));
        }
        let mut lines = BufReader::new(&mut file);
        let mut next = || -> std::io::Result<Option<String>> {
            let mut line = String::new();
            lines.by_ref().take(MAX_JOURNAL_LINE_BYTES).read_line(&mut line)?;
            // A line without its end was being written when the program was stopped.
            Ok(Some(line).filter(|line| line.ends_with('\n')))
        };
        let mut accepted = HashMap::new();
        let mut whole = 0;
        let begun = match next().map_err(problem)? {
            Some(line) => {
                whole += line.len() as u64;
                let no_journal = || format!("{} is no journal of `sekisho submit`", path.display());
                let Begun { begun } = serde_json::from_str(&line).map_err(|_| no_journal())?;
                while let Some(line) = next().map_err(problem)? {
                    whole += line.len() as u64;
                    let Accepted { file, sha1 } = serde_json::from_str(&line).map_err(|_| no_journal())?;
                    accepted.insert(file, sha1);
                }
                Some(begun)
            }
            None => None,
        };
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
        Ok(Self { begun, accepted, file: Mutex::new(file) })
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
        append(&mut journal, &Accepted { file: file.to_owned(), sha1: sha1.to_owned() })
    }
}

fn append(file: &mut File, line: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_string(line)?;
    line.push('\n');
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_goes_on_behind_its_last_whole_line() {
        let folder = std::env::temp_dir().join(format!("sekisho-journal-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("journal");
        let journal = Journal::open(&path).unwrap();
        let begun = journal.begun().to_owned();
        journal.accept("a.txt", "00").unwrap();
        assert!(Journal::open(&path).is_err(), "two at once");
        drop(journal);
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"file\":\"b.t").unwrap();
        drop(torn);
        let journal = Journal::open(&path).unwrap();
        assert!(journal.has("a.txt", "00") && !journal.has("a.txt", "01") && !journal.has("b.txt", "00"));
        journal.accept("b.txt", "02").unwrap();
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        assert!(journal.has("b.txt", "02"));
        assert_eq!(journal.begun(), begun);
        std::fs::write(folder.join("other"), "title,patient\n").unwrap();
        assert!(Journal::open(&folder.join("other")).is_err_and(|problem| problem.contains("no journal")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
