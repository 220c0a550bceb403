use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::demographics::{DemographicsChange, Name};
use crate::federation::peer::Lines;
use crate::identity::crossref::CrossrefSettings;
use crate::identity::index::MIGRATION;
use crate::store::Store;

struct Counting(AtomicU32);

impl Manager for Counting {
    fn person<'a>(
        &'a self,
        patient: &'a PatientId,
        _: &'a Caller,
        _: Instant,
    ) -> BoxFuture<'a, Result<Option<Person>, Unavailable>> {
        Box::pin(async move {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            match patient.id() {
                "known" => Ok(Some(Person {
                    identifiers: vec![id("S^^^&1.5.3&ISO"), id("OWN^^^&1.2.3&ISO"), id("F^^^&1.9&ISO")],
                    ..Person::default()
                })),
                "away" => Err(Unavailable::TimedOut),
                _ => Ok(None),
            }
        })
    }
}

fn id(text: &str) -> PatientId {
    PatientId::parse(text).unwrap()
}

fn home(text: &str) -> HomeCommunityId {
    HomeCommunityId::parse(text).unwrap()
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn what_is_known_nearer_is_taken_first() {
    let folder = Folder(std::env::temp_dir().join(format!("sekisho-correlation-{}", uuid::Uuid::new_v4())));
    let cache =
        CrossrefSettings { directory: folder.0.clone(), tenant: "region".into(), most: 10, memory: 1 << 20 };
    let cache = Crossref::open(&cache).unwrap();
    let manager = Arc::new(Counting(AtomicU32::new(0)));
    let listed = (id("listed^^^&1.2&ISO"), home("1.5"), id("T^^^&1.5.3&ISO"));
    let correlation = PatientCorrelation::new(Sources {
        table: Arc::new(CorrelationTable::new([listed])),
        cache: Some(cache.clone()),
        managers: vec![Arc::clone(&manager) as _],
        authorities: vec![Oid::parse("1.2.3").unwrap()],
        ..Sources::default()
    });
    let mut peer = Member::new(Role::Peer, "Peer", home("1.5"), Vec::new());
    peer.authorities = vec![Oid::parse("1.5.3").unwrap()];
    let peer = Arc::new(Peer::new(Arc::new(peer), Lines::default(), None));
    let own = Arc::new(Member::new(Role::Own, "Own", home("1.2"), Vec::new()));
    let caller = Caller::default();
    let find = async |patient: &str, member: &Arc<Member>| {
        let asked = Whereabouts {
            patient: &id(&format!("{patient}^^^&1.2&ISO")),
            member,
            peer: Some(&peer),
            caller: &caller,
            deadline: Instant::now() + Duration::from_secs(5),
        };
        correlation.identities(asked).await
    };
    assert_eq!(find("listed", &peer.member).await, Ok(vec![id("T^^^&1.5.3&ISO")]));
    assert_eq!(manager.0.load(Ordering::Relaxed), 0);
    let both = tokio::join!(find("known", &peer.member), find("known", &own));
    assert_eq!(both, (Ok(vec![id("S^^^&1.5.3&ISO")]), Ok(vec![id("OWN^^^&1.2.3&ISO")])));
    assert_eq!(manager.0.load(Ordering::Relaxed), 1, "concurrent questions about one patient are one");
    assert_eq!(find("stranger", &peer.member).await, Ok(Vec::new()));
    assert_eq!(find("away", &peer.member).await, Err(Uncorrelated::Away(Unavailable::TimedOut)));
    // Our own registry is asked whoever else knows the patient.
    assert_eq!(find("away", &own).await, Ok(Vec::new()));

    let known = id("known^^^&1.2&ISO");
    let entry = Entry {
        remote: Vec::new(),
        digest: Digest::NONE,
        score: 0,
        decided: Decided::Community,
        obtained: crossref::now(),
        expires: crossref::now() + 60,
    };
    cache.keep(cache.ticket(&known), home("1.5"), entry).await;
    assert_eq!(find("known", &peer.member).await, Ok(Vec::new()), "it was found out that nobody there is it");
}

#[tokio::test]
async fn what_was_found_for_somebody_who_is_another_by_now_is_asked_anew() {
    let folder = Folder(std::env::temp_dir().join(format!("sekisho-correlation-{}", uuid::Uuid::new_v4())));
    let (index, store) = {
        let folder = folder.0.join("store");
        let open = move || {
            let store = Store::open(&folder, &[MIGRATION]).unwrap();
            (Index::open(store.clone(), "region").unwrap(), store)
        };
        tokio::task::spawn_blocking(open).await.unwrap()
    };
    let directory = folder.0.join("cache");
    let cache = CrossrefSettings { directory, tenant: "region".into(), most: 10, memory: 1 << 20 };
    // Nobody makes it forget: as in the moment before what a feed changed is followed.
    let cache = Crossref::open(&cache).unwrap();
    let correlation = PatientCorrelation::new(Sources {
        cache: Some(cache.clone()),
        index: Some(index.clone()),
        ..Sources::default()
    });
    let member = Arc::new(Member::new(Role::Peer, "Peer", home("1.5"), Vec::new()));
    let caller = Caller::default();
    let find = async |patient: &PatientId| {
        let deadline = Instant::now() + Duration::from_secs(5);
        let asked = Whereabouts { patient, member: &member, peer: None, caller: &caller, deadline };
        correlation.identities(asked).await.unwrap()
    };
    let named = |family: &str| Demographics {
        names: vec![Name { family: family.into(), given: "花子".into(), ..Name::default() }],
        ..Demographics::default()
    };
    let announce = async |patient: &PatientId, family: &str| {
        let change = DemographicsChange::set(&named(family));
        index.announce([patient.clone()], change, None).await.unwrap()
    };
    let there = id("T^^^&1.5.3&ISO");
    let (changes, ends, stranger) = (id("changes^^^&1.2&ISO"), id("ends^^^&1.2&ISO"), id("X^^^&1.7&ISO"));
    for patient in [&changes, &ends, &stranger] {
        let entry = Entry {
            remote: vec![there.clone()],
            digest: Digest::of(&named("山田")),
            score: 100,
            decided: Decided::Community,
            obtained: crossref::now(),
            expires: crossref::now() + 60,
        };
        cache.keep(cache.ticket(patient), home("1.5"), entry).await;
    }
    announce(&changes, "山田").await;
    announce(&ends, "山田").await;
    for patient in [&changes, &ends, &stranger] {
        assert_eq!(find(patient).await, std::slice::from_ref(&there));
    }
    announce(&changes, "佐藤").await;
    index.merge(changes.clone(), ends.clone(), DemographicsChange::default(), None).await.unwrap();
    assert!(find(&changes).await.is_empty() && find(&ends).await.is_empty());
    assert_eq!(
        find(&stranger).await,
        std::slice::from_ref(&there),
        "whom the index does not know cannot have changed in it"
    );
    drop((correlation, index));
    tokio::task::spawn_blocking(move || store.close()).await.unwrap();
}
