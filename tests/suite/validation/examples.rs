//! Messages that keep and that break the rules: of each rule at least one. The rules of attributes are broken as the rules'
//! own table has them ([`super::mutations`]), the others by hand.

use sekisho::metadata::codes::{self, association, identifier, scheme, slot};
use sekisho::metadata::rim::{ExternalIdentifier, Submission};
use sekisho::metadata::validate::table::{self, Place};
use sekisho::metadata::validate::{
    Beginning, CodeLists, Context, Report, Settings, check, check_content, check_documents, check_media_type,
};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Classification, DocumentEntry, Slot};

use super::good;
use super::mutations::{author, entry, examples_of, say_again, set};
use crate::support::example;

/// What is checked, and the rules that it breaks: all of them, sorted.
pub(super) struct Example {
    pub(super) broken: Vec<&'static str>,
    /// The message, of what is one.
    pub(super) message: Option<(Context, Submission)>,
    check: Box<dyn Fn(&Settings) -> Report>,
}

impl Example {
    pub(super) fn message(
        context: Context,
        submission: Submission,
        broken: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let checked = submission.clone();
        let check = move |settings: &Settings| check(&checked, context, settings);
        Self { message: Some((context, submission)), ..Self::of(check, broken) }
    }
    fn check(check: impl Fn(&Settings) -> Report + 'static, broken: &[&'static str]) -> Self {
        Self::of(check, broken.iter().copied())
    }
    fn of(
        check: impl Fn(&Settings) -> Report + 'static,
        broken: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let mut broken: Vec<_> = broken.into_iter().collect();
        broken.sort_unstable();
        Self { broken, message: None, check: Box::new(check) }
    }
    pub(super) fn report(&self, settings: &Settings) -> Report {
        (self.check)(settings)
    }
}

/// All of them.
pub(super) fn examples() -> Vec<Example> {
    let mut examples: Vec<_> = table::ATTRIBUTES.iter().chain(table::AUTHOR).flat_map(examples_of).collect();
    examples.extend(CASES.iter().map(|&Case { context, mutate, broken }| {
        let mut submission = good(context);
        mutate(&mut submission);
        Example::message(context, submission, broken.iter().copied())
    }));
    examples.extend(of_documents());
    examples.extend(of_contents());
    examples.extend(of_code_lists());
    examples
}

/// A mutation of a right message that breaks a rule, and the rules that it breaks.
struct Case {
    context: Context,
    mutate: fn(&mut Submission),
    broken: &'static [&'static str],
}

const fn register(mutate: fn(&mut Submission), broken: &'static [&'static str]) -> Case {
    Case { context: Context::Register, mutate, broken }
}

const fn answer(mutate: fn(&mut Submission), broken: &'static [&'static str]) -> Case {
    Case { context: Context::QueryResponse, mutate, broken }
}

/// Where things stand in [`example::stable`].
pub(super) const SET: usize = 0;
pub(super) const ENTRY: usize = 1;
const FOLDER: usize = 2;
const SET_TO_ENTRY: usize = 3;
const SET_TO_FOLDER: usize = 4;
const FOLDER_TO_ENTRY: usize = 5;
const REPLACES: usize = 7;

const ELSEWHERE: &str = "urn:uuid:0b4c2b3e-0b7a-4b4a-9d3e-9a3f0a6f1aff";

fn relate(s: &mut Submission, association_type: &str, source: &str, target: &str) {
    s.objects.push(association(association_type, source, target));
}

pub(super) fn first_code(s: &mut Submission) -> &mut Classification {
    entry(s).classifications.iter_mut().find(|c| c.scheme.as_deref() == Some(scheme::CLASS_CODE)).unwrap()
}

