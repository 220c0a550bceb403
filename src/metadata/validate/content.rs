//! The content gate's rules: that a document is what its entry says it is, by its first bytes, and that a CDA holds nothing
//! else than it says (nonXMLBody). The bytes are only looked at.

use std::sync::Arc;

use bytes::Bytes;

use super::findings::Findings;
use super::{Report, Settings, table};
use crate::limits;
use crate::metadata::DocumentEntry;
use crate::metadata::cda::{ClinicalDocument, Content, Embedded};
use crate::wire::media::{self, Judgement, RootElement, SIGNATURE_BYTES};
use crate::wire::xml::Tree;

/// The element that holds what is no XML.
const NON_XML_BODY: &[u8] = b"nonXMLBody";

/// A document's beginning, gathered while it arrives: of markup as much as shows a CDA's body, of others the signature.
#[derive(Debug, Default)]
pub struct Beginning {
    bytes: Vec<u8>,
    /// How many of them are white space before the first that is not.
    blank: usize,
    cut: bool,
    /// The last bytes behind the beginning, as many as could begin a name.
    last: Vec<u8>,
    /// Whether a nonXMLBody is named behind the beginning.
    later_body: bool,
    /// Whether it may be markup, once more bytes would not change that.
    markup: Option<bool>,
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
        if self.markup == Some(false) {
            return;
        }
        let before = self.bytes.len();
        let room = limits::MAX_INSPECTED_BYTES.saturating_sub(before).min(chunk.len());
        let (within, behind) = chunk.split_at(room);
        self.bytes.extend_from_slice(within);
        // White space says nothing; what follows it does, as soon as a signature of it is there.
        self.blank += match self.blank == before {
            true => within.len() - within.trim_ascii_start().len(),
            false => 0,
        };
        let told = self.bytes.get(self.blank..).unwrap_or_default();
        let is_full = self.bytes.len() == limits::MAX_INSPECTED_BYTES;
        if self.markup.is_none() && (told.len() >= SIGNATURE_BYTES || is_full) {
            self.markup = Some(media::may_be_markup(&told[..told.len().min(SIGNATURE_BYTES)]));
        }
        if self.markup == Some(false) {
            self.bytes.truncate(SIGNATURE_BYTES);
        } else if !behind.is_empty() {
            self.look_behind(behind);
        }
    }

    /// Behind the beginning only a name is looked for, which may lie across two chunks.
    fn look_behind(&mut self, bytes: &[u8]) {
        const OVERLAP: usize = NON_XML_BODY.len() - 1;
        let tail = |bytes: &[u8]| bytes[bytes.len().saturating_sub(OVERLAP)..].to_vec();
        let mut across = if self.cut { std::mem::take(&mut self.last) } else { tail(&self.bytes) };
        across.extend_from_slice(bytes.get(..OVERLAP).unwrap_or(bytes));
        self.cut = true;
        self.later_body |= named_in(&across) || named_in(bytes);
        self.last = tail(if bytes.len() < OVERLAP { &across } else { bytes });
    }
}

fn named_in(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, NON_XML_BODY).is_some()
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
    let unreadable = |problem: &str| format!("{whole} cannot be looked into: {problem}");
    match embedded(beginning) {
        Ok(embedded) => {
            for Embedded { media_type, beginning } in embedded {
                let Some(head) = beginning else {
                    let problem = format!("{part} is a reference, compressed, or no base64");
                    found.add(&table::CDA_READABLE, object, &media_type, problem);
                    continue;
                };
                let said = Said { media_type: &media_type, head: &head, place: &part };
                said.check(object, settings.contents(), &mut found);
            }
        }
        Err(problem) => found.add(&table::CDA_READABLE, object, "", unreadable(problem)),
    }
    found.report
}

