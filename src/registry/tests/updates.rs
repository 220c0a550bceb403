//! ITI-57 and ITI-92: versions, statuses, associations, and whatever is wrong with them.

use super::*;
use crate::metadata::DocumentEntry;
use crate::metadata::codes::association::{APND, RPLC, SUBMIT_ASSOCIATION, UPDATE_AVAILABILITY_STATUS};
use crate::metadata::codes::{APPROVED as IS_APPROVED, DEPRECATED as IS_DEPRECATED, slot};

impl Hosted {
    pub(super) async fn update(&self, update: Update, draft: &Draft) -> Registered {
        let submission = draft.submission();
        let context = match update {
            Update::Full => Context::Update,
            Update::Restricted => Context::RestrictedUpdate,
        };
        let broken = validate::check(&submission, context, self.registry.rules()).enforced;
        assert_eq!(broken, [], "the message itself is right");
        let digest = digest(&submission);
        self.registry.update(submission, digest, update).await.unwrap()
    }
    pub(super) async fn updates(&self, draft: &Draft) {
        assert_eq!(self.update(Update::Full, draft).await, Registered::Accepted(vec![]));
    }
    /// Sends what must be refused, with nothing left behind; the codes of its errors, each once.
    async fn refuses(&self, update: Update, draft: &Draft) -> Vec<String> {
        let before = self.dump();
        let Registered::Refused(errors) = self.update(update, draft).await else {
            panic!("it was not refused")
        };
        assert_eq!(self.dump(), before, "a refused update left something behind");
        let mut codes: Vec<_> = errors.into_iter().map(|error| error.code.into_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    }
    fn version(&self, id: &str) -> (String, String) {
        let object = self.object(id);
        (object.version.unwrap(), object.lid.unwrap())
    }
}

impl Draft {
    /// A new version of what has this logical id, with the id `id`.
    pub(super) fn version(self, mut object: Object, id: &str, lid: &str, previous: &str) -> Self {
        object.id = id.to_owned();
        object.lid = Some(lid.to_owned());
        object.version = None;
        for classification in &mut object.classifications {
            classification.classified_object = Some(id.to_owned());
        }
        for identifier in &mut object.external_identifiers {
            identifier.registry_object = Some(id.to_owned());
        }
        let mut member = match object.kind {
            Kind::DocumentEntry => views::has_member("set", id, Membership::Original),
            _ => views::association(codes::association::HAS_MEMBER, "set", id),
        };
        member.set_slot(slot::PREVIOUS_VERSION, vec![previous.to_owned()]);
        self.object(object).object(member)
    }
    /// Of the last association.
    fn slot(mut self, name: &str, value: &str) -> Self {
        self.objects.last_mut().unwrap().set_slot(name, vec![value.to_owned()]);
        self
    }
    pub(super) fn status(self, target: &str, from: &str, to: &str) -> Self {
        self.relate(UPDATE_AVAILABILITY_STATUS, "set", target)
            .slot(slot::ORIGINAL_STATUS, from)
            .slot(slot::NEW_STATUS, to)
    }
    fn submit(self, association: &str, source: &str, target: &str) -> Self {
        let inner = views::association(association, source, target);
        let trigger = views::association(SUBMIT_ASSOCIATION, "set", &inner.id);
        self.object(inner).object(trigger)
    }
}

/// The entry that is in the registry, with another title.
fn retitled(hosted: &Hosted, id: &str) -> Object {
    let mut object = hosted.object(id);
    object.name[0].value = "訂正後の題名".to_owned();
    object
}

fn by_unique_id(hosted: &Hosted, id: &str) -> String {
    quoted(&[DocumentEntry(&hosted.object(id)).unique_id().unwrap()])
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_the_old_one() {
    let hosted = Hosted::new();
    let [one, two, three, folder, addendum] = [uuid(), uuid(), uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one)).folder(&folder).put(&folder, &one)).await;
    hosted.accept(&Draft::new().entry(entry(&addendum)).relate(APND, &addendum, &one)).await;
    hosted.updates(&Draft::new().version(retitled(&hosted, &one), &two, &one, "1")).await;
    hosted
        .updates(&Draft::new().version(
            retitled(&hosted, &two),
            &three,
            &one.to_uppercase().replace("URN:UUID", "urn:uuid"),
            "2",
        ))
        .await;

