//! A local patient's documents follow its link (ITI TF-2: 3.64.4.1.3), sentence by sentence.

use super::*;
use crate::metadata::codes::association::{APND, HAS_MEMBER, RPLC, SIGNS, XFRM, XFRM_RPLC};
use crate::metadata::codes::slot;
use crate::metadata::views::{DocumentEntry, SubmissionSet};
use crate::registry::{KnownBy, Left, Relinking};
use crate::transactions::identity::ErrorCode;

const LOCAL: &str = "S1^^^&1.2.3.7&ISO";
const OTHER_LOCAL: &str = "S2^^^&1.2.3.7&ISO";
const SOURCE: &str = "1.2.3.77";

fn id(cx: &str) -> PatientId {
    PatientId::parse(cx).unwrap()
}

/// From the usual patient to the other one.
fn moved() -> Relinking {
    Relinking {
        new: id(OTHER_PATIENT),
        local: id(LOCAL),
        previous: id(PATIENT),
        subsumed_local: None,
        source: Oid::parse(SOURCE).unwrap(),
    }
}

/// Two local identifiers become one, and the patient stays.
fn merged() -> Relinking {
    Relinking { new: id(PATIENT), subsumed_local: Some(id(OTHER_LOCAL)), ..moved() }
}

impl Hosted {
    async fn relink(&self, relinking: Relinking) -> Left {
        self.registry.relink(relinking).await.unwrap().unwrap()
    }
    async fn approved(&self, patient: &str) -> Vec<String> {
        let patient = quoted(&[patient]);
        let asked = [("$XDSDocumentEntryPatientId", &*patient), ("$XDSDocumentEntryStatus", APPROVED)];
        self.find(FIND_DOCUMENTS, &asked).await
    }
    /// The newest version of an object.
    async fn newest(&self, kind: Kind, lid: &str) -> Object {
        let (query, parameter) = match kind {
            Kind::Folder => (GET_FOLDERS, "$XDSFolderLogicalID"),
            _ => (GET_DOCUMENTS, "$XDSDocumentEntryLogicalID"),
        };
        let found = self.find(query, &[(parameter, &quoted(&[lid]))]).await;
        assert_eq!(found.len(), 1, "{lid}");
        self.object(&found[0])
    }
    /// Associations at an object: type, source and target.
    async fn links(&self, id: &str) -> Vec<(String, String, String)> {
        let found = self.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[id]))]).await;
        let ends = |id: &String| {
            let association = self.object(id).association.unwrap();
            (association.association_type, association.source, association.target)
        };
        found.iter().map(ends).collect()
    }
    async fn has_link(&self, relation: &str, source: &str, target: &str) -> bool {
        let wanted = (relation.to_owned(), source.to_owned(), target.to_owned());
        self.links(source).await.contains(&wanted)
    }
    /// The set that records a relinking.
    async fn recorded(&self, patient: &str) -> Vec<Object> {
        let asked = [
            ("$XDSSubmissionSetPatientId", &*quoted(&[patient])),
            ("$XDSSubmissionSetStatus", APPROVED),
            ("$XDSSubmissionSetSourceId", &*format!("('{SOURCE}')")),
        ];
        self.find(FIND_SETS, &asked).await.iter().map(|id| self.object(id)).collect()
    }
}

fn local(id: &str, source: &str) -> DocumentEntryBuilder {
    entry(id).source_patient_id(source)
}

