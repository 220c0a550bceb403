//! Everything that changes a registry and its repository, at once and at the same objects: ITI-41, ITI-42, ITI-57, ITI-62,
//! ITI-64 and ITI-86. Whatever comes first, each is done whole or refused with a code that says why, and what is left is a
//! registry (ITI TF-3: 4.1.4; XDS Metadata Update: 4.2.1).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use sekisho::metadata::codes::association::{APND, RPLC, UPDATE_AVAILABILITY_STATUS};
use sekisho::metadata::codes::{self, slot};
use sekisho::metadata::rim::{Kind, Object};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::transactions::Transaction;
use sekisho::transactions::errors::{RegistryResponse, Status, code};
use sekisho::transactions::iti18::ITI18;
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::wire::hl7v2::mllp::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::draft::{Draft, HAS_MEMBER, OTHER_PATIENT, PATIENT, id, name};
use crate::support::hosted::{REPOSITORY, Standalone, codes_of, objects_in};
use crate::support::submissions::{Document, any_below, rename, submission};

const WORKERS: usize = 6;
const STEPS: usize = 14;

/// What one who came too late may be told.
const TOO_LATE: [&str; 9] = [
    code::REGISTRY_DEPRECATED_DOCUMENT,
    code::UNRESOLVED_REFERENCE,
    code::PATIENT_ID_DOES_NOT_MATCH,
    code::PATIENT_ID_RECONCILIATION,
    code::METADATA_VERSION,
    code::METADATA_UPDATE,
    code::REFERENCES_EXIST,
    code::METADATA_MODEL,
    code::UNREFERENCED_OBJECT,
];

/// A registry, and what was acknowledged.
struct World {
    hosted: Standalone,
    /// Names of entries that were there at some time.
    entries: RefCell<Vec<String>>,
    accepted: RefCell<BTreeSet<String>>,
    removed: RefCell<BTreeSet<String>>,
    /// How often each kind of step was taken, and how often it was refused.
    steps: RefCell<BTreeMap<&'static str, (usize, usize)>>,
}

impl World {
    async fn new() -> Self {
        let own = ["community.authorities=[\"1.2.3\"]", "standalone.patients=\"own\""];
        let hosted = Standalone::start(&[&own[..], &["listen.mllp.address=127.0.0.1:0"]].concat()).await;
        let first = Draft::new("races").entries(&["race1", "race2", "race3"]).folder("track", &["F"]);
        hosted.accept(&first.put("track", "race1")).await;
        let names = ["race1", "race2", "race3"].map(str::to_owned);
        Self {
            hosted,
            entries: RefCell::new(names.to_vec()),
            accepted: RefCell::new(names.into()),
            removed: RefCell::default(),
            steps: RefCell::default(),
        }
    }

    fn any_entry(&self) -> String {
        let entries = self.entries.borrow();
        entries[any_below(entries.len())].clone()
    }

    /// Notes an answer; whether it was Success.
    fn is_done(&self, step: &'static str, answer: &RegistryResponse) -> bool {
        let done = answer.status == Status::Success;
        let mut steps = self.steps.borrow_mut();
        let (taken, refused) = steps.entry(step).or_default();
        *taken += 1;
        *refused += usize::from(!done);
        for code in codes_of(answer) {
            assert!(TOO_LATE.contains(&code), "{step}: {answer:?}");
        }
        done
    }

    async fn send(&self, step: &'static str, transaction: &Transaction, draft: &Draft) -> bool {
        self.is_done(step, &self.hosted.register(transaction, &draft.submission()).await)
    }

    fn keep(&self, entry: &str) {
        self.accepted.borrow_mut().insert(entry.to_owned());
        self.entries.borrow_mut().push(entry.to_owned());
    }

    async fn work(&self, worker: usize) {
        for step in 0..STEPS {
            let (set, new, target) =
                (format!("set{worker}.{step}"), format!("new{worker}.{step}"), self.any_entry());
            match any_below(7) {
                0 => {
                    let draft = Draft::new(&set).entries(&[&new]).relate(RPLC, &new, "/", &target);
                    if self.send("ITI-42 RPLC", &ITI42, &draft).await {
                        self.keep(&new);
                    }
                }
                1 => self.append_and_remove(&set, &new, &target).await,
                2 => {
                    let folder = format!("folder{worker}.{step}");
                    let draft = Draft::new(&set).folder(&folder, &["F"]).put(&folder, &target);
                    self.send("ITI-42 folder", &ITI42, &draft).await;
                }
                3 => {
                    let mut change = association(UPDATE_AVAILABILITY_STATUS, &id(&set), &id(&target));
                    change.set_slot(slot::ORIGINAL_STATUS, vec![codes::APPROVED.to_owned()]);
                    change.set_slot(slot::NEW_STATUS, vec![codes::DEPRECATED.to_owned()]);
                    self.send("ITI-57 status", &ITI57, &Draft::new(&set).object(change)).await;
                }
                4 => self.documents_come_and_go().await,
                _ => self.update(&set, &new, &target).await,
            }
        }
    }

    /// A new version of whatever is found.
    async fn update(&self, set: &str, new: &str, target: &str) {
        let Some(mut object) = self.get(target).await else { return };
        let version = object.version.take().unwrap();
        object.status = None;
        rename(&mut object, &id(new));
        let mut member = has_member(&id(set), &id(new), Membership::Original);
        member.set_slot(slot::PREVIOUS_VERSION, vec![version]);
        if self.send("ITI-57 version", &ITI57, &Draft::new(set).object(object).object(member)).await {
            self.keep(new);
        }
    }

