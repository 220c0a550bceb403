//! `sekisho retrieve`: documents into files (ITI-43, ITI-39), hashed as they arrive and compared with the metadata where
//! that is known. Files are numbered; what a peer calls a document never becomes a path.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use indicatif::ProgressBar;
use openssl::hash::{Hasher, MessageDigest};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::output::{Output, bytes};
use super::peer::{PeerError, PeerOptions, Sink};
use super::query::{FoundDocument, errors_json, show_errors, status};
use super::{Exit, Outcome, Stop};
use crate::limits::MAX_ENVELOPE_BYTES;
use crate::metadata::views::awaits_assembly;
use crate::transactions::errors::Status;
use crate::transactions::iti39::ITI39;
use crate::transactions::iti43::{DocumentHead, DocumentRequest, ITI43, RetrieveRequest};

/// Retrieve documents into files.
#[derive(Debug, Args)]
pub struct Retrieve {
    #[command(flatten)]
    peer: PeerOptions,
    /// Ask a Responding Gateway (ITI-39) instead of a repository or Initiating Gateway (ITI-43)
    #[arg(long)]
    cross: bool,
    /// uniqueId of a document; may be repeated. Without one, the JSON of `sekisho query --json` is read from stdin
    #[arg(long, value_name = "UNIQUEID", requires = "repository")]
    document: Vec<String>,
    /// repositoryUniqueId of these documents
    #[arg(long, value_name = "OID")]
    repository: Option<String>,
    /// homeCommunityId of these documents, urn:oid:…
    #[arg(long, value_name = "URN")]
    home: Option<String>,
    /// The folder for the files; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "documents")]
    out: PathBuf,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(serde::Deserialize)]
struct QueryOutput {
    documents: Vec<FoundDocument>,
}

impl Retrieve {
    /// Retrieves and shows. A missing document or a hash that differs is exit code 1.
    pub async fn run(self) -> Outcome {
        let (transaction, endpoint) = if self.cross { (&ITI39, "iti39") } else { (&ITI43, "iti43") };
        let place = self.peer.place(endpoint)?;
        let wanted = self.wanted().await?;
        let request = RetrieveRequest { documents: wanted.iter().filter_map(document_request).collect() };
        if request.documents.is_empty() {
            return Err(Stop::new(
                Exit::Usage,
                "nothing to retrieve: no document has a repository and a uniqueId",
            ));
        }
        let output = Output::new(self.json);
        let total = wanted.iter().map(|document| document.size).sum();
        let mut files = Files::new(&self.out, wanted, output.progress(total)).await?;
        let head = place.peer.retrieve(transaction, &place.url, &request, &mut files).await;
        files.finish();
        let head = head?;
        show(output, head.status, &files.saved);
        show_errors(output, &head.errors);
        output.json(&json!({
            "status": status(head.status),
            "documents": files.saved,
            "errors": errors_json(&head.errors),
        }));
        let all_came = files.saved.len() == request.documents.len();
        let all_right = files.saved.iter().all(|saved| saved.ok != Some(false));
        let whole = head.status == Status::Success && all_came && all_right;
        Ok(if whole { Exit::Done } else { Exit::No })
    }

    async fn wanted(&self) -> Result<Vec<FoundDocument>, Stop> {
        if !self.document.is_empty() {
            let document = |id: &String| FoundDocument {
                home: self.home.clone(),
                repository: self.repository.clone(),
                unique_id: Some(id.clone()),
                ..FoundDocument::default()
            };
            return Ok(self.document.iter().map(document).collect());
        }
        let how = "pipe `sekisho query … --json` in, or name documents with --document and --repository";
        if std::io::stdin().is_terminal() {
            return Err(Stop::new(Exit::Usage, how));
        }
        let read = tokio::task::spawn_blocking(|| {
            let stdin = std::io::stdin().lock().take(MAX_ENVELOPE_BYTES as u64);
            serde_json::from_reader::<_, QueryOutput>(stdin)
        });
        let unusable = |error: String| {
            Stop::new(Exit::Usage, format!("stdin is no answer of `query --json` ({error}); {how}"))
        };
        let read = read.await.map_err(|error| unusable(error.to_string()))?;
        let QueryOutput { documents } = read.map_err(|error| unusable(error.to_string()))?;
        Ok(documents)
    }
}

/// What is asked for a document of an answer; None if it lacks an identifier.
pub fn document_request(document: &FoundDocument) -> Option<DocumentRequest> {
    Some(DocumentRequest {
        home: document.home.clone(),
        repository: document.repository.clone()?,
        document: document.unique_id.clone()?,
    })
}

/// A document that was written to a file.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// The file.
    pub file: PathBuf,
    /// uniqueId.
    pub unique_id: String,
    /// homeCommunityId.
    pub home: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha1: String,
    /// Lower-case hex.
    pub sha256: String,
    /// Whether size and hash are the metadata's; None where these are not known.
    pub ok: Option<bool>,
}

/// Writes documents into a folder.
pub struct Files {
    directory: PathBuf,
    expected: Vec<FoundDocument>,
    progress: ProgressBar,
    current: Option<Current>,
    /// What is there.
    pub saved: Vec<Saved>,
}

