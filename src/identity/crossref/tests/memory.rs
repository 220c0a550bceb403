//! What is answered from memory, and what must not be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::super::memory::Memory;
use super::*;

const COMMUNITIES: [&str; 2] = ["1.5", "1.6"];

fn key(patient: &str) -> Key {
    Key::new("urn:oid:1.2", &local(patient), Some(&home("1.5")))
}

/// How many lookups were answered from memory, by the metrics.
fn memory_hits(recorder: &metrics_exporter_prometheus::PrometheusRecorder) -> u64 {
    let told = recorder.handle().render();
    let line = told.lines().find_map(|line| line.strip_prefix("sekisho_crossref_memory_hits_total "));
    line.map_or(0, |number| number.parse().unwrap())
}

#[test]
fn what_was_read_before_a_change_is_not_believed_behind_it() {
    let (memory, key) = (Memory::new(1 << 20).unwrap(), key("1"));
    let before = memory.stamp(&key);
    memory.hold(&key, b"old", before);
    assert_eq!(memory.get(&key).as_deref(), Some(&b"old"[..]));

    let behind = memory.renew(&key, before).unwrap();
    assert_eq!(memory.get(&key), None, "what was held when it was changed");
    memory.hold(&key, b"old", before);
    assert_eq!(memory.get(&key), None, "what comes late");
    memory.hold(&key, b"new", behind);
    assert_eq!(memory.get(&key).as_deref(), Some(&b"new"[..]));

    let stamps = memory.stamps();
    memory.forget(&key);
    memory.hold(&key, b"new", stamps.of(&key));
    assert_eq!(memory.get(&key), None, "what was read at the start comes late, too");
    assert_eq!(memory.renew(&key, behind), None, "somebody else changed something meanwhile");
}

#[test]
fn memory_has_a_bound() {
    for bytes in [0, 1, 10_000, 1 << 20] {
        let memory = Memory::new(bytes).unwrap();
        for patient in 0..20_000 {
            let key = key(&patient.to_string());
            memory.hold(&key, &[7; 70], memory.stamp(&key));
        }
        let least = limits::CROSSREF_HELD_OVERHEAD + 70;
        assert!(memory.count() as u64 <= bytes / least, "{} in {bytes}", memory.count());
        assert!(memory.is_full(), "{bytes}");
    }
}

/// An entry in memory ends when its time is over, as in sled; and what was written anew is told anew.
#[tokio::test]
async fn lifetimes_and_changes_hold_in_memory() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let folder = Folder::new();
    let cache = folder.open(100);
    let soon = now() + 100;
    let (patient, there) = (local("1"), home("1.5"));
    keep(&cache, "1", "1.5", entry(&["A"], soon)).await;
    assert_eq!(cache.get(&patient, &there), Lookup::Hit(entry(&["A"], soon)));
    assert_eq!(cache.get_at(&patient, &there, soon), Lookup::Stale);
    keep(&cache, "1", "1.5", entry(&["B"], soon + 100)).await;
    assert_eq!(cache.get_at(&patient, &there, soon), Lookup::Hit(entry(&["B"], soon + 100)));
    assert_eq!(memory_hits(&recorder), 3);
    cache.forget(vec![patient.clone()]).await.unwrap();
    assert_eq!(cache.get(&patient, &there), Lookup::Miss);
    keep(&cache, "1", "1.5", entry(&["C"], soon)).await;
    cache.forget_all().await.unwrap();
    assert_eq!(cache.get(&patient, &there), Lookup::Miss);
    assert_eq!((memory_hits(&recorder), cache.count()), (3, 0));
}

#[tokio::test]
async fn at_a_start_memory_is_filled_with_what_holds() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let folder = Folder::new();
    {
        let cache = folder.open(5_000);
        for patient in 0..2_500 {
            keep(&cache, &patient.to_string(), "1.5", entry(&["A"], now() + 100)).await;
        }
        cache.inner.put(&key("over"), &entry(&["A"], now())).unwrap();
        cache.flush().await.unwrap();
    }
    let cache = folder.open(5_000);
    in_stock(&cache).await;
    assert_eq!((cache.count(), cache.in_memory()), (2_501, 2_500));
    assert!(matches!(cache.get(&local("2499"), &home("1.5")), Lookup::Hit(_)));
    assert_eq!(memory_hits(&recorder), 1);
    cache.forget(vec![local("2499")]).await.unwrap();
    assert_eq!(cache.get(&local("2499"), &home("1.5")), Lookup::Miss);
}

