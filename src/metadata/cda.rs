//! A view on a clinical document (HL7 CDA, Release 2): of its header what becomes metadata (ITI TF-3: 5.2; PCC TF-2: 4.1.1),
//! of its body whether it holds another document. Called by the content gate and by `sekisho submit`.

use std::borrow::Cow;

use super::{Author, Code};
use crate::wire::media::SIGNATURE_BYTES;
use crate::wire::xml::{Element, Ns, Tree};

/// A ClinicalDocument.
#[derive(Clone, Copy)]
pub struct ClinicalDocument<'t>(Element<'t>);

/// An identifier of HL7 V3: an authority or the identifier itself, and the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceIdentifier {
    /// An OID or UUID.
    pub root: String,
    /// What the root gave it.
    pub extension: Option<String>,
}

/// What a document is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Sections of CDA.
    Structured,
    /// Documents of other types: nonXMLBody. A valid one has one of them; who shows it may show any.
    Embedded(Vec<Embedded>),
    /// None can be seen, as in the beginning of a long one.
    Unseen,
}

/// A document in a nonXMLBody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// text/@mediaType, `text/plain` where it is left out.
    pub media_type: String,
    /// Its first bytes, decoded; None where they are elsewhere (a reference), compressed, or no base64.
    pub beginning: Option<Vec<u8>>,
}

impl<'t> ClinicalDocument<'t> {
    /// The document, if a tree is one.
    pub fn of(tree: &'t Tree) -> Option<Self> {
        Some(tree.root()).filter(|root| root.is(Ns::HL7, "ClinicalDocument")).map(Self)
    }

    /// ClinicalDocument.id.
    pub fn id(self) -> Option<InstanceIdentifier> {
        self.child(&["id"]).and_then(InstanceIdentifier::of)
    }
    /// The roots of ClinicalDocument.templateId.
    pub fn templates(self) -> Vec<String> {
        let templates = self.0.children_named(Ns::HL7, "templateId");
        templates.filter_map(|template| template.attr("root").map(Cow::into_owned)).collect()
    }
    /// ClinicalDocument.title.
    pub fn title(self) -> Option<String> {
        text(self.child(&["title"])?)
    }
    /// ClinicalDocument.effectiveTime, as it stands there.
    pub fn effective_time(self) -> Option<String> {
        value(self.child(&["effectiveTime"])?)
    }
    /// ClinicalDocument.languageCode.
    pub fn language(self) -> Option<String> {
        Some(self.child(&["languageCode"])?.attr("code")?.trim().to_owned()).filter(|code| !code.is_empty())
    }
    /// ClinicalDocument.code.
    pub fn code(self) -> Option<Code> {
        coded(self.child(&["code"])?)
    }
    /// ClinicalDocument.confidentialityCode.
    pub fn confidentiality(self) -> Option<Code> {
        coded(self.child(&["confidentialityCode"])?)
    }
    /// The identifiers of the patient, of the first recordTarget.
    pub fn patients(self) -> Vec<InstanceIdentifier> {
        let role = self.child(&["recordTarget", "patientRole"]);
        let ids = role.into_iter().flat_map(|role| role.children_named(Ns::HL7, "id"));
        ids.filter_map(InstanceIdentifier::of).collect()
    }
    /// From when to when the documented service lasted, as it stands there (documentationOf, else encompassingEncounter).
    pub fn service(self) -> (Option<String>, Option<String>) {
        let times = [
            &["documentationOf", "serviceEvent", "effectiveTime"],
            &["componentOf", "encompassingEncounter", "effectiveTime"],
        ];
        let Some(time) = times.iter().find_map(|path| self.child(*path)) else { return (None, None) };
        let bound = |name| time.child(Ns::HL7, name).and_then(value);
        match (bound("low"), bound("high")) {
            (None, None) => (value(time), value(time)),
            bounds => bounds,
        }
    }
    /// healthCareFacility/code of the encounter.
    pub fn facility(self) -> Option<Code> {
        coded(self.child(&[
            "componentOf",
            "encompassingEncounter",
            "location",
            "healthCareFacility",
            "code",
        ])?)
    }
    /// functionCode of the documented service's performer: what comes nearest to a practice setting (PCC TF-2: 4.1.1).
    pub fn practice_setting(self) -> Option<Code> {
        coded(self.child(&["documentationOf", "serviceEvent", "performer", "functionCode"])?)
    }
    /// The first author, with XCN and XON as metadata have them.
    pub fn author(self) -> Option<Author> {
        let author = self.child(&["author", "assignedAuthor"])?;
        let id = author.child(Ns::HL7, "id").and_then(InstanceIdentifier::of);
        let name = descend(author, &["assignedPerson", "name"]);
        let part = |part| name.and_then(|name| name.child(Ns::HL7, part)).and_then(text).unwrap_or_default();
        let (family, given) = (part("family"), part("given"));
        let person = match &id {
            Some(InstanceIdentifier { root, extension: Some(extension) }) => {
                Some(format!("{}^{}^{}^^^^^^&{root}&ISO", plain(extension), plain(&family), plain(&given)))
            }
            _ if family.is_empty() => None,
            _ => Some(format!("^{}^{}", plain(&family), plain(&given))),
        };
        let organization = author.child(Ns::HL7, "representedOrganization");
        let institution = organization.and_then(|organization| {
            let name = plain(&text(organization.child(Ns::HL7, "name")?)?);
            Some(match organization.child(Ns::HL7, "id").and_then(InstanceIdentifier::of) {
                Some(InstanceIdentifier { root, extension: Some(id) }) => {
                    format!("{name}^^^^^&{root}&ISO^^^^{}", plain(&id))
                }
                Some(InstanceIdentifier { root, .. }) => format!("{name}^^^^^^^^^{root}"),
                None => name,
            })
        });
        let author = Author { person, institutions: institution.into_iter().collect(), ..Author::default() };
        Some(author).filter(|author| *author != Author::default())
    }

