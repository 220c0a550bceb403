use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::federation::peer::Lines;
use crate::identity::crossref::CrossrefSettings;

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