/// Whoever is forgotten while what lies there is counted makes the number smaller, never enormous.
#[tokio::test]
async fn forgetting_before_all_is_counted_evicts_nobody_else() {
    let folder = Folder::new();
    let cache = folder.open(10);
    for patient in ["1", "2", "3"] {
        keep(&cache, patient, "1.5", entry(&["A"], now() + 100)).await;
    }
    cache.inner.count.store(0, Ordering::Relaxed);
    cache.forget(vec![local("1")]).await.unwrap();
    assert_eq!(cache.count(), 0);
    keep(&cache, "4", "1.5", entry(&["A"], now() + 100)).await;
    for patient in ["2", "3", "4"] {
        assert!(matches!(cache.get(&local(patient), &home("1.5")), Lookup::Hit(_)), "{patient}");
    }
}

/// Readers race with a writer: after a patient was forgotten nobody is told what was known before. Another entry of the same
/// patients is renewed all the time, so that readers do go to sled.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_forgetting_nothing_old_is_told_whoever_reads_meanwhile() {
    const ROUNDS: u64 = 4_000;
    let folder = Folder::new();
    let cache = folder.open(1_000);
    let (forgotten, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let expires = now() + 1_000;
    // The number of a round stands where the time of asking is.
    let of_round = move |round| Entry { obtained: round, ..entry(&["A"], expires) };
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (cache, forgotten, over) = (cache.clone(), Arc::clone(&forgotten), Arc::clone(&over));
            tokio::task::spawn_blocking(move || {
                while !over.load(Ordering::Acquire) {
                    let before = forgotten.load(Ordering::Acquire);
                    if let Lookup::Hit(entry) = cache.get(&local("1"), &home(COMMUNITIES[0])) {
                        assert!(
                            entry.obtained > before,
                            "{} was told after {before} was forgotten",
                            entry.obtained
                        );
                    }
                }
            })
        })
        .collect();
    let renewing = {
        let (cache, over) = (cache.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                keep(&cache, "1", COMMUNITIES[1], entry(&["A"], expires)).await;
            }
        })
    };
    for round in 1..=ROUNDS {
        keep(&cache, "1", COMMUNITIES[0], of_round(round)).await;
        cache.forget(vec![local("1")]).await.unwrap();
        forgotten.store(round, Ordering::Release);
        assert_eq!(cache.get(&local("1"), &home(COMMUNITIES[0])), Lookup::Miss, "round {round}");
    }
    over.store(true, Ordering::Release);
    for reader in readers {
        reader.await.unwrap();
    }
    renewing.await.unwrap();
}

/// The same with values that are only replaced: nobody sees an older one again than what was there before he asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_renewal_nothing_older_is_told_whoever_reads_meanwhile() {
    const ROUNDS: u64 = 4_000;
    let folder = Folder::new();
    let cache = folder.open(1_000);
    let (kept, expires) = (Arc::new(AtomicU64::new(0)), now() + 1_000);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (cache, kept) = (cache.clone(), Arc::clone(&kept));
            tokio::task::spawn_blocking(move || {
                loop {
                    let before = kept.load(Ordering::Acquire);
                    if let Lookup::Hit(entry) = cache.get(&local("1"), &home("1.5")) {
                        assert!(entry.obtained >= before, "{} was told after {before}", entry.obtained);
                    }
                    if before == ROUNDS {
                        return;
                    }
                }
            })
        })
        .collect();
    for round in 1..=ROUNDS {
        keep(&cache, "1", "1.5", Entry { obtained: round, ..entry(&["A"], expires) }).await;
        kept.store(round, Ordering::Release);
        // Makes readers go to sled.
        cache.inner.memory.forget(&key("1"));
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

pub(super) async fn in_stock(cache: &Crossref) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !cache.has_taken_stock() {
        assert!(std::time::Instant::now() < deadline, "what lies there is counted for ever");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
