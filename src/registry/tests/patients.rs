//! Patients: known and unknown, merged, in chains, and while others submit and ask (ITI TF-2: 3.8.4.2.3,
//! 3.18.4.1.2.3.9, 3.44.4.2.4).

use super::*;
use crate::metadata::codes::slot;
use crate::metadata::views::DocumentEntry;
use crate::registry::KnownBy;
use crate::transactions::identity::ErrorCode;

const THIRD_PATIENT: &str = "P3^^^&1.2.3&ISO";

fn id(cx: &str) -> PatientId {
    PatientId::parse(cx).unwrap()
}

fn fed() -> Hosted {
    let authorities = vec![Oid::parse("1.2.3").unwrap()];
    Hosted::with(RegistrySettings { authorities, known_by: KnownBy::Feed, ..RegistrySettings::default() })
}

impl Hosted {
    async fn announce(&self, patients: &[&str]) -> Answer<()> {
        let patients = patients.iter().map(|cx| (Place::Identifier(1), id(cx)));
        self.registry.announce(patients.collect()).await.unwrap()
    }
    pub(super) async fn merge(&self, surviving: &str, subsumed: &str) -> Answer<()> {
        self.registry.merge(id(surviving), id(subsumed), None).await.unwrap()
    }
    /// The ids of a patient's entries, each of which names that patient wherever it says whose it is.
    async fn entries_of(&self, patient: &str) -> Vec<String> {
        let parameters =
            [("$XDSDocumentEntryPatientId", &*quoted(&[patient])), ("$XDSDocumentEntryStatus", ANY_STATUS)];
        let answer = self.ask(FIND_DOCUMENTS, ReturnType::LeafClass, &parameters).await;
        assert_eq!(answer.errors, []);
        for object in &answer.objects {
            assert_eq!(object.patient_id.as_deref(), Some(patient));
            assert_eq!(DocumentEntry(&self.object(&object.id)).patient(), Some(id(patient)));
        }
        ids(&answer)
    }
}

#[tokio::test]
async fn whom_no_feed_announced_cannot_be_registered() {
    let hosted = fed();
    let draft = Draft::new().entry(entry(&uuid()));
    let errors = hosted.refuse(&draft).await;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, code::UNKNOWN_PATIENT_ID);
    assert!(errors[0].context.contains(PATIENT), "{}", errors[0].context);
    hosted.announce(&[PATIENT]).await.unwrap();
    hosted.accept(&draft).await;
    // Announced by the feed, and yet of an authority that this registry does not serve.
    let foreign = "P1^^^&1.2.4&ISO";
    hosted.announce(&[foreign]).await.unwrap();
    assert_eq!(hosted.refuse(&Draft::of(foreign)).await[0].code, code::UNKNOWN_PATIENT_ID);
}