    assert_eq!(hosted.version(&three), ("3".to_owned(), one.clone()));
    assert_eq!([&one, &two, &three].map(|id| hosted.status(id)), ["Deprecated", "Deprecated", "Approved"]);
    let by_patient =
        [("$XDSDocumentEntryPatientId", "'P1^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", ANY_STATUS)];
    assert_eq!(hosted.find(FIND_DOCUMENTS, &by_patient).await, sorted(&[&three, &addendum]));
    let all = [by_patient.to_vec(), vec![("$MetadataLevel", "2")]].concat();
    assert_eq!(hosted.find(FIND_DOCUMENTS, &all).await, sorted(&[&one, &two, &three, &addendum]));
    let approved = [by_patient[0], ("$XDSDocumentEntryStatus", APPROVED), ("$MetadataLevel", "2")];
    assert_eq!(hosted.find(FIND_DOCUMENTS, &approved).await, sorted(&[&three, &addendum]));

    // By its identifiers: an entryUUID names a version, the others the object.
    let unique_id = by_unique_id(&hosted, &one);
    for (parameter, value) in
        [("$XDSDocumentEntryUniqueId", unique_id), ("$XDSDocumentEntryLogicalID", quoted(&[&one]))]
    {
        assert_eq!(hosted.find(GET_DOCUMENTS, &[(parameter, &value)]).await, [three.as_str()], "{parameter}");
        let found = hosted.find(GET_DOCUMENTS, &[(parameter, &value), ("$MetadataLevel", "2")]).await;
        assert_eq!(found, sorted(&[&one, &two, &three]), "{parameter}");
    }
    let named = [("$XDSDocumentEntryEntryUUID", quoted(&[&one]))];
    assert_eq!(hosted.find(GET_DOCUMENTS, &[(named[0].0, &named[0].1)]).await, [one.as_str()]);

    // Folders and relationships follow; only the latest version is shown in them.
    let contents = hosted
        .ask(GET_FOLDER_AND_CONTENTS, ReturnType::LeafClass, &[("$XDSFolderEntryUUID", &quoted(&[&folder]))])
        .await;
    let entries: Vec<_> =
        contents.objects.iter().filter(|o| o.unique_id.is_some()).map(|o| o.id.clone()).collect();
    assert_eq!(entries, [three.as_str()]);
    let related =
        [("$XDSDocumentEntryEntryUUID", quoted(&[&addendum])), ("$AssociationTypes", quoted(&[APND]))];
    let related = hosted
        .ask(
            GET_RELATED,
            ReturnType::LeafClass,
            &[(related[0].0, &related[0].1), (related[1].0, &related[1].1)],
        )
        .await;
    let entries: Vec<_> =
        related.objects.iter().filter(|o| o.unique_id.is_some()).map(|o| o.id.clone()).collect();
    assert_eq!(sorted(&entries.iter().map(String::as_str).collect::<Vec<_>>()), sorted(&[&three, &addendum]));
    let folders = [("$XDSDocumentEntryEntryUUID", quoted(&[&three]))];
    assert_eq!(
        hosted.find(GET_FOLDERS_FOR_DOCUMENT, &[(folders[0].0, &folders[0].1)]).await,
        [folder.as_str()]
    );
}

#[tokio::test]
async fn associations_are_left_behind_where_that_is_asked_for() {
    let hosted = Hosted::new();
    let [one, two, folder] = [uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one)).folder(&folder).put(&folder, &one)).await;
    let update = Draft::new()
        .version(retitled(&hosted, &one), &two, &one, "1")
        .slot(slot::ASSOCIATION_PROPAGATION, "no");
    hosted.updates(&update).await;
    let named = quoted(&[&two]);
    assert_eq!(
        hosted.find(GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", &named)]).await,
        [""; 0]
    );
    // The same update again is answered again.
    assert_eq!(hosted.update(Update::Full, &update).await, Registered::Replayed(vec![]));
}

