//! ITI-42: what is stored, what it changes, what is refused.

use super::*;
use crate::metadata::codes::association::{APND, HAS_MEMBER, IS_SNAPSHOT_OF, RPLC, SIGNS, XFRM, XFRM_RPLC};
use crate::metadata::views::Folder;
use crate::transactions::errors::Severity;

#[tokio::test]
async fn symbolic_ids_are_replaced_everywhere_and_the_registry_says_lid_version_and_status() {
    let hosted = Hosted::new();
    let draft = Draft::new()
        .entry(entry("Document01").home_community_id("urn:oid:1.9").slot("urn:example:extra", ["kept"]))
        .folder("Folder01")
        .put("Folder01", "Document01");
    hosted.accept(&draft).await;

    let answer = hosted
        .ask(
            GET_ALL,
            ReturnType::LeafClass,
            &[
                ("$patientId", &quoted(&[PATIENT])),
                ("$XDSDocumentEntryStatus", APPROVED),
                ("$XDSSubmissionSetStatus", APPROVED),
                ("$XDSFolderStatus", APPROVED),
            ],
        )
        .await;
    assert_eq!(answer.objects.len(), draft.objects.len());
    let stored: Vec<Object> = answer.objects.iter().map(|object| hosted.object(&object.id)).collect();
    let of = |kind| stored.iter().find(move |object| object.kind == kind).unwrap();
    let (set, folder, entry) = (of(Kind::SubmissionSet), of(Kind::Folder), of(Kind::DocumentEntry));
    for object in &stored {
        assert!(crate::ids::EntryUuid::parse(&object.id).is_ok());
        assert_eq!(object.lid.as_ref(), Some(&object.id));
        assert_eq!(object.version.as_deref(), Some("1"));
        assert_eq!(object.status.as_deref(), Some(codes::APPROVED));
        assert_eq!(object.home, None);
        assert!(object.classifications.iter().all(|c| c.classified_object.as_ref() == Some(&object.id)));
        assert!(object.external_identifiers.iter().all(|e| e.registry_object.as_ref() == Some(&object.id)));
    }
    assert_eq!(entry.slot("urn:example:extra"), ["kept"]);
    assert_eq!(Folder(folder).last_update_time().unwrap().len(), 14);
    let ends: Vec<_> = stored
        .iter()
        .filter_map(|object| object.association.as_ref())
        .map(|association| (association.source.clone(), association.target.clone()))
        .collect();
    let link = stored.iter().find(|o| o.association.as_ref().is_some_and(|a| a.source == folder.id)).unwrap();
    for (source, target) in
        [(set, entry), (set, folder), (folder, entry), (set, link)].map(|(s, t)| (s.id.clone(), t.id.clone()))
    {
        assert!(ends.contains(&(source, target)));
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code_and_context() {
    let hosted = Hosted::with(RegistrySettings {
        authorities: vec![Oid::parse("1.2.3").unwrap()],
        ..RegistrySettings::default()
    });
    let [stored, folder, deprecated, replacement, foreign] = [uuid(), uuid(), uuid(), uuid(), uuid()];
    let first = Draft::new().entry(entry(&stored)).entry(entry(&deprecated)).folder(&folder);
    let foreign_draft = Draft::of(OTHER_PATIENT).entry(entry_of(&foreign, OTHER_PATIENT));
    hosted.accept(&first).await;
    hosted.accept(&foreign_draft).await;
    hosted.accept(&Draft::new().entry(entry(&replacement)).relate(RPLC, &replacement, &deprecated)).await;

    let unknown = uuid();
    let good = || Draft::new().entry(entry("Document01"));
    let repeated = first.unique_id(&stored);
    let set_id = first.unique_id("set");
    let cases: Vec<(Draft, &str, Vec<&str>)> = vec![
        // What the metadata rules find.
        (
            good().change("Document01", |entry| entry.set_slot("creationTime", vec!["2026-01".to_owned()])),
            code::REGISTRY_METADATA_ERROR,
            vec!["de.creation-time", "Document01", "2026-01"],
        ),
        (
            Draft::new().entry(entry_of("Document01", OTHER_PATIENT)),
            code::PATIENT_ID_DOES_NOT_MATCH,
            vec!["de.patient-id.same", "P2^^^&1.2.3&ISO"],
        ),
        (
            good()
                .entry(entry("Document02").unique_id("1.2.9"))
                .entry(entry("Document03").unique_id("1.2.9")),
            code::REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
            vec!["1.2.9"],
        ),
        (good().relate(RPLC, "Document01", "Nothing"), code::UNRESOLVED_REFERENCE, vec!["Nothing"]),
        // What the registry finds.
        (
            Draft::new().entry(entry(&stored)),
            code::REGISTRY_METADATA_ERROR,
            vec!["registry.entry-uuid.exists", &stored],
        ),
        (
            Draft::of("P1^^^&1.2.99&ISO").entry(entry_of("Document01", "P1^^^&1.2.99&ISO")),
            code::UNKNOWN_PATIENT_ID,
            vec!["P1^^^&1.2.99&ISO"],
        ),
        (
            good().set(|set| set.external_identifiers[2].value = repeated.clone()),
            code::DUPLICATE_UNIQUE_ID_IN_REGISTRY,
            vec!["SubmissionSet", &repeated],
        ),
        (
            Draft::new().entry(entry("Document01")).folder("Folder01").change("Folder01", |folder| {
                folder.external_identifiers[1].value = set_id.clone();
            }),
            code::DUPLICATE_UNIQUE_ID_IN_REGISTRY,
            vec!["Folder", &set_id],
        ),
        (
            Draft::new().entry(entry("Document01").unique_id(set_id.clone())),
            code::REGISTRY_METADATA_ERROR,
            vec!["registry.unique-id", &set_id],
        ),
        (
            Draft::new().entry(
                entry("Document01")
                    .unique_id(repeated.clone())
                    .hash("0000000000000000000000000000000000000000"),
            ),
            code::NON_IDENTICAL_HASH,
            vec![&repeated],
        ),
        (
            Draft::new().entry(entry("Document01").unique_id(repeated.clone()).size(7)),
            code::NON_IDENTICAL_SIZE,
            vec![&repeated],
        ),
        (
            good().relate(RPLC, "Document01", &unknown),
            code::UNRESOLVED_REFERENCE,
            vec!["targetObject", &unknown],
        ),
        (good().relate(APND, &stored, &replacement), code::UNRESOLVED_REFERENCE, vec![&stored]),
        (
            good().entry(entry("Document02")).relate(RPLC, "Document01", "Document02"),
            code::UNRESOLVED_REFERENCE,
            vec!["assoc.relation.target"],
        ),
        (
            good().relate(RPLC, "Document01", &deprecated),
            code::REGISTRY_DEPRECATED_DOCUMENT,
            vec!["registry.association.deprecated"],
        ),
        (good().relate(APND, "Document01", &deprecated), code::REGISTRY_DEPRECATED_DOCUMENT, vec!["target"]),
        (good().relate(XFRM, "Document01", &deprecated), code::REGISTRY_DEPRECATED_DOCUMENT, vec!["target"]),
        (good().relate(SIGNS, "Document01", &deprecated), code::REGISTRY_DEPRECATED_DOCUMENT, vec!["target"]),
        (good().put(&folder, &deprecated), code::REGISTRY_DEPRECATED_DOCUMENT, vec!["entry"]),
        (
            good().relate(RPLC, "Document01", &foreign),
            code::PATIENT_ID_DOES_NOT_MATCH,
            vec!["P1^^^&1.2.3&ISO"],
        ),
        (good().put(&folder, &foreign), code::PATIENT_ID_DOES_NOT_MATCH, vec!["P1^^^&1.2.3&ISO"]),
        (
            good().relate(IS_SNAPSHOT_OF, "Document01", &stored),
            code::REGISTRY_METADATA_ERROR,
            vec!["on-demand"],
        ),
        (good().relate(RPLC, "Document01", &folder), code::REGISTRY_METADATA_ERROR, vec!["DocumentEntries"]),
        (good().put(&folder, &folder), code::REGISTRY_METADATA_ERROR, vec!["assoc.ends.different"]),
        (
            good().relate("urn:example:type", "Document01", &stored),
            code::REGISTRY_METADATA_ERROR,
            vec!["assoc.type"],
        ),
        (
            good().relate(HAS_MEMBER, &stored, "Document01"),
            code::REGISTRY_METADATA_ERROR,
            vec!["only a SubmissionSet or a Folder has members"],
        ),
    ];
    for (number, (draft, code, context)) in cases.into_iter().enumerate() {
        let errors = hosted.refuse(&draft).await;
        let found = errors
            .iter()
            .find(|error| error.code == code && context.iter().all(|part| error.context.contains(part)));
        assert!(found.is_some(), "case {number}: {code} {context:?} is not among {errors:#?}");
        assert!(errors.iter().all(|error| error.severity == Severity::Error));
    }
}

#[tokio::test]
async fn all_errors_come_at_once() {
    let hosted = Hosted::new();
    let errors = hosted
        .refuse(&Draft::new().entry(entry("Document01")).relate(RPLC, "Document01", &uuid()).relate(
            APND,
            "Document01",
            &uuid(),
        ))
        .await;
    assert_eq!(errors.len(), 2);
}

#[tokio::test]
async fn the_same_submission_again_is_answered_again_and_another_with_its_id_is_refused() {
    let hosted = Hosted::new();
    let mut draft = Draft::new().entry(entry("Document01"));
    hosted.accept(&draft).await;
    let before = hosted.dump();
    assert_eq!(hosted.register(&draft).await, Registered::Replayed(vec![]));
    // A sender that builds its message anew makes up other ids for what nobody refers to.
    draft.objects[1].classifications[0].id = Some(uuid());
    assert_eq!(hosted.register(&draft).await, Registered::Replayed(vec![]));
    assert_eq!(hosted.dump(), before);
    draft.objects[1].set_slot("languageCode", vec!["en".to_owned()]);
    let errors = hosted.refuse(&draft).await;
    assert!(errors.iter().any(|error| error.code == code::DUPLICATE_UNIQUE_ID_IN_REGISTRY), "{errors:?}");
}

#[tokio::test]
async fn the_same_document_may_be_registered_twice() {
    let hosted = Hosted::new();
    let [one, two] = [uuid(), uuid()];
    let first = Draft::new().entry(entry(&one));
    hosted.accept(&first).await;
    let unique_id = first.unique_id(&one);
    let again = entry(&two).unique_id(unique_id.clone()).hash("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709");
    hosted.accept(&Draft::new().entry(again)).await;
    let found = hosted.find(GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", &quoted(&[&unique_id]))]).await;
    assert_eq!(found, sorted(&[&one, &two]));
}

#[tokio::test]
async fn a_replacement_deprecates_the_original_with_its_children_and_takes_its_place_in_folders() {
    let hosted = Hosted::new();
    let [original, addendum, transform, deep, signature, folder, new] = std::array::from_fn(|_| uuid());
    hosted
        .accept(
            &Draft::new()
                .entry(entry(&original))
                .entry(entry(&addendum))
                .entry(entry(&transform))
                .entry(entry(&signature))
                .relate(APND, &addendum, &original)
                .relate(XFRM, &transform, &original)
                .relate(SIGNS, &signature, &original)
                .folder(&folder)
                .put(&folder, &original),
        )
        .await;
    hosted.accept(&Draft::new().entry(entry(&deep)).relate(APND, &deep, &transform)).await;
    hosted
        .store
        .write_blocking(|c| {
            Ok(c.execute("UPDATE registry_object SET last_update_time = 20000101000000 WHERE kind = 2", ())?)
        })
        .unwrap();

    let replacement = Draft::new().entry(entry(&new)).relate(RPLC, &new, &original);
    hosted.accept(&replacement).await;
    for (id, status) in [
        (&original, "Deprecated"),
        (&addendum, "Deprecated"),
        (&transform, "Deprecated"),
        (&deep, "Deprecated"),
        (&signature, "Approved"),
        (&folder, "Approved"),
        (&new, "Approved"),
    ] {
        assert_eq!(hosted.status(id), status);
    }
    // The folder, its two entries and both memberships; the replacement is in it, and its set says so.
    let contents =
        hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &quoted(&[&folder]))]).await;
    assert_eq!(contents.len(), 5);
    assert!(contents.contains(&new) && contents.contains(&original));
    let set_contents = hosted
        .find(
            GET_SET_AND_CONTENTS,
            &[("$XDSSubmissionSetUniqueId", &quoted(&[&replacement.unique_id("set")]))],
        )
        .await;
    // Set, entry, the set's membership. What the set holds of the folder is out of reach: the folder is not its member.
    assert_eq!(set_contents.len(), 3);
    let of_set = hosted
        .find(
            GET_ASSOCIATIONS,
            &[(
                "$uuid",
                &quoted(&[&set_contents
                    .iter()
                    .find(|id| hosted.object(id).kind == Kind::SubmissionSet)
                    .unwrap()
                    .clone()]),
            )],
        )
        .await;
    assert_eq!(of_set.len(), 2);
    let updated = hosted
        .find(
            FIND_FOLDERS,
            &[
                ("$XDSFolderPatientId", &quoted(&[PATIENT])),
                ("$XDSFolderStatus", APPROVED),
                ("$XDSFolderLastUpdateTimeFrom", "2020"),
            ],
        )
        .await;
    assert_eq!(updated, std::slice::from_ref(&folder));
    let found = hosted
        .find(
            FIND_DOCUMENTS,
            &[("$XDSDocumentEntryPatientId", &quoted(&[PATIENT])), ("$XDSDocumentEntryStatus", APPROVED)],
        )
        .await;
    assert_eq!(found, sorted(&[&new, &signature]));
}

