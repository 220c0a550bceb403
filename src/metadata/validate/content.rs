//! The content gate's rules: that a document is what its entry says it is, by its first bytes, and that a CDA holds nothing
//! else than it says (nonXMLBody). The bytes are only looked at.

use std::sync::Arc;

use bytes::Bytes;

use super::findings::Findings;
use super::{Report, Settings, table};
use crate::limits;
use crate::metadata::DocumentEntry;
use crate::metadata::cda::{ClinicalDocument, Content, Embedded};
use crate::wire::media::{self, Judgement, SIGNATURE_BYTES};
use crate::wire::xml::Tree;

/// A document's beginning, gathered while it arrives: of markup as much as shows a CDA's body, of others the signature.
#[derive(Debug, Default)]
pub struct Beginning {
    bytes: Vec<u8>,
    cut: bool,
}

/// A media type, and where it is: said of a document, or of what is in it.
struct Said<'a> {
    media_type: &'a str,
    head: &'a [u8],
    place: &'a str,
}

impl Beginning {
    /// Looks at the next chunk.
    pub fn look(&mut self, chunk: &Bytes) {
        let most = match self.bytes.len() < SIGNATURE_BYTES || media::is_markup(&self.bytes) {
            true => limits::MAX_INSPECTED_BYTES,
            false => SIGNATURE_BYTES,
        };
        let room = most.saturating_sub(self.bytes.len()).min(chunk.len());
        self.bytes.extend_from_slice(chunk.get(..room).unwrap_or_default());
        if !media::is_markup(&self.bytes) {
            self.bytes.truncate(SIGNATURE_BYTES);
        }
        self.cut |= room < chunk.len();
    }
}

/// Checks a document's beginning against its entry. Parses up to [`limits::MAX_INSPECTED_BYTES`].
pub fn check_media_type(entry: DocumentEntry<'_>, beginning: &Beginning, settings: &Settings) -> Report {
    let mut found = Findings::new(settings);
    let object = entry.entry_uuid();
    // codeContext must name it (ITI TF-3: 4.2.4.1).
    let unique_id = entry.unique_id().unwrap_or_default();
    let whole = format!("document {unique_id:?}");
    let part = format!("what is in the nonXMLBody of {whole}");
    let said =
        Said { media_type: entry.mime_type().unwrap_or_default(), head: &beginning.bytes, place: &whole };
    said.check(object, settings.contents(), &mut found);
    match embedded(beginning) {
        Ok(None) => {}
        Ok(Some(Embedded { media_type, beginning: Some(head) })) => {
            let said = Said { media_type: &media_type, head: &head, place: &part };
            said.check(object, settings.contents(), &mut found);
        }
        Ok(Some(Embedded { media_type, beginning: None })) => {
            let problem = format!("{part} is a reference, or no base64");
            found.add(&table::CDA_READABLE, object, &media_type, problem);
        }
        Err(problem) => {
            found.add(&table::CDA_READABLE, object, "", format!("{whole} cannot be looked into: {problem}"));
        }
    }
    found.report
}

/// What a CDA's nonXMLBody holds; None for what is no CDA, or has other contents.
fn embedded(beginning: &Beginning) -> Result<Option<Embedded>, &'static str> {
    const ROOT: &[u8] = b"ClinicalDocument";
    let utf16: Vec<u8> = ROOT.iter().flat_map(|byte| [*byte, 0]).collect();
    let named = |name: &[u8]| memchr::memmem::find(&beginning.bytes, name).is_some();
    if !named(ROOT) && !named(&utf16) {
        return Ok(None);
    }
    let bytes = Bytes::copy_from_slice(&beginning.bytes);
    let tree = if beginning.cut { Tree::parse_beginning(bytes) } else { Tree::parse(bytes) };
    let Ok(tree) = tree else {
        return Err("it is no well-formed XML in UTF-8 without a DTD");
    };
    match ClinicalDocument::of(&tree).map(ClinicalDocument::content) {
        Some(Content::Embedded(embedded)) => Ok(Some(embedded)),
        Some(Content::Unseen) => Err("its body does not begin within the first 256 KiB"),
        Some(Content::Structured) | None => Ok(None),
    }
}

