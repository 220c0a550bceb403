//! The on-demand document that the house makes itself: a list of the patient's documents, as HTML or as a CDA with a
//! narrative table. Nothing in it depends on when it was asked for: the same documents give the same bytes.

use std::fmt::Write;

use super::on_demand::{Assembled, OnDemandSource};
use crate::ids::PatientId;
use crate::metadata::Object;
use crate::metadata::views::{AuthorRef, CodeRef, DocumentEntry};
use crate::registry::OnDemandEntry;

/// Lists what the registry has of a patient.
pub struct DocumentList;

impl OnDemandSource for DocumentList {
    fn assemble(&self, asked: &OnDemandEntry) -> Option<Assembled> {
        let entry = DocumentEntry(&asked.entry);
        let mime_type = entry.mime_type()?;
        let write = match mime_type {
            "text/html" | "application/xhtml+xml" => html,
            "text/xml" | "application/xml" | "application/cda+xml" => cda,
            _ => return None,
        };
        let japanese = entry.language_code().is_some_and(|language| language.starts_with("ja"));
        let words = if japanese { &JAPANESE } else { &ENGLISH };
        let mut rows: Vec<_> = asked.documents.iter().map(row).collect();
        // The newest first; the uniqueId decides between equals.
        rows.sort_by(|one, other| other.cmp(one));
        let patient = entry.patient()?;
        Some(Assembled {
            mime_type: mime_type.to_owned(),
            bytes: write(entry, &patient, words, &rows).into(),
        })
    }
}

/// What the document says, in a language.
struct Words {
    language: &'static str,
    title: &'static str,
    patient: &'static str,
    columns: [&'static str; 6],
    none: &'static str,
}

const JAPANESE: Words = Words {
    language: "ja",
    title: "文書一覧",
    patient: "患者",
    columns: ["作成日時 (UTC)", "表題", "種類", "分類", "作成者", "文書番号"],
    none: "文書はありません",
};

const ENGLISH: Words = Words {
    language: "en",
    title: "List of documents",
    patient: "Patient",
    columns: ["Created (UTC)", "Title", "Type", "Class", "Author", "Identifier"],
    none: "There are no documents",
};

/// creationTime, title, typeCode, classCode, author, uniqueId.
type Row = [String; 6];

fn row(object: &Object) -> Row {
    let entry = DocumentEntry(object);
    let display = |code: Option<CodeRef<'_>>| code.map(|code| code.display.to_owned()).unwrap_or_default();
    let author = |author: AuthorRef<'_>| {
        author.institutions().first().map(|institution| before(institution, '^').to_owned())
    };
    [
        entry.creation_time().map(readable).unwrap_or_default(),
        entry.title().unwrap_or_default().to_owned(),
        display(entry.type_code()),
        display(entry.class_code()),
        entry.authors().find_map(author).unwrap_or_default(),
        entry.unique_id().unwrap_or_default().to_owned(),
    ]
}

fn html(entry: DocumentEntry<'_>, patient: &PatientId, words: &Words, rows: &[Row]) -> String {
    let Words { language, title, .. } = words;
    let title = Escaped(entry.title().unwrap_or(title));
    let mut out = format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"{language}\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{}: {}</p>\n",
        words.patient,
        Escaped(patient.id())
    );
    table(&mut out, words, rows);
    out.push_str("</body>\n</html>\n");
    out
}

/// CDA R2 with what its header must have (HL7 CDA R2, 4.2), and nothing that the registry does not know.
fn cda(entry: DocumentEntry<'_>, patient: &PatientId, words: &Words, rows: &[Row]) -> String {
    let Words { language, title, .. } = words;
    let title = Escaped(entry.title().unwrap_or(title));
    let unknown = "nullFlavor=\"NA\"";
    let newest = rows.first().map(|row| row[0].chars().filter(char::is_ascii_digit).collect::<String>());
    let effective = match newest.filter(|time| !time.is_empty()) {
        Some(time) => format!("value=\"{time}\""),
        None => unknown.to_owned(),
    };
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ClinicalDocument xmlns=\"urn:hl7-org:v3\">\
         <typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/><id {unknown}/>\
         <code code=\"34133-9\" codeSystem=\"2.16.840.1.113883.6.1\"/><title>{title}</title>\
         <effectiveTime {effective}/>\
         <confidentialityCode code=\"N\" codeSystem=\"2.16.840.1.113883.5.25\"/><languageCode code=\"{language}\"/>\
         <recordTarget><patientRole><id root=\"{}\" extension=\"{}\"/></patientRole></recordTarget>\
         <author><time {effective}/><assignedAuthor><id {unknown}/>\
         <assignedAuthoringDevice><softwareName>Sekisho</softwareName></assignedAuthoringDevice>\
         </assignedAuthor></author>\
         <custodian><assignedCustodian><representedCustodianOrganization><id {unknown}/>\
         </representedCustodianOrganization></assignedCustodian></custodian>\
         <component><structuredBody><component><section><title>{title}</title><text>\n",
        Escaped(patient.authority().as_str()),
        Escaped(patient.id())
    );
    table(&mut out, words, rows);
    out.push_str("</text></section></component></structuredBody></component></ClinicalDocument>\n");
    out
}

