//! ebRIM as it travels: what is written is read again as it was, every legal variant is read, and nothing that a peer
//! sends makes the reader panic.

use proptest::prelude::*;
use sekisho::limits;
use sekisho::metadata::rim::{Localized, RimError, Submission};
use sekisho::metadata::views::{Membership, has_member};
use sekisho::metadata::{Kind, Object, Slot, codes};
use sekisho::wire::xml::{Tree, Writer};

use crate::support::{example, golden, messages};

const HEAD: &str = r#"<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
    xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">"#;

fn written(submission: &Submission) -> Vec<u8> {
    let mut out = Writer::default();
    submission.write(&mut out);
    out.finish()
}

fn read(xml: impl Into<Vec<u8>>) -> Result<Submission, RimError> {
    Submission::read(Tree::parse(xml.into().into()).unwrap().root())
}

fn read_list(objects: &str) -> Result<Submission, RimError> {
    read(format!(
        "{HEAD}<rim:RegistryObjectList>{objects}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    ))
}

fn rule_of(objects: &str) -> &'static str {
    read_list(objects).unwrap_err().rule
}

#[test]
fn a_complete_submission_is_written_and_read_again() {
    let mut submission = example::stable();
    submission.object_refs = vec![example::REPLACED.to_owned()];
    submission.request_slots = vec![Slot {
        name: "urn:example:slot".into(),
        slot_type: Some("urn:example:type".into()),
        values: vec![],
    }];
    let xml = written(&submission);
    messages::keep("metadata-complete-submission", &xml);
    golden::check("metadata/complete-submission.xml", &xml);
    assert_eq!(read(xml).unwrap(), submission);
}

#[test]
fn answers_and_on_demand_entries_are_written_and_read_again() {
    for submission in [example::on_demand(), example::answered(example::stable())] {
        let xml = written(&submission);
        messages::keep("metadata-submission", &xml);
        assert_eq!(read(xml).unwrap(), submission);
    }
}

#[test]
fn ids_that_the_schema_requires_are_made_where_they_are_missing() {
    let mut submission = example::stable();
    for object in &mut submission.objects {
        object.classifications.iter_mut().for_each(|c| (c.id, c.classified_object) = (None, None));
        object.external_identifiers.iter_mut().for_each(|e| (e.id, e.registry_object) = (None, None));
    }
    let xml = written(&submission);
    messages::keep("metadata-ids-made", &xml);
    let entry = read(xml).unwrap().objects.swap_remove(1);
    for classification in &entry.classifications {
        assert!(classification.id.as_deref().unwrap().starts_with("urn:uuid:"));
        assert_eq!(classification.classified_object.as_deref(), Some("Document01"));
    }
    assert_eq!(entry.external_identifiers[0].registry_object.as_deref(), Some("Document01"));
}

#[test]
fn a_node_classification_is_read_inside_its_package_and_beside_it_in_any_order() {
    let node = format!(
        r#"<rim:Classification classificationNode="{}" classifiedObject="S" id="c"/>"#,
        codes::SUBMISSION_SET
    );
    let inside = format!(r#"<rim:RegistryPackage id="S">{node}</rim:RegistryPackage>"#);
    let package = r#"<rim:RegistryPackage id="S"/>"#;
    let wanted = read_list(&inside).unwrap();
    assert_eq!(wanted.objects[0].kind, Kind::SubmissionSet);
    for variant in [format!("{package}{node}"), format!("{node}{package}"), format!("{node}{inside}")] {
        assert_eq!(read_list(&variant).unwrap(), wanted, "{variant}");
    }
}

#[test]
fn prefixes_and_wrappings_do_not_matter() {
    let wanted = read_list(r#"<rim:ExtrinsicObject id="D" isOpaque="false"/>"#).unwrap();
    assert_eq!(wanted.objects[0].other_attributes, [("isOpaque".to_owned(), "false".to_owned())]);
    let list = r#"<RegistryObjectList xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">
        <!-- --><ExtrinsicObject isOpaque="false" id="D"></ExtrinsicObject>
    </RegistryObjectList>"#;
    assert_eq!(read(list).unwrap(), wanted);
    let provided = format!(
        r#"<ProvideAndRegisterDocumentSetRequest xmlns="urn:ihe:iti:xds-b:2007">{HEAD}{list}</lcm:SubmitObjectsRequest>
        <Document id="D"/></ProvideAndRegisterDocumentSetRequest>"#
    );
    assert_eq!(read(provided).unwrap(), wanted);
}

#[test]
fn what_cannot_be_read_is_refused_by_rule_and_place() {
    let package = r#"<rim:RegistryPackage id="P"/>"#;
    assert_eq!(rule_of(package), "rim.package");
    let both = format!(
        r#"{package}<rim:Classification classificationNode="{}" classifiedObject="P"/>
        <rim:Classification classificationNode="{}" classifiedObject="P"/>"#,
        codes::SUBMISSION_SET,
        codes::FOLDER
    );
    assert_eq!(rule_of(&both), "rim.package");
    assert_eq!(rule_of(r#"<rim:Classification classifiedObject="nobody"/>"#), "rim.reference");
    assert_eq!(rule_of("<rim:Organization id='o'/>"), "rim.object");
    let nested = "<rim:RegistryObjectList><rim:ExtrinsicObject id='D'/></rim:RegistryObjectList>";
    assert_eq!(rule_of(&format!("<rim:RegistryPackage id='P'>{nested}</rim:RegistryPackage>")), "rim.nested");
    let many = "<rim:ObjectRef id='a'/>".repeat(limits::MAX_OBJECTS_PER_SUBMISSION + 1);
    assert_eq!(rule_of(&many), "rim.objects");
    let old = format!("{HEAD}<rim:LeafRegistryObjectList/></lcm:SubmitObjectsRequest>");
    assert_eq!(read(old).unwrap_err().rule, "rim.version");
    let error = read(format!("{HEAD}</lcm:SubmitObjectsRequest>")).unwrap_err();
    assert_eq!((error.rule, error.line), ("rim.object-list", 1));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", "[ぁ-んァ-ヶ一-龠&<>\"'\\t\\n]{0,8}"]
}

/// Blanks around a URI do not belong to it.
fn uri() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.trim().to_owned())
}

fn object() -> impl Strategy<Value = Object> {
    let slot = (text(), prop::option::of(text()), prop::collection::vec(text(), 0..4))
        .prop_map(|(name, slot_type, values)| Slot { name, slot_type, values });
    let localized = (prop::option::of("[a-z]{2}-[A-Z]{2}"), prop::option::of(text()), text())
        .prop_map(|(lang, charset, value)| Localized { lang, charset, value });
    (
        prop::collection::vec(slot, 0..4),
        prop::collection::vec(localized, 0..3),
        prop::option::of(uri()),
        0usize..3,
    )
        .prop_map(|(slots, name, lid, which)| {
            let mut object = example::stable().objects.swap_remove(which);
            object.classifications.iter_mut().for_each(|c| c.slots.extend(slots.iter().take(1).cloned()));
            Object { slots, name, lid, ..object }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_written_is_read_again(objects in prop::collection::vec(object(), 0..4), refs in prop::collection::vec(uri(), 0..3)) {
        let submission = Submission { objects, object_refs: refs, ..Submission::default() };
        prop_assert_eq!(read(written(&submission)).unwrap(), submission);
    }

    #[test]
    fn mutated_messages_never_make_the_reader_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, prop_oneof![Just(""), Just("<rim:Slot/>"), Just("x"), Just("\""), Just("/>")]), 1..4)
    ) {
        let submission = Submission {
            objects: vec![example::stable().objects.swap_remove(0), has_member("a", "b", Membership::Original)],
            ..Submission::default()
        };
        let mut xml = written(&submission);
        for (at, length, instead) in cuts {
            let from = at.index(xml.len());
            let to = (from + length).min(xml.len());
            xml.splice(from..to, instead.bytes());
        }
        if let Ok(tree) = Tree::parse(xml.into()) {
            let _ = Submission::read(tree.root());
        }
    }
}
