//! ITI-42 over a socket, row by row: what is refused with which code, and what an accepted submission does to the registry,
//! pattern by pattern. A row begins with the section that it holds us to: of ITI TF-2, unless it says otherwise.

use sekisho::metadata::codes::association::{
    APND, IS_SNAPSHOT_OF, RPLC, SIGNS, UPDATE_AVAILABILITY_STATUS, XFRM, XFRM_RPLC,
};
use sekisho::metadata::codes::{self, scheme, slot};
use sekisho::metadata::rim::{Classification, Object, Submission};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Kind, Slot};
use sekisho::time;
use sekisho::transactions::errors::{RegistryResponse, Severity, Status, code};
use sekisho::transactions::iti18::{ITI18, QueryResponse};
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;
use sekisho::wire::xml::{Ns, Tree};

use crate::support::draft::{Draft, HAS_MEMBER, OTHER_PATIENT, PATIENT, code as coded, id, name, with_ids};
use crate::support::hosted::Standalone;
use crate::support::submissions::{Document, oid, submission};

const GET_ALL: &str = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
const GET_ASSOCIATIONS: &str = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155";
const ANY: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved',\
                   'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";

async fn everything(hosted: &Standalone, patient: &str) -> QueryResponse {
    let patient = format!("'{patient}'");
    let parameters = [
        ("$patientId", &*patient),
        ("$XDSDocumentEntryStatus", ANY),
        ("$XDSSubmissionSetStatus", ANY),
        ("$XDSFolderStatus", ANY),
    ];
    hosted.ask(&ITI18, GET_ALL, &parameters).await
}

/// All objects of a patient as the registry gives them.
async fn objects(hosted: &Standalone, patient: &str) -> Vec<Object> {
    let answer = everything(hosted, patient).await;
    let slices = answer.objects.iter().flat_map(|object| [&object.xml.0[..], &object.xml.1[..]]);
    let list: Vec<u8> = slices.flatten().copied().collect();
    let head = format!("<rim:RegistryObjectList xmlns:rim=\"{}\">", Ns::RIM.uri());
    let xml = [head.as_bytes(), &list, b"</rim:RegistryObjectList>"].concat();
    Submission::read(Tree::parse(xml.into()).unwrap().root()).unwrap().objects
}

/// Types and ends of the associations at an object, by name.
async fn links(hosted: &Standalone, of: &str) -> Vec<(String, String, String)> {
    let at = with_ids(of);
    let answer = hosted.ask(&ITI18, GET_ASSOCIATIONS, &[("$uuid", &at)]).await;
    let all = objects(hosted, PATIENT).await;
    let mut found: Vec<_> = answer
        .objects
        .iter()
        .filter_map(|one| all.iter().find(|object| object.id == one.id)?.association.as_ref())
        .map(|link| {
            let short = link.association_type.rsplit(':').next().unwrap_or_default().to_owned();
            (name(&link.source), short, name(&link.target))
        })
        .collect();
    found.sort();
    found
}

fn status(object: &Object) -> &str {
    object.status.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

/// A registry in which `old` was replaced by `new`, `stored` lies in the folder `chart`, `foreign` is another patient's, and
/// the folder `closed` is deprecated.
async fn hosted() -> Standalone {
    let hosted = Standalone::start(&[]).await;
    let first = Draft::new("first")
        .entry("stored", |entry| entry.unique_id("1.2.3.41"))
        .entries(&["old"])
        .folder("chart", &["F"])
        .put("chart", "stored")
        .folder("closed", &["F"])
        .unique_id("first", "1.2.3.42")
        .unique_id("chart", "1.2.3.43");
    hosted.accept(&first).await;
    hosted.accept(&Draft::new("second").entries(&["new"]).relate(RPLC, "new", "/", "old")).await;
    hosted.accept(&Draft::of(OTHER_PATIENT, "third").entries(&["foreign"]).folder("theirs", &["F"])).await;
    let mut close = association(UPDATE_AVAILABILITY_STATUS, &id("fourth"), &id("closed"));
    close.set_slot(slot::ORIGINAL_STATUS, vec![codes::APPROVED.to_owned()]);
    close.set_slot(slot::NEW_STATUS, vec![codes::DEPRECATED.to_owned()]);
    let closing = Draft::new("fourth").object(close).submission();
    assert_eq!(hosted.register(&ITI57, &closing).await.errors, []);
    hosted
}

fn good() -> Draft {
    Draft::new("set").entries(&["entry"])
}

fn without_set() -> Draft {
    let mut draft = good();
    draft.objects.remove(0);
    draft
}

fn documented(mut object: Object) -> Object {
    object.classifications.push(Classification {
        scheme: Some(scheme::ASSOCIATION_DOCUMENTATION.to_owned()),
        classified_object: Some(object.id.clone()),
        ..Classification::from(&coded("correction"))
    });
    object
}

type Refusal = (&'static str, Draft, &'static str, &'static [&'static str]);

