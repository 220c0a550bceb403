//! Submissions in, answers out.

mod model;
mod patients;
mod queries;
mod relinking;
mod removal;
mod several_patients;
mod submissions;
mod updates;
mod waits;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metadata::codes;
use crate::metadata::validate::Context;
use crate::metadata::views::{self, Membership};
use crate::metadata::{Author, Code, DocumentEntryBuilder, FolderBuilder, Object, SubmissionSetBuilder};
use crate::registry::*;
use crate::store::testing;
use crate::transactions::errors::{Answering, Status};
use crate::transactions::iti18::{Parameter, ReturnType};

const PATIENT: &str = "P1^^^&1.2.3&ISO";
const OTHER_PATIENT: &str = "P2^^^&1.2.3&ISO";

const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";
const FIND_SETS: &str = "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9";
const FIND_FOLDERS: &str = "urn:uuid:958f3006-baad-4929-a4de-ff1114824431";
const GET_ALL: &str = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
const GET_DOCUMENTS: &str = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
const GET_FOLDERS: &str = "urn:uuid:5737b14c-8a1a-4539-b659-e03a34a5e1e4";
const GET_ASSOCIATIONS: &str = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155";
const GET_DOCUMENTS_AND_ASSOCIATIONS: &str = "urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a";
const GET_SETS: &str = "urn:uuid:51224314-5390-4169-9b91-b1980040715a";
const GET_SET_AND_CONTENTS: &str = "urn:uuid:e8e3cb2c-e39c-46b9-99e4-c12f57260b83";
const GET_FOLDER_AND_CONTENTS: &str = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7";
const GET_FOLDERS_FOR_DOCUMENT: &str = "urn:uuid:10cae35a-c7f9-4cf5-b61e-fc3278ffb578";
const GET_RELATED: &str = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6";
const FIND_BY_REFERENCE: &str = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492";

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const ANY_STATUS: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved',\
    'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";

/// A registry in a directory of its own that goes with it.
struct Hosted {
    directory: PathBuf,
    store: Store,
    registry: Registry,
}