#[tokio::test]
async fn a_folder_and_its_entry_are_updated_together() {
    let hosted = Hosted::new();
    let [entry_1, entry_2, folder_1, folder_2] = [uuid(), uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&entry_1)).folder(&folder_1).put(&folder_1, &entry_1)).await;
    // Both go to another patient, and stay together.
    let moved = |mut object: Object| {
        for identifier in &mut object.external_identifiers {
            if identifier.name[0].value.ends_with("patientId") {
                identifier.value = OTHER_PATIENT.to_owned();
            }
        }
        object
    };
    let alone = Draft::of(OTHER_PATIENT).version(moved(hosted.object(&entry_1)), &entry_2, &entry_1, "1");
    assert_eq!(hosted.refuses(Update::Full, &alone).await, [code::PATIENT_ID_RECONCILIATION]);
    let both = alone.version(moved(hosted.object(&folder_1)), &folder_2, &folder_1, "1.1");
    hosted.updates(&both).await;
    let contents = [("$XDSFolderLogicalID", quoted(&[&folder_1]))];
    assert_eq!(hosted.find(GET_FOLDERS, &[(contents[0].0, &contents[0].1)]).await, [folder_2.as_str()]);
    let found = hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &quoted(&[&folder_2]))]).await;
    assert!(found.contains(&entry_2) && !found.contains(&entry_1) && found.len() == 3, "{found:?}");
    let of_other =
        [("$XDSDocumentEntryPatientId", "'P2^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED)];
    assert_eq!(hosted.find(FIND_DOCUMENTS, &of_other).await, [entry_2.as_str()]);
}

#[tokio::test]
async fn statuses_change_and_associations_come_and_go() {
    let hosted = Hosted::new();
    let [one, two, folder] = [uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one)).entry(entry(&two)).folder(&folder)).await;
    hosted
        .updates(&Draft::new().submit(codes::association::HAS_MEMBER, &folder, &one).submit(APND, &two, &one))
        .await;
    let contents = [("$XDSFolderEntryUUID", quoted(&[&folder]))];
    let contents = [(contents[0].0, contents[0].1.as_str())];
    let found = hosted.ask(GET_FOLDER_AND_CONTENTS, ReturnType::LeafClass, &contents).await;
    assert_eq!(found.objects.len(), 3);
    let link = found.objects[2].id.clone();
    // The same association is not added twice, and an approved one can be taken back.
    let again = Draft::new().submit(codes::association::HAS_MEMBER, &folder, &one);
    assert_eq!(hosted.refuses(Update::Full, &again).await, [code::METADATA_UPDATE]);
    hosted.updates(&Draft::new().status(&link, IS_APPROVED, IS_DEPRECATED)).await;
    assert_eq!(hosted.find(GET_FOLDER_AND_CONTENTS, &contents).await, [folder.as_str()]);
    let deprecated = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";
    let with_deprecated = [contents[0], ("$XDSAssociationStatus", deprecated)];
    assert_eq!(hosted.find(GET_FOLDER_AND_CONTENTS, &with_deprecated).await, sorted(&[&folder, &one, &link]));
    hosted.updates(&again).await;

    hosted.updates(&Draft::new().status(&two, IS_APPROVED, IS_DEPRECATED)).await;
    assert_eq!(hosted.status(&two), "Deprecated");
    assert_eq!(
        hosted.refuses(Update::Full, &Draft::new().status(&two, IS_APPROVED, IS_DEPRECATED)).await,
        [code::METADATA_UPDATE]
    );
    hosted.updates(&Draft::new().status(&two, IS_DEPRECATED, IS_APPROVED)).await;
    // With a new version, the status is the new version's.
    let new = uuid();
    let update = Draft::new().version(retitled(&hosted, &one), &new, &one, "1").status(
        &one,
        IS_APPROVED,
        IS_DEPRECATED,
    );
    hosted.updates(&update).await;
    assert_eq!([&one, &new].map(|id| hosted.status(id)), ["Deprecated", "Deprecated"]);
    // A deprecated object is not updated, and an older version's status not either.
    let update = Draft::new().version(retitled(&hosted, &new), &uuid(), &one, "2");
    assert_eq!(hosted.refuses(Update::Full, &update).await, [code::METADATA_UPDATE]);
    assert_eq!(
        hosted.refuses(Update::Full, &Draft::new().status(&one, IS_DEPRECATED, IS_APPROVED)).await,
        [code::METADATA_UPDATE]
    );
    // ITI-92 updates it, and it stays deprecated.
    let latest = uuid();
    let update = Draft::new().version(retitled(&hosted, &new), &latest, &one, "2");
    assert_eq!(hosted.update(Update::Restricted, &update).await, Registered::Accepted(vec![]));
    assert_eq!(
        (hosted.status(&latest), hosted.version(&latest).0),
        ("Deprecated".to_owned(), "3".to_owned())
    );
}

#[tokio::test]
async fn a_submitted_replacement_deprecates() {
    let hosted = Hosted::new();
    let [original, replacement] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&original)).entry(entry(&replacement))).await;
    hosted.updates(&Draft::new().submit(RPLC, &replacement, &original)).await;
    assert_eq!(hosted.status(&original), "Deprecated");
}

