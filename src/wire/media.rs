//! What bytes are by their first ones: signatures of the media types that are exchanged as documents, and of programs, which
//! no document is. Knows no IHE.

/// Bytes from a document's beginning that a signature can need.
pub const SIGNATURE_BYTES: usize = 1024;

/// A format that is known by its first bytes.
struct Format {
    /// Its media type, as it is named to people.
    name: &'static str,
    /// Media types that are declared for it.
    declared: &'static [&'static str],
    /// Whether these are its first bytes.
    begins: fn(&[u8]) -> bool,
}

/// From the strictest signature to the weakest.
const FORMATS: &[Format] = &[
    Format {
        name: "application/pdf",
        declared: &["application/pdf", "application/x-pdf"],
        // Readers look for it further on, and so do writers of what is only meant to look like something else.
        begins: |head| memchr::memmem::find(first(head, 1024), b"%PDF-").is_some(),
    },
    Format {
        name: "image/png",
        declared: &["image/png"],
        begins: |head| head.starts_with(b"\x89PNG\r\n\x1a\n"),
    },
    Format {
        name: "image/jpeg",
        declared: &["image/jpeg", "image/jpg", "image/pjpeg"],
        begins: |head| head.starts_with(b"\xff\xd8\xff"),
    },
    Format {
        name: "image/gif",
        declared: &["image/gif"],
        begins: |head| head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
    },
    Format {
        name: "image/tiff",
        declared: &["image/tiff", "image/tif"],
        begins: |head| head.starts_with(b"II*\0") || head.starts_with(b"MM\0*"),
    },
    Format {
        name: "application/dicom",
        declared: &["application/dicom"],
        begins: |head| head.get(128..132) == Some(b"DICM"),
    },
    Format {
        name: "application/zip",
        declared: &["application/zip", "application/x-zip-compressed", "application/epub+zip"],
        begins: |head| head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06"),
    },
    Format {
        name: "application/gzip",
        declared: &["application/gzip", "application/x-gzip"],
        begins: |head| head.starts_with(b"\x1f\x8b\x08"),
    },
    Format {
        name: "application/msword",
        declared: &["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"],
        begins: |head| head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    },
    Format {
        name: "application/rtf",
        declared: &["application/rtf", "text/rtf", "text/richtext"],
        begins: |head| head.starts_with(b"{\\rtf"),
    },
    Format {
        name: "video/mp4",
        declared: &["video/mp4", "audio/mp4", "video/quicktime", "image/heic", "image/avif"],
        begins: |head| head.get(4..8) == Some(b"ftyp"),
    },
    Format {
        name: "audio/mpeg",
        declared: &["audio/mpeg", "audio/mp3"],
        begins: |head| head.starts_with(b"ID3") || matches!(head, [0xff, 0xf2 | 0xf3 | 0xfa | 0xfb, ..]),
    },
    Format {
        name: "audio/wav",
        declared: &["audio/wav", "audio/x-wav", "audio/vnd.wave"],
        begins: |head| head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE"),
    },
    Format {
        name: "text/html",
        declared: &["text/html", "application/xhtml+xml"],
        begins: |head| {
            let start = first(text_start(head), 14).to_ascii_lowercase();
            start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
        },
    },
    Format {
        name: "text/xml",
        declared: &["text/xml", "application/xml", "application/xhtml+xml"],
        begins: |head| utf16_markup(head).is_some() || is_markup(head),
    },
];

/// Programs.
const PROGRAMS: &[&[u8]] = &[
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
];
/// What a program is called.
const PROGRAM: &str = "an executable program";
/// Media types that say nothing of their bytes.
const ANYTHING: &[&str] = &["application/octet-stream", "binary/octet-stream"];

