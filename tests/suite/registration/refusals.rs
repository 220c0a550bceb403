//! What breaks a rule of registration, with its code and a part of its codeContext.

use sekisho::metadata::codes::association::{
    APND, IS_SNAPSHOT_OF, RPLC, SIGNS, UPDATE_AVAILABILITY_STATUS, XFRM, XFRM_RPLC,
};
use sekisho::metadata::codes::slot;
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::transactions::errors::{Severity, Status, code};
use sekisho::transactions::iti42::ITI42;

use super::{documented, everything, good, hosted};
use crate::support::draft::{Draft, HAS_MEMBER, OTHER_PATIENT, PATIENT, id};
use crate::support::hosted::{Standalone, codes_of};

fn without_set() -> Draft {
    let mut draft = good();
    draft.objects.remove(0);
    draft
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
        ("TF-3 4.2.2.1.4", good().put("theirs", "foreign"), code::PATIENT_ID_DOES_NOT_MATCH, &["of another patient than the SubmissionSet"]),
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
        ("TF-3 4.2.2.1", good().refer("first"), code::REGISTRY_METADATA_ERROR, &["no member of another"]),
        ("TF-3 4.2.2.1.1", good().relate(HAS_MEMBER, "set", ">", "stored"), code::REGISTRY_METADATA_ERROR, &["assoc.has-member.status-slot"]),
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

/// 3.42.4.1.3.3.2: patients of other authorities. (Codes of other lists: `validation::wire`.)
#[tokio::test]
async fn patients_are_the_affinity_domains() {
    let own = ["community.authorities=[\"1.2.3\"]", "standalone.patients=\"own\""];
    let hosted = Standalone::start(&own).await;
    hosted.accept(&good()).await;
    let answer = hosted.register(&ITI42, &Draft::of("P1^^^&1.2.99&ISO", "elsewhere").submission()).await;
    assert_eq!(codes_of(&answer), [code::UNKNOWN_PATIENT_ID]);
    assert!(answer.errors[0].context.contains("P1^^^&1.2.99&ISO"), "{answer:?}");
    hosted.stop().await;
}
