mod memory;

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
        obtained: 1_700_000_000,
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
        assert_eq!(Entry::decode(&entry.encode().unwrap()), Some(entry.clone()));
        let bytes = entry.encode().unwrap();
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
        cache.flush().await.unwrap();
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
        cache.forget(vec![local("1")]).await.unwrap();
        assert_eq!(cache.get(&local("1"), &home("1.5")), Lookup::Miss);
        assert!(matches!(cache.get(&local("11"), &home("1.5")), Lookup::Hit(_)));
        assert_eq!(cache.count(), 1);
        cache.flush().await.unwrap();
    }
    let other = CrossrefSettings { tenant: "urn:oid:1.9".into(), ..folder.settings(100) };
    assert_eq!(Crossref::open(&other).unwrap().get(&local("11"), &home("1.5")), Lookup::Miss);
}

#[tokio::test]
async fn an_answer_to_a_question_from_before_an_invalidation_is_not_kept() {
    let folder = Folder::new();
    let cache = folder.open(100);
    let ticket = cache.ticket(&local("1"));
    cache.forget(vec![local("1")]).await.unwrap();
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
        cache.flush().await.unwrap();
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
        cache.flush().await.unwrap();
    }
    let file = folder.0.join("crossref/db");
    let mut bytes = std::fs::read(&file).unwrap();
    for byte in bytes.iter_mut().skip(1_000).step_by(5_000) {
        *byte = !*byte;
    }
    std::fs::write(&file, bytes).unwrap();
    let cache = folder.open(2_000);
    memory::in_stock(&cache).await;
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
        cache.has_followed(41).await.unwrap();
        cache.flush().await.unwrap();
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

/// sled refuses to work without memory, which is no damage.
#[tokio::test]
async fn without_memory_it_works_all_the_same() {
    let folder = Folder::new();
    let settings = CrossrefSettings { memory: 0, ..folder.settings(100) };
    for hits in [false, true] {
        let cache = Crossref::open(&settings).unwrap();
        assert!(!cache.alarm());
        assert_eq!(matches!(cache.get(&local("1"), &home("1.5")), Lookup::Hit(_)), hits);
        keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
        cache.flush().await.unwrap();
    }
    assert!(!folder.0.join("crossref.damaged").exists());
}

/// A bound that was lowered is reached step by step, so that no write takes minutes.
#[tokio::test]
async fn what_is_too_much_goes_step_by_step() {
    let folder = Folder::new();
    let many = 2 * limits::CROSSREF_EVICTED_PER_WRITE;
    {
        let cache = folder.open(1_000);
        for patient in 0..many {
            keep(&cache, &patient.to_string(), "1.5", entry(&["A"], now() + 100 + patient as u64)).await;
        }
        cache.flush().await.unwrap();
    }
    let cache = folder.open(10);
    memory::in_stock(&cache).await;
    assert_eq!(cache.count(), many);
    for (patient, left) in [("a", many + 1 - limits::CROSSREF_EVICTED_PER_WRITE), ("b", 10), ("c", 10)] {
        keep(&cache, patient, "1.5", entry(&["A"], now() + 10_000)).await;
        assert_eq!(cache.count(), left, "{patient}");
    }
}

/// An entry that cannot be read goes when its time is over, as any other.
#[tokio::test]
async fn damaged_entries_go_when_they_would_expire() {
    let folder = Folder::new();
    let cache = folder.open(100);
    keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
    let name = Key::new("urn:oid:1.2", &local("1"), Some(&home("1.5")));
    cache.inner.entries.insert(name.stored(), &b"damaged"[..]).unwrap();
    let (place, _) = cache.inner.expiry.first().unwrap().unwrap();
    cache.inner.expiry.remove(&place).unwrap();
    cache.inner.expiry.insert(expiry_key(1, name.stored()), &[]).unwrap();
    keep(&cache, "2", "1.5", entry(&["A"], now() + 100)).await;
    assert_eq!(cache.inner.entries.get(name.stored()).unwrap(), None);
    assert_eq!(cache.count(), 1);
}

/// What an import refuses, and that it says where: never what stood there.
#[tokio::test]
async fn what_is_no_entry_is_refused_with_its_line() {
    let folder = Folder::new();
    let cache = folder.open(100);
    let line = |local: &str, remote: &str| {
        format!(
            "{{\"local\":\"{local}\",\"community\":\"urn:oid:1.5\",\"remote\":[{remote}],\
             \"expires\":\"2199-01-01T00:00:00Z\"}}\n"
        )
    };
    let good = line("1^^^&1.2.3&ISO", "\"A^^^&1.9&ISO\"");
    let long = format!("{}^^^&1.2.3&ISO", "secret".repeat(200));
    let many = vec!["\"secret^^^&1.9&ISO\""; limits::MAX_IDENTITIES_PER_COMMUNITY + 1].join(",");
    let wrong: [Vec<u8>; 6] = [
        line(&long, "").into_bytes(),
        line("1^^^&1.2.3&ISO", &format!("\"{long}\"")).into_bytes(),
        line("1^^^&1.2.3&ISO", &many).into_bytes(),
        line("1^^^&1.2.3&ISO", "").replace("urn:oid:1.5", "secret").into_bytes(),
        b"{\"local\":\"secret\xFF\"}\n".to_vec(),
        vec![b'x'; limits::MAX_CROSSREF_LINE_BYTES as usize + 10],
    ];
    for wrong in wrong {
        let all = [good.as_bytes(), &wrong].concat();
        let told = cache.import(&all[..]).unwrap_err().to_string();
        assert!(told.starts_with("line 2: ") && !told.contains("secret"), "{told}");
        assert!(matches!(cache.get(&local("1"), &home("1.5")), Lookup::Hit(_)));
        assert_eq!(cache.count(), 1);
    }
    assert!(!cache.alarm());
}

/// An identifier that an export would tell as another one is not in it; a damaged entry neither.
#[tokio::test]
async fn what_cannot_be_told_is_not_exported() {
    let (folder, other) = (Folder::new(), Folder::new());
    let cache = folder.open(100);
    for patient in ["1", " 2", "3^4", "5&6"] {
        keep(&cache, patient, "1.5", entry(&["A"], now() + 100)).await;
    }
    keep(&cache, "7", "1.5", entry(&["A^"], now() + 100)).await;
    let damaged = Key::new("urn:oid:1.2", &local("8"), Some(&home("1.5")));
    cache.inner.entries.insert(damaged.stored(), &b"damaged"[..]).unwrap();
    cache.inner.entries.insert(&b"no key"[..], entry(&["A"], now() + 100).encode().unwrap()).unwrap();
    let mut lines = Vec::new();
    let exported = cache.export(&mut lines).unwrap();
    let imported = other.open(100).import(&lines[..]).unwrap();
    assert_eq!((exported, imported.taken), (2, 2), "1 and 5&6");
    assert!(matches!(cache.get(&local(" 2"), &home("1.5")), Lookup::Hit(_)), "they are told all the same");
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

    cache.has_followed(41).await.unwrap();
    keep(&cache, "1", "1.5", entry(&["A"], now() + 100)).await;
    follow::catch_up(&cache, &index).await.unwrap();
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
    // The latest events are in memory; the next start has them no more.
    let index = crate::identity::index::Index::open(store.clone(), "region").unwrap();
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
