use super::*;
use crate::demographics::{Demographics, DomainKind, Domains, Validity};
use crate::identity::index::Dated;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sekisho-crossref-{}", uuid::Uuid::new_v4()));
        Self(folder)
    }
    fn settings(&self, most: usize) -> CrossrefSettings {
        CrossrefSettings {
            directory: self.0.join("crossref"),
            tenant: "urn:oid:1.2".into(),
            most,
            memory: 8 << 20,
        }
    }
    fn open(&self, most: usize) -> Crossref {
        Crossref::open(&self.settings(most)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn local(id: &str) -> PatientId {
    PatientId::new(id, crate::ids::Oid::parse("1.2.3").unwrap())
}

fn home(oid: &str) -> HomeCommunityId {
    HomeCommunityId::parse(oid).unwrap()
}

fn entry(remote: &[&str], expires: u64) -> Entry {
    Entry {
        remote: remote.iter().map(|id| local(id)).collect(),
        digest: Digest::of(&Demographics::default()),
        score: 97,
        decided: Decided::Community,
        obtained: now(),
        expires,
    }
}

async fn keep(cache: &Crossref, patient: &str, community: &str, entry: Entry) {
    let ticket = cache.ticket(&local(patient));
    cache.keep(ticket, home(community), entry).await;
}

/// The operator's rates: how often something was known, too old, or not there.
#[tokio::test]
async fn lookups_are_counted_by_what_they_found() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let folder = Folder::new();
    let cache = folder.open(100);
    let (patient, there) = (local("1"), home("1.5"));
    assert_eq!(cache.get(&patient, &there), Lookup::Miss);
    keep(&cache, "1", "1.5", entry(&["X"], now() + 60)).await;
    assert!(matches!(cache.get(&patient, &there), Lookup::Hit(_)));
    assert!(matches!(cache.get(&patient, &there), Lookup::Hit(_)));
    assert_eq!(cache.get_at(&patient, &there, now() + 61), Lookup::Stale);
    let told = recorder.handle().render();
    for (outcome, times) in [("miss", 1), ("hit", 2), ("stale", 1)] {
        let line = format!("sekisho_crossref_lookups_total{{outcome=\"{outcome}\"}} {times}");
        assert!(told.contains(&line), "{line}: {told}");
    }
}

#[test]
fn an_entry_is_its_bytes() {
    for remote in [&[][..], &["1"], &["花子", "^&~|\\"]] {
        let entry = entry(remote, 12);
        assert_eq!(Entry::decode(&entry.encode()), Some(entry.clone()));
        let bytes = entry.encode();
        for cut in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..cut]), None);
        }
        let newer = [&[9], &bytes[1..]].concat();
        assert_eq!(Entry::decode(&newer), None);
    }
    assert_eq!(
        Digest::from_hex(&Digest::of(&Demographics::default()).to_hex()),
        Some(Digest::of(&Demographics::default()))
    );
}

#[tokio::test]
async fn what_is_kept_holds_until_it_expires_and_over_a_restart() {
    let folder = Folder::new();
    let soon = now() + 100;
    {
        let cache = folder.open(100);
        assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Miss);
        keep(&cache, "1", "1.5", entry(&["A", "B"], soon)).await;
        keep(&cache, "1", "1.6", entry(&[], soon)).await;
        keep(&cache, "2", "1.5", entry(&["C"], now())).await;
        cache.flush().await;
    }
    let cache = folder.open(100);
    assert_eq!(cache.get(&local("1"), &home("urn:oid:1.5")), Lookup::Hit(entry(&["A", "B"], soon)));
    let Lookup::Hit(nobody) = cache.get(&local("1"), &home("1.6")) else { panic!() };
    assert!(nobody.remote.is_empty());
    assert_eq!(cache.get_at(&local("1"), &home("1.5"), soon), Lookup::Stale);
    assert_eq!(cache.get(&local("2"), &home("1.5")), Lookup::Miss);
    assert!(!cache.alarm());
}

#[tokio::test]
async fn no_other_tenant_sees_it_and_no_patient_is_taken_for_another() {
    let folder = Folder::new();
    let soon = now() + 100;
    {
        let cache = folder.open(100);
        keep(&cache, "1", "1.5", entry(&["A"], soon)).await;
        keep(&cache, "11", "1.5", entry(&["B"], soon)).await;
        cache.forget(vec![local("1")]).await;
        assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Miss);
        assert!(matches!(cache.get(&local("11"), &home("1.5")), Lookup::Hit(_)));
        assert_eq!(cache.count(), 1);
        cache.flush().await;
    }
    let other = CrossrefSettings { tenant: "urn:oid:1.9".into(), ..folder.settings(100) };
    assert_eq!(Crossref::open(&other).unwrap().get(&local("11"), &home("1.5")), Lookup::Miss);
}