#[rustfmt::skip]
fn refusals() -> Vec<Refusal> {
    let two = || good().entries(&["other"]);
    let other_hash = "0000000000000000000000000000000000000000";
    vec![
        // 3.42.4.1.3.3: attributes.
        ("TF-3 4.1.4", without_set(), code::REGISTRY_METADATA_ERROR, &["submission.set.cardinality"]),
        ("TF-3 4.1.4", good().object(Draft::new("another").objects.remove(0)), code::REGISTRY_METADATA_ERROR, &["submission.set.cardinality"]),
        ("TF-3 4.2.3.2.6", good().change("entry", |e| e.set_slot("creationTime", vec!["2026-01".to_owned()])), code::REGISTRY_METADATA_ERROR, &["de.creation-time", "2026-01"]),
        ("3.42.4.1.3.3.1", good().unique_id("entry", "1.2.3.41").change("entry", |e| e.set_slot("hash", vec![other_hash.to_owned()])), code::NON_IDENTICAL_HASH, &["1.2.3.41"]),
        ("3.42.4.1.3.3.1", good().unique_id("entry", "1.2.3.41").change("entry", |e| e.set_slot("size", vec!["7".to_owned()])), code::NON_IDENTICAL_SIZE, &["1.2.3.41"]),
        ("3.42.4.1.3.3.2", Draft::new("set").object(Draft::of(OTHER_PATIENT, "x").entries(&["entry"]).objects.remove(1)).object(has_member(&id("set"), &id("entry"), Membership::Original)), code::PATIENT_ID_DOES_NOT_MATCH, &["P2^^^&1.2.3&ISO"]),
        ("3.42.4.1.3.3.2", good().object(Draft::of(OTHER_PATIENT, "x").folder("folder", &["F"]).objects.remove(1)).relate(HAS_MEMBER, "set", ">", "folder"), code::PATIENT_ID_DOES_NOT_MATCH, &["P2^^^&1.2.3&ISO"]),
        ("3.42.4.1.3.3.6", good().change("entry", |e| { e.set_slot("serviceStartTime", vec!["20260102".to_owned()]); e.set_slot("serviceStopTime", vec!["20260101".to_owned()]); }), code::REGISTRY_METADATA_ERROR, &["20260102"]),
        ("3.42.4.1.3.3.7", good().unique_id("set", "1.2.3.42"), code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &["SubmissionSet", "1.2.3.42"]),
        ("3.42.4.1.3.3.7", good().unique_id("set", "1.2.3.41"), code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &["SubmissionSet", "1.2.3.41"]),
        ("3.42.4.1.3.3.7", good().unique_id("set", "1.2.3.43"), code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &["SubmissionSet", "1.2.3.43"]),
        ("TF-3 4.2.4.1", good().folder("folder", &["F"]).unique_id("folder", "1.2.3.43"), code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, &["Folder", "1.2.3.43"]),
        ("TF-3 4.2.4.1", good().unique_id("entry", "1.2.3.42"), code::REGISTRY_METADATA_ERROR, &["DocumentEntry", "1.2.3.42"]),
        ("TF-3 4.2.4.1", two().unique_id("entry", "1.2.3.44").unique_id("other", "1.2.3.44"), code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, &["1.2.3.44"]),
        ("TF-3 4.2.4.1", good().unique_id("entry", "1.2.3.44").unique_id("set", "1.2.3.44"), code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, &["1.2.3.44"]),
        ("TF-3 4.2.4.1", good().folder("folder", &["F"]).unique_id("entry", "1.2.3.44").unique_id("folder", "1.2.3.44"), code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, &["1.2.3.44"]),
        ("3.42.4.1.2", Draft::new("set").on_demand("entry"), code::REGISTRY_METADATA_ERROR, &["de.object-type.transaction"]),
        // 3.42.4.1.3.4: folders.
        ("3.42.4.1.3.4", good().put("chart", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the entry is deprecated"]),
        ("3.42.4.1.3.4", good().put("closed", "entry"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the folder is deprecated"]),
        ("3.42.4.1.3.4", good().folder("folder", &["F"]).put("folder", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the entry is deprecated"]),
        ("3.42.4.1.3.3.2", good().put("chart", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["P1^^^&1.2.3&ISO"]),
        ("3.42.4.1.3.3.2", good().put("theirs", "entry"), code::PATIENT_ID_DOES_NOT_MATCH, &["of another"]),
        ("TF-3 4.2.2.1.5", good().put("chart", "closed"), code::REGISTRY_METADATA_ERROR, &["only a DocumentEntry is member of a Folder"]),
        ("3.42.4.1.3.5", good().put("nowhere", "entry"), code::UNRESOLVED_REFERENCE, &["sourceObject"]),
        ("3.42.4.1.3.5", good().put("chart", "nothing"), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        // 3.42.4.1.3.5: relationships. The source is in the submission.
        ("3.42.4.1.3.5 source", good().relate(RPLC, "stored", "/", "new"), code::UNRESOLVED_REFERENCE, &["assoc.relation.source"]),
        ("3.42.4.1.3.5 source", good().relate(APND, "stored", "+", "entry"), code::UNRESOLVED_REFERENCE, &["assoc.relation.source"]),
        ("3.42.4.1.3.5 source", good().relate(SIGNS, "nothing", "!", "stored"), code::UNRESOLVED_REFERENCE, &["assoc.relation.source"]),
        // The target is in the registry, or also in the submission.
        ("3.42.4.1.3.5 target", two().relate(RPLC, "entry", "/", "other"), code::UNRESOLVED_REFERENCE, &["assoc.relation.target"]),
        ("3.42.4.1.3.5 target", two().relate(XFRM_RPLC, "entry", "/", "other"), code::UNRESOLVED_REFERENCE, &["assoc.relation.target"]),
        ("3.42.4.1.3.5 target", two().relate(IS_SNAPSHOT_OF, "entry", "@", "other"), code::UNRESOLVED_REFERENCE, &["assoc.relation.target"]),
        ("3.42.4.1.3.5 target", good().relate(RPLC, "entry", "/", "nothing"), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        ("3.42.4.1.3.5 target", good().relate(APND, "entry", "+", "nothing"), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        ("3.42.4.1.3.5 target", good().relate(XFRM, "entry", "~", "nothing"), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        ("3.42.4.1.3.5 target", good().relate(SIGNS, "entry", "!", "nothing"), code::UNRESOLVED_REFERENCE, &["targetObject"]),
        // It is approved.
        ("3.42.4.1.3.5 status", good().relate(RPLC, "entry", "/", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the target is deprecated"]),
        ("3.42.4.1.3.5 status", good().relate(XFRM_RPLC, "entry", "/", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the target is deprecated"]),
        ("3.42.4.1.3.5 status", good().relate(APND, "entry", "+", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the target is deprecated"]),
        ("3.42.4.1.3.5 status", good().relate(XFRM, "entry", "~", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the target is deprecated"]),
        ("3.42.4.1.3.5 status", good().relate(SIGNS, "entry", "!", "old"), code::REGISTRY_DEPRECATED_DOCUMENT, &["the target is deprecated"]),
        ("3.42.4.1.3.5 status", two().relate(RPLC, "entry", "/", "stored").relate(RPLC, "other", "/", "stored"), code::REGISTRY_DEPRECATED_DOCUMENT, &["replaces"]),
        ("3.42.4.1.3.5 status", two().relate(APND, "other", "+", "stored").relate(XFRM_RPLC, "entry", "/", "stored"), code::REGISTRY_DEPRECATED_DOCUMENT, &["replaces"]),
        // It is of the same patient.
        ("3.42.4.1.3.5 patient", good().relate(RPLC, "entry", "/", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["P1^^^&1.2.3&ISO", "of another"]),
        ("3.42.4.1.3.5 patient", good().relate(APND, "entry", "+", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["of another"]),
        ("3.42.4.1.3.5 patient", good().relate(XFRM, "entry", "~", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["of another"]),
        ("3.42.4.1.3.5 patient", good().relate(SIGNS, "entry", "!", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["of another"]),
        // Snapshots are stable, and of on-demand entries.
        ("3.42.4.1.3.5 snapshot", good().relate(IS_SNAPSHOT_OF, "entry", "@", "stored"), code::REGISTRY_METADATA_ERROR, &["on-demand"]),
        // Associations that there are none of.
        ("TF-3 4.2.2.2", good().relate(RPLC, "entry", "/", "chart"), code::REGISTRY_METADATA_ERROR, &["DocumentEntries"]),
        ("TF-3 4.2.2", good().relate(APND, "entry", "+", "entry"), code::REGISTRY_METADATA_ERROR, &["assoc.ends.different"]),
        ("TF-3 4.2.2", good().relate("urn:example:AssociationType:Likes", "entry", "?", "stored"), code::REGISTRY_METADATA_ERROR, &["assoc.type"]),
        ("TF-3 4.2.2.1", good().relate(HAS_MEMBER, "stored", ">", "entry"), code::REGISTRY_METADATA_ERROR, &["only a SubmissionSet or a Folder has members"]),
        ("TF-3 4.2.2.1", good().object(has_member(&id("first"), &id("entry"), Membership::Original)), code::REGISTRY_METADATA_ERROR, &["takes no further members"]),
        ("TF-3 4.2.2.1", good().relate(HAS_MEMBER, "set", ">", "first"), code::REGISTRY_METADATA_ERROR, &["no member of another"]),
        ("TF-3 4.2.1.4.1", good().object(has_member(&id("set"), &id("stored"), Membership::Original)), code::REGISTRY_METADATA_ERROR, &["assoc.has-member"]),
        ("TF-3 4.2.2.2", good().object(documented(association(SIGNS, &id("entry"), &id("stored")))), code::REGISTRY_METADATA_ERROR, &["assoc.documentation.prohibited"]),
        ("MU 3.57", good().change("set>entry", |member| member.set_slot(slot::PREVIOUS_VERSION, vec!["1".to_owned()])), code::REGISTRY_METADATA_ERROR, &["assoc.update-slots.prohibited"]),
        ("MU 3.57", good().object(association(UPDATE_AVAILABILITY_STATUS, &id("set"), &id("stored"))), code::REGISTRY_METADATA_ERROR, &["assoc.type"]),
        // 3.42.4.1.3.7: identifiers.
        ("3.42.4.1.3.7", Draft::new("set").entries(&["stored"]), code::REGISTRY_METADATA_ERROR, &["registry.entry-uuid.exists"]),
        ("3.42.4.1.3.7", good().object(association(RPLC, &id("entry"), "NoSuchSymbol")), code::UNRESOLVED_REFERENCE, &["NoSuchSymbol"]),
    ]
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_its_code_and_leaves_nothing() {
    let hosted = hosted().await;
    let before = (everything(&hosted, PATIENT).await, everything(&hosted, OTHER_PATIENT).await);
    for (section, draft, code, context) in refusals() {
        let answer = hosted.register(&ITI42, &draft.submission()).await;
        let row = format!("{section}: {code} {context:?}, and not {:?}", answer.errors);
        assert_eq!(answer.status, Status::Failure, "{row}");
        let is_it = |error: &&sekisho::transactions::errors::RegistryError| {
            error.code == code && context.iter().all(|part| error.context.contains(part))
        };
        assert!(answer.errors.iter().any(|error| is_it(&error)), "{row}");
        let severe = answer.errors.iter().all(|e| e.severity == Severity::Error && e.location.is_none());
        assert!(severe, "{row}");
    }
    let after = (everything(&hosted, PATIENT).await, everything(&hosted, OTHER_PATIENT).await);
    assert_eq!(after, before, "3.42.4.1.3.1: something was left behind");
    hosted.stop().await;
}

fn codes_of(answer: &RegistryResponse) -> Vec<&str> {
    answer.errors.iter().map(|error| &*error.code).collect()
}

/// TF-3 4.2.4: everything that is wrong is said, not the first thing only.
#[tokio::test]
async fn all_errors_come_at_once() {
    let hosted = hosted().await;
    let draft = good()
        .unique_id("set", "1.2.3.42")
        .relate(RPLC, "entry", "/", "nothing")
        .relate(APND, "entry", "+", "foreign");
    let answer = hosted.register(&ITI42, &draft.submission()).await;
    let mut found = codes_of(&answer);
    found.sort_unstable();
    let expected =
        [code::UNRESOLVED_REFERENCE, code::DUPLICATE_UNIQUE_ID_IN_REGISTRY, code::PATIENT_ID_DOES_NOT_MATCH];
    assert_eq!(found, expected);
    hosted.stop().await;
}

/// 3.42.4.1.3.3.2 and 3.42.4.1.3.3.4: patients of other authorities, and codes outside of the affinity domain's lists.
#[tokio::test]
async fn patients_and_codes_are_the_affinity_domains() {
    let own = ["community.authorities=[\"1.2.3\"]", "standalone.patients=\"own\""];
    let hosted = Standalone::start(&own).await;
    hosted.accept(&good()).await;
    let answer = hosted.register(&ITI42, &Draft::of("P1^^^&1.2.99&ISO", "elsewhere").submission()).await;
    assert_eq!(codes_of(&answer), [code::UNKNOWN_PATIENT_ID]);
    assert!(answer.errors[0].context.contains("P1^^^&1.2.99&ISO"), "{answer:?}");
    hosted.stop().await;
}

/// 3.42.4.1.3.7, 3.42.4.1.3.3.5, TF-3 4.2.3.1.5: symbolic ids become UUIDs everywhere, given ones stay, and the registry
/// says lid, version and status itself.
#[tokio::test]
async fn ids_versions_and_statuses_are_the_registrys() {
    let hosted = Standalone::start(&[]).await;
    let mut symbolic = submission(PATIENT, &[Document::new(0), Document::new(1)]);
    for entry in symbolic.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
        entry.set_slot(slot::HASH, vec!["da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()]);
        entry.set_slot(slot::SIZE, vec!["0".to_owned()]);
        entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.4".to_owned()]);
        entry.status = Some(codes::DEPRECATED.to_owned());
        (entry.version, entry.home) = (Some("7".to_owned()), Some("urn:oid:1.9".to_owned()));
    }
    symbolic.objects.push(association(APND, "Document1", "Document0"));
    // Blanks around a URI do not belong to it; upper case is folded.
    let given = "URN:UUID:6D296E90-E5DC-43D0-B455-7C1F3EB35D83";
    for object in &mut symbolic.objects {
        let rename = |id: &mut String| {
            if id == "Document0" {
                *id = format!(" {given}\n");
            }
        };
        rename(&mut object.id);
        if let Some(link) = &mut object.association {
            [&mut link.source, &mut link.target].into_iter().for_each(rename);
        }
        object.classifications.iter_mut().filter_map(|c| c.classified_object.as_mut()).for_each(rename);
        object.external_identifiers.iter_mut().filter_map(|e| e.registry_object.as_mut()).for_each(rename);
    }
    assert_eq!(hosted.register(&ITI42, &symbolic).await.errors, []);
    let stored = objects(&hosted, PATIENT).await;
    assert_eq!(stored.len(), symbolic.objects.len());
    for object in &stored {
        assert!(sekisho::ids::EntryUuid::parse(&object.id).is_ok(), "{}", object.id);
        assert_eq!((object.lid.as_ref(), object.version.as_deref()), (Some(&object.id), Some("1")));
        assert_eq!((object.status.as_deref(), &object.home), (Some(codes::APPROVED), &None));
        let mut referring = object.classifications.iter().map(|one| one.classified_object.as_ref());
        assert!(referring.all(|id| id == Some(&object.id)));
        let mut referring = object.external_identifiers.iter().map(|one| one.registry_object.as_ref());
        assert!(referring.all(|id| id == Some(&object.id)));
        if let Some(link) = &object.association {
            for end in [&link.source, &link.target] {
                assert!(stored.iter().any(|object| object.id == *end), "{end} leads nowhere");
            }
        }
    }
    assert!(stored.iter().any(|object| object.id == given.to_ascii_lowercase()));
    let answer = everything(&hosted, PATIENT).await;
    for object in &answer.objects {
        let whole = String::from_utf8([&object.xml.0[..], &object.xml.1[..]].concat()).unwrap();
        for nested in whole.split("<rim:Classification ").skip(1) {
            assert!(nested.split('>').next().unwrap().contains("ObjectType:RegistryObject:Classification\""));
        }
    }
    hosted.stop().await;
}

/// 3.42.4.1.3.2, TF-3 4.2.3.1.6: extra metadata of every kind of object comes back.
#[tokio::test]
async fn extra_metadata_is_kept() {
    let hosted = Standalone::start(&[]).await;
    let extra = |object: &mut Object| {
        let values = vec!["一".to_owned(), "a < b & \"c\"".to_owned()];
        object.slots.push(Slot { name: "urn:example:extra".to_owned(), slot_type: None, values });
    };
    let names = ["set", "entry", "folder", "set>entry", "folder>entry"];
    let draft = good().folder("folder", &["F"]).put("folder", "entry");
    let draft = names.iter().fold(draft, |draft, name| draft.change(name, extra));
    hosted.accept(&draft).await;
    let stored = objects(&hosted, PATIENT).await;
    for name in names {
        let object = stored.iter().find(|object| object.id == id(name)).unwrap();
        assert_eq!(object.slot("urn:example:extra"), ["一", "a < b & \"c\""], "{name}");
    }
    hosted.stop().await;
}

/// The next second has begun.
async fn a_second_later() {
    let now = time::now_dtm();
    while time::now_dtm() == now {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn last_update(hosted: &Standalone, folder: &str) -> String {
    hosted.object(folder).await.slot_value(slot::LAST_UPDATE_TIME).unwrap().to_owned()
}

/// 3.42.4.1.3.5: what a replacement does, by either type of it.
#[tokio::test]
async fn a_replacement_deprecates_original_and_children_and_joins_the_folders() {
    for relation in [RPLC, XFRM_RPLC] {
        let hosted = hosted().await;
        hosted
            .accept(
                &Draft::new("children")
                    .entries(&["addendum", "transform", "signature", "deep"])
                    .relate(APND, "addendum", "+", "stored")
                    .relate(XFRM, "transform", "~", "stored")
                    .relate(SIGNS, "signature", "!", "stored")
                    .relate(APND, "deep", "+", "transform"),
            )
            .await;
        let before = last_update(&hosted, "chart").await;
        a_second_later().await;
        hosted.accept(&good().relate(relation, "entry", "/", "stored")).await;
        for (name, expected) in [
            ("stored", "Deprecated"),
            ("addendum", "Deprecated"),
            ("transform", "Deprecated"),
            ("deep", "Deprecated"),
            ("signature", "Approved"),
            ("entry", "Approved"),
            ("chart", "Approved"),
        ] {
            assert_eq!(status(&hosted.object(name).await), expected, "{name} after {relation}");
        }
        let of_folder = links(&hosted, "('{chart}')").await;
        let member =
            |source: &str, target: &str| (source.to_owned(), "HasMember".to_owned(), target.to_owned());
        let expected = [member("chart", "entry"), member("chart", "stored"), member("first", "chart")];
        assert_eq!(of_folder, expected);
        // The replacement's set says that it was its submission that put it there.
        let of_set = links(&hosted, "('{set}')").await;
        let linking = of_set.iter().filter(|(_, _, target)| target.starts_with("urn:uuid:")).count();
        assert_eq!((of_set.len(), linking), (2, 1), "{of_set:?}");
        assert!(last_update(&hosted, "chart").await > before);
        hosted.stop().await;
    }
}

/// The original's folder is named by the replacement's submission too: it goes there once.
#[tokio::test]
async fn a_replacement_that_puts_itself_into_the_folder_is_there_once() {
    let hosted = hosted().await;
    hosted.accept(&good().relate(RPLC, "entry", "/", "stored").put("chart", "entry")).await;
    let of_folder = links(&hosted, "('{chart}')").await;
    assert_eq!(of_folder.iter().filter(|(_, _, target)| target == "entry").count(), 1, "{of_folder:?}");
    hosted.stop().await;
}

/// A membership that Metadata Update has ended is none: the replacement does not come back into that folder.
#[tokio::test]
async fn a_replacement_joins_no_folder_that_its_original_has_left() {
    let hosted = hosted().await;
    let mut leave = association(UPDATE_AVAILABILITY_STATUS, &id("leaving"), &id("chart>stored"));
    leave.set_slot(slot::ORIGINAL_STATUS, vec![codes::APPROVED.to_owned()]);
    leave.set_slot(slot::NEW_STATUS, vec![codes::DEPRECATED.to_owned()]);
    let leaving = Draft::new("leaving").object(leave).submission();
    assert_eq!(hosted.register(&ITI57, &leaving).await.errors, []);
    hosted.accept(&good().relate(RPLC, "entry", "/", "stored")).await;
    let of_folder = links(&hosted, "('{chart}')").await;
    assert_eq!(of_folder, [("first".to_owned(), "HasMember".to_owned(), "chart".to_owned())]);
    hosted.stop().await;
}

/// 3.42.4.1.3.5: addenda, transforms and signatures of what is submitted and of what is there leave it as it is.
#[tokio::test]
async fn other_relationships_change_nothing() {
    let hosted = hosted().await;
    let draft = Draft::new("set")
        .entries(&["entry", "addendum", "transform", "signature"])
        .relate(APND, "addendum", "+", "entry")
        .relate(XFRM, "transform", "~", "entry")
        .relate(SIGNS, "signature", "!", "entry")
        .relate(APND, "addendum", "+", "stored")
        .relate(XFRM, "transform", "~", "stored")
        .relate(SIGNS, "signature", "!", "stored");
    hosted.accept(&draft).await;
    for name in ["entry", "addendum", "transform", "signature", "stored"] {
        assert_eq!(status(&hosted.object(name).await), "Approved", "{name}");
    }
    // Documentation of an association comes back (TF-3 4.2.2.2).
    let replaces = documented(association(RPLC, &id("again"), &id("stored")));
    let known = replaces.id.clone();
    hosted.accept(&Draft::new("more").entries(&["again"]).object(replaces)).await;
    let stored = objects(&hosted, PATIENT).await;
    let documented = stored.iter().find(|object| object.id == known).unwrap();
    let documentation = documented.classified(scheme::ASSOCIATION_DOCUMENTATION).next().unwrap();
    assert_eq!(documentation.node_representation.as_deref(), Some("correction"));
    hosted.stop().await;
}

/// 3.42.4.1.3.5: a snapshot of an on-demand entry.
#[tokio::test]
async fn a_snapshot_is_of_an_on_demand_entry() {
    let hosted = hosted().await;
    let on_demand = Draft::new("offer").on_demand("summary").submission();
    assert_eq!(hosted.register(&ITI61, &on_demand).await.errors, []);
    hosted.accept(&good().relate(IS_SNAPSHOT_OF, "entry", "@", "summary")).await;
    let of_entry = links(&hosted, "('{entry}')").await;
    assert!(of_entry.contains(&("entry".to_owned(), "IsSnapshotOf".to_owned(), "summary".to_owned())));
    hosted.stop().await;
}

/// 3.42.4.1.3.6: every folder into which an entry comes is of now, whatever was sent; a refused submission moves none.
#[tokio::test]
async fn folders_are_of_the_time_of_their_last_entry() {
    let hosted = hosted().await;
    let before = last_update(&hosted, "chart").await;
    a_second_later().await;
    let refused = good().put("chart", "entry").put("chart", "old");
    assert_eq!(hosted.register(&ITI42, &refused.submission()).await.status, Status::Failure);
    assert_eq!(last_update(&hosted, "chart").await, before);
    let now = time::now_dtm();
    let draft = Draft::new("set")
        .entries(&["entry"])
        .folder("fresh", &["F"])
        .change("fresh", |folder| folder.set_slot(slot::LAST_UPDATE_TIME, vec!["20000101000000".to_owned()]))
        .put("fresh", "entry")
        .put("fresh", "stored")
        .put("chart", "new");
    hosted.accept(&draft).await;
    for folder in ["fresh", "chart"] {
        assert!(last_update(&hosted, folder).await >= now, "{folder}");
    }
    hosted.stop().await;
}

/// TF-3 4.2.2.1.3: entries that are there join a set by reference, a deprecated one and another patient's too.
#[tokio::test]
async fn entries_join_a_set_by_reference() {
    let hosted = hosted().await;
    hosted.accept(&Draft::new("set").refer("stored").refer("old").refer("foreign")).await;
    let of_set = links(&hosted, "('{set}')").await;
    let targets: Vec<_> = of_set.iter().map(|(_, _, target)| target.as_str()).collect();
    assert_eq!(targets, ["foreign", "old", "stored"]);
    hosted.stop().await;
}

/// 3.42.4.1.3.3.1: the same document may be registered again; the same message again is answered again; another message
/// with its set's uniqueId is refused.
#[tokio::test]
async fn resubmissions() {
    let hosted = hosted().await;
    let draft = good().unique_id("entry", "1.2.3.41").unique_id("set", "1.2.3.51");
    // An upper-case hash is the same.
    let upper = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709";
    let draft = draft.change("entry", |entry| entry.set_slot("hash", vec![upper.to_owned()]));
    hosted.accept(&draft).await;
    let before = everything(&hosted, PATIENT).await;
    hosted.accept(&draft).await;
    assert_eq!(everything(&hosted, PATIENT).await, before);
    let found = objects(&hosted, PATIENT).await;
    let same = found.iter().filter(|o| o.identifier(codes::identifier::DE_UNIQUE_ID) == Some("1.2.3.41"));
    assert_eq!(same.count(), 2);
    let other = draft.change("entry", |entry| entry.set_slot("languageCode", vec!["en".to_owned()]));
    let refused = hosted.register(&ITI42, &other.submission()).await;
    assert!(codes_of(&refused).contains(&code::DUPLICATE_UNIQUE_ID_IN_REGISTRY), "{refused:?}");
    hosted.stop().await;
}

/// Of two who replace one document at once, exactly one wins, and the other is told that it came too late.
#[tokio::test]
async fn attack_55_of_concurrent_replacements_exactly_one_wins() {
    let hosted = Standalone::start(&[]).await;
    for round in 0..5 {
        let original = format!("original{round}");
        hosted.accept(&Draft::new(&format!("set{round}")).entries(&[&original])).await;
        let rivals: Vec<_> = (0..8)
            .map(|rival| {
                let entry = format!("rival{round}.{rival}");
                let set = format!("set{round}.{rival}");
                let draft = Draft::new(&set).entries(&[&entry]).relate(RPLC, &entry, "/", &original);
                draft.unique_id(&set, &oid()).submission()
            })
            .collect();
        let answers =
            futures_util::future::join_all(rivals.iter().map(|one| hosted.register(&ITI42, one))).await;
        let lost: Vec<_> = answers.iter().filter(|answer| answer.status == Status::Failure).collect();
        assert_eq!(lost.len(), 7, "round {round}");
        assert!(lost.iter().all(|answer| codes_of(answer) == [code::REGISTRY_DEPRECATED_DOCUMENT]));
        let approved = hosted.entries_of(PATIENT).await;
        assert_eq!(approved.len(), round + 1);
    }
    hosted.stop().await;
}

/// Associations in a circle end: when a document of the circle is replaced, and when it is asked for.
#[tokio::test]
async fn attack_55_circles_end() {
    let hosted = Standalone::start(&[]).await;
    let circle = ["one", "two", "three"];
    let draft = Draft::new("circle")
        .entries(&circle)
        .relate(APND, "one", "+", "two")
        .relate(XFRM, "two", "~", "three")
        .relate(APND, "three", "+", "one");
    hosted.accept(&draft).await;
    hosted.accept(&good().relate(RPLC, "entry", "/", "two")).await;
    for name in circle {
        assert_eq!(status(&hosted.object(name).await), "Deprecated", "{name}");
    }
    assert_eq!(everything(&hosted, PATIENT).await.status, Status::Success);
    hosted.stop().await;
}