    /// What the body is.
    pub fn content(self) -> Content {
        let bodies = self.0.children_named(Ns::HL7, "component").flat_map(Element::children);
        let bodies: Vec<_> = bodies.collect();
        let embedded = bodies.iter().filter(|body| body.is(Ns::HL7, "nonXMLBody"));
        let texts = embedded.flat_map(|body| body.children_named(Ns::HL7, "text"));
        let embedded: Vec<_> = texts.map(Embedded::of).collect();
        if !embedded.is_empty() {
            return Content::Embedded(embedded);
        }
        match bodies.iter().any(|body| body.is(Ns::HL7, "structuredBody")) {
            true => Content::Structured,
            false => Content::Unseen,
        }
    }

    fn child(self, path: &[&str]) -> Option<Element<'t>> {
        descend(self.0, path)
    }
}

impl InstanceIdentifier {
    fn of(element: Element<'_>) -> Option<Self> {
        let root = element.attr("root").map(Cow::into_owned).filter(|root| !root.is_empty())?;
        let extension = element.attr("extension").map(Cow::into_owned).filter(|id| !id.is_empty());
        Some(Self { root, extension })
    }

    /// As a DocumentEntry's uniqueId (PCC TF-2: 4.1.1): `root` or `root^extension`.
    pub fn unique_id(&self) -> String {
        match &self.extension {
            Some(extension) => format!("{}^{extension}", self.root),
            None => self.root.clone(),
        }
    }
    /// As a patient's identifier.
    pub fn cx(&self) -> Option<String> {
        Some(format!("{}^^^&{}&ISO", self.extension.as_deref().map(plain)?, self.root))
    }
}

impl Embedded {
    fn of(text: Element<'_>) -> Self {
        let media_type = text.attr("mediaType").filter(|name| !name.is_empty());
        let said = text.text();
        let representation = text.attr("representation").unwrap_or_default();
        let elsewhere = text.child(Ns::HL7, "reference").is_some();
        let beginning = match representation.trim().eq_ignore_ascii_case("B64") {
            _ if elsewhere || text.attr("compression").is_some() => None,
            true => decoded(&said),
            false => Some(said.bytes().take(SIGNATURE_BYTES).collect()),
        };
        Self { media_type: media_type.map_or_else(|| "text/plain".to_owned(), Cow::into_owned), beginning }
    }

    /// Whether fewer bytes are seen than a signature can need.
    pub fn is_short(&self) -> bool {
        self.beginning.as_ref().is_some_and(|beginning| beginning.len() < SIGNATURE_BYTES)
    }
}

/// The first bytes of what is written in base64.
fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let wanted =
        text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take(SIGNATURE_BYTES.div_ceil(3) * 4);
    let mut wanted: Vec<u8> = wanted.collect();
    while wanted.last() == Some(&b'=') {
        wanted.pop();
    }
    // A beginning may end within a group of four.
    wanted.truncate(wanted.len() - usize::from(wanted.len() % 4 == 1));
    let lenient = base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let lenient = lenient.with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(wanted).ok()
}

fn descend<'t>(element: Element<'t>, path: &[&str]) -> Option<Element<'t>> {
    path.iter().try_fold(element, |element, name| element.child(Ns::HL7, name))
}

fn text(element: Element<'_>) -> Option<String> {
    let text = element.text().split_whitespace().collect::<Vec<_>>().join(" ");
    Some(text).filter(|text| !text.is_empty())
}