/// What first bytes say about a declared media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// They are of that type, or of a type that cannot be told by them; with what they are, where that is known.
    Fits(Option<&'static str>),
    /// They are of another type.
    Contradicts(&'static str),
    /// That type begins otherwise.
    Unrecognised,
}

/// Judges a declared media type (without parameters) by a document's first [`SIGNATURE_BYTES`].
pub fn judge(declared: &str, head: &[u8]) -> Judgement {
    let declared = declared.trim().to_ascii_lowercase();
    let text = is_text(head);
    if !text && PROGRAMS.iter().any(|program| head.starts_with(program)) {
        return Judgement::Contradicts(PROGRAM);
    }
    let mut meant = FORMATS.iter().filter(|format| format.is_declared(&declared)).peekable();
    let known = meant.peek().copied();
    if let Some(format) = meant.find(|format| (format.begins)(head)) {
        return Judgement::Fits(Some(format.name));
    }
    let found = FORMATS.iter().find(|format| (format.begins)(head)).map(|format| format.name);
    match (known, found) {
        (None, _) if ANYTHING.contains(&&*declared) => Judgement::Fits(found),
        // Any markup is a text.
        (None, Some("text/html" | "text/xml" | "application/rtf")) if declared.starts_with("text/") => {
            Judgement::Fits(found)
        }
        (None, None) if declared.starts_with("text/") && !text => Judgement::Unrecognised,
        (None, Some(other)) if declared.starts_with("text/") || declared.starts_with("image/") => {
            Judgement::Contradicts(other)
        }
        (None, _) => Judgement::Fits(found),
        (Some(_), Some(other)) => Judgement::Contradicts(other),
        (Some(_), None) => Judgement::Unrecognised,
    }
}

/// Whether bytes begin as XML does, or may still do so: white space may come before.
pub fn may_be_markup(head: &[u8]) -> bool {
    let may_be = |head: &[u8]| text_start(head).is_empty() || is_markup(head);
    may_be(head) || utf16(head).is_some_and(|text| may_be(text.as_bytes()))
}

/// Whether bytes begin as XML does.
pub fn is_markup(head: &[u8]) -> bool {
    matches!(text_start(head), [b'<', next, ..] if *next == b'?' || *next == b'!' || next.is_ascii_alphabetic() || *next > 0x7f)
}

/// XML in UTF-16 as text; None for what is none.
pub fn utf16_markup(head: &[u8]) -> Option<String> {
    utf16(head).filter(|text| is_markup(text.as_bytes()))
}

/// What begins as UTF-16 does, with a byte-order mark or with `<`, as text.
fn utf16(head: &[u8]) -> Option<String> {
    let unit = match head {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] | [0, b'<', ..] => u16::from_be_bytes,
        _ => return None,
    };
    let units = head.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(unit);
    let text = char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(text.filter(|character| *character != '\u{feff}').collect())
}

/// What can be told of the document element of XML that begins so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootElement<'a> {
    /// Its name, without prefix.
    Named(&'a [u8]),
    /// It is behind a DTD's own declarations.
    Hidden,
    /// It is not there yet.
    Unseen,
}

/// The document element of what begins as XML does: behind comments, processing instructions and a plain DOCTYPE.
pub fn root_element(head: &[u8]) -> RootElement<'_> {
    let mut rest = text_start(head);
    loop {
        let skipped = [(&b"<!--"[..], &b"-->"[..]), (b"<?", b"?>"), (b"<!", b">")];
        let Some((_, end)) = skipped.into_iter().find(|(start, _)| rest.starts_with(start)) else { break };
        let Some(length) = memchr::memmem::find(rest, end) else { return RootElement::Unseen };
        let (passed, behind) = rest.split_at(length + end.len());
        if end == b">" && passed.contains(&b'[') {
            return RootElement::Hidden;
        }
        rest = behind.trim_ascii_start();
    }
    let tag = rest.strip_prefix(b"<").unwrap_or_default();
    match tag.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')) {
        Some(length) => {
            let name = first(tag, length);
            RootElement::Named(name.rsplit(|byte| *byte == b':').next().unwrap_or(name))
        }
        None => RootElement::Unseen,
    }
}

impl Format {
    fn is_declared(&self, declared: &str) -> bool {
        let (_, suffix) = declared.rsplit_once('+').unwrap_or_default();
        self.declared.contains(&declared)
            || match self.name {
                "text/xml" => suffix == "xml",
                "application/zip" => {
                    suffix == "zip"
                        || declared.starts_with("application/vnd.openxmlformats-")
                        || declared.starts_with("application/vnd.oasis.opendocument.")
                }
                _ => false,
            }
    }
}

