//! The demo's documents, made from people and cases, the same bytes in every run: discharge summaries and referrals as CDA
//! R2, a letter as PDF, an image as DICOM Secondary Capture of 8 MB.

use openssl::sha::sha1;

use super::people::{Case, PEOPLE, Person, REGIONS, Region};
use crate::cli::retrieve::hex;
use crate::cli::submit::{CONFIDENTIALITY, Document, IHE_FORMATS, LOINC, SNOMED, sufficient_format};
use crate::metadata::{Author, Code};
use crate::wire::stream::Content;

/// Rows and columns of the image: with two bytes each, 8 MiB.
const IMAGE_SIDE: u16 = 2048;

const CLINICAL_DOCUMENT: &str = include_str!("clinical-document.xml");

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DischargeSummary,
    Referral,
    Letter,
    Image,
}

/// What is told of a kind: a row of a table.
struct About {
    title: &'static str,
    type_code: (&'static str, &'static str),
    class_code: (&'static str, &'static str),
    mime_type: &'static str,
}

impl Kind {
    fn about(self) -> About {
        let about =
            |title, type_code, class_code, mime_type| About { title, type_code, class_code, mime_type };
        let summary = ("34133-9", "Summary of episode note");
        match self {
            Self::DischargeSummary => {
                about("退院時サマリー", ("18842-5", "退院時サマリー"), summary, "text/xml")
            }
            Self::Referral => about(
                "診療情報提供書",
                ("57133-1", "診療情報提供書"),
                ("57133-1", "診療情報提供書"),
                "text/xml",
            ),
            Self::Letter => about(
                "検査結果報告書",
                ("11502-2", "検査結果報告書"),
                ("11502-2", "検査結果報告書"),
                "application/pdf",
            ),
            Self::Image => {
                about("胸部X線画像", ("18748-4", "画像検査"), ("18748-4", "画像検査"), "application/dicom")
            }
        }
    }

    /// What each person has in a region; the first person has more.
    fn of(person: usize, region: usize) -> &'static [Self] {
        match (person, region) {
            (0, 0) => &[Self::DischargeSummary, Self::Referral, Self::Letter],
            (0, 1) => &[Self::DischargeSummary, Self::Image],
            (_, 2) => &[Self::Referral],
            _ => &[Self::DischargeSummary],
        }
    }
}

/// A patient's documents in one region.
pub struct Chart {
    /// The patient's CX there.
    pub patient: String,
    /// The documents.
    pub documents: Vec<Document>,
}

/// Everything that lies in a region, patient by patient.
pub fn charts(region: usize) -> Vec<Chart> {
    let Some(place) = REGIONS.get(region) else { return Vec::new() };
    let chart = |(number, person): (usize, &Person)| {
        let id = (*person.ids.get(region)?)?;
        let case = person.cases.get(region)?;
        let one = |(index, kind): (usize, &Kind)| {
            let unique_id = format!("{}.3.{}.{}", place.root, number + 1, index + 1);
            document(*kind, place, person, id, case, unique_id)
        };
        let documents = Kind::of(number, region).iter().enumerate().map(one).collect();
        Some(Chart { patient: place.patient(id), documents })
    };
    PEOPLE.iter().enumerate().filter_map(chart).collect()
}