impl Said<'_> {
    fn check(&self, object: &str, allowed: &[Arc<str>], found: &mut Findings<'_>) {
        let Self { media_type, head, place } = self;
        let judgement = media::judge(media_type, head);
        let is = match judgement {
            Judgement::Contradicts(other) => {
                let problem = format!("{place} is {other}");
                return found.add(&table::DOCUMENT_TYPE, object, media_type, problem);
            }
            Judgement::Unrecognised => {
                found.add(
                    &table::DOCUMENT_SIGNATURE,
                    object,
                    media_type,
                    format!("{place} begins otherwise"),
                );
                None
            }
            Judgement::Fits(is) => is,
        };
        let listed = |name: &str| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name.trim()));
        // A type that says nothing is not what is allowed, where the bytes tell more.
        let meant = is.filter(|_| media_type.ends_with("/octet-stream")).unwrap_or(media_type);
        if !allowed.is_empty() && !listed(meant) {
            found.add(
                &table::DOCUMENT_ALLOWED,
                object,
                meant,
                format!("{place} may not be of this media type"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::DocumentEntryBuilder;

    fn broken(media_type: &str, chunks: &[&[u8]], allowed: &[&str]) -> Vec<&'static str> {
        let entry = DocumentEntryBuilder::stable("Document01").mime_type(media_type).build();
        let mut beginning = Beginning::default();
        chunks.iter().for_each(|chunk| beginning.look(&Bytes::copy_from_slice(chunk)));
        let settings = Settings::strict().with_contents(allowed.iter().map(|name| (*name).into()).collect());
        let report = check_media_type(DocumentEntry::of(&entry).unwrap(), &beginning, &settings);
        report.enforced.iter().map(|violation| violation.rule).collect()
    }

    fn cda(media_type: &str, base64: &str, padding: usize) -> Vec<u8> {
        format!(
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><!--{}--><component><nonXMLBody>\
             <text mediaType=\"{media_type}\" representation=\"B64\">{base64}</text></nonXMLBody></component></ClinicalDocument>",
            "x".repeat(padding)
        )
        .into_bytes()
    }

    #[test]
    fn documents_are_what_they_say_also_inside_of_a_cda() {
        let pdf = "JVBERi0xLjcK";
        let program = "TVqQAAMAAAAEAAAA";
        let long = pdf.to_owned() + &"A".repeat(2 * limits::MAX_INSPECTED_BYTES);
        let utf16: Vec<u8> =
            "\u{feff}<ClinicalDocument/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let none: &[&str] = &[];
        for (media_type, document, allowed, expected) in [
            ("application/pdf", b"%PDF-1.7".to_vec(), none, none),
            ("application/pdf", b"GIF89a".to_vec(), none, &["document.type.content"]),
            ("application/pdf", b"hello".to_vec(), none, &["document.type.signature"]),
            ("text/xml", cda("application/pdf", pdf, 0), none, none),
            ("text/xml", cda("application/pdf", &long, 0), none, none),
            ("text/xml", cda("application/pdf", program, 0), none, &["document.type.content"]),
            ("text/xml", cda("image/png", pdf, 0), none, &["document.type.content"]),
            ("text/xml", cda("application/pdf", "%%%", 0), none, &["document.cda.readable"]),
            (
                "text/xml",
                cda("application/pdf", pdf, limits::MAX_INSPECTED_BYTES),
                none,
                &["document.cda.readable"],
            ),
            ("text/xml", utf16, none, &["document.cda.readable"]),
            ("text/xml", cda("application/pdf", pdf, 0), &["text/xml", "application/pdf"], none),
            ("text/xml", cda("application/pdf", pdf, 0), &["TEXT/XML"], &["document.type.allowed"]),
            ("application/octet-stream", b"%PDF-1.7".to_vec(), &["application/pdf"], none),
            (
                "application/octet-stream",
                b"GIF89a".to_vec(),
                &["application/octet-stream"],
                &["document.type.allowed"],
            ),
        ] {
            for size in [7, 1_000, usize::MAX] {
                let chunks: Vec<_> = document.chunks(size.min(document.len())).collect();
                assert_eq!(broken(media_type, &chunks, allowed), expected, "{media_type} {size}");
            }
        }
    }
}
