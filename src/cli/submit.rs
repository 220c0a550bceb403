//! `sekisho submit`: files become documents of a patient (ITI-41), or each file of a folder that of its own ([`bulk`]).
//! Metadata come from options; `docs/cli.md` lists what is taken where an option is left out.

mod batch;
mod bulk;
mod facts;
mod folder;
mod journal;
mod mapping;
mod outcome;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use batch::opened;
use bulk::Bulk;
use facts::Facts;
use mapping::CodeMap;

pub use batch::{Batch, Document};

use super::named::Naming;
use super::output::{Output, bytes};
use super::peer::PeerOptions;
use super::query::{errors_json, show_errors, status};
use super::{Exit, Outcome, Stop};
use crate::limits::MAX_BULK_PARALLEL;
use crate::metadata::{Author, Code};
use crate::time::{now_dtm, zone_minutes};
use crate::transactions::errors::Status;

/// The LOINC coding scheme.
pub const LOINC: &str = "2.16.840.1.113883.6.1";
/// The coding scheme of IHE's format codes.
pub const IHE_FORMATS: &str = "1.3.6.1.4.1.19376.1.2.3";
/// The coding scheme of HL7's confidentiality codes.
pub const CONFIDENTIALITY: &str = "2.16.840.1.113883.5.25";
/// Codes that a demo or a first try takes where the affinity domain has none of its own: SNOMED CT's.
pub const SNOMED: &str = "2.16.840.1.113883.6.96";

/// Submit files as documents.
#[derive(Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    peer: PeerOptions,
    #[command(flatten)]
    naming: Naming,
    /// The patient, as ID^^^&OID&ISO; of a --demo, the patient of its story is the default
    #[arg(long, value_name = "CX")]
    patient: Option<String>,
    /// The patient's identifier at the source; the patient if left out
    #[arg(long, value_name = "CX")]
    source_patient: Option<String>,
    /// Title of the documents; the file's name if left out
    #[arg(long)]
    title: Option<String>,
    /// Media type; by the file's name if left out
    #[arg(long, value_name = "TYPE")]
    mime_type: Option<String>,
    /// Author, XCN
    #[arg(long, value_name = "XCN")]
    author: Option<String>,
    /// The author's institution, XON
    #[arg(long, value_name = "XON")]
    institution: Option<String>,
    /// Language
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// When the documents were made, DTM in UTC; now if left out
    #[arg(long, value_name = "DTM")]
    created: Option<String>,
    /// classCode
    #[arg(long, value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    class: Option<Code>,
    /// typeCode
    #[arg(long = "type", value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    kind: Option<Code>,
    /// formatCode
    #[arg(long, value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    format: Option<Code>,
    /// confidentialityCode
    #[arg(long, value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    confidentiality: Option<Code>,
    /// healthcareFacilityTypeCode
    #[arg(long, value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    facility: Option<Code>,
    /// practiceSettingCode
    #[arg(long, value_name = "CODE^DISPLAY^SCHEME", value_parser = code)]
    practice: Option<Code>,
    /// sourceId of the submission, an OID
    #[arg(long, value_name = "OID", default_value = "2.25.318902478213461.9")]
    source: String,
    /// Of a folder: a CSV with metadata by file; DIR/metadata.csv if that is there
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Of a folder: TOML that maps codes of documents to codes of the affinity domain
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Of a folder: the authority whose identifier of a CDA's patient is patientId; the first if left out
    #[arg(long, value_name = "OID")]
    authority: Option<String>,
    /// Of a folder: the zone of times in a CDA's header that name none
    #[arg(long, value_name = "+HHMM", default_value = "+0900", value_parser = zone, allow_hyphen_values = true)]
    zone: i32,
    /// Of a folder: what was accepted is noted there, and not sent again; DIR/.sekisho-submit if left out
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Of a folder: submissions under way at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_BULK_PARALLEL)))]
    parallel: u8,
    /// Ask what would come of it: every error at once, and nothing is stored
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// The files, or a folder: each of its files in a submission of its own
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
}

impl Submit {
    /// Submits all files at once and shows their uniqueIds.
    pub async fn run(self) -> Outcome {
        let place = self.peer.place("iti41")?;
        match self.files.as_slice() {
            [folder] if folder.is_dir() => {
                return self.bulk(folder, place.patient.clone())?.run(place, Output::new(self.json)).await;
            }
            files if files.iter().any(|file| file.is_dir()) => {
                return Err(Stop::new(Exit::Usage, "give files, or one folder"));
            }
            _ => {}
        }
        let patient = self.patient.clone().or(place.patient).ok_or_else(|| {
            Stop::new(Exit::Usage, "say whose documents these are: --patient 'ID^^^&OID&ISO'")
        })?;
        let patient = self.naming.patient(&patient)?;
        let language = self.language.as_deref().unwrap_or(defaults::LANGUAGE);
        let mut batch = Batch::new(patient, &self.source, language);
        let mut rows = Vec::new();
        for file in &self.files {
            let document = self.document(file, &batch).await?;
            rows.push((
                file.display().to_string(),
                document.unique_id.clone(),
                document.size,
                document.sha1.clone(),
            ));
            batch.add(document);
        }
        let (submission, documents) = batch.finish();
        let response = match self.dry_run {
            true => place.peer.rehearse(&place.url, &submission, documents).await?,
            false => place.peer.submit(&place.url, &submission, documents).await?,
        };
        let output = Output::new(self.json);
        let row = |(file, id, size, sha1): &(String, String, u64, String)| {
            [file.clone(), id.clone(), bytes(*size), sha1.clone()]
        };
        if response.status == Status::Success {
            output.table(["file", "uniqueId", "size", "sha1"], &rows.iter().map(row).collect::<Vec<_>>());
        }
        show_errors(output, &response.errors);
        output.json(&json!({
            "status": status(response.status),
            "dryRun": self.dry_run,
            "documents": rows.iter().map(|(file, id, size, sha1)| {
                json!({ "file": file, "uniqueId": id, "size": size, "hash": sha1 })
            }).collect::<Vec<_>>(),
            "errors": errors_json(&response.errors),
        }));
        Ok(if response.status == Status::Success { Exit::Done } else { Exit::No })
    }