#[tokio::test]
async fn an_answer_to_a_question_from_before_an_invalidation_is_not_kept() {
    let folder = Folder::new();
    let cache = folder.open(100);
    let ticket = cache.ticket(&local("1"));
    cache.forget(vec![local("1")]).await;
    cache.keep(ticket, home("1.5"), entry(&["A"], now() + 100)).await;
    assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Miss);
}

#[tokio::test]
async fn beyond_its_bound_those_go_that_expire_first() {
    let folder = Folder::new();
    let cache = folder.open(3);
    let now = now();
    for (patient, life) in [("1", 400), ("2", 100), ("3", 300), ("4", 200)] {
        keep(&cache, patient, "1.5", entry(&["A"], now + life)).await;
    }
    // Written anew, it has a longer life.
    keep(&cache, "4", "1.5", entry(&["A"], now + 500)).await;
    keep(&cache, "5", "1.5", entry(&["A"], now + 450)).await;
    let there: Vec<_> = ["1", "2", "3", "4", "5"]
        .into_iter()
        .filter(|patient| matches!(cache.get(&local(patient), &home("1.5")), Lookup::Hit(_)))
        .collect();
    assert_eq!(there, ["1", "4", "5"]);
    assert_eq!(cache.count(), 3);
}

#[tokio::test]
async fn a_damaged_cache_is_moved_aside_and_begun_anew() {
    let folder = Folder::new();
    {
        let cache = folder.open(100);
        keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
        cache.flush().await;
    }
    std::fs::write(folder.0.join("crossref/conf"), b"no sled at all").unwrap();
    let cache = folder.open(100);
    assert!(cache.alarm());
    assert!(folder.0.join("crossref.damaged").is_dir());
    assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Miss);
    keep(&cache, "1", "1.5", entry(&["B"], now() + 100)).await;
    assert!(matches!(cache.get(&local("1"), &home("1.5")), Lookup::Hit(_)));
}

#[tokio::test]
async fn damaged_pages_cost_entries_and_nothing_else() {
    let folder = Folder::new();
    {
        let cache = folder.open(2_000);
        for patient in 0..1_000 {
            keep(&cache, &patient.to_string(), "1.5", entry(&["A"], now() + 100)).await;
        }
        cache.flush().await;
    }
    let file = folder.0.join("crossref/db");
    let mut bytes = std::fs::read(&file).unwrap();
    for byte in bytes.iter_mut().skip(1_000).step_by(5_000) {
        *byte = !*byte;
    }
    std::fs::write(&file, bytes).unwrap();
    let cache = folder.open(2_000);
    for patient in 0..1_000 {
        let _ = cache.get(&local(&patient.to_string()), &home("1.5"));
    }
    keep(&cache, "new", "1.5", entry(&["B"], now() + 100)).await;
    assert!(matches!(cache.get(&local("new"), &home("1.5")), Lookup::Hit(_)));
}

#[tokio::test]
async fn how_far_events_were_followed_survives() {
    let folder = Folder::new();
    {
        let cache = folder.open(100);
        assert_eq!(cache.followed(), None);
        cache.has_followed(41).await;
        cache.flush().await;
    }
    assert_eq!(folder.open(100).followed(), Some(41));
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let (from, to) = (Folder::new(), Folder::new());
    let (cache, other) = (from.open(100), to.open(100));
    keep(&cache, "1", "1.5", entry(&["A", "B"], now() + 100)).await;
    keep(&cache, "2", "1.6", entry(&[], now() + 100)).await;
    let mut lines = Vec::new();
    assert_eq!(cache.export(&mut lines).unwrap(), 2);
    assert_eq!(other.import(&lines[..]).unwrap(), transfer::Imported { taken: 2, expired: 0 });
    for (patient, community) in [("1", "1.5"), ("2", "1.6")] {
        assert_eq!(
            cache.get(&local(patient), &home(community)),
            other.get(&local(patient), &home(community))
        );
    }
    let by_hand = br#"{"local":"3^^^&1.2.3&ISO","community":"urn:oid:1.5","remote":["X^^^&1.9&ISO"],"expires":"2199-01-01T00:00:00Z"}"#;
    assert_eq!(other.import(&by_hand[..]).unwrap().taken, 1);
    let Lookup::Hit(entry) = other.get(&local("3"), &home("1.5")) else { panic!() };
    assert_eq!((entry.decided, entry.score), (Decided::Operator, 100));
    let wrong = other.import(&b"\n{\"local\":\"secret\"}\n"[..]).unwrap_err().to_string();
    assert!(wrong.starts_with("line 2") && !wrong.contains("secret"), "{wrong}");
}