/// The table, as both HTML and CDA's narrative have it.
fn table(out: &mut String, words: &Words, rows: &[Row]) {
    if rows.is_empty() {
        let tag = if out.starts_with("<?xml") { "paragraph" } else { "p" };
        out.push_str(&format!("<{tag}>{}</{tag}>\n", words.none));
        return;
    }
    out.push_str("<table>\n<thead><tr>");
    for column in words.columns {
        out.push_str(&format!("<th>{column}</th>"));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            out.push_str(&format!("<td>{}</td>", Escaped(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// A DTM for people, as exact as it is.
fn readable(dtm: &str) -> String {
    let part = |from: usize, to: usize| dtm.get(from..to);
    let mut shown = part(0, 4).unwrap_or(dtm).to_owned();
    for (from, separator) in [(4, '-'), (6, '-'), (8, ' '), (10, ':'), (12, ':')] {
        let Some(digits) = part(from, from + 2) else { break };
        shown.push(separator);
        shown.push_str(digits);
    }
    shown
}

fn before(text: &str, separator: char) -> &str {
    text.split(separator).next().unwrap_or(text)
}

/// Text between tags or in an attribute: what came from outside is never markup.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => f.write_char(' ')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Code, DocumentEntryBuilder};
    use crate::wire::xml::Tree;

    fn document(unique_id: &str, time: &str, title: &str) -> Object {
        DocumentEntryBuilder::stable("urn:uuid:0")
            .title("ja-JP", title)
            .type_code(&Code::new("1", "1.2", "退院 & <紹介>"))
            .creation_time(time)
            .unique_id(unique_id)
            .build()
    }

    fn asked(mime_type: &str, documents: Vec<Object>) -> OnDemandEntry {
        let entry = DocumentEntryBuilder::on_demand("urn:uuid:1")
            .mime_type(mime_type)
            .language_code("ja-JP")
            .patient_id("P'\"<1>^^^&1.2.3&ISO")
            .build();
        OnDemandEntry { entry, documents, snapshot: None }
    }

    /// Whatever stands in metadata, it is text; and the order of submission makes no difference.
    #[test]
    fn the_same_documents_give_the_same_bytes_and_no_markup() {
        let documents = vec![
            document("1.2.3", "20260102030405", "<script>alert(1)</script>"),
            document("1.2.4", "2025", "検査 \"1\" ]]> &amp;"),
        ];
        let reversed: Vec<_> = documents.iter().rev().cloned().collect();
        for mime_type in ["text/html", "text/xml"] {
            let made = DocumentList.assemble(&asked(mime_type, documents.clone())).unwrap();
            assert_eq!(made.bytes, DocumentList.assemble(&asked(mime_type, reversed.clone())).unwrap().bytes);
            let text = String::from_utf8(made.bytes.to_vec()).unwrap();
            assert!(!text.contains("<script>") && text.contains("&lt;script&gt;"), "{text}");
            assert!(text.find("2026-01-02 03:04:05").unwrap() < text.find("<td>2025</td>").unwrap());
            let xml = text.trim_start_matches("<!DOCTYPE html>\n").to_owned();
            Tree::parse(xml.into()).unwrap();
            let none = DocumentList.assemble(&asked(mime_type, Vec::new())).unwrap();
            assert!(String::from_utf8(none.bytes.to_vec()).unwrap().contains("文書はありません"));
        }
        assert!(DocumentList.assemble(&asked("application/pdf", documents)).is_none());
    }
}