/// 3.64.4.1.3: the new patient has the local one's documents, the previous has none of them left that is approved.
#[tokio::test]
async fn documents_follow_the_link() {
    let hosted = Hosted::new();
    let [one, two, other, at_new] = [uuid(), uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(local(&one, LOCAL))).await;
    hosted.accept(&Draft::new().entry(local(&two, LOCAL)).entry(local(&other, OTHER_LOCAL))).await;
    hosted.accept(&Draft::of(OTHER_PATIENT).entry(entry_of(&at_new, OTHER_PATIENT))).await;
    assert_eq!(hosted.relink(moved()).await, Left { entries: 2, ..Left::default() });
    assert_eq!(hosted.approved(PATIENT).await, [other.as_str()]);
    let new = hosted.approved(OTHER_PATIENT).await;
    assert_eq!(new.len(), 3);
    assert!(new.contains(&at_new));

    // 3.64.4.1.3.1.4, items 2 to 4.
    let (before, after) = (hosted.object(&one), hosted.newest(Kind::DocumentEntry, &one).await);
    assert_eq!((before.version.as_deref(), after.version.as_deref()), (Some("1"), Some("2")));
    assert_eq!((before.lid.as_deref(), after.lid.as_deref()), (Some(&*one), Some(&*one)));
    assert_ne!(before.id, after.id);
    for (old, new) in before.classifications.iter().zip(&after.classifications) {
        assert!(old.id != new.id && new.classified_object.as_ref() == Some(&after.id));
    }
    for (old, new) in before.external_identifiers.iter().zip(&after.external_identifiers) {
        assert!(old.id != new.id && new.registry_object.as_ref() == Some(&after.id));
    }
    assert_eq!(DocumentEntry(&after).patient(), Some(id(OTHER_PATIENT)));
    assert_eq!(DocumentEntry(&before).patient(), Some(id(PATIENT)));
    assert_eq!(after.slot_value(slot::SOURCE_PATIENT_ID), Some(LOCAL));
    assert_eq!(before.slots.len(), after.slots.len());
    assert_eq!((hosted.status(&one), hosted.status(&after.id)), ("Deprecated".into(), "Approved".into()));

    // 3.64.4.1.3.1.1: one new SubmissionSet, which holds the new versions.
    let sets = hosted.recorded(OTHER_PATIENT).await;
    let [set] = sets.as_slice() else { panic!("{} sets", sets.len()) };
    let view = SubmissionSet(set);
    assert_eq!((view.authors().count(), view.patient()), (0, Some(id(OTHER_PATIENT))));
    assert_eq!(view.content_type_code().map(|code| code.code), Some("A43"));
    assert!(view.unique_id().is_some_and(|unique_id| Oid::parse(unique_id).is_ok()));
    assert!(view.submission_time().is_some() && view.comments().is_none());
    let members = hosted.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[&set.id]))]).await;
    assert_eq!(members.len(), 2);
    for member in members {
        let member = hosted.object(&member);
        assert_eq!(member.slot_value(slot::PREVIOUS_VERSION), Some("1"));
        assert_eq!(member.slot_value(slot::SUBMISSION_SET_STATUS), Some("Original"));
    }
    // The same message again finds nothing to do, and back again is a third version.
    let before = hosted.dump();
    assert_eq!(hosted.relink(moved()).await, Left::default());
    assert_eq!(hosted.dump(), before);
    hosted.relink(Relinking { new: id(PATIENT), previous: id(OTHER_PATIENT), ..moved() }).await;
    assert_eq!(hosted.newest(Kind::DocumentEntry, &one).await.version.as_deref(), Some("3"));
}

/// 3.64.4.1.3: documents of an identifier that ended name the one that stands for it.
#[tokio::test]
async fn subsumed_local_identifiers_vanish_from_what_is_approved() {
    let both = Relinking { new: id(OTHER_PATIENT), ..merged() };
    // Where the two documents are before, the change, and where they are afterwards.
    for (homes, relinking, patient) in [
        ([PATIENT, PATIENT], merged(), PATIENT),
        ([PATIENT, PATIENT], both.clone(), OTHER_PATIENT),
        ([PATIENT, OTHER_PATIENT], both, OTHER_PATIENT),
    ] {
        let hosted = Hosted::new();
        let lids = [uuid(), uuid()];
        for ((lid, home), source) in lids.iter().zip(homes).zip([LOCAL, OTHER_LOCAL]) {
            hosted.accept(&Draft::of(home).entry(entry_of(lid, home).source_patient_id(source))).await;
        }
        hosted.relink(relinking).await;
        assert_eq!(hosted.approved(patient).await.len(), 2);
        for lid in &lids {
            let entry = hosted.newest(Kind::DocumentEntry, lid).await;
            assert_eq!(entry.slot_value(slot::SOURCE_PATIENT_ID), Some(LOCAL));
            assert_eq!(DocumentEntry(&entry).patient(), Some(id(patient)));
        }
    }
}