    /// An addendum, which is removed again with its set, unless somebody refers to it meanwhile.
    async fn append_and_remove(&self, set: &str, new: &str, target: &str) {
        let draft = Draft::new(set).entries(&[new]).relate(APND, new, "+", target);
        if !self.send("ITI-42 APND", &ITI42, &draft).await {
            return;
        }
        self.keep(new);
        let objects = draft.objects.iter().map(|object| object.id.clone()).collect();
        if self.is_done("ITI-62", &self.hosted.remove(objects).await) {
            self.removed.borrow_mut().insert(new.to_owned());
        }
    }

    /// A document is submitted, removed and submitted anew: it can be retrieved exactly while it is there.
    async fn documents_come_and_go(&self) {
        let document = Document::new(1 + any_below(300_000));
        for _again in 0..2 {
            let said = submission(PATIENT, std::slice::from_ref(&document));
            let sent = vec![("Document0".to_owned(), document.bytes())];
            assert!(self.is_done("ITI-41", &self.hosted.submit(&said, sent).await));
            assert_eq!(
                self.hosted.document(REPOSITORY, &document.unique_id).await.unwrap(),
                document.bytes()
            );
            let removed = self.hosted.remove_documents(&[(REPOSITORY, &document.unique_id)]).await;
            assert!(self.is_done("ITI-86", &removed));
            let gone = self.hosted.document(REPOSITORY, &document.unique_id).await;
            assert_eq!(gone.unwrap_err(), code::DOCUMENT_UNIQUE_ID_ERROR);
        }
    }

    /// The local patient of all entries is linked to one patient and to the other in turn (ITI-64).
    async fn relink(&self) {
        let address = self.hosted.running().bound().mllp.clone().unwrap();
        let mut line = TcpStream::connect(address).await.unwrap();
        for turn in 0..STEPS {
            let (new, previous) =
                if turn % 2 == 0 { (OTHER_PATIENT, PATIENT) } else { (PATIENT, OTHER_PATIENT) };
            let message = format!(
                "MSH|^~\\&|MPI|CENTRAL|SEKISHO|GATE|20260101000000+0900||ADT^A43^ADT_A43|M{turn}|P|2.5||||||UNICODE UTF-8\r\
                 EVN||20260101\rPID|||{new}~S1^^^&1.2.3.7&ISO|| \rMRG|{previous}\r"
            );
            line.write_all(&frame(message.as_bytes())).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\x1c\r") {
                answer.push(line.read_u8().await.unwrap());
            }
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains("MSA|AA|"), "{answer}");
        }
    }

    async fn get(&self, entry: &str) -> Option<Object> {
        self.everything().await.remove(&id(entry))
    }

    /// Everything of both patients, old versions too.
    async fn everything(&self) -> BTreeMap<String, Object> {
        const GET_ALL: &str = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3";
        const ANY: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved',\
            'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')";
        let mut all = BTreeMap::new();
        for patient in [PATIENT, OTHER_PATIENT] {
            let patient = format!("'{patient}'");
            let parameters = [
                ("$patientId", &*patient),
                ("$XDSDocumentEntryStatus", ANY),
                ("$XDSSubmissionSetStatus", ANY),
                ("$XDSFolderStatus", ANY),
                ("$XDSAssociationStatus", ANY),
                ("$MetadataLevel", "2"),
            ];
            let answer = self.hosted.ask(&ITI18, GET_ALL, &parameters).await;
            assert_eq!(answer.errors, []);
            all.extend(objects_in(&answer).into_iter().map(|object| (object.id.clone(), object)));
        }
        all
    }
}

/// What holds of every registry.
fn is_a_registry(all: &BTreeMap<String, Object>) {
    let approved = |object: &Object| object.status.as_deref() == Some(codes::APPROVED);
    let mut held = BTreeSet::new();
    for object in all.values() {
        let Some(link) = &object.association else { continue };
        let (source, target) = (all.get(&link.source), all.get(&link.target));
        let (Some(source), Some(target)) = (source, target) else {
            panic!("{} leads from or to nothing", name(&object.id));
        };
        if link.association_type == HAS_MEMBER && source.kind == Kind::SubmissionSet {
            held.insert(target.id.as_str());
        }
        if link.association_type == RPLC {
            assert!(!approved(target), "{} is replaced and approved", name(&target.id));
        }
    }
    let mut versions: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for object in all.values().filter(|one| matches!(one.kind, Kind::DocumentEntry | Kind::Folder)) {
        assert!(held.contains(object.id.as_str()), "{} lies in no SubmissionSet", name(&object.id));
        versions.entry(object.lid.as_deref().unwrap()).or_default().push(object);
    }
    for (lid, mut versions) in versions {
        let number = |object: &&Object| object.version.as_deref().unwrap().parse::<usize>().unwrap();
        versions.sort_by_key(number);
        let numbers: Vec<_> = versions.iter().map(number).collect();
        // Older ones may be removed before the newest (RMD: 3.62.4.1.3).
        let expected: Vec<_> = (numbers[0]..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "versions of {}", name(lid));
        let older = &versions[..versions.len() - 1];
        assert!(older.iter().all(|old| !approved(old)), "an older version of {} is approved", name(lid));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_changes_a_registry_may_come_at_once() {
    let world = World::new().await;
    let workers = join_all((0..WORKERS).map(|worker| world.work(worker)));
    tokio::join!(workers, world.relink());
    let all = world.everything().await;
    is_a_registry(&all);
    for entry in world.accepted.borrow().iter() {
        let gone = world.removed.borrow().contains(entry);
        assert_eq!(all.contains_key(&id(entry)), !gone, "{entry}: acknowledged, and then removed: {gone}");
    }
    let steps = world.steps.borrow().clone();
    assert!(steps.len() >= 6, "{steps:?}");
    assert!(steps.values().any(|(_, refused)| *refused > 0), "nobody was too late: {steps:?}");
    world.hosted.stop().await;
}