struct Current {
    file: tokio::fs::File,
    path: PathBuf,
    head: DocumentHead,
    size: u64,
    sha1: Hasher,
    sha256: Hasher,
}

impl Files {
    /// Makes the folder; `expected` is what the metadata say.
    pub async fn new(
        directory: &Path,
        expected: Vec<FoundDocument>,
        progress: ProgressBar,
    ) -> Result<Self, PeerError> {
        tokio::fs::create_dir_all(directory).await.map_err(|e| PeerError::Disk(directory.to_owned(), e))?;
        Ok(Self { directory: directory.to_owned(), expected, progress, current: None, saved: Vec::new() })
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.progress.finish_and_clear();
    }

    /// A new file with the first number that is free.
    async fn create(&self, mime_type: &str) -> Result<(tokio::fs::File, PathBuf), PeerError> {
        let extension = extension(mime_type);
        let mut number = self.saved.len() + 1;
        loop {
            let path = self.directory.join(format!("document-{number:03}.{extension}"));
            // Documents are for who asked for them, not for every user of the machine.
            let mut options = tokio::fs::OpenOptions::new();
            match options.write(true).create_new(true).mode(0o600).open(&path).await {
                Ok(file) => return Ok((file, path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(PeerError::Disk(path, error)),
            }
        }
    }

    fn matches_metadata(&self, request: &DocumentRequest, size: u64, sha1: &str) -> Option<bool> {
        let is_this = |d: &&FoundDocument| {
            d.unique_id.as_ref() == Some(&request.document)
                && d.repository.as_ref() == Some(&request.repository)
        };
        let expected = self.expected.iter().find(is_this)?;
        if awaits_assembly(expected.hash.as_deref(), expected.size) {
            return None;
        }
        let size_holds = expected.size.is_none_or(|expected| expected == size);
        expected.hash.as_ref().map(|hash| hash.eq_ignore_ascii_case(sha1) && size_holds)
    }
}

impl Sink for Files {
    async fn begin(&mut self, document: &DocumentHead) -> Result<(), PeerError> {
        let (file, path) = self.create(&document.mime_type).await?;
        let (sha1, sha256) = hashers().map_err(|error| PeerError::Disk(path.clone(), error))?;
        self.progress.set_message(path.display().to_string());
        self.current = Some(Current { file, path, head: document.clone(), size: 0, sha1, sha256 });
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), PeerError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let disk = |error: std::io::Error| PeerError::Disk(current.path.clone(), error);
        current
            .sha1
            .update(&bytes)
            .and_then(|()| current.sha256.update(&bytes))
            .map_err(|e| disk(e.into()))?;
        current.file.write_all(&bytes).await.map_err(disk)?;
        current.size += bytes.len() as u64;
        self.progress.inc(bytes.len() as u64);
        Ok(())
    }

    async fn end(&mut self) -> Result<(), PeerError> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        let disk = |error: std::io::Error| PeerError::Disk(current.path.clone(), error);
        current.file.flush().await.map_err(disk)?;
        let sha1 = hex(&current.sha1.finish().map_err(|e| disk(e.into()))?);
        let sha256 = hex(&current.sha256.finish().map_err(|e| disk(e.into()))?);
        let request = current.head.request;
        self.saved.push(Saved {
            ok: self.matches_metadata(&request, current.size, &sha1),
            file: current.path,
            unique_id: request.document,
            home: request.home,
            size: current.size,
            sha1,
            sha256,
        });
        Ok(())
    }
}

fn hashers() -> std::io::Result<(Hasher, Hasher)> {
    Ok((Hasher::new(MessageDigest::sha1())?, Hasher::new(MessageDigest::sha256())?))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn extension(mime_type: &str) -> &'static str {
    match mime_type.split(';').next().unwrap_or_default().trim() {
        "text/xml" | "application/xml" | "application/hl7-cda+xml" => "xml",
        "text/plain" => "txt",
        "text/html" => "html",
        "application/pdf" => "pdf",
        "application/dicom" => "dcm",
        "application/json" | "application/fhir+json" => "json",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/tiff" => "tif",
        "application/zip" => "zip",
        _ => "bin",
    }
}

fn show(output: Output, answer: Status, saved: &[Saved]) {
    let row = |saved: &Saved| {
        [
            saved.file.display().to_string(),
            saved.home.clone().unwrap_or_default(),
            bytes(saved.size),
            saved.sha1.clone(),
            saved.sha256.clone(),
            check_mark(saved.ok).to_owned(),
        ]
    };
    if !saved.is_empty() {
        let rows: Vec<_> = saved.iter().map(row).collect();
        output.table(["file", "community", "size", "sha1", "sha256", "ok"], &rows);
    }
    if output == Output::People {
        output.line(&format!("{}: {} documents", status(answer), saved.len()));
    }
}

/// Whether a document is what its metadata say.
pub fn check_mark(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => "ok",
        Some(false) => "DIFFERS from its metadata",
        None => "not known",
    }
}