#[tokio::test]
async fn a_replacement_that_puts_itself_into_the_folder_is_put_there_once() {
    let hosted = Hosted::new();
    let [original, folder, new] = std::array::from_fn(|_| uuid());
    hosted.accept(&Draft::new().entry(entry(&original)).folder(&folder).put(&folder, &original)).await;
    let replacement = entry(&new);
    hosted
        .accept(&Draft::new().entry(replacement).relate(XFRM_RPLC, &new, &original).put(&folder, &new))
        .await;
    assert_eq!(hosted.status(&original), "Deprecated");
    let links = hosted.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[&folder]))]).await;
    // From its set, to the original, to the replacement.
    assert_eq!(links.len(), 3);
}

#[tokio::test]
async fn entries_join_a_set_by_reference_even_those_of_another_patient() {
    let hosted = Hosted::new();
    let [mothers, child] = [uuid(), uuid()];
    hosted.accept(&Draft::of(OTHER_PATIENT).entry(entry_of(&mothers, OTHER_PATIENT))).await;
    hosted
        .accept(&Draft::new().entry(entry(&child)).object(views::has_member(
            "set",
            &mothers,
            Membership::Reference,
        )))
        .await;
    let sets = hosted.ask(GET_SETS, ReturnType::ObjectRef, &[("$uuid", &quoted(&[&mothers]))]).await;
    assert_eq!((sets.status, sets.objects.len()), (Status::Success, 4));
}

