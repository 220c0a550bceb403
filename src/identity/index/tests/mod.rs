//! The index on a store of its own.

mod decisions;
mod feed;
mod histories;
mod learning;
mod merges;
mod order;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::records::Activity;
use super::{Announced, Event, Index, IndexError, MIGRATION};
use crate::demographics::{
    BirthTime, Demographics, DemographicsChange, Domain, DomainKind, Domains, Name, Sex, Telecom,
};
use crate::ids::{Oid, PatientId};
use crate::store::{Store, testing};
use crate::transactions::identity::DemographicsQuery;

/// An index in a folder that goes away with it.
pub(super) struct Scratch {
    pub(super) index: Index,
    pub(super) store: Store,
    folder: PathBuf,
}

impl Scratch {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("sekisho-index-{}-{number}", uuid::Uuid::new_v4().simple()));
        let _ = std::fs::remove_dir_all(&folder);
        Self::open(folder)
    }
    fn open(folder: PathBuf) -> Self {
        let store = Store::open_in(&testing::chosen(&folder), &folder, &[MIGRATION]).unwrap();
        let index = Index::open(store.clone(), "region").unwrap();
        index.set_domains(Arc::new(domains()));
        Arc::clone(&index.0).read_ahead();
        Self { index, store, folder }
    }
    /// Closes and opens it.
    pub(super) fn restart(self) -> Self {
        self.store.close();
        let folder = self.folder.clone();
        std::mem::forget(self);
        Self::open(folder)
    }
    pub(super) async fn announce(&self, ids: &[PatientId], person: &Demographics) -> Announced {
        self.index.announce(ids.to_vec(), DemographicsChange::set(person), None).await.unwrap()
    }
    pub(super) async fn merge(&self, surviving: &PatientId, subsumed: &PatientId) -> Result<(), IndexError> {
        self.index.merge(surviving.clone(), subsumed.clone(), DemographicsChange::default(), None).await
    }
    /// The other identifiers, as CX.
    pub(super) async fn others(&self, patient: &PatientId) -> Vec<String> {
        let (others, _) = self.index.corresponding(patient).await.unwrap();
        others.iter().map(PatientId::to_cx).collect()
    }
    pub(super) async fn events(&self) -> Vec<Event> {
        self.index.events(0, 1_000).await.unwrap()
    }
    /// How many records are at hand; each as the database has it.
    pub(super) async fn at_hand(&self) -> usize {
        let looked = self.index.read(|index, tables| {
            let look = index.memory.look();
            let mut known = 0;
            for record in 1..=tables.marks()?.record {
                let at_hand = look.at(record, |revision, prepared| (revision, prepared.clone()));
                let Some((revision, prepared)) = at_hand else { continue };
                let found = tables.comparable(tables.global(record))?.unwrap();
                assert!(found.active == Activity::Active);
                assert!(found.revision == revision && found.prepared == prepared);
                known += 1;
            }
            Ok(known)
        });
        looked.await.unwrap()
    }
    /// Identifiers of everybody who fits, person by person.
    pub(super) async fn find(&self, query: DemographicsQuery) -> Vec<Vec<String>> {
        let (matches, total) = self.index.find(query, 100).await.unwrap();
        assert_eq!(matches.len(), total);
        matches.iter().map(|found| found.identifiers.iter().map(PatientId::to_cx).collect()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const INSURED: &str = "1.2.392.9";

fn domains() -> Domains {
    let domain = |oid: &str, kind| Domain {
        oid: Oid::parse(oid).unwrap(),
        namespace: format!("N{oid}"),
        name: String::new(),
        kind,
        source: None,
        twelve_digits: Default::default(),
    };
    Domains::new(vec![
        domain("1.2.1", DomainKind::Patients),
        domain("1.2.2", DomainKind::Patients),
        domain("1.2.3", DomainKind::Patients),
        domain(INSURED, DomainKind::Insured),
    ])
}

pub(super) fn id(domain: u32, id: &str) -> PatientId {
    PatientId::new(id, Oid::parse(&format!("1.2.{domain}")).unwrap())
}

pub(super) fn insured(number: &str) -> PatientId {
    PatientId::new(number, Oid::parse(INSURED).unwrap())
}

pub(super) fn named(family: &str, given: &str) -> Name {
    Name { family: family.into(), given: given.into(), ..Name::default() }
}

pub(super) fn person(family: &str, given: &str, birth: &str) -> Demographics {
    Demographics {
        names: vec![named(family, given)],
        birth: BirthTime::parse(birth),
        sex: Some(Sex::Female),
        telecoms: vec![Telecom { value: "03-1234-5678".into(), ..Telecom::default() }],
        ..Demographics::default()
    }
}