fn document(
    kind: Kind,
    region: &Region,
    person: &Person,
    id: &str,
    case: &Case,
    unique_id: String,
) -> Document {
    let About { title, type_code, class_code, mime_type } = kind.about();
    let created = format!("{}070000", case.stay.1);
    let (content, format) = match kind {
        Kind::DischargeSummary | Kind::Referral => {
            let format =
                Code::new("urn:ihe:iti:xds:2017:mimeTypeSufficient", IHE_FORMATS, "mimeType sufficient");
            (clinical_document(kind, region, person, id, case, &unique_id, &created).into_bytes(), format)
        }
        Kind::Letter => (letter(title, region, person, case), sufficient_format()),
        Kind::Image => (image(person, id, &unique_id), sufficient_format()),
    };
    let loinc = |(code, display)| Code::new(code, LOINC, display);
    let doctor = format!("D0001^{}^{}", region.doctor.0, region.doctor.1);
    Document {
        unique_id,
        title: title.to_owned(),
        mime_type: mime_type.to_owned(),
        created,
        service_start: Some(case.stay.0.to_owned()),
        service_stop: Some(case.stay.1.to_owned()),
        author: Author {
            person: Some(format!("{doctor}^^^^^^&1.2.392.100495.20.3.41.1{}&ISO", region.facility)),
            institutions: vec![region.institution()],
            ..Author::default()
        },
        class: loinc(class_code),
        kind: loinc(type_code),
        format,
        confidentiality: Code::new("N", CONFIDENTIALITY, "normal"),
        facility: Code::new("22232009", SNOMED, "病院"),
        practice: Code::new("394802001", SNOMED, "内科"),
        source_patient: region.patient(id),
        source_patient_info: vec![
            format!("PID-3|{}", region.patient(id)),
            format!("PID-5|{}^{}^^^^^L^I", person.kanji.0, person.kanji.1),
            format!("PID-7|{}", person.birth),
            format!("PID-8|{}", person.sex),
        ],
        size: content.len() as u64,
        sha1: hex(&sha1(&content)),
        content: Content::from_bytes(content),
    }
}

fn clinical_document(
    kind: Kind,
    region: &Region,
    person: &Person,
    id: &str,
    case: &Case,
    unique_id: &str,
    created: &str,
) -> String {
    let About { title, type_code, .. } = kind.about();
    let (narrative_code, narrative_title, narrative) = match kind {
        Kind::Referral => (
            "42349-1",
            "紹介目的",
            format!("{}について、貴院での継続診療をお願いいたします。{}", case.diagnosis, case.course),
        ),
        _ => ("8648-8", "入院経過", case.course.to_owned()),
    };
    let authority = region.authority();
    let institution = region.facility.get(3..).unwrap_or_default();
    let values = [
        ("unique_id", unique_id),
        ("code", type_code.0),
        ("title", title),
        ("created", created),
        ("authority", &authority),
        ("patient", id),
        ("postal_code", person.address.0),
        ("address", person.address.1),
        ("family", person.kanji.0),
        ("given", person.kanji.1),
        ("family_kana", person.kana.0),
        ("given_kana", person.kana.1),
        ("family_romaji", person.romaji.0),
        ("given_romaji", person.romaji.1),
        ("sex", person.sex),
        ("birth", person.birth),
        ("facility", region.facility),
        ("institution", institution),
        ("hospital", region.hospital),
        ("doctor_family", region.doctor.0),
        ("doctor_given", region.doctor.1),
        ("start", case.stay.0),
        ("stop", case.stay.1),
        ("diagnosis", case.diagnosis),
        ("icd10", case.icd10),
        ("narrative_code", narrative_code),
        ("narrative_title", narrative_title),
        ("narrative", &narrative),
        ("medication", case.medication),
    ];
    filled(CLINICAL_DOCUMENT, &values)
}

/// The template with its `{names}` replaced by values, escaped for XML. A name without a value stays, where tests see it.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut pieces = template.split('{');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let found = piece.split_once('}').and_then(|(name, rest)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, rest))
        });
        match found {
            Some((value, rest)) => {
                out.push_str(&escaped(value));
                out.push_str(rest);
            }
            None => {
                out.push('{');
                out.push_str(piece);
            }
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One page of Japanese text, in a font that every PDF reader has a substitute for.
fn letter(title: &str, region: &Region, person: &Person, case: &Case) -> Vec<u8> {
    let lines = [
        title.to_owned(),
        region.hospital.to_owned(),
        format!("{} {} 様", person.kanji.0, person.kanji.1),
        format!("診断: {}", case.diagnosis),
        case.course.to_owned(),
    ];
    let mut text = String::from("BT /F1 14 Tf 24 TL 56 770 Td\n");
    for line in lines {
        let units: String = line.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
        text.push_str(&format!("<{units}> Tj T*\n"));
    }
    text.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
        "<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiKakuGo-W5 /Encoding /UniJIS-UTF16-H /DescendantFonts [6 0 R] >>"
            .to_owned(),
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiKakuGo-W5 /CIDSystemInfo << /Registry (Adobe) \
         /Ordering (Japan1) /Supplement 6 >> /FontDescriptor 7 0 R >>"
            .to_owned(),
        "<< /Type /FontDescriptor /FontName /HeiseiKakuGo-W5 /Flags 4 /FontBBox [-92 -250 1010 922] /ItalicAngle 0 \
         /Ascent 752 /Descent -221 /CapHeight 737 /StemV 114 >>"
            .to_owned(),
    ];
    portable_document(&objects)
}