#[tokio::test]
async fn what_joins_the_transaction_takes_it_back_when_it_fails() {
    let hosted = Hosted::new();
    let before = hosted.dump();
    let draft = Draft::new().entry(entry("Document01"));
    let also: Also = Box::new(|_| Err(StoreError::Damaged("on purpose".to_owned())));
    let failed = hosted.registry.register(draft.submission(), [0; 32], Some(also)).await;
    assert!(failed.is_err());
    assert_eq!(hosted.dump(), before);
    hosted.accept(&draft).await;
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let hosted = Hosted::new();
    let [one, two] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one))).await;
    let neighbour =
        Registry::new(hosted.store.clone(), Tenant("urn:oid:1.9".into()), RegistrySettings::default());
    let neighbour =
        Hosted { directory: hosted.directory.join("none"), store: hosted.store.clone(), registry: neighbour };
    let by_id = [("$XDSDocumentEntryEntryUUID", quoted(&[&one, &two]))];
    let by_id: Vec<_> = by_id.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(neighbour.find(GET_DOCUMENTS, &by_id).await, [""; 0]);
    let errors = neighbour.refuse(&Draft::new().entry(entry(&two)).relate(RPLC, &two, &one)).await;
    assert_eq!(errors[0].code, code::UNRESOLVED_REFERENCE);
    // The same ids may be in use there, and stay apart.
    neighbour.accept(&Draft::new().entry(entry(&one)).entry(entry(&two))).await;
    assert_eq!(neighbour.find(GET_DOCUMENTS, &by_id).await, sorted(&[&one, &two]));
    assert_eq!(hosted.find(GET_DOCUMENTS, &by_id).await, [one]);
}