    /// A folder, with what the options say of its documents.
    fn bulk(&self, folder: &Path, patient: Option<String>) -> Result<Bulk, Stop> {
        let wrong = |problem: String| Stop::new(Exit::Usage, problem);
        let map = match &self.map {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
                let map = text.and_then(|text| CodeMap::parse(&text));
                map.map_err(|problem| wrong(format!("{}: {problem}", file.display())))?
            }
            None => CodeMap::default(),
        };
        let written = |code: &Option<Code>| {
            code.as_ref().map(|code| format!("{}^{}^{}", code.code, code.display, code.scheme))
        };
        let facts = Facts {
            patient: self.patient.clone().or(patient),
            source_patient: self.source_patient.clone(),
            title: self.title.clone(),
            mime_type: self.mime_type.clone(),
            created: self.created.clone(),
            author: self.author.clone(),
            institution: self.institution.clone(),
            language: self.language.clone(),
            class: written(&self.class),
            kind: written(&self.kind),
            format: written(&self.format),
            confidentiality: written(&self.confidentiality),
            facility: written(&self.facility),
            practice: written(&self.practice),
            ..Facts::default()
        };
        let journal = self.journal.clone().unwrap_or_else(|| folder.join(".sekisho-submit"));
        Ok(Bulk {
            folder: folder.to_owned(),
            table: self.csv.clone(),
            map,
            map_file: self.map.clone(),
            naming: self.naming,
            facts,
            zone: self.zone,
            authority: self.authority.clone(),
            source: self.source.clone(),
            parallel: self.parallel.into(),
            journal: Some(journal).filter(|_| !self.dry_run),
        })
    }

    async fn document(&self, file: &Path, batch: &Batch) -> Result<Document, Stop> {
        let (size, sha1, content) = opened(file).await?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let given = |code: &Option<Code>, default: Code| code.clone().unwrap_or(default);
        let kind = given(&self.kind, defaults::kind());
        Ok(Document {
            unique_id: fresh_oid(),
            title: self.title.clone().unwrap_or(name),
            mime_type: self.mime_type.clone().unwrap_or_else(|| mime_type(file).to_owned()),
            created: self.created.clone().unwrap_or_else(now_dtm),
            service_start: None,
            service_stop: None,
            author: Author {
                person: self.author.clone(),
                institutions: self.institution.iter().cloned().collect(),
                ..Author::default()
            },
            class: given(&self.class, kind.clone()),
            kind,
            format: given(&self.format, sufficient_format()),
            confidentiality: given(&self.confidentiality, defaults::confidentiality()),
            facility: given(&self.facility, defaults::facility()),
            practice: given(&self.practice, defaults::practice()),
            source_patient: self.source_patient.clone().unwrap_or_else(|| batch.patient.to_cx()),
            source_patient_info: Vec::new(),
            size,
            sha1,
            content,
        })
    }
}

/// What is taken where nothing else is said.
mod defaults {
    use super::{CONFIDENTIALITY, Code, LOINC, SNOMED};

    /// languageCode.
    pub const LANGUAGE: &str = "ja-JP";

    pub fn kind() -> Code {
        Code::new("34133-9", LOINC, "Summary of episode note")
    }
    pub fn confidentiality() -> Code {
        Code::new("N", CONFIDENTIALITY, "normal")
    }
    pub fn facility() -> Code {
        Code::new("22232009", SNOMED, "Hospital")
    }
    pub fn practice() -> Code {
        Code::new("394802001", SNOMED, "General medicine")
    }
}

/// The format code for documents of which the media type says enough.
pub fn sufficient_format() -> Code {
    Code::new("urn:ihe:iti:xds:2017:mimeTypeSufficient", IHE_FORMATS, "mimeType sufficient")
}

/// An OID that is nobody else's: 2.25 and a random UUID as an integer (ITU-T X.667).
pub fn fresh_oid() -> String {
    format!("2.25.{}", uuid::Uuid::new_v4().as_u128())
}

fn zone(text: &str) -> Result<i32, String> {
    zone_minutes(text).ok_or_else(|| "write +HHMM or -HHMM".to_owned())
}

fn code(text: &str) -> Result<Code, String> {
    let mut parts = text.split('^');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(code), Some(display), Some(scheme), None) if !code.is_empty() && !scheme.is_empty() => {
            Ok(Code::new(code, scheme, display))
        }
        _ => Err("write CODE^DISPLAY^SCHEME".to_owned()),
    }
}

fn mime_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("xml" | "cda") => "text/xml",
        Some("txt") => "text/plain",
        Some("pdf") => "application/pdf",
        Some("dcm") => "application/dicom",
        Some("json") => "application/json",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("tif" | "tiff") => "image/tiff",
        Some("html") => "text/html",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_three_parts() {
        assert_eq!(code("18842-5^退院時サマリー^2.16.840.1.113883.6.1").unwrap().display, "退院時サマリー");
        assert!(code("18842-5").is_err());
    }
}