/// The rules of documents.
fn of_documents() -> Vec<Example> {
    const EMPTY: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let upper = EMPTY.to_uppercase();
    let zeros = "0".repeat(40);
    let mut examples = Vec::new();
    for (ids, broken) in [
        (&["Document01"][..], &[][..]),
        (&[], &["document.of-entry.cardinality"]),
        (&["Document01", "x"], &["document.entry.cardinality"]),
        (&["Document01", "Document01"], &["document.id.unique"]),
    ] {
        let ids = ids.to_vec();
        let check =
            move |settings: &Settings| check_documents(&example::stable(), ids.iter().copied(), settings);
        examples.push(Example::check(check, broken));
    }
    for (size, sha1, broken) in [
        (0, upper.clone(), &[][..]),
        (1, upper, &["document.size.content"]),
        (0, zeros, &["document.hash.content"]),
    ] {
        let check = move |settings: &Settings| {
            let submission = example::stable();
            check_content(DocumentEntry::of(&submission.objects[ENTRY]).unwrap(), size, &sha1, settings)
        };
        examples.push(Example::check(check, broken));
    }
    examples
}

/// The rules of what documents are.
fn of_contents() -> Vec<Example> {
    let cda = |body: &str| -> Vec<u8> {
        let text = "text mediaType=\"application/pdf\" representation=\"B64\"";
        format!(
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><component><nonXMLBody><{text}>{body}</text></nonXMLBody>\
             </component></ClinicalDocument>"
        )
        .into()
    };
    type Document = (&'static str, Vec<u8>, &'static [&'static str], &'static [&'static str]);
    let documents: [Document; 6] = [
        ("application/pdf", b"%PDF-1.7".into(), &["application/pdf"], &[]),
        ("text/xml", cda("JVBERi0xLjcK"), &[], &[]),
        ("text/xml", cda("iVBORw0KGgo="), &[], &["document.type.content"]),
        ("application/pdf", b"hello".into(), &[], &["document.type.signature"]),
        ("application/pdf", b"%PDF-1.7".into(), &["text/xml"], &["document.type.allowed"]),
        ("text/xml", cda("%%%%"), &[], &["document.cda.readable"]),
    ];
    let example = |(media_type, document, allowed, broken): Document| {
        let check = move |settings: &Settings| {
            let mut entry = example::stable().objects.swap_remove(ENTRY);
            entry.mime_type = Some(media_type.to_owned());
            let mut beginning = Beginning::default();
            beginning.look(&bytes::Bytes::copy_from_slice(&document));
            let allowed = allowed.iter().map(|name| (*name).into()).collect();
            let settings = settings.clone().with_contents(allowed);
            check_media_type(DocumentEntry::of(&entry).unwrap(), &beginning, &settings)
        };
        Example::check(check, broken)
    };
    documents.into_iter().map(example).collect()
}

/// The rules of code lists.
fn of_code_lists() -> Vec<Example> {
    let mut submission = example::stable();
    let class = first_code(&mut submission);
    let (code, scheme) = (class.node_representation.clone().unwrap(), class.slots[0].values[0].clone());
    let lists = [
        (format!("[classCode]\n{scheme:?} = [{code:?}]"), &[][..]),
        (format!("[classCode]\n{scheme:?} = [\"another\"]"), &["cl.code.listed"]),
        (format!("[classCode]\n\"1.2.3\" = [{code:?}]"), &["cl.code.listed"]),
        ("mimeType = [\"text/xml\"]".to_owned(), &[]),
        ("mimeType = [\"image/x\"]".to_owned(), &["de.mime-type.listed"]),
    ];
    let example = |(lists, broken): (String, &'static [&'static str])| {
        let check = move |settings: &Settings| {
            let settings = settings.clone().with_codes(CodeLists::parse(&lists).unwrap());
            check(&example::stable(), Context::Register, &settings)
        };
        Example::check(check, broken)
    };
    lists.into_iter().map(example).collect()
}

const CASES: &[Case] = &[
    register(|s| entry(s).slots.push(Slot::default()), &["slot.name.cardinality"]),
    register(|s| entry(s).slots.push(Slot { name: "urn:x:a".into(), ..Slot::default() }), &[]),
    register(
        |s| {
            let twice = entry(s).slots[0].clone();
            entry(s).slots.push(Slot { values: vec![], ..twice });
        },
        &["slot.name.unique"],
    ),
    register(
        |s| first_code(s).slots.push(Slot { name: slot::CODING_SCHEME.into(), ..Slot::default() }),
        &["slot.name.unique"],
    ),
    register(|s| s.request_slots = vec![Slot::default(); 2], &["slot.name.cardinality"]),
    register(|s| entry(s).set_slot("urn:x:a", vec!["長".repeat(256)]), &[]),
    register(|s| entry(s).set_slot("urn:x:a", vec!["長".repeat(257)]), &["slot.value.length"]),
    register(|s| entry(s).set_slot("colour", vec![]), &["slot.name.known"]),
    register(|s| entry(s).set_slot(&format!("urn:{}", "x".repeat(252)), vec![]), &[]),
    register(|s| entry(s).set_slot(&format!("urn:{}", "x".repeat(253)), vec![]), &["object.text.length"]),
    register(|s| first_code(s).node_representation = Some("x".repeat(257)), &["object.text.length"]),
    register(|s| first_code(s).name[0].value = "名".repeat(1024), &[]),
    register(|s| first_code(s).name[0].value = "名".repeat(1025), &["object.text.length"]),
    register(|s| first_code(s).name[0].lang = Some("ja JP".into()), &["object.text.language"]),
    register(|s| entry(s).other_attributes = vec![("isOpaque".into(), "true".into())], &[]),
    register(
        |s| entry(s).other_attributes = vec![("isOpaque".into(), "maybe".into())],
        &["object.attribute.known"],
    ),
    register(
        |s| s.objects[SET].other_attributes = vec![("isOpaque".into(), "true".into())],
        &["object.attribute.known"],
    ),
    register(|s| entry(s).set_slot("urn:ihe:iti:x", vec![]), &["slot.name.known"]),
    register(
        |s| {
            s.objects[SET].lid = Some(ELSEWHERE.into());
            s.objects[ENTRY].lid = Some(ELSEWHERE.into());
        },
        &["object.lid.unique"],
    ),
    register(|s| s.objects[SET_TO_FOLDER].id = s.objects[SET_TO_ENTRY].id.clone(), &["object.id.unique"]),
    register(|s| s.objects[SET_TO_FOLDER].id = "urn:uuid:1".into(), &["object.id.uuid"]),
    answer(|s| s.objects[SET_TO_FOLDER].id = "association".into(), &["object.id.uuid"]),
    register(|s| s.objects[SET_TO_FOLDER].id = ELSEWHERE.replace("ff", "FF"), &["object.id.lower-case"]),
    register(
        |s| first_code(s).node = Some(codes::LIMITED_METADATA[0].into()),
        &["object.limited-metadata.prohibited"],
    ),
    // Codes, authors, external identifiers.
    register(|s| first_code(s).node_representation = None, &["cl.code.cardinality"]),
    register(|s| first_code(s).slots.clear(), &["cl.coding-scheme.cardinality"]),
    register(|s| first_code(s).slots[0].values = vec![String::new()], &["cl.coding-scheme.cardinality"]),
    register(|s| say_again(&mut first_code(s).slots[0]), &["cl.coding-scheme.cardinality"]),
    register(|s| first_code(s).name.clear(), &["cl.display-name.cardinality"]),
    register(
        |s| first_code(s).classified_object = Some("another".into()),
        &["cl.classified-object.reference"],
    ),
    register(|s| first_code(s).classified_object = None, &["cl.classified-object.reference"]),
    register(|s| first_code(s).id = None, &["cl.id.cardinality"]),
    register(|s| first_code(s).id = Some(String::new()), &["cl.id.cardinality"]),
    register(|s| first_code(s).scheme = Some("urn:uuid:unknown".into()), &["de.class-code.cardinality"]),
    register(|s| author(entry(s)).node_representation = None, &[]),
    register(|s| author(entry(s)).node_representation = Some("a".into()), &["author.code.prohibited"]),
    register(
        |s| author(entry(s)).slots.retain(|slot| slot.name == slot::AUTHOR_ROLE),
        &["author.identity.cardinality"],
    ),
    register(|s| author(entry(s)).slots.retain(|slot| slot.name == slot::AUTHOR_TELECOMMUNICATION), &[]),
    register(|s| entry(s).external_identifiers[0].registry_object = None, &["ei.registry-object.reference"]),
    register(|s| entry(s).external_identifiers[0].name.clear(), &["ei.name.value"]),
    register(|s| entry(s).external_identifiers[0].id = None, &["ei.id.cardinality"]),
    register(|s| entry(s).external_identifiers[0].id = Some(String::new()), &["ei.id.cardinality"]),
    register(
        |s| entry(s).external_identifiers[0].registry_object = Some("another".into()),
        &["ei.registry-object.reference"],
    ),
    register(
        |s| {
            let foreign = ExternalIdentifier {
                id: Some("e".into()),
                scheme: "urn:uuid:foreign".into(),
                registry_object: Some("Document01".into()),
                ..ExternalIdentifier::default()
            };
            entry(s).external_identifiers.push(foreign);
        },
        &[],
    ),
    // Entries and folders.
    register(
        |s| entry(s).set_slot(slot::SERVICE_START_TIME, vec!["20261121".into()]),
        &["de.service-time.chronology"],
    ),
    register(|s| entry(s).set_slot(slot::SERVICE_START_TIME, vec!["202611201530".into()]), &[]),
    register(|s| entry(s).set_slot(slot::SERVICE_STOP_TIME, vec!["2026".into()]), &[]),
    register(
        |s| entry(s).set_slot(slot::SOURCE_PATIENT_INFO, vec!["PID-8|F".into(), "PID-8|M".into()]),
        &["de.source-patient-info.repetition"],
    ),
    register(|s| entry(s).name[0].charset = Some("Shift_JIS".into()), &["de.title.charset"]),
    register(|s| entry(s).name[0].charset = Some("utf8".into()), &[]),
    register(
        |s| s.objects[FOLDER].status = Some(codes::DEPRECATED.into()),
        &["folder.availability-status.approved"],
    ),
    answer(|s| s.objects[FOLDER].status = Some(codes::DEPRECATED.into()), &[]),
    Case {
        context: Context::RegisterOnDemand,
        mutate: |s| entry(s).object_type = Some(codes::STABLE.into()),
        broken: &["de.object-type.transaction"],
    },
    // The message as a whole.
    register(
        |s| {
            s.objects.remove(SET);
        },
        &["assoc.ends.symbolic", "submission.set.cardinality"],
    ),
    register(
        |s| {
            let mut second = s.objects[SET].clone();
            second.id = ELSEWHERE.into();
            second.classifications.iter_mut().for_each(|c| c.classified_object = Some(ELSEWHERE.into()));
            second.external_identifiers.iter_mut().for_each(|e| e.registry_object = Some(ELSEWHERE.into()));
            s.objects.push(second);
        },
        &["submission.set.cardinality", "submission.unique-id.unique"],
    ),
    register(
        |s| {
            s.objects.remove(SET_TO_ENTRY);
        },
        &["submission.has-member.cardinality"],
    ),
    register(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), "9^^^&1.2&ISO"),
        &["de.patient-id.same"],
    ),
    register(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), &format!("{}^^", example::PATIENT)),
        &[],
    ),
    register(
        |s| set(&mut s.objects[FOLDER], Place::Identifier(identifier::FOLDER_PATIENT_ID), "9^^^&1.2&ISO"),
        &["folder.patient-id.same"],
    ),
    answer(
        |s| set(entry(s), Place::Identifier(identifier::DE_PATIENT_ID), "9^^^&1.2&ISO"),
        &["response.patient-id.single"],
    ),
    answer(|s| s.object_refs = vec![String::new()], &["object-ref.id.cardinality"]),
    register(|s| s.object_refs = vec![String::new()], &["object-ref.id.cardinality"]),
    Case {
        context: Context::RestrictedUpdate,
        mutate: |s| s.objects[SET].home = None,
        broken: &["submission.set.home"],
    },
    Case { context: Context::Update, mutate: |s| s.objects[SET].home = None, broken: &[] },
    // Associations.
    register(|s| relate(s, "urn:x", "Document01", ELSEWHERE), &["assoc.type.known"]),
    register(
        |s| relate(s, association::SUBMIT_ASSOCIATION, "SubmissionSet01", ELSEWHERE),
        &["assoc.type.known"],
    ),
    register(
        |s| relate(s, association::NON_VERSIONING_UPDATE, "SubmissionSet01", ELSEWHERE),
        &["assoc.type.known"],
    ),
    answer(|s| relate(s, association::NON_VERSIONING_UPDATE, example::REPLACED, ELSEWHERE), &[]),
    register(|s| relate(s, association::APND, "", ELSEWHERE), &["assoc.ends.cardinality"]),
    register(|s| relate(s, association::APND, "Document01", "Document01"), &["assoc.ends.different"]),
    register(|s| relate(s, association::APND, "Document01", "Document99"), &["assoc.ends.symbolic"]),
    register(|s| relate(s, association::APND, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::SIGNS, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::IS_SNAPSHOT_OF, "Document01", ELSEWHERE), &[]),
    register(|s| relate(s, association::XFRM, ELSEWHERE, "Document01"), &["assoc.relation.source"]),
    register(|s| relate(s, association::XFRM_RPLC, "Folder01", ELSEWHERE), &["assoc.relation.source"]),
    answer(|s| relate(s, association::XFRM, ELSEWHERE, example::REPLACED), &[]),
    register(
        |s| {
            let mut other = s.objects[ENTRY].clone();
            other.id = ELSEWHERE.into();
            other.classifications.iter_mut().for_each(|c| c.classified_object = Some(ELSEWHERE.into()));
            other.external_identifiers.iter_mut().for_each(|e| e.registry_object = Some(ELSEWHERE.into()));
            set(&mut other, Place::Identifier(identifier::DE_UNIQUE_ID), "2.25.99");
            s.objects.push(other);
            s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Original));
            relate(s, association::XFRM, "Document01", ELSEWHERE);
            relate(s, association::RPLC, "Document01", ELSEWHERE);
        },
        &["assoc.relation.target"],
    ),
    Case {
        context: Context::RegisterOnDemand,
        mutate: |s| relate(s, association::IS_SNAPSHOT_OF, "Document01", ELSEWHERE),
        broken: &["assoc.snapshot.source"],
    },
    register(
        |s| {
            let documentation = s.objects[REPLACES].classifications.remove(0);
            let member = &mut s.objects[SET_TO_ENTRY];
            let classified_object = Some(member.id.clone());
            member.classifications.push(Classification { classified_object, ..documentation });
        },
        &["assoc.documentation.prohibited"],
    ),
    register(|s| relate(s, association::HAS_MEMBER, "Document01", ELSEWHERE), &["assoc.has-member.source"]),
    register(
        |s| relate(s, association::HAS_MEMBER, "Folder01", "SubmissionSet01"),
        &["assoc.has-member.target"],
    ),
    register(|s| relate(s, association::HAS_MEMBER, ELSEWHERE, "Document01"), &[]),
    register(|s| s.objects[SET_TO_ENTRY].slots.clear(), &["assoc.has-member.status-slot"]),
    register(|s| say_again(&mut s.objects[SET_TO_ENTRY].slots[0]), &["assoc.has-member.status-slot"]),
    register(
        |s| s.objects[SET_TO_ENTRY].slots[0].values = vec!["original".into()],
        &["assoc.has-member.status-slot"],
    ),
    // Whatever a set holds from elsewhere is an entry.
    register(
        |s| relate(s, association::HAS_MEMBER, "SubmissionSet01", ELSEWHERE),
        &["assoc.has-member.status-slot"],
    ),
    register(|s| s.objects[FOLDER_TO_ENTRY].slots.clear(), &[]),
    register(
        |s| s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Original)),
        &["assoc.has-member.original-target"],
    ),
    register(|s| s.objects.push(has_member("SubmissionSet01", ELSEWHERE, Membership::Reference)), &[]),
    register(
        |s| s.objects[SET_TO_ENTRY].slots[0].values = vec!["Reference".into()],
        &["assoc.has-member.reference-target"],
    ),
    register(
        |s| s.objects[SET_TO_ENTRY].set_slot(slot::PREVIOUS_VERSION, vec!["1".into()]),
        &["assoc.update-slots.prohibited"],
    ),
];