/// Where events were missed, or the index is another, anybody may have changed; and so until it is known.
#[tokio::test]
async fn where_events_were_missed_everything_is_forgotten() {
    let folder = Folder::new();
    let cache = folder.open(100);
    let store =
        crate::store::Store::open(&folder.0.join("store"), &[crate::identity::index::MIGRATION]).unwrap();
    let index = crate::identity::index::Index::open(store.clone(), "region").unwrap();
    let there = || matches!(cache.get(&local("1"), &home("1.5")), Lookup::Hit(_));

    cache.has_followed(41).await;
    keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
    follow::resume(&cache, &index).await;
    assert!(!there(), "the index has no 41 events");
    assert_eq!(cache.followed(), Some(0));

    for id in ["7", "8"] {
        index.announce(vec![local(id)], Default::default(), None).await.unwrap();
    }
    store
        .write_blocking(
            |store| Ok(store.execute("DELETE FROM identity_event WHERE body LIKE '%\"7\"%'", ())?),
        )
        .unwrap();
    keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
    follow::catch_up(&cache, &index).await.unwrap();
    assert!(!there(), "an event is no longer kept");

    keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
    index.announce(vec![local("9")], Default::default(), None).await.unwrap();
    follow::catch_up(&cache, &index).await.unwrap();
    assert!(there());

    // A new start: until the follower has looked, nothing is told.
    cache.await_index();
    assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Stale);
    let following = tokio::spawn(follow::follow(cache.clone(), index));
    while !there() {
        tokio::task::yield_now().await;
    }
    following.abort();
    store.close();
}

/// An insured person's number that comes, goes or gets other days changes who answers a question by it: whatever was found out
/// about its persons is asked again, and nothing about others.
#[tokio::test]
async fn news_of_insured_numbers_make_it_forget_the_persons_who_have_them() {
    let folder = Folder::new();
    let cache = folder.open(100);
    let store =
        crate::store::Store::open(&folder.0.join("store"), &[crate::identity::index::MIGRATION]).unwrap();
    let index = crate::identity::index::Index::open(store.clone(), "region").unwrap();
    let domain = |oid: &str, kind| crate::demographics::Domain {
        oid: crate::ids::Oid::parse(oid).unwrap(),
        namespace: oid.to_owned(),
        name: String::new(),
        kind,
        source: None,
        twelve_digits: Default::default(),
    };
    let domains = vec![domain("1.2.3", DomainKind::Patients), domain("1.2.9", DomainKind::Insured)];
    index.set_domains(Arc::new(Domains::new(domains)));
    let number = PatientId::new("06138012:12:34", crate::ids::Oid::parse("1.2.9").unwrap());
    let announce = async |id: &str, insured: Option<Validity>| {
        let number = insured.map(|validity| Dated { patient: number.clone(), validity });
        let told = std::iter::once(Dated::from(local(id))).chain(number);
        index.announce(told, Default::default(), None).await.unwrap();
        follow::catch_up(&cache, &index).await.unwrap();
    };
    for id in ["1", "2"] {
        announce(id, None).await;
    }
    let days = |from, until| Some(Validity { from, until });
    let forgotten = async |insured: Option<Validity>| {
        for patient in [local("1"), local("2"), number.clone()] {
            let ticket = cache.ticket(&patient);
            cache.keep(ticket, home("1.5"), entry(&["A"], now() + 100)).await;
        }
        announce("1", insured).await;
        [local("1"), local("2"), number.clone()]
            .map(|patient| cache.get(&patient, &home("1.5")) == Lookup::Miss)
    };
    assert_eq!(forgotten(None).await, [false, false, false], "nothing is new");
    assert_eq!(forgotten(days(Some(1), None)).await, [true, false, true], "it comes");
    assert_eq!(forgotten(days(Some(1), None)).await, [false, false, false], "it is told again");
    assert_eq!(forgotten(days(Some(1), Some(40_000))).await, [true, false, true], "its last day");
    // Under the number nobody is known any more, which is asked before anything is believed that was kept under it.
    assert_eq!(forgotten(days(Some(1), Some(2))).await, [true, false, false], "it is over");
    store.close();
}