/// 3.64.4.1.3: all documents of the local patient have the new patientId, whoever they were said to be of.
#[tokio::test]
async fn documents_of_a_third_patient_follow_too() {
    const THIRD_PATIENT: &str = "3^^^&1.2.3&ISO";
    let ended = Relinking { new: id(OTHER_PATIENT), ..merged() };
    // The change, and whether the second document, of the other local patient, follows.
    for (relinking, follows) in [(moved(), false), (ended, true), (merged(), true)] {
        let hosted = Hosted::new();
        let [one, another, strangers] = [uuid(), uuid(), uuid()];
        for (lid, source) in [(&one, LOCAL), (&another, OTHER_LOCAL), (&strangers, "S3^^^&1.2.3.7&ISO")] {
            let entry = entry_of(lid, THIRD_PATIENT).source_patient_id(source);
            hosted.accept(&Draft::of(THIRD_PATIENT).entry(entry)).await;
        }
        let new = relinking.new.to_cx();
        let left = hosted.relink(relinking.clone()).await;
        assert_eq!(left.entries, 1 + usize::from(follows));
        assert_eq!(hosted.approved(&new).await.len(), left.entries);
        assert_eq!(hosted.approved(THIRD_PATIENT).await.len(), 3 - left.entries);
        assert!(hosted.approved(THIRD_PATIENT).await.contains(&strangers));
        assert_eq!(hosted.relink(relinking).await, Left::default(), "once more, it finds nothing to do");
        // A merge of patients at the registry takes along what was noted.
        let into = id("4^^^&1.2.3&ISO");
        let entry = entry_of(&uuid(), &into.to_cx()).source_patient_id("S9^^^&1.2.3.7&ISO");
        hosted.accept(&Draft::of(&into.to_cx()).entry(entry)).await;
        hosted.registry.merge(into.clone(), id(&new), None).await.unwrap().unwrap();
        let back = Relinking { new: id(THIRD_PATIENT), previous: id("5^^^&1.2.3&ISO"), ..moved() };
        assert_eq!(hosted.relink(back).await.entries, left.entries);
    }
}

/// 3.64.4.1.3.1.3
#[tokio::test]
async fn what_is_deprecated_stays() {
    let hosted = Hosted::new();
    let [old, new] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(local(&old, LOCAL))).await;
    hosted.accept(&Draft::new().entry(local(&new, LOCAL)).relate(RPLC, &new, &old)).await;
    let before = hosted.object(&old);
    assert_eq!(hosted.relink(moved()).await.entries, 1);
    assert_eq!(hosted.object(&old), before);
    assert_eq!(hosted.newest(Kind::DocumentEntry, &old).await.id, old);
}