#[tokio::test]
async fn attack_49_unique_ids_that_look_like_paths_are_only_text() {
    let hosted = Hosted::new();
    let long = "9".repeat(128);
    for hostile in ["../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "%2e%2e%2f", "'", long.as_str()] {
        let id = uuid();
        hosted.accept(&Draft::new().entry(entry(&id).unique_id(hostile))).await;
        let found = hosted.find(GET_DOCUMENTS, &[("$XDSDocumentEntryUniqueId", &quoted(&[hostile]))]).await;
        assert_eq!(found, [id]);
    }
    for hostile in ["a\u{0}b", "．．／passwd", &"9".repeat(4096)] {
        let errors = hosted.refuse(&Draft::new().entry(entry("Document01").unique_id(hostile))).await;
        assert_eq!(errors[0].code, code::REGISTRY_METADATA_ERROR);
    }
}

#[tokio::test]
async fn attack_55_associations_in_a_circle_end() {
    let hosted = Hosted::new();
    let [one, two, new] = std::array::from_fn(|_| uuid());
    hosted
        .accept(
            &Draft::new()
                .entry(entry(&one))
                .entry(entry(&two))
                .relate(APND, &one, &two)
                .relate(APND, &two, &one),
        )
        .await;
    hosted.accept(&Draft::new().entry(entry(&new)).relate(RPLC, &new, &one)).await;
    assert_eq!(
        (hosted.status(&one), hosted.status(&two)),
        ("Deprecated".to_owned(), "Deprecated".to_owned())
    );
}

#[tokio::test]
async fn attack_55_of_two_replacements_at_once_exactly_one_wins() {
    let hosted = Hosted::new();
    for _ in 0..10 {
        let original = uuid();
        hosted.accept(&Draft::new().entry(entry(&original))).await;
        let rivals: Vec<_> = (0..8)
            .map(|_| Draft::new().entry(entry("Document01")).relate(RPLC, "Document01", &original))
            .collect();
        let outcomes =
            futures_util::future::join_all(rivals.iter().map(|draft| hosted.register(draft))).await;
        let won = outcomes.iter().filter(|outcome| matches!(outcome, Registered::Accepted(_))).count();
        assert_eq!(won, 1);
        for outcome in outcomes {
            if let Registered::Refused(errors) = outcome {
                assert_eq!(errors[0].code, code::REGISTRY_DEPRECATED_DOCUMENT);
            }
        }
    }
}