#[tokio::test]
async fn an_unknown_patient_has_nothing_or_is_refused() {
    let ask = |hosted: Hosted| async move {
        let one =
            [("$XDSDocumentEntryPatientId", "'P1^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED)];
        hosted.ask(FIND_DOCUMENTS, ReturnType::LeafClass, &one).await
    };
    assert_eq!(ask(Hosted::new()).await.status, Status::Success);
    let unknown_patient = UnknownPatient::Refused;
    let refusing = || Hosted::with(RegistrySettings { unknown_patient, ..RegistrySettings::default() });
    let answer = ask(refusing()).await;
    assert_eq!((answer.status, &*answer.errors[0].code), (Status::Failure, code::UNKNOWN_PATIENT_ID));
    let known = refusing();
    known.announce(&[PATIENT]).await.unwrap();
    assert_eq!(ask(known).await.status, Status::Success);
    let merged = refusing();
    merged.announce(&[PATIENT, OTHER_PATIENT]).await.unwrap();
    merged.merge(OTHER_PATIENT, PATIENT).await.unwrap();
    assert_eq!(ask(merged).await.errors[0].code, code::UNKNOWN_PATIENT_ID);
}

/// 3.18.4.1.2.3.9: the surviving identifier has all, the subsumed one nothing, through a chain and in every kind of object.
#[tokio::test]
async fn a_chain_of_merges_ends_at_the_last_survivor() {
    let hosted = Hosted::new();
    let (one, two, three) = (uuid(), uuid(), uuid());
    let source = "S1^^^&1.2.3.7&ISO";
    for (patient, entry_id) in [(PATIENT, &one), (OTHER_PATIENT, &two), (THIRD_PATIENT, &three)] {
        let entry = entry_of(entry_id, patient)
            .slot(slot::SOURCE_PATIENT_INFO, ["PID-3|S1^^^&1.2.3.7&ISO", "PID-5|山田^太郎"]);
        hosted.accept(&Draft::of(patient).entry(entry).folder("folder").put("folder", entry_id)).await;
    }
    let replaced = uuid();
    hosted
        .accept(&Draft::new().entry(entry(&replaced)).relate(codes::association::RPLC, &replaced, &one))
        .await;

    hosted.merge(OTHER_PATIENT, PATIENT).await.unwrap();
    assert_eq!(hosted.entries_of(OTHER_PATIENT).await, sorted(&[&one, &replaced, &two]));
    hosted.merge(THIRD_PATIENT, OTHER_PATIENT).await.unwrap();
    let all = sorted(&[&one, &replaced, &two, &three]);
    assert_eq!(hosted.entries_of(THIRD_PATIENT).await, all);
    for gone in [PATIENT, OTHER_PATIENT] {
        assert_eq!(hosted.entries_of(gone).await, Vec::<String>::new());
        assert_eq!(hosted.refuse(&Draft::of(gone)).await[0].code, code::UNKNOWN_PATIENT_ID);
        let place = Place::Identifier(1);
        assert_eq!(hosted.announce(&[THIRD_PATIENT, gone]).await.unwrap_err()[0].place, place);
    }
    // What the source said of its patient is its own, and no status has moved.
    let entry = hosted.object(&one);
    assert_eq!(entry.slot_value(slot::SOURCE_PATIENT_ID), Some(source));
    assert_eq!(entry.slot(slot::SOURCE_PATIENT_INFO)[1], "PID-5|山田^太郎");
    assert_eq!((hosted.status(&one), hosted.status(&replaced)), ("Deprecated".into(), "Approved".into()));
    for (query, patient, status) in [
        (FIND_SETS, "$XDSSubmissionSetPatientId", "$XDSSubmissionSetStatus"),
        (FIND_FOLDERS, "$XDSFolderPatientId", "$XDSFolderStatus"),
    ] {
        let answer = hosted
            .ask(query, ReturnType::LeafClass, &[(patient, &quoted(&[THIRD_PATIENT])), (status, APPROVED)])
            .await;
        assert!(answer.objects.len() >= 3, "{query}");
        assert!(answer.objects.iter().all(|object| object.patient_id.as_deref() == Some(THIRD_PATIENT)));
    }
    // Objects of what were two patients go into one answer, and relate to each other.
    let of_all = quoted(&[&one, &two, &three]);
    let answer = hosted.find(GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &of_all)]).await;
    assert_eq!(answer.len(), 3);
    let addendum = uuid();
    let draft = Draft::of(THIRD_PATIENT).entry(entry_of(&addendum, THIRD_PATIENT));
    hosted.accept(&draft.relate(codes::association::APND, &addendum, &two)).await;
}

/// 3.44.4.2.4: a merge that cannot be is refused, and changes nothing.
#[tokio::test]
async fn wrong_merges_change_nothing() {
    let hosted = fed();
    hosted.announce(&[PATIENT, OTHER_PATIENT, THIRD_PATIENT]).await.unwrap();
    hosted.accept(&Draft::new().entry(entry(&uuid()))).await;
    hosted.merge(OTHER_PATIENT, PATIENT).await.unwrap();
    let stranger = "P9^^^&1.2.3&ISO";
    let (unknown, duplicate) = (ErrorCode::UnknownKeyIdentifier, ErrorCode::DuplicateKeyIdentifier);
    let (surviving, subsumed) = (Place::Identifier(1), Place::Subsumed);
    for (into, from, expected) in [
        (OTHER_PATIENT, OTHER_PATIENT, vec![(duplicate, subsumed.clone())]),
        (OTHER_PATIENT, PATIENT, vec![(unknown, subsumed.clone())]),
        (PATIENT, THIRD_PATIENT, vec![(unknown, surviving.clone())]),
        (PATIENT, OTHER_PATIENT, vec![(unknown, surviving.clone())]),
        (stranger, OTHER_PATIENT, vec![(unknown, surviving.clone())]),
        (OTHER_PATIENT, stranger, vec![(unknown, subsumed.clone())]),
        (stranger, PATIENT, vec![(unknown, surviving), (unknown, subsumed)]),
    ] {
        let before = hosted.dump();
        let errors = hosted.merge(into, from).await.unwrap_err();
        let errors: Vec<_> = errors.into_iter().map(|error| (error.code, error.place)).collect();
        assert_eq!(errors, expected, "{from} into {into}");
        assert_eq!(hosted.dump(), before, "{from} into {into} changed something");
    }
}