/// 3.64.4.1.3.1.4, item 5: the one relation that may span two patients.
#[tokio::test]
async fn a_reference_follows_the_document() {
    let hosted = Hosted::new();
    let one = uuid();
    hosted.accept(&Draft::new().entry(local(&one, LOCAL))).await;
    let reference = views::has_member("set", &one, Membership::Reference);
    hosted.accept(&Draft::of(OTHER_PATIENT).object(reference)).await;
    let of_other = quoted(&[OTHER_PATIENT]);
    let asked = [("$XDSSubmissionSetPatientId", &*of_other), ("$XDSSubmissionSetStatus", APPROVED)];
    let set = hosted.find(FIND_SETS, &asked).await.remove(0);
    hosted.relink(moved()).await;
    let new = hosted.newest(Kind::DocumentEntry, &one).await.id;
    assert!(hosted.has_link(HAS_MEMBER, &set, &new).await);
    assert!(!hosted.has_link(HAS_MEMBER, &set, &one).await, "the reference to the old version is deprecated");
    let found = hosted.find(GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetEntryUUID", &quoted(&[&set]))]).await;
    assert!(found.contains(&new) && !found.contains(&one));
}

/// 3.64.4.1.3.1.5: associations are made anew where both ends have the new patient, replacements are not, and what would
/// span two patients is left and told.
#[tokio::test]
async fn associations_between_documents() {
    // The relation, whose document the other end is, and what becomes of the relation.
    for (relation, other_end, anew, left) in [
        (APND, LOCAL, true, 0),
        (XFRM, LOCAL, true, 0),
        (SIGNS, LOCAL, true, 0),
        (APND, OTHER_LOCAL, false, 1),
        (XFRM, OTHER_LOCAL, false, 1),
        (SIGNS, OTHER_LOCAL, false, 1),
        (RPLC, LOCAL, false, 0),
        (XFRM_RPLC, LOCAL, false, 0),
    ] {
        let hosted = Hosted::new();
        let [target, source] = [uuid(), uuid()];
        hosted.accept(&Draft::new().entry(local(&target, other_end))).await;
        hosted.accept(&Draft::new().entry(local(&source, LOCAL)).relate(relation, &source, &target)).await;
        let report = hosted.relink(moved()).await;
        assert_eq!(report.associations.len(), left, "{relation}");
        let [new_source, new_target] = [
            hosted.newest(Kind::DocumentEntry, &source).await.id,
            hosted.newest(Kind::DocumentEntry, &target).await.id,
        ];
        assert_eq!(hosted.has_link(relation, &new_source, &new_target).await, anew, "{relation}");
        assert!(hosted.has_link(relation, &source, &target).await, "the old versions keep theirs");
        let new: Vec<_> =
            hosted.links(&new_source).await.into_iter().filter(|(r, ..)| r == relation).collect();
        assert_eq!(new.len(), usize::from(anew), "{relation}: one association, not one for each end");
        let comments = hosted.recorded(OTHER_PATIENT).await[0].description.first().map(|c| c.value.clone());
        assert_eq!(comments.is_some(), left > 0);
    }
}

/// The other end need not change itself to be of the right patient.
#[tokio::test]
async fn an_association_with_a_document_that_is_there_already() {
    let hosted = Hosted::new();
    let [one, two] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(local(&one, LOCAL))).await;
    hosted.accept(&Draft::new().entry(local(&two, OTHER_LOCAL)).relate(APND, &two, &one)).await;
    // Only the second's identifier ends: the first is no matter of this change.
    hosted.relink(merged()).await;
    let new = hosted.newest(Kind::DocumentEntry, &two).await.id;
    assert_eq!(hosted.newest(Kind::DocumentEntry, &one).await.id, one);
    assert!(hosted.has_link(APND, &new, &one).await);
}

/// 3.64.4.1.3.1.6 and 7: folders, and never two new versions of one object.
#[tokio::test]
async fn folders_of_one_local_patient_follow() {
    let hosted = Hosted::new();
    let [one, two, folder, second] = [uuid(), uuid(), uuid(), uuid()];
    let draft = Draft::new().entry(local(&one, LOCAL)).entry(local(&two, LOCAL)).relate(APND, &two, &one);
    let draft = draft.folder(&folder).put(&folder, &one).put(&folder, &two);
    hosted.accept(&draft.folder(&second).put(&second, &one)).await;
    assert_eq!(hosted.relink(moved()).await, Left { entries: 2, ..Left::default() });
    let sets = hosted.recorded(OTHER_PATIENT).await;
    assert_eq!(sets.len(), 1);
    let entries =
        [hosted.newest(Kind::DocumentEntry, &one).await, hosted.newest(Kind::DocumentEntry, &two).await];
    for (lid, members) in [(&folder, &entries[..]), (&second, &entries[..1])] {
        let new = hosted.newest(Kind::Folder, lid).await;
        assert_eq!((new.version.as_deref(), new.lid.as_deref()), (Some("2"), Some(&**lid)));
        assert_eq!(views::Folder(&new).patient(), Some(id(OTHER_PATIENT)));
        assert_eq!((hosted.status(lid), hosted.status(&new.id)), ("Deprecated".into(), "Approved".into()));
        assert!(hosted.has_link(HAS_MEMBER, &sets[0].id, &new.id).await);
        let named = quoted(&[&new.id]);
        let found = hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &named)]).await;
        assert_eq!(found.len(), 1 + 2 * members.len());
        assert!(members.iter().all(|member| found.contains(&member.id)));
        // The set holds each membership.
        for link in found.iter().filter(|id| hosted.object(id).association.is_some()) {
            assert!(hosted.has_link(HAS_MEMBER, &sets[0].id, link).await);
        }
    }
    for entry in entries {
        assert_eq!(entry.version.as_deref(), Some("2"));
    }
}