fn value(element: Element<'_>) -> Option<String> {
    element.attr("value").map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn coded(element: Element<'_>) -> Option<Code> {
    let attribute = |name| element.attr(name).map(Cow::into_owned).filter(|value| !value.is_empty());
    let (code, scheme) = (attribute("code")?, attribute("codeSystem")?);
    let display = attribute("displayName").unwrap_or_else(|| code.clone());
    Some(Code { code, scheme, display })
}

/// Without what separates parts in HL7 v2.
fn plain(text: &str) -> String {
    text.replace(['^', '&', '~', '|', '\\'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(body: &str) -> String {
        format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><id root='1.2.3' extension='7'/>\
             <code code='18842-5' codeSystem='2.16.840.1.113883.6.1'/><title> 退院\n時サマリー </title>\
             <effectiveTime value='20260115093000+0900'/><languageCode code='ja-JP'/>\
             <recordTarget><patientRole><id root='1.2.9' extension='1'/><id root='1.2.8' extension='2'/></patientRole></recordTarget>\
             <author><assignedAuthor><id root='1.2.5' extension='D1'/><assignedPerson><name><family>佐藤</family><given>健一</given></name></assignedPerson>\
             <representedOrganization><id root='1.2.6' extension='131'/><name>関所病院</name></representedOrganization></assignedAuthor></author>\
             <documentationOf><serviceEvent><effectiveTime><low value='20260101'/></effectiveTime></serviceEvent></documentationOf>\
             {body}</ClinicalDocument>"
        )
    }

    #[test]
    fn the_header_becomes_metadata() {
        let tree = Tree::parse(document("").into()).unwrap();
        let document = ClinicalDocument::of(&tree).unwrap();
        assert_eq!(document.id().unwrap().unique_id(), "1.2.3^7");
        assert_eq!(document.title().unwrap(), "退院 時サマリー");
        assert_eq!(document.code().unwrap().display, "18842-5");
        assert_eq!(document.effective_time().unwrap(), "20260115093000+0900");
        let patients: Vec<_> = document.patients().iter().filter_map(InstanceIdentifier::cx).collect();
        assert_eq!(patients, ["1^^^&1.2.9&ISO", "2^^^&1.2.8&ISO"]);
        let author = document.author().unwrap();
        assert_eq!(author.person.unwrap(), "D1^佐藤^健一^^^^^^&1.2.5&ISO");
        assert_eq!(author.institutions, ["関所病院^^^^^&1.2.6&ISO^^^^131"]);
        assert_eq!(document.service(), (Some("20260101".to_owned()), None));
        assert_eq!((document.confidentiality(), document.facility()), (None, None));
    }

    #[test]
    fn a_body_is_looked_into_also_where_it_is_cut() {
        let body = |text: &str| format!("<component><nonXMLBody>{text}</nonXMLBody></component>");
        let embedded = |media_type: &str, beginning: Option<&[u8]>| {
            Content::Embedded(vec![Embedded {
                media_type: media_type.to_owned(),
                beginning: beginning.map(<[u8]>::to_vec),
            }])
        };
        for (body, expected) in [
            (
                body("<text mediaType='application/pdf' representation='B64'>JVBE\n Ri0x</text>"),
                embedded("application/pdf", Some(b"%PDF-1")),
            ),
            (
                body("<text mediaType='application/pdf' representation='B64'>!!</text>"),
                embedded("application/pdf", None),
            ),
            (body("<text>plain</text>"), embedded("text/plain", Some(b"plain"))),
            (body("<text mediaType='image/png'><reference value='x'/></text>"), embedded("image/png", None)),
            (
                body("<text mediaType='text/plain' representation='B64' compression='GZ'>H4sI</text>"),
                embedded("text/plain", None),
            ),
            ("<component><structuredBody/></component>".to_owned(), Content::Structured),
            // Not valid, and shown by some all the same.
            (
                "<component><structuredBody/></component>".to_owned() + &body("<text>plain</text>"),
                embedded("text/plain", Some(b"plain")),
            ),
            (
                "<component><structuredBody/><nonXMLBody><text>plain</text></nonXMLBody></component>"
                    .to_owned(),
                embedded("text/plain", Some(b"plain")),
            ),
            (String::new(), Content::Unseen),
        ] {
            let tree = Tree::parse(document(&body).into()).unwrap();
            assert_eq!(ClinicalDocument::of(&tree).unwrap().content(), expected, "{body}");
        }
        let whole =
            document(&body("<text mediaType='application/pdf' representation='B64'>JVBERi0xLjc=</text>"));
        for cut in [0, 1, 2, 3, 4, 5] {
            let end = whole.find("Ljc=").unwrap() - cut;
            let tree = Tree::parse_beginning(whole[..end].to_owned().into()).unwrap();
            let Content::Embedded(embedded) = ClinicalDocument::of(&tree).unwrap().content() else {
                panic!()
            };
            assert!(b"%PDF-1.7".starts_with(embedded[0].beginning.as_ref().unwrap()), "{cut}");
        }
    }
}