/// Without byte-order mark and white space.
fn text_start(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()
}

fn first(head: &[u8], count: usize) -> &[u8] {
    head.get(..count).unwrap_or(head)
}

/// Whether bytes may be text of some character set: UTF-16 is known by its mark, others have no control characters but those
/// of lines and pages, and the escape of ISO 2022.
fn is_text(head: &[u8]) -> bool {
    let utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let control =
        |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x1b | 0x1c);
    utf16 || !head.iter().any(control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_element_is_found_behind_what_may_come_before() {
        use RootElement::{Hidden, Named, Unseen};
        for (head, expected) in [
            (&b"<a/>"[..], Named(b"a")),
            (b"\xef\xbb\xbf\n <a:b xmlns:a='x'>", Named(b"b")),
            (b"<?xml version='1.0'?><!-- <x> --><?y <z> ?>\n<!DOCTYPE html><a\n>", Named(b"a")),
            (b"<!-- <a>", Unseen),
            (b"<!DOCTYPE a [<!ENTITY b '>'>]><a>", Hidden),
            (b"<abc", Unseen),
            (b"  ", Unseen),
        ] {
            assert_eq!(root_element(head), expected, "{:?}", head.escape_ascii().to_string());
        }
    }

    #[test]
    fn first_bytes_judge_what_is_declared() {
        use Judgement::{Contradicts, Fits, Unrecognised};
        let mut dicom = vec![0; 128];
        dicom.extend_from_slice(b"DICM\x02\0");
        let utf16: Vec<u8> = "<?xml?>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (declared, head, expected) in [
            ("application/pdf", &b"%PDF-1.7"[..], Fits(Some("application/pdf"))),
            ("Application/PDF", b"junk\n%PDF-1.7", Fits(Some("application/pdf"))),
            ("application/pdf", b"\x89PNG\r\n\x1a\n", Contradicts("image/png")),
            ("application/pdf", b"hello", Unrecognised),
            ("application/pdf", b"", Unrecognised),
            ("application/pdf", b"MZ\x90\0\x03 %PDF-1.7", Contradicts(PROGRAM)),
            ("application/octet-stream", b"\x7fELF\x02\x01\x01\0", Contradicts(PROGRAM)),
            ("application/octet-stream", b"\0\x01\x02", Fits(None)),
            ("application/octet-stream", b"%PDF-1.7", Fits(Some("application/pdf"))),
            ("application/dicom", &dicom, Fits(Some("application/dicom"))),
            ("text/xml", b"<?xml version=\"1.0\"?>", Fits(Some("text/xml"))),
            ("text/xml", b"\xef\xbb\xbf \n<ClinicalDocument>", Fits(Some("text/xml"))),
            ("text/xml", &utf16, Fits(Some("text/xml"))),
            ("application/fhir+xml", b"<Patient/>", Fits(Some("text/xml"))),
            ("text/xml", b"not xml", Unrecognised),
            ("text/xml", b"\xff\xd8\xff\xe0", Contradicts("image/jpeg")),
            ("text/plain", "お手紙".as_bytes(), Fits(None)),
            ("text/plain", b"\x1b$B$*\x1b(B", Fits(None)),
            ("text/plain", b"<a/>", Fits(Some("text/xml"))),
            ("text/plain", b"MZ is a fine beginning", Fits(None)),
            ("text/plain", b"\0\0\0\0", Unrecognised),
            ("text/plain", b"GIF89a\0", Contradicts("image/gif")),
            ("text/html", b"<!DOCTYPE HTML>", Fits(Some("text/html"))),
            ("text/html", b"<?xml?><html/>", Contradicts("text/xml")),
            ("application/xhtml+xml", b"<?xml?><html/>", Fits(Some("text/xml"))),
            (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                b"PK\x03\x04",
                Fits(Some("application/zip")),
            ),
            ("application/x-vendor", b"PK\x03\x04", Fits(Some("application/zip"))),
            ("image/bmp", b"BM\0\0", Fits(None)),
            ("image/bmp", b"%PDF-1.7", Contradicts("application/pdf")),
        ] {
            assert_eq!(judge(declared, head), expected, "{declared} {:?}", head.escape_ascii().to_string());
        }
    }
}