/// 3.64.4.1.3.2, first strategy: the new version leaves a folder that holds another's documents, and that is told.
#[tokio::test]
async fn a_shared_folder_is_left() {
    let hosted = Hosted::new();
    let [one, other, folder] = [uuid(), uuid(), uuid()];
    let draft = Draft::new().entry(local(&one, LOCAL)).entry(local(&other, OTHER_LOCAL));
    hosted.accept(&draft.folder(&folder).put(&folder, &one).put(&folder, &other)).await;
    let report = hosted.relink(moved()).await;
    assert_eq!((report.entries, report.memberships.len()), (1, 1));
    let left = hosted.object(&report.memberships[0]).association.unwrap();
    assert_eq!((left.source, left.target), (folder.clone(), one.clone()));
    assert_eq!(hosted.newest(Kind::Folder, &folder).await.id, folder);
    let named = quoted(&[&folder]);
    let found = hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &named)]).await;
    assert!(found.contains(&other) && !found.contains(&one) && found.len() == 3);
    let new = hosted.newest(Kind::DocumentEntry, &one).await.id;
    let named = quoted(&[&new]);
    let folders = hosted.find(GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", &named)]).await;
    assert_eq!(folders, [""; 0]);
    assert!(hosted.recorded(OTHER_PATIENT).await[0].description[0].value.contains("1 memberships"));

    // Where the patient stays the same, so does the folder, and the new version takes the old one's place.
    let hosted = Hosted::new();
    let third = uuid();
    let draft = Draft::new().entry(local(&one, OTHER_LOCAL)).entry(local(&third, "S3^^^&1.2.3.7&ISO"));
    hosted.accept(&draft.folder(&folder).put(&folder, &one).put(&folder, &third)).await;
    assert_eq!(hosted.relink(merged()).await, Left { entries: 1, ..Left::default() });
    let new = hosted.newest(Kind::DocumentEntry, &one).await.id;
    let named = quoted(&[&folder]);
    let found = hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &named)]).await;
    assert!(found.contains(&new) && found.contains(&third) && !found.contains(&one) && found.len() == 5);
}

#[tokio::test]
async fn wrong_link_changes_change_nothing() {
    let authorities = vec![Oid::parse("1.2.3").unwrap()];
    let settings = RegistrySettings { authorities, known_by: KnownBy::Feed, ..RegistrySettings::default() };
    let hosted = Hosted::with(settings);
    let gone = "P8^^^&1.2.3&ISO";
    for cx in [PATIENT, OTHER_PATIENT, gone] {
        hosted.registry.announce(vec![(Place::Identifier(1), id(cx))]).await.unwrap().unwrap();
    }
    hosted.registry.merge(id(OTHER_PATIENT), id(gone), None).await.unwrap().unwrap();
    hosted.accept(&Draft::new().entry(local(&uuid(), LOCAL))).await;
    let stranger = id("P9^^^&1.2.3&ISO");
    let (unknown, duplicate) = (ErrorCode::UnknownKeyIdentifier, ErrorCode::DuplicateKeyIdentifier);
    let foreign = id("S2^^^&1.2.3.8&ISO");
    for (wrong, error) in [
        (Relinking { new: stranger.clone(), ..moved() }, (unknown, Place::Identifier(1))),
        (Relinking { new: id(gone), ..moved() }, (unknown, Place::Identifier(1))),
        (Relinking { previous: stranger, ..moved() }, (unknown, Place::Subsumed)),
        (Relinking { previous: id(gone), ..moved() }, (unknown, Place::Subsumed)),
        (Relinking { new: id(PATIENT), ..moved() }, (duplicate, Place::Subsumed)),
        (Relinking { subsumed_local: Some(foreign), ..moved() }, (unknown, Place::Field("MRG", 1, 4))),
    ] {
        let before = hosted.dump();
        let errors = hosted.registry.relink(wrong).await.unwrap().unwrap_err();
        assert_eq!(errors.into_iter().map(|e| (e.code, e.place)).collect::<Vec<_>>(), [error]);
        assert_eq!(hosted.dump(), before);
    }
}
