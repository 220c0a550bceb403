//! The documents of one submission, and the metadata that they become.

use std::path::Path;

use openssl::hash::{Hasher, MessageDigest};
use tokio::io::AsyncReadExt;

use super::fresh_oid;
use crate::cli::retrieve::hex;
use crate::cli::{Exit, Stop};
use crate::ids::PatientId;
use crate::limits::CHUNK_BYTES;
use crate::metadata::views::{DocumentEntryBuilder, Membership, SubmissionSetBuilder, has_member};
use crate::metadata::{Author, Code, Submission};
use crate::time::now_dtm;
use crate::wire::stream::{ByteStream, Content, StreamError};

/// A document to submit: its metadata and its bytes.
pub struct Document {
    /// uniqueId.
    pub unique_id: String,
    /// title.
    pub title: String,
    /// mimeType.
    pub mime_type: String,
    /// creationTime.
    pub created: String,
    /// serviceStartTime.
    pub service_start: Option<String>,
    /// serviceStopTime.
    pub service_stop: Option<String>,
    /// author.
    pub author: Author,
    /// classCode.
    pub class: Code,
    /// typeCode.
    pub kind: Code,
    /// formatCode.
    pub format: Code,
    /// confidentialityCode.
    pub confidentiality: Code,
    /// healthcareFacilityTypeCode.
    pub facility: Code,
    /// practiceSettingCode.
    pub practice: Code,
    /// sourcePatientId.
    pub source_patient: String,
    /// sourcePatientInfo.
    pub source_patient_info: Vec<String>,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha1: String,
    /// The bytes.
    pub content: Content,
}

impl Document {
    /// The same without its bytes.
    pub(super) fn again(&self) -> Self {
        Self {
            unique_id: self.unique_id.clone(),
            title: self.title.clone(),
            mime_type: self.mime_type.clone(),
            created: self.created.clone(),
            service_start: self.service_start.clone(),
            service_stop: self.service_stop.clone(),
            author: self.author.clone(),
            class: self.class.clone(),
            kind: self.kind.clone(),
            format: self.format.clone(),
            confidentiality: self.confidentiality.clone(),
            facility: self.facility.clone(),
            practice: self.practice.clone(),
            source_patient: self.source_patient.clone(),
            source_patient_info: self.source_patient_info.clone(),
            size: self.size,
            sha1: self.sha1.clone(),
            content: Content::from_bytes(Vec::new()),
        }
    }
}

/// The documents of one submission.
pub struct Batch {
    pub(super) patient: PatientId,
    source: String,
    language: String,
    submitted: String,
    unique_id: String,
    documents: Vec<Document>,
}

impl Batch {
    /// Of a patient, from a source (OID), in a language.
    pub fn new(patient: PatientId, source: &str, language: &str) -> Self {
        Self {
            patient,
            source: source.to_owned(),
            language: language.to_owned(),
            submitted: now_dtm(),
            unique_id: fresh_oid(),
            documents: Vec::new(),
        }
    }

    /// With a submissionTime other than now.
    pub(super) fn at(self, submitted: &str) -> Self {
        Self { submitted: submitted.to_owned(), ..self }
    }

    /// With a uniqueId of its own.
    pub(super) fn with_unique_id(self, unique_id: &str) -> Self {
        Self { unique_id: unique_id.to_owned(), ..self }
    }

    /// Adds a document.
    pub fn add(&mut self, document: Document) {
        self.documents.push(document);
    }

    /// The submission, and for each document the id of its entry, its media type and its bytes.
    pub fn finish(self) -> (Submission, Vec<(String, String, Content)>) {
        let content_type = self.documents.first().map(|document| document.kind.clone()).unwrap_or_default();
        let set = SubmissionSetBuilder::new("SubmissionSet01")
            .title(&self.language, self.documents.first().map(|d| d.title.as_str()).unwrap_or_default())
            .submission_time(self.submitted)
            .content_type_code(&content_type)
            .patient_id(self.patient.to_cx())
            .source_id(&self.source)
            .unique_id(self.unique_id)
            .build();
        let mut submission = Submission { objects: vec![set], ..Submission::default() };
        let mut contents = Vec::new();
        let mut members = Vec::new();
        for (index, document) in self.documents.into_iter().enumerate() {
            let id = format!("Document{:02}", index + 1);
            members.push(has_member("SubmissionSet01", &id, Membership::Original));
            contents.push((id.clone(), document.mime_type.clone(), document.content));
            let mut entry = DocumentEntryBuilder::stable(&id)
                .mime_type(document.mime_type)
                .title(&self.language, document.title)
                .creation_time(document.created)
                .language_code(&self.language)
                .size(document.size)
                .hash(document.sha1)
                .source_patient_id(document.source_patient)
                .class_code(&document.class)
                .type_code(&document.kind)
                .format_code(&document.format)
                .confidentiality_codes([&document.confidentiality])
                .facility_type_code(&document.facility)
                .practice_setting_code(&document.practice)
                .patient_id(self.patient.to_cx())
                .unique_id(document.unique_id);
            if let Some(start) = document.service_start {
                entry = entry.service_start_time(start);
            }
            if let Some(stop) = document.service_stop {
                entry = entry.service_stop_time(stop);
            }
            if !document.source_patient_info.is_empty() {
                entry = entry.source_patient_info(document.source_patient_info);
            }
            if document.author != Author::default() {
                entry = entry.authors([&document.author]);
            }
            submission.objects.push(entry.build());
        }
        submission.objects.extend(members);
        (submission, contents)
    }
}

/// Size, SHA-1 and a stream of a file: it is read twice, and never held.
pub(super) async fn opened(file: &Path) -> Result<(u64, String, Content), Stop> {
    let unreadable = |error: std::io::Error| Stop::new(Exit::Usage, format!("{}: {error}", file.display()));
    let mut hasher = Hasher::new(MessageDigest::sha1()).map_err(|error| unreadable(error.into()))?;
    let mut source = tokio::fs::File::open(file).await.map_err(unreadable)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size = 0;
    loop {
        let read = source.read(&mut chunk).await.map_err(unreadable)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        hasher.update(&chunk[..read]).map_err(|error| unreadable(error.into()))?;
    }
    let sha1 = hex(&hasher.finish().map_err(|error| unreadable(error.into()))?);
    let source = tokio::fs::File::open(file).await.map_err(unreadable)?;
    Ok((size, sha1, Content::from_stream(Some(size), chunks(source))))
}

fn chunks(source: tokio::fs::File) -> ByteStream {
    let next = |mut source: tokio::fs::File| async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        match source.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(chunk.into()), source))
            }
            Err(error) => Some((Err(StreamError::Store(error.to_string())), source)),
        }
    };
    Box::pin(futures_util::stream::unfold(source, next))
}
