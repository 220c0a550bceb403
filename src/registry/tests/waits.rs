//! What costs a database that is elsewhere, or busy: how often PostgreSQL is waited for, and whether it reads more than it
//! must. SQLite is never waited for.

use super::*;
use crate::metadata::codes::association::{APND, RPLC, XFRM};
use crate::registry::query::Question;

/// What a submission waits for: what the registry knows of it, the end of its job, the end of its group.
const SUBMISSION: u64 = 3;
/// What that of a replacement waits for: also for the folders of what it replaces and for their names, for what hangs on
/// that and on this in turn, and for all that changes as it was.
const REPLACEMENT: u64 = SUBMISSION + 6;

/// A query, its parameters, and how often it waits.
type Asking<'a> = (&'static str, &'a [(&'a str, &'a str)], u64);

/// On SQLite nothing is waited for.
fn on_postgres(waits: u64) -> u64 {
    if module_path!().contains("on_postgres") { waits } else { 0 }
}

impl Hosted {
    /// How often the last one of some submissions waits in the writer: the least of several, since what the first one
    /// prepares is prepared once.
    async fn waits(&self, drafts: impl Fn() -> Vec<Draft>) -> u64 {
        let mut least = u64::MAX;
        for _ in 0..3 {
            let mut drafts = drafts();
            let last = drafts.pop().unwrap();
            for draft in drafts {
                self.accept(&draft).await;
            }
            let before = self.store.write(|connection| Ok(connection.waits())).await.unwrap();
            self.accept(&last).await;
            let after = self.store.write(|connection| Ok(connection.waits())).await.unwrap();
            // The end of the first job, and of its group.
            least = least.min(after - before - on_postgres(2));
        }
        least
    }
}

/// Entries in a folder, each with a transform and an addendum; and what replaces them.
fn replaced(entries: usize) -> Vec<Draft> {
    let folder = uuid();
    let (mut first, mut second) = (Draft::new().folder(&folder), Draft::new());
    for n in 0..entries {
        let [id, transform, addendum] = [uuid(), uuid(), uuid()];
        let replacement = format!("Document{n}");
        first = first.entry(entry(&id)).entry(entry(&transform)).entry(entry(&addendum)).put(&folder, &id);
        first = first.relate(XFRM, &transform, &id).relate(APND, &addendum, &id);
        second = second.entry(entry(&replacement)).relate(RPLC, &replacement, &id);
    }
    vec![first, second]
}

#[tokio::test]
async fn a_submission_waits_as_often_however_much_is_in_it() {
    let hosted = Hosted::new();
    for entries in [1, 50] {
        let first = || replaced(entries)[..1].to_vec();
        assert_eq!(hosted.waits(first).await, on_postgres(SUBMISSION), "{entries}");
    }
    for entries in [1, 20] {
        assert_eq!(hosted.waits(|| replaced(entries)).await, on_postgres(REPLACEMENT), "{entries}");
    }
}

#[tokio::test]
async fn a_query_waits_as_often_as_its_questions_depend_on_one_another() {
    let hosted = Hosted::new();
    let drafts = replaced(20);
    for draft in &drafts {
        hosted.accept(draft).await;
    }
    let of = |kind| {
        let objects = drafts[0].objects.iter().filter(move |object| object.kind == kind);
        objects.map(|object| object.id.as_str()).collect::<Vec<_>>()
    };
    let entries = of(Kind::DocumentEntry);
    let (entry, entries, folder) = (quoted(&entries[..1]), quoted(&entries), quoted(&of(Kind::Folder)));
    let (set, patient) = (quoted(&[&drafts[0].unique_id("set")]), quoted(&[PATIENT]));
    let types = quoted(&[XFRM, APND]);
    let statuses = [
        ("$XDSDocumentEntryStatus", ANY_STATUS),
        ("$XDSSubmissionSetStatus", ANY_STATUS),
        ("$XDSFolderStatus", ANY_STATUS),
    ];
    let questions: [Asking<'_>; 13] = [
        (FIND_DOCUMENTS, &[("$XDSDocumentEntryPatientId", &patient), statuses[0]], 1),
        (FIND_SETS, &[("$XDSSubmissionSetPatientId", &patient), statuses[1]], 1),
        (FIND_FOLDERS, &[("$XDSFolderPatientId", &patient), statuses[2]], 1),
        (GET_ALL, &[("$patientId", &patient), statuses[0], statuses[1], statuses[2]], 2),
        (GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &entries)], 1),
        (GET_FOLDERS, &[("$XDSFolderEntryUUID", &folder)], 1),
        (GET_ASSOCIATIONS, &[("$uuid", &entries)], 2),
        (GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", &entries)], 2),
        (GET_SETS, &[("$uuid", &entries)], 3),
        (GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetUniqueId", &set)], 4),
        (GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &folder)], 3),
        (GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", &entry)], 3),
        (GET_RELATED, &[("$XDSDocumentEntryEntryUUID", &entry), ("$AssociationTypes", &types)], 3),
    ];
    let read = |(query, parameters, waits)| {
        let asked = Hosted::question(query, ReturnType::LeafClass, parameters);
        (query, Question::read(&asked, AskedBy::Iti18, &Domains::default()).unwrap().ok().unwrap(), waits)
    };
    let questions = questions.map(read);
    let registry = hosted.registry.clone();
    let ask = move |connection: &Connection| {
        let tenant = registry.tenant(connection)?.unwrap();
        for (query, question, waits) in &questions {
            // What it has to prepare, it prepares once.
            assert!(!question.answer(connection, tenant, 1_000)?.objects.is_empty(), "{query}");
            let before = connection.waits();
            question.answer(connection, tenant, 1_000)?;
            assert_eq!(connection.waits() - before, on_postgres(*waits), "{query}");
        }
        Ok(connection.plans())
    };
    hosted.multiply().await;
    check_plans(&hosted.store.read(ask).await.unwrap());
    check_plans(&hosted.store.write(|connection| Ok(connection.plans())).await.unwrap());
}

impl Hosted {
    /// Puts as much beside what there is that reading it all would cost.
    async fn multiply(&self) {
        const MORE: &str = "
            INSERT INTO registry_patient (tenant, patient, patient_id)
            SELECT tenant, patient + n, patient_id || n FROM registry_patient, generate_series(1, 50) n;
            INSERT INTO registry_object (tenant, object, kind, status, uuid, logical_id, version, patient, unique_id,
                on_demand, repository, relation, source, target, start, fragment)
            SELECT tenant, object + 1000 * n, kind, status, decode(md5(object || '.' || n), 'hex'), logical_id || n, version,
                patient + n, unique_id || '.' || n, on_demand, repository, relation, source + 1000 * n, target + 1000 * n,
                start, fragment
            FROM registry_object, generate_series(1, 50) n;
            ANALYZE registry_patient; ANALYZE registry_object";
        if on_postgres(1) > 0 {
            self.store.write(|connection| Ok(connection.execute_batch(MORE)?)).await.unwrap();
        }
    }
}

/// Statements go by keys: none reads a table through, or all that a tenant has.
fn check_plans(plans: &[(String, String)]) {
    assert_eq!(plans.is_empty(), on_postgres(1) == 0);
    for (sql, plan) in plans {
        assert!(!plan.contains("Seq Scan"), "{sql}\n{plan}");
        let mut conditions = plan.lines().filter(|line| line.contains("Index Cond:"));
        let is_key = |line: &str| line.contains(" AND ") || !line.contains("tenant");
        assert!(conditions.all(is_key), "{sql}\n{plan}");
    }
}