impl Hosted {
    fn new() -> Self {
        Self::with(RegistrySettings::default())
    }
    fn with(settings: RegistrySettings) -> Self {
        let directory = std::env::temp_dir().join(format!("sekisho-registry-{}", uuid::Uuid::new_v4()));
        let backend = testing::backend(module_path!());
        let store = Store::open_in(&backend, &directory, &[MIGRATION]).unwrap();
        let registry = Registry::new(store.clone(), Tenant("urn:oid:1.2.3.4".into()), settings);
        Self { directory, store, registry }
    }
    /// As the Document Registry does it: what the metadata rules refuse does not come to the registry.
    async fn register(&self, draft: &Draft) -> Registered {
        let submission = draft.submission();
        let broken = validate::check(&submission, Context::Register, self.registry.rules()).enforced;
        if !broken.is_empty() {
            let error = |violation| RegistryError::from_violation(violation, Answering::Registry);
            return Registered::Refused(broken.iter().map(error).collect());
        }
        let digest = digest(&submission);
        self.registry.register(submission, digest, None).await.unwrap()
    }
    async fn accept(&self, draft: &Draft) {
        assert_eq!(self.register(draft).await, Registered::Accepted(vec![]));
    }
    /// Submits what must be refused, with nothing left behind; the codes of its errors.
    async fn refuse(&self, draft: &Draft) -> Vec<RegistryError> {
        let before = self.dump();
        let Registered::Refused(errors) = self.register(draft).await else { panic!("it was not refused") };
        assert_eq!(self.dump(), before, "a refused submission left something behind");
        errors
    }
    async fn ask(&self, query: &str, return_type: ReturnType, parameters: &[(&str, &str)]) -> QueryResponse {
        self.registry.query(Self::question(query, return_type, parameters)).await.unwrap()
    }
    fn question(query: &str, return_type: ReturnType, parameters: &[(&str, &str)]) -> QueryRequest {
        let parameters = parameters
            .iter()
            .map(|(name, value)| Parameter { name: (*name).to_owned(), values: vec![(*value).to_owned()] })
            .collect();
        QueryRequest { query: query.to_owned(), home: None, return_type, parameters }
    }
    /// The ids of what a query finds, sorted; the query must succeed.
    async fn find(&self, query: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        let leaf = self.ask(query, ReturnType::LeafClass, parameters).await;
        assert_eq!(leaf.errors, []);
        let reference = self.ask(query, ReturnType::ObjectRef, parameters).await;
        assert_eq!(ids(&leaf), ids(&reference));
        ids(&leaf)
    }
    /// The codes of the errors that a query is refused with.
    async fn refused(&self, query: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        let answer = self.ask(query, ReturnType::LeafClass, parameters).await;
        assert_eq!((answer.status, answer.objects.len()), (Status::Failure, 0));
        answer.errors.into_iter().map(|error| error.code.into_owned()).collect()
    }
    /// The object with an id, as it is returned.
    fn object(&self, id: &str) -> Object {
        let uuid = schema::uuid_bytes(id).unwrap();
        let fragment: Vec<u8> = self
            .store
            .read_blocking(move |connection| {
                let sql = "SELECT fragment FROM registry_object WHERE uuid = ?1";
                Ok(connection.query_row(sql, [uuid], |row| row.get(0))?)
            })
            .unwrap();
        fragment::read(&fragment).unwrap()
    }
    fn status(&self, id: &str) -> String {
        let status = self.object(id).status.unwrap();
        status.rsplit(':').next().unwrap().to_owned()
    }
    /// Everything that is stored.
    fn dump(&self) -> Vec<String> {
        let dump = |connection: &Connection| -> Result<Vec<String>, StoreError> {
            let mut rows = Vec::new();
            for table in [
                "registry_tenant",
                "registry_patient",
                "registry_object",
                "registry_value",
                "registry_submission",
            ] {
                let mut all = connection.prepare_cached(&format!("SELECT * FROM {table} ORDER BY 1, 2"))?;
                let mut found = all.query(())?;
                while let Some(row) = found.next()? {
                    let row: Vec<_> = (0..row.columns())
                        .map(|column| row.get_ref(column).map(|value| format!("{value:?}")))
                        .collect::<Result<_, _>>()?;
                    rows.push(format!("{table} {}", row.join("|")));
                }
            }
            Ok(rows)
        };
        self.store.read_blocking(dump).unwrap()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.store.close();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The ids of an answer's objects, sorted.
fn ids(answer: &QueryResponse) -> Vec<String> {
    let mut ids: Vec<_> = answer.objects.iter().map(|object| object.id.clone()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort();
    ids
}

fn quoted(ids: &[&str]) -> String {
    let quoted: Vec<_> = ids.iter().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
    format!("({})", quoted.join(","))
}

fn uuid() -> String {
    crate::ids::EntryUuid::random().as_str().to_owned()
}

/// An OID that no other test object has.
fn oid() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("1.2.3.999.{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.5", &format!("Display of {code}"))
}

fn author(person: &str) -> Author {
    Author { person: Some(person.to_owned()), institutions: vec!["Hospital".to_owned()], ..Author::default() }
}

/// A complete entry of the usual patient.
fn entry(id: &str) -> DocumentEntryBuilder {
    entry_of(id, PATIENT)
}

fn entry_of(id: &str, patient: &str) -> DocumentEntryBuilder {
    DocumentEntryBuilder::stable(id)
        .mime_type("text/plain")
        .title("ja-JP", "退院時サマリー > \"1\"")
        .authors([&author("11375^Yamada^Taro")])
        .class_code(&code("class"))
        .confidentiality_codes([&code("N")])
        .creation_time("20260115")
        .format_code(&code("format"))
        .hash("da39a3ee5e6b4b0d3255bfef95601890afd80709")
        .facility_type_code(&code("facility"))
        .language_code("ja-JP")
        .patient_id(patient)
        .practice_setting_code(&code("practice"))
        .repository_unique_id("1.2.3.6")
        .size(0)
        .source_patient_id("S1^^^&1.2.3.7&ISO")
        .type_code(&code("type"))
        .unique_id(oid())
}

/// A submission in the making.
#[derive(Clone)]
struct Draft {
    patient: String,
    objects: Vec<Object>,
}

impl Draft {
    fn new() -> Self {
        Self::of(PATIENT)
    }
    fn of(patient: &str) -> Self {
        let set = SubmissionSetBuilder::new("set")
            .authors([&author("11375^Yamada^Taro")])
            .content_type_code(&code("content"))
            .patient_id(patient)
            .source_id("1.2.3.8")
            .submission_time("20260116093000")
            .unique_id(oid());
        Self { patient: patient.to_owned(), objects: vec![set.build()] }
    }
    fn set(mut self, change: impl FnOnce(&mut Object)) -> Self {
        change(&mut self.objects[0]);
        self
    }
    fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }
    fn entry(self, entry: DocumentEntryBuilder) -> Self {
        let entry = entry.build();
        let member = views::has_member("set", &entry.id, Membership::Original);
        self.object(entry).object(member)
    }
    fn folder(self, id: &str) -> Self {
        let folder = FolderBuilder::new(id)
            .title("ja-JP", "紹介")
            .codes([&code("folder")])
            .patient_id(self.patient.clone())
            .unique_id(oid())
            .build();
        let member = views::association(codes::association::HAS_MEMBER, "set", id);
        self.object(folder).object(member)
    }
    /// An entry, of the submission or not, as member of a folder; the set holds that membership.
    fn put(self, folder: &str, entry: &str) -> Self {
        let link = views::association(codes::association::HAS_MEMBER, folder, entry);
        let held = views::association(codes::association::HAS_MEMBER, "set", &link.id);
        self.object(link).object(held)
    }
    fn relate(self, association: &str, source: &str, target: &str) -> Self {
        self.object(views::association(association, source, target))
    }
    fn change(mut self, id: &str, change: impl FnOnce(&mut Object)) -> Self {
        change(self.objects.iter_mut().find(|object| object.id == id).unwrap());
        self
    }
    fn submission(&self) -> Submission {
        Submission { objects: self.objects.clone(), ..Submission::default() }
    }
    fn unique_id(&self, id: &str) -> String {
        let object = self.objects.iter().find(|object| object.id == id).unwrap();
        let identifier = object.external_identifiers.iter().find(|i| i.name[0].value.ends_with("uniqueId"));
        identifier.unwrap().value.clone()
    }
}