#[tokio::test]
async fn tenants_know_their_own_patients() {
    let hosted = fed();
    hosted.announce(&[PATIENT, OTHER_PATIENT]).await.unwrap();
    let other = Registry::new(
        hosted.store.clone(),
        Tenant("urn:oid:1.2.3.9".into()),
        RegistrySettings { known_by: KnownBy::Feed, ..RegistrySettings::default() },
    );
    assert!(other.merge(id(OTHER_PATIENT), id(PATIENT), None).await.unwrap().is_err());
    let submission = Draft::new().submission();
    let digest = digest(&submission);
    assert!(matches!(other.register(submission, digest, None).await, Ok(Registered::Refused(_))));
}

/// Patients are merged while others submit for them and ask about them: whatever was accepted is the survivor's in the
/// end, nothing is anybody else's, and no answer on the way shows a part.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_56_merges_race_submissions_and_queries() {
    let hosted = Arc::new(Hosted::new());
    for patient in [PATIENT, OTHER_PATIENT, THIRD_PATIENT] {
        hosted.accept(&Draft::of(patient).entry(entry_of(&uuid(), patient))).await;
    }
    let mut racing = Vec::new();
    for turn in 0..60 {
        let hosted = hosted.clone();
        racing.push(tokio::spawn(async move {
            let patient = [PATIENT, OTHER_PATIENT, THIRD_PATIENT][turn % 3];
            let entry_id = uuid();
            let draft = Draft::of(patient).entry(entry_of(&entry_id, patient));
            match hosted.register(&draft).await {
                Registered::Accepted(_) => Some(entry_id),
                Registered::Refused(errors) => {
                    assert_eq!(errors[0].code, code::UNKNOWN_PATIENT_ID);
                    None
                }
                Registered::Replayed(_) => panic!("it was never sent before"),
            }
        }));
    }
    let asking = hosted.clone();
    let asking = tokio::spawn(async move {
        let mut seen = [1; 3];
        for _ in 0..60 {
            for (place, patient) in [PATIENT, OTHER_PATIENT, THIRD_PATIENT].into_iter().enumerate() {
                let asked = [
                    ("$XDSDocumentEntryPatientId", &*quoted(&[patient])),
                    ("$XDSDocumentEntryStatus", ANY_STATUS),
                ];
                let answer = asking.ask(FIND_DOCUMENTS, ReturnType::LeafClass, &asked).await;
                assert!(answer.objects.iter().all(|object| object.patient_id.as_deref() == Some(patient)));
                // All of a patient's objects go at one moment, and none comes back.
                let found = answer.objects.len();
                assert!(
                    found >= seen[place] || (found == 0 && patient != THIRD_PATIENT),
                    "{patient} {found}"
                );
                seen[place] = if found == 0 { usize::MAX } else { found };
            }
        }
    });
    hosted.merge(OTHER_PATIENT, PATIENT).await.unwrap();
    hosted.merge(THIRD_PATIENT, OTHER_PATIENT).await.unwrap();
    let mut accepted = Vec::new();
    for task in racing {
        accepted.extend(task.await.unwrap());
    }
    asking.await.unwrap();
    let found = hosted.entries_of(THIRD_PATIENT).await;
    assert_eq!(found.len(), accepted.len() + 3);
    assert!(accepted.iter().all(|id| found.contains(id)));
    for gone in [PATIENT, OTHER_PATIENT] {
        assert!(hosted.entries_of(gone).await.is_empty());
    }
}

/// A PIX Manager that knows both has the registry join its merge: whom no feed announced here ends here as well.
#[tokio::test]
async fn a_merge_that_a_manager_carries_out_ends_whom_nobody_announced() {
    let hosted = fed();
    let merge = async |into: &str, from: &str| {
        let joined = hosted.registry.merging(id(into), id(from));
        hosted.store.write(joined).await.unwrap()
    };
    merge(OTHER_PATIENT, PATIENT).await.unwrap();
    let refused = hosted.announce(&[PATIENT]).await.unwrap_err();
    assert_eq!(refused[0].code, ErrorCode::UnknownKeyIdentifier);
    hosted.announce(&[OTHER_PATIENT]).await.unwrap();
    assert!(merge(THIRD_PATIENT, PATIENT).await.is_err());
}