/// Objects, cross-reference table and trailer of a PDF (ISO 32000-1: 7.5).
fn portable_document(objects: &[String]) -> Vec<u8> {
    let mut out = b"%PDF-1.5\n%\xE3\x81\x93\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", out.len()));
        out.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", index + 1).as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(table.as_bytes());
    let size = objects.len() + 1;
    let trailer = format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    out.extend_from_slice(trailer.as_bytes());
    out
}

/// A Secondary Capture image in Part 10 form, explicit little endian (DICOM PS3.10: 7.1, PS3.3: A.8.1).
fn image(person: &Person, id: &str, unique_id: &str) -> Vec<u8> {
    const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
    const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
    let side = IMAGE_SIDE.to_le_bytes();
    let mut meta = Vec::new();
    element(&mut meta, (2, 1), *b"OB", &[0, 1]);
    element(&mut meta, (2, 2), *b"UI", SECONDARY_CAPTURE.as_bytes());
    element(&mut meta, (2, 3), *b"UI", unique_id.as_bytes());
    element(&mut meta, (2, 0x10), *b"UI", EXPLICIT_LITTLE_ENDIAN.as_bytes());
    element(&mut meta, (2, 0x12), *b"UI", b"2.25.318902478213461.9.1");
    let name = format!(
        "{}^{}={}^{}={}^{}",
        person.romaji.0, person.romaji.1, person.kanji.0, person.kanji.1, person.kana.0, person.kana.1
    );
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    element(&mut out, (2, 0), *b"UL", &(meta.len() as u32).to_le_bytes());
    out.extend_from_slice(&meta);
    element(&mut out, (8, 5), *b"CS", b"ISO_IR 192");
    element(&mut out, (8, 0x16), *b"UI", SECONDARY_CAPTURE.as_bytes());
    element(&mut out, (8, 0x18), *b"UI", unique_id.as_bytes());
    element(&mut out, (8, 0x60), *b"CS", b"OT");
    element(&mut out, (0x10, 0x10), *b"PN", name.as_bytes());
    element(&mut out, (0x10, 0x20), *b"LO", id.as_bytes());
    element(&mut out, (0x10, 0x30), *b"DA", person.birth.as_bytes());
    element(&mut out, (0x10, 0x40), *b"CS", person.sex.as_bytes());
    element(&mut out, (0x20, 0xD), *b"UI", format!("{unique_id}.1").as_bytes());
    element(&mut out, (0x20, 0xE), *b"UI", format!("{unique_id}.1.1").as_bytes());
    element(&mut out, (0x28, 2), *b"US", &1_u16.to_le_bytes());
    element(&mut out, (0x28, 4), *b"CS", b"MONOCHROME2");
    element(&mut out, (0x28, 0x10), *b"US", &side);
    element(&mut out, (0x28, 0x11), *b"US", &side);
    element(&mut out, (0x28, 0x100), *b"US", &16_u16.to_le_bytes());
    element(&mut out, (0x28, 0x101), *b"US", &12_u16.to_le_bytes());
    element(&mut out, (0x28, 0x102), *b"US", &11_u16.to_le_bytes());
    element(&mut out, (0x28, 0x103), *b"US", &0_u16.to_le_bytes());
    element(&mut out, (0x7FE0, 0x10), *b"OW", &pixels());
    out
}