#[tokio::test]
async fn what_is_wrong_with_an_update_is_refused_with_its_code() {
    let hosted = Hosted::new();
    let [one, other, theirs, folder] = [uuid(), uuid(), uuid(), uuid()];
    let whole = entry(&one).hash("a".repeat(40)).size(5);
    hosted.accept(&Draft::new().entry(whole).entry(entry(&other)).folder(&folder)).await;
    hosted.accept(&Draft::of(OTHER_PATIENT).entry(entry_of(&theirs, OTHER_PATIENT))).await;
    let version = |change: fn(&mut Object)| {
        let mut object = hosted.object(&one);
        change(&mut object);
        Draft::new().version(object, "new", &one, "1")
    };
    let unchanged = || version(|_| {});
    let member = |mut draft: Draft, change: fn(&mut Object)| {
        change(&mut draft.objects[2]);
        draft
    };
    let both = |full: &'static str, restricted: &'static str| (vec![full], vec![restricted]);
    type Codes = (Vec<&'static str>, Vec<&'static str>);
    let cases: Vec<(Draft, Codes)> = vec![
        (unchanged().change("new", |o| o.lid = None), both(code::METADATA_UPDATE, code::INVALID_REQUEST)),
        (
            unchanged().change("new", |o| o.lid = Some("lid".into())),
            both(code::METADATA_UPDATE, code::INVALID_REQUEST),
        ),
        (
            unchanged().change("new", |o| o.lid = Some(uuid())),
            both(code::METADATA_VERSION, code::METADATA_VERSION),
        ),
        (
            Draft::new().version(hosted.object(&one), "new", &one, "2"),
            both(code::METADATA_VERSION, code::METADATA_VERSION),
        ),
        (
            member(unchanged(), |m| m.slots.retain(|s| s.name != slot::PREVIOUS_VERSION)),
            both(code::METADATA_VERSION, code::METADATA_VERSION),
        ),
        (
            member(unchanged(), |m| m.association.as_mut().unwrap().association_type = APND.into()),
            (
                vec![code::METADATA_UPDATE, code::METADATA_UPDATE_OPERATION],
                vec![code::UNMODIFIABLE_METADATA, code::METADATA_ANNOTATION],
            ),
        ),
        (
            version(|o| {
                o.external_identifiers.iter_mut().for_each(|i| {
                    if i.name[0].value.ends_with("uniqueId") {
                        i.value = oid()
                    }
                })
            }),
            both(code::METADATA_UPDATE, code::METADATA_IDENTIFIER),
        ),
        (
            version(|o| o.set_slot(slot::HASH, vec!["b".repeat(40)])),
            both(code::NON_IDENTICAL_HASH, code::NON_IDENTICAL_HASH),
        ),
        (
            version(|o| o.set_slot(slot::SIZE, vec!["9".into()])),
            both(code::NON_IDENTICAL_SIZE, code::NON_IDENTICAL_SIZE),
        ),
        (
            unchanged().submit(APND, "new", &other),
            (vec![code::METADATA_UPDATE_OPERATION], vec![code::UNMODIFIABLE_METADATA]),
        ),
        (
            Draft::new().relate(APND, &one, &other),
            both(code::METADATA_UPDATE_OPERATION, code::UNMODIFIABLE_METADATA),
        ),
        (
            Draft::new().status(&theirs, IS_APPROVED, IS_DEPRECATED),
            both(code::METADATA_UPDATE, code::UNMODIFIABLE_METADATA),
        ),
        (
            Draft::new().status(&uuid(), IS_APPROVED, IS_DEPRECATED),
            both(code::UNRESOLVED_REFERENCE, code::UNMODIFIABLE_METADATA),
        ),
        (
            Draft::new().status(&one, IS_APPROVED, "Gone"),
            both(code::METADATA_UPDATE, code::UNMODIFIABLE_METADATA),
        ),
        (
            Draft::new().submit(APND, &one, &theirs),
            (vec![code::PATIENT_ID_RECONCILIATION], vec![code::UNMODIFIABLE_METADATA]),
        ),
        (
            Draft::new().submit(APND, &one, &folder),
            (vec![code::METADATA_UPDATE], vec![code::UNMODIFIABLE_METADATA]),
        ),
        (
            Draft::new().submit(APND, &one, &uuid()),
            (vec![code::UNRESOLVED_REFERENCE], vec![code::UNMODIFIABLE_METADATA]),
        ),
    ];
    for (number, (draft, (full, restricted))) in cases.into_iter().enumerate() {
        assert_eq!(hosted.refuses(Update::Full, &draft).await, full, "case {number}, ITI-57");
        assert_eq!(hosted.refuses(Update::Restricted, &draft).await, restricted, "case {number}, ITI-92");
    }
}