/// What a CDA's nonXMLBody holds; nothing for what is no CDA, or has other contents.
fn embedded(beginning: &Beginning) -> Result<Vec<Embedded>, &'static str> {
    const LATE: &str = "its body does not begin within the first 256 KiB";
    let Beginning { bytes, cut, later_body, .. } = beginning;
    let utf16 = media::utf16_markup(bytes);
    let head = utf16.as_ref().map_or(bytes.as_slice(), String::as_bytes);
    if utf16.is_none() && !media::is_markup(bytes) {
        return if *cut && media::may_be_markup(bytes) { Err(LATE) } else { Ok(Vec::new()) };
    }
    match media::root_element(head) {
        RootElement::Named(b"ClinicalDocument") => {}
        RootElement::Named(_) => return Ok(Vec::new()),
        // What ends without an element is no XML.
        RootElement::Unseen if !cut => return Ok(Vec::new()),
        RootElement::Hidden | RootElement::Unseen => return Err("its first element cannot be seen"),
    }
    let bytes = Bytes::copy_from_slice(bytes);
    let tree = if *cut { Tree::parse_beginning(bytes) } else { Tree::parse(bytes) };
    let Ok(tree) = tree else {
        return Err("it is no well-formed XML in UTF-8 without a DTD");
    };
    match ClinicalDocument::of(&tree).map(ClinicalDocument::content) {
        // What begins at the very end of what is looked at is not seen.
        Some(Content::Embedded(embedded)) if *cut && embedded.iter().any(Embedded::is_short) => Err(LATE),
        Some(Content::Embedded(embedded)) => Ok(embedded),
        Some(Content::Unseen) => Err(LATE),
        // Of a document that is cut, the tree ends where it is not well-formed.
        Some(Content::Structured) if *later_body || (*cut && named_in(&beginning.bytes)) => Err(LATE),
        Some(Content::Structured) | None => Ok(Vec::new()),
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

    /// What is shown by some, and is nowhere that one would look first.
    #[test]
    fn nothing_hides_a_body() {
        let text = "<text mediaType=\"application/pdf\" representation=\"B64\">TVqQAAMAAAAEAAAA</text>";
        let body = format!("<component><nonXMLBody>{text}</nonXMLBody></component>");
        let bodies = format!("<component><structuredBody/><nonXMLBody>{text}</nonXMLBody></component>");
        let document = |before: &str, body: &str| {
            format!("{before}<ClinicalDocument xmlns=\"urn:hl7-org:v3\">{body}</ClinicalDocument>")
        };
        let (much, little) = (" ".repeat(limits::MAX_INSPECTED_BYTES), " ".repeat(2 * SIGNATURE_BYTES));
        let prefixed =
            |text: &str| text.replace('<', "<h:").replace("<h:/", "</h:").replace("xmlns=", "xmlns:h=");
        let long = format!("<component><structuredBody>{much}</structuredBody></component>");
        let compressed = body.replace("B64\"", "B64\" compression=\"DF\"");
        let (contradicts, unreadable) = ("document.type.content", "document.cda.readable");
        for (document, expected) in [
            (document("", &body), contradicts),
            (document(&little, &body), contradicts),
            (document(&format!("<!--{little}-->"), &body), contradicts),
            (document("<!DOCTYPE ClinicalDocument>", &body), unreadable),
            (document("<!DOCTYPE x [<!ENTITY y 'z'>]>", &body), unreadable),
            (document("", &bodies), contradicts),
            (document("", &format!("<component><structuredBody/></component>{body}")), contradicts),
            (prefixed(&document("", &body)), contradicts),
            (document("", &body.replace("B64", "b64 ")), contradicts),
            (document("", &body.replace("TVqQ", "TV<!---->q<![CDATA[Q]]>")), contradicts),
            (document("", &body.replace("TVqQ", "&#84;Vq&#x51;")), contradicts),
            (document("", &compressed), unreadable),
            (document(&much, &body), unreadable),
            (document(&format!("<!--{much}-->"), &body), unreadable),
            (document("", &format!("{long}{body}")), unreadable),
            (
                document("", &format!("<component><structuredBody/></component><a b=c/>{body}{much}")),
                unreadable,
            ),
            (document("", &body.replace("TVqQ", &format!("{much}TVqQ"))), unreadable),
        ] {
            let shown = document.replace(&much, "…").replace(&little, "…");
            for size in [1_000, 65_536, usize::MAX] {
                let chunks: Vec<_> = document.as_bytes().chunks(size.min(document.len())).collect();
                let found = broken("text/xml", &chunks, &[]);
                assert!(found.contains(&expected), "{shown} in chunks of {size}: {found:?}");
            }
        }
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            for before in ["\u{feff}", "\u{feff}\n", "\u{feff}<?xml?>", "<?xml?>"] {
                let document = document(&format!("{before}<!--{little}-->"), &body);
                let document: Vec<u8> = document.encode_utf16().flat_map(unit).collect();
                assert_eq!(broken("text/xml", &[&document], &[]), [unreadable], "{before}");
            }
        }
    }

    /// Structured documents are long, and so are others than clinical ones.
    #[test]
    fn what_is_no_embedding_is_no_matter() {
        let much = "x".repeat(limits::MAX_INSPECTED_BYTES);
        for (media_type, document) in [
            (
                "text/xml",
                format!(
                    "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><component><structuredBody>{much}{much}\
                     </structuredBody></component></ClinicalDocument>"
                ),
            ),
            ("text/xml", format!("<other>{much}<nonXMLBody/></other>")),
            ("text/html", format!("<!DOCTYPE html><html>{much}<p>nonXMLBody")),
            ("text/plain", format!("{much} nonXMLBody")),
            ("text/plain", "<検査結果".to_owned()),
            ("application/octet-stream", "<!\u{7f}".to_owned()),
        ] {
            for size in [7_777, usize::MAX] {
                let chunks: Vec<_> = document.as_bytes().chunks(size.min(document.len())).collect();
                assert_eq!(broken(media_type, &chunks, &[]), [""; 0], "{media_type} {size}");
            }
        }
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