/// Two dark lungs in a grey chest, more or less.
fn pixels() -> Vec<u8> {
    let side = i64::from(IMAGE_SIDE);
    let inside = |x: i64, y: i64, cx: i64| {
        let (dx, dy) = ((x - cx) * 100 / (side / 6), (y - side / 2) * 100 / (side / 3));
        dx * dx + dy * dy < 10_000
    };
    let mut out = Vec::with_capacity(usize::from(IMAGE_SIDE) * usize::from(IMAGE_SIDE) * 2);
    for y in 0..side {
        for x in 0..side {
            let lung = inside(x, y, side * 3 / 10) || inside(x, y, side * 7 / 10);
            let grain = ((x * 31 + y * 17) ^ (x * y / 7)) % 256;
            let grey = if lung { 400 } else { 2600 } + grain;
            out.extend_from_slice(&(grey as u16).to_le_bytes());
        }
    }
    out
}

/// One data element, its value padded to even length.
fn element(out: &mut Vec<u8>, (group, number): (u16, u16), representation: [u8; 2], value: &[u8]) {
    out.extend_from_slice(&group.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&representation);
    let length = value.len() + value.len() % 2;
    match &representation {
        b"OB" | b"OW" => {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&(length as u32).to_le_bytes());
        }
        _ => out.extend_from_slice(&(length as u16).to_le_bytes()),
    }
    out.extend_from_slice(value);
    if value.len() % 2 == 1 {
        out.push(if matches!(&representation, b"UI" | b"OB" | b"OW") { 0 } else { b' ' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::submit::Batch;
    use crate::ids::PatientId;
    use crate::metadata::validate::{Context, validate};

    async fn bytes_of(region: usize, mime_type: &str) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        for document in charts(region).into_iter().flat_map(|chart| chart.documents) {
            if document.mime_type == mime_type {
                let bytes = document.content.collect(1 << 30).await.unwrap();
                assert_eq!(bytes.len() as u64, document.size);
                assert_eq!(hex(&sha1(&bytes)), document.sha1);
                found.push((document.unique_id, bytes.to_vec()));
            }
        }
        found
    }

    #[tokio::test]
    async fn clinical_documents_are_well_formed_and_filled() {
        let mut count = 0;
        for region in 0..REGIONS.len() {
            for (id, bytes) in bytes_of(region, "text/xml").await {
                let text = std::str::from_utf8(&bytes).unwrap();
                assert!(!text.contains('{'), "{id}: something was not filled in");
                let events: Result<Vec<_>, _> = xml::EventReader::new(bytes.as_slice()).into_iter().collect();
                events.unwrap_or_else(|error| panic!("{id}: {error}"));
                count += 1;
            }
        }
        assert!(count >= 12, "{count}");
    }

    #[tokio::test]
    async fn the_image_is_dicom_of_its_size_and_the_letter_is_pdf() {
        let (_, image) = bytes_of(1, "application/dicom").await.remove(0);
        assert_eq!(&image[128..132], b"DICM");
        let side = usize::from(IMAGE_SIDE);
        assert!(image.len() > side * side * 2 && image.len() < side * side * 2 + 2000);
        let (_, letter) = bytes_of(0, "application/pdf").await.remove(0);
        let text = String::from_utf8_lossy(&letter).into_owned();
        let start: usize =
            text.rsplit_once("startxref\n").unwrap().1.split('\n').next().unwrap().parse().unwrap();
        assert!(letter[start..].starts_with(b"xref\n0 8\n"));
    }

    #[test]
    fn every_submission_keeps_every_rule() {
        for region in 0..REGIONS.len() {
            for chart in charts(region) {
                let mut batch = Batch::new(PatientId::parse(&chart.patient).unwrap(), "2.25.1", "ja-JP");
                chart.documents.into_iter().for_each(|document| batch.add(document));
                let (submission, _) = batch.finish();
                assert_eq!(validate(&submission, Context::ProvideAndRegister), []);
            }
        }
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(filled("<a>{x}</a>", &[("x", "<&>")]), "<a>&lt;&amp;&gt;</a>");
    }
}
