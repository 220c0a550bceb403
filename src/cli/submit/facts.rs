//! What is said of a document before it becomes metadata, wherever it is said: a row of a CSV, JSON beside the file, the
//! header of a CDA, options of the command line. What comes first holds.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::mapping::CodeMap;
use crate::metadata::Code;
use crate::metadata::cda::{ClinicalDocument, InstanceIdentifier};
use crate::time::utc_dtm;

macro_rules! facts {
    ($($(#[doc = $doc:literal])* $field:ident $name:literal;)*) => {
        /// All of it may be missing. Codes are written `CODE^DISPLAY^SCHEME`.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Facts { $($(#[doc = $doc])* #[serde(rename = $name)] pub $field: Option<String>,)* }

        impl Facts {
            /// What CSV and JSON call them.
            pub const NAMES: &[&str] = &[$($name),*];

            /// These, and what they do not say from others.
            pub fn or(self, others: Self) -> Self {
                Self { $($field: self.$field.or(others.$field)),* }
            }

            fn set(&mut self, name: &str, value: String) {
                match name {
                    $($name => self.$field = Some(value),)*
                    _ => {}
                }
            }
        }
    };
}
facts! {
    /// patientId, as CX.
    patient "patient";
    /// sourcePatientId, as CX.
    source_patient "source_patient";
    /// uniqueId.
    unique_id "unique_id";
    /// title.
    title "title";
    /// mimeType.
    mime_type "mime_type";
    /// creationTime.
    created "created";
    /// serviceStartTime.
    service_start "service_start";
    /// serviceStopTime.
    service_stop "service_stop";
    /// authorPerson, as XCN.
    author "author";
    /// authorInstitution, as XON.
    institution "institution";
    /// languageCode.
    language "language";
    /// classCode.
    class "class";
    /// typeCode.
    kind "type";
    /// formatCode.
    format "format";
    /// confidentialityCode.
    confidentiality "confidentiality";
    /// healthcareFacilityTypeCode.
    facility "facility";
    /// practiceSettingCode.
    practice "practice";
}

impl Facts {
    /// What the header of a CDA says. `zone` (minutes east of UTC) is that of times without one; `authority` chooses among
    /// the patient's identifiers.
    pub fn of_cda(document: ClinicalDocument<'_>, map: &CodeMap, zone: i32, authority: Option<&str>) -> Self {
        let written = |code: Code| format!("{}^{}^{}", code.code, code.display, code.scheme);
        let time = |text: Option<String>| text.and_then(|text| utc_dtm(&text, zone));
        let patients = document.patients();
        let own = patients.iter().find(|id| authority.is_none_or(|authority| id.root == authority));
        let (service_start, service_stop) = document.service();
        let author = document.author();
        let kind = document.code().map(written);
        Self {
            patient: own.and_then(InstanceIdentifier::cx),
            source_patient: patients.first().and_then(InstanceIdentifier::cx),
            unique_id: document
                .id()
                .filter(|id| crate::ids::Oid::parse(&id.root).is_ok())
                .map(|id| id.unique_id()),
            title: document.title(),
            mime_type: Some("text/xml".to_owned()),
            created: time(document.effective_time()),
            service_start: time(service_start),
            service_stop: time(service_stop),
            institution: author.as_ref().and_then(|author| author.institutions.first().cloned()),
            author: author.and_then(|author| author.person),
            language: document.language(),
            class: kind.clone(),
            kind,
            format: document.templates().iter().find_map(|template| map.format(template)).map(written),
            confidentiality: document.confidentiality().map(written),
            facility: document.facility().map(written),
            practice: document.practice_setting().map(written),
        }
    }

    /// What JSON beside a file says.
    pub fn of_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }
}

/// The rows of a CSV by the file that they are about, relative to its folder.
pub fn read_table(file: &Path) -> Result<HashMap<String, Facts>, String> {
    let problem = |error: csv::Error| format!("{}: {error}", file.display());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(problem)?;
    let header: Vec<String> = reader
        .headers()
        .map_err(problem)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_ascii_lowercase())
        .collect();
    if let Some(unknown) =
        header.iter().find(|name| *name != "file" && !Facts::NAMES.contains(&name.as_str()))
    {
        let known = Facts::NAMES.join(", ");
        return Err(format!("{}: there is no column {unknown:?}; columns are file, {known}", file.display()));
    }
    if !header.iter().any(|name| name == "file") {
        return Err(format!("{}: a column \"file\" must say which file each row is about", file.display()));
    }
    let mut rows = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(problem)?;
        let (mut facts, mut about) = (Facts::default(), String::new());
        for (name, value) in header.iter().zip(&record).filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "file" => value.clone_into(&mut about),
                name => facts.set(name, value.to_owned()),
            }
        }
        if let Some(line) = record.position().map(csv::Position::line)
            && rows.insert(about.clone(), facts).is_some()
        {
            return Err(format!("{}, line {line}: {about:?} has a row already", file.display()));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_holds() {
        let json = Facts::of_json("{\"title\": \"甲\", \"type\": \"1^x^1.2\"}".as_bytes()).unwrap();
        let options = Facts { title: Some("乙".into()), language: Some("ja-JP".into()), ..Facts::default() };
        let both = json.or(options);
        assert_eq!((both.title.as_deref(), both.language.as_deref()), (Some("甲"), Some("ja-JP")));
        assert_eq!(both.kind.as_deref(), Some("1^x^1.2"));
        assert!(Facts::of_json(b"{\"titel\": \"\"}").unwrap_err().contains("titel"));
    }
}
