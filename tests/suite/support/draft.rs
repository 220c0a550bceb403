//! Submissions whose objects have names: a name is an entryUUID, so that what a registry gives back can be read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sekisho::metadata::rim::{Object, Submission};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Author, Code, DocumentEntryBuilder, FolderBuilder, SubmissionSetBuilder, codes};

use sekisho::transactions::iti18::QueryResponse;

use super::submissions::oid;

pub const PATIENT: &str = "P1^^^&1.2.3&ISO";
pub const OTHER_PATIENT: &str = "P2^^^&1.2.3&ISO";
pub const HAS_MEMBER: &str = codes::association::HAS_MEMBER;

/// The entryUUID of a name.
pub fn id(name: &str) -> String {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let id = format!("urn:uuid:{:08x}-0000-4000-8000-{:012x}", hash >> 32, hash & 0xffff_ffff_ffff);
    NAMES.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), name.to_owned());
    id
}

static NAMES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// The name of an entryUUID; the entryUUID itself if nobody named it.
pub fn name(id: &str) -> String {
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.get(id).cloned().unwrap_or_else(|| id.to_owned())
}

/// The names of what was found, sorted.
pub fn found(answer: &QueryResponse) -> String {
    let mut names: Vec<_> = answer.objects.iter().map(|object| name(&object.id)).collect();
    names.sort();
    names.join(" ")
}

/// Puts entryUUIDs in the place of `{names}`.
pub fn with_ids(text: &str) -> String {
    let mut parts = text.split('{');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a name ends");
        result.push_str(&id(name));
        result.push_str(rest);
    }
    result
}

pub fn code(code: &str) -> Code {
    Code::new(code, "1.2.3.5", &format!("Display of {code}"))
}

pub fn author(person: &str) -> Author {
    Author { person: Some(person.to_owned()), institutions: vec!["Hospital".to_owned()], ..Author::default() }
}

fn stable(name: &str) -> DocumentEntryBuilder {
    describe(DocumentEntryBuilder::stable(id(name)))
        .creation_time("20250101")
        .hash("da39a3ee5e6b4b0d3255bfef95601890afd80709")
        .size(0)
}

/// What every entry has.
fn describe(entry: DocumentEntryBuilder) -> DocumentEntryBuilder {
    entry
        .mime_type("text/plain")
        .title("ja-JP", "退院時サマリー")
        .authors([&author("9^Nobody")])
        .class_code(&code("class"))
        .confidentiality_codes([&code("U")])
        .format_code(&code("format"))
        .facility_type_code(&code("facility"))
        .language_code("ja-JP")
        .patient_id(PATIENT)
        .practice_setting_code(&code("practice"))
        .repository_unique_id("1.2.3.4")
        .source_patient_id("S1^^^&1.2.3.7&ISO")
        .type_code(&code("type"))
        .unique_id(oid())
}

/// A submission in the making. Associations are named by their ends: `set>entry`, `folder>entry`.
#[derive(Clone)]
pub struct Draft {
    patient: String,
    set: String,
    pub objects: Vec<Object>,
}

impl Draft {
    /// A SubmissionSet of the usual patient.
    pub fn new(set: &str) -> Self {
        Self::of(PATIENT, set)
    }
    pub fn of(patient: &str, set: &str) -> Self {
        let package = SubmissionSetBuilder::new(id(set))
            .authors([&author("1^Yamada^Taro")])
            .content_type_code(&code("content"))
            .patient_id(patient)
            .source_id("1.2.3.8")
            .submission_time("20260116093000")
            .unique_id(oid())
            .build();
        Self { patient: patient.to_owned(), set: set.to_owned(), objects: vec![package] }
    }
    pub fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }
    /// An entry as an original member of the set.
    pub fn entry(
        self,
        name: &str,
        describe: impl FnOnce(DocumentEntryBuilder) -> DocumentEntryBuilder,
    ) -> Self {
        self.member(name, describe(stable(name)))
    }
    /// Entries with nothing special to them.
    pub fn entries(self, names: &[&str]) -> Self {
        names.iter().fold(self, |draft, name| draft.entry(name, |entry| entry))
    }
    /// The same of an on-demand entry.
    pub fn on_demand(self, name: &str) -> Self {
        self.member(name, describe(DocumentEntryBuilder::on_demand(id(name))))
    }
    fn member(self, name: &str, entry: DocumentEntryBuilder) -> Self {
        let entry = entry.patient_id(&*self.patient).build();
        self.object(entry).hold(name, Membership::Original)
    }
    fn hold(self, name: &str, membership: Membership) -> Self {
        let mut member = has_member(&id(&self.set), &id(name), membership);
        member.id = id(&format!("{}>{name}", self.set));
        self.object(member)
    }
    /// A folder as a member of the set.
    pub fn folder(self, name: &str, codes: &[&str]) -> Self {
        let codes: Vec<_> = codes.iter().map(|one| code(one)).collect();
        let folder = FolderBuilder::new(id(name))
            .title("ja-JP", "紹介")
            .codes(&codes)
            .patient_id(&*self.patient)
            .unique_id(oid())
            .build();
        let set = self.set.clone();
        self.object(folder).relate(HAS_MEMBER, &set, ">", name)
    }
    /// An entry, of the submission or not, as member of a folder; the set holds that membership.
    pub fn put(self, folder: &str, entry: &str) -> Self {
        let set = self.set.clone();
        self.relate(HAS_MEMBER, folder, ">", entry).relate(
            HAS_MEMBER,
            &set,
            ">",
            &format!("{folder}>{entry}"),
        )
    }
    /// An entry that is there already as a member of the set.
    pub fn refer(self, name: &str) -> Self {
        self.hold(name, Membership::Reference)
    }
    /// An association whose name is made of its ends and the sign between them.
    pub fn relate(self, association_type: &str, source: &str, sign: &str, target: &str) -> Self {
        let mut link = association(association_type, &id(source), &id(target));
        link.id = id(&format!("{source}{sign}{target}"));
        self.object(link)
    }
    /// Changes the object of a name.
    pub fn change(mut self, name: &str, change: impl FnOnce(&mut Object)) -> Self {
        let id = id(name);
        change(self.objects.iter_mut().find(|object| object.id == id).expect("it is there"));
        self
    }
    /// Gives the object of a name a uniqueId.
    pub fn unique_id(self, name: &str, unique_id: &str) -> Self {
        self.change(name, |object| {
            let mut all = object.external_identifiers.iter_mut();
            let identifier = all.find(|one| one.name[0].value.ends_with("uniqueId"));
            unique_id.clone_into(&mut identifier.expect("it has a uniqueId").value);
        })
    }
    pub fn submission(&self) -> Submission {
        Submission { objects: self.objects.clone(), ..Submission::default() }
    }
}