#[tokio::test]
async fn what_only_iti_92_keeps_as_it_is() {
    type Asks = fn(Object) -> Draft;
    fn version(object: Object) -> Draft {
        let lid = object.id.clone();
        Draft::new().version(object, "new", &lid, "1")
    }
    let of_entry: [(Asks, &str); 4] = [
        (
            |mut object| {
                object.set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.66".into()]);
                version(object)
            },
            code::UNMODIFIABLE_METADATA,
        ),
        (
            |mut object| {
                object.set_slot(slot::SOURCE_PATIENT_ID, vec!["X^^^&1.2.3.7&ISO".into()]);
                version(object)
            },
            code::UNMODIFIABLE_METADATA,
        ),
        (
            |mut object| {
                let offline = "urn:ihe:iti:2010:DocumentAvailability:Offline";
                object.set_slot(slot::DOCUMENT_AVAILABILITY, vec![offline.into()]);
                version(object)
            },
            code::UNMODIFIABLE_METADATA,
        ),
        (|object| version(object).slot(slot::ASSOCIATION_PROPAGATION, "no"), code::METADATA_ANNOTATION),
    ];
    for (asks, expected) in of_entry {
        let hosted = Hosted::new();
        let one = uuid();
        hosted.accept(&Draft::new().entry(entry(&one))).await;
        let draft = asks(hosted.object(&one));
        assert_eq!(hosted.refuses(Update::Restricted, &draft).await, [expected]);
        hosted.updates(&draft).await;
    }
    let hosted = Hosted::new();
    let folder = uuid();
    hosted.accept(&Draft::new().folder(&folder)).await;
    let draft = version(hosted.object(&folder));
    assert_eq!(hosted.refuses(Update::Restricted, &draft).await, [code::OBJECT_TYPE]);
    hosted.updates(&draft).await;
}

#[tokio::test]
async fn versions_are_removed_oldest_first() {
    let hosted = Hosted::new();
    let [one, two] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one))).await;
    hosted.updates(&Draft::new().version(retitled(&hosted, &one), &two, &one, "1")).await;
    let everything_of = async |id: &str| {
        let links = hosted.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[id]))]).await;
        let sets = hosted.ask(GET_SETS, ReturnType::LeafClass, &[("$uuid", &quoted(&[id]))]).await;
        let mut ids = [links, ids(&sets), vec![id.to_owned()]].concat();
        ids.sort();
        ids.dedup();
        ids
    };
    let (first, second) = (everything_of(&one).await, everything_of(&two).await);
    let errors = hosted.registry.remove(second.clone()).await.unwrap();
    assert_eq!(errors.iter().map(|error| &*error.code).collect::<Vec<_>>(), [code::METADATA_MODEL]);
    assert_eq!(hosted.registry.remove(first).await.unwrap(), []);
    let by_lid = [("$XDSDocumentEntryLogicalID", quoted(&[&one]))];
    assert_eq!(hosted.find(GET_DOCUMENTS, &[(by_lid[0].0, &by_lid[0].1)]).await, [two.as_str()]);
    assert_eq!(hosted.registry.remove(second).await.unwrap(), []);
}

/// `$XDSDocumentEntryDocumentAvailability`: an entry that says nothing is online.
#[tokio::test]
async fn documents_that_are_offline_are_told_from_others() {
    let hosted = Hosted::new();
    let [silent, online, offline] = [uuid(), uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&silent)).entry(entry(&online)).entry(entry(&offline))).await;
    for (lid, availability) in [(&online, codes::ONLINE), (&offline, codes::OFFLINE)] {
        let mut object = hosted.object(lid);
        object.set_slot(slot::DOCUMENT_AVAILABILITY, vec![availability.into()]);
        hosted.updates(&Draft::new().version(object, &uuid(), lid, "1")).await;
    }
    for (asked, expected) in [
        (vec![codes::ONLINE], vec![&silent, &online]),
        (vec![codes::OFFLINE], vec![&offline]),
        (vec![codes::ONLINE, codes::OFFLINE], vec![&silent, &online, &offline]),
    ] {
        let (patient, availability) = (quoted(&[PATIENT]), quoted(&asked));
        let asked = [
            ("$XDSDocumentEntryPatientId", patient.as_str()),
            ("$XDSDocumentEntryStatus", APPROVED),
            ("$XDSDocumentEntryDocumentAvailability", &availability),
        ];
        let found = hosted.find(FIND_DOCUMENTS, &asked).await;
        let mut lids: Vec<_> = found.iter().map(|id| hosted.object(id).lid.unwrap()).collect();
        lids.sort();
        assert_eq!(lids, sorted(&expected.into_iter().map(String::as_str).collect::<Vec<_>>()));
    }
}
