//! The folder of a bulk submission: which files in it are documents. Nothing outside of it is read, whatever leads there.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use crate::limits;
use crate::wire::media;

/// The JSON that may lie beside a file.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// As much of a file as shows a CDA's header; of others, little.
pub(super) async fn beginning(path: &Path) -> std::io::Result<Bytes> {
    let mut file = tokio::fs::File::open(path).await?;
    let mut head = vec![0; media::SIGNATURE_BYTES];
    let mut read = 0;
    while let Some(room) = head.get_mut(read..).filter(|room| !room.is_empty()) {
        let more = file.read(room).await?;
        read += more;
        if more == 0 {
            break;
        }
        if read == media::SIGNATURE_BYTES && media::is_markup(&head) {
            head.resize(limits::MAX_INSPECTED_BYTES, 0);
        }
    }
    head.truncate(read);
    Ok(head.into())
}

/// What is in a folder and its folders, as paths within it, in order.
pub(super) struct Walked {
    pub(super) files: Vec<String>,
    /// They are not followed.
    pub(super) links: Vec<String>,
}

/// Looks through a folder: without hidden files, without what is left out, however that is spelled, and without JSON that
/// lies beside another file.
pub(super) fn walk(folder: &Path, left_out: impl Iterator<Item = PathBuf>) -> Result<Walked, String> {
    let known = |file: PathBuf| Some((file.file_name()?.to_owned(), file.canonicalize().ok()?));
    let left_out: Vec<_> = left_out.filter_map(known).collect();
    let is_left_out = |path: &Path| {
        let mut named = left_out.iter().filter(|(name, _)| path.file_name() == Some(name)).peekable();
        named.peek().is_some() && path.canonicalize().is_ok_and(|path| named.any(|(_, file)| *file == path))
    };
    let mut walked = Walked { files: Vec::new(), links: Vec::new() };
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let problem = |error: std::io::Error| format!("{}: {error}", next.display());
        for entry in std::fs::read_dir(&next).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(problem)?);
            if entry.file_name().as_encoded_bytes().starts_with(b".") || is_left_out(&path) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let found = match (kind.is_file(), kind.is_symlink()) {
                _ if is_beside(&path) => continue,
                (true, _) => &mut walked.files,
                (_, true) => &mut walked.links,
                _ => continue,
            };
            let within = path.strip_prefix(folder).unwrap_or(&path);
            let name = within.to_str().ok_or_else(|| format!("{}: the name is not UTF-8", path.display()))?;
            found.push(name.to_owned());
            if found.len() > limits::MAX_BULK_FILES {
                return Err(format!("more than {} files: divide the folder", limits::MAX_BULK_FILES));
            }
        }
    }
    walked.files.sort_unstable();
    walked.links.sort_unstable();
    Ok(walked)
}

/// Whether a file is the JSON beside another one.
fn is_beside(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && path.with_extension("").is_file()
}
