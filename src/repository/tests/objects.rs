//! What is particular to objects: a store that fails, orphans, two gateways on one bucket.

use std::sync::atomic::Ordering;

use super::faulty::Fault;
use super::*;

fn place() -> (Place, Arc<Faulty>) {
    let kind = Kind::objects();
    let Kind::Objects(store, _) = &kind else { panic!() };
    let store = store.clone();
    (Place::of(kind, None), store)
}

#[tokio::test]
async fn keys_begin_with_tenant_and_repository_and_hold_nothing_that_was_submitted() {
    let (place, store) = place();
    for (tenant, size) in [("urn:oid:1.2.392.1", 1_000), ("..", 9 * MIB)] {
        let repository = open(&place.directory.join("t"), &place.store, tenant, &place.kind, None).unwrap();
        let staged = repository.stage(Content::from_bytes(document(size)), u64::MAX).await.unwrap();
        let job = repository.commit(vec![submitted("patient-0815", staged)]).await.unwrap();
        place.store.write(job).await.unwrap();
    }
    let mut listed: Vec<_> =
        store.list(None).map(|object| object.unwrap().location.to_string()).collect().await;
    listed.retain(|key| !key.ends_with("/owner"));
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    for (tenant, key) in ["_2e.", "urn_3aoid_3a1.2.392.1"].into_iter().zip(&listed) {
        let rest = key.strip_prefix(&format!("some/prefix/{tenant}/1.2.3/{day}/"));
        let uuid = rest.unwrap_or_else(|| panic!("{key} is not {tenant}'s"));
        assert!(uuid.len() == 32 && uuid.bytes().all(|b| b.is_ascii_hexdigit()), "{uuid}");
    }
}

/// At whatever step the store fails, the submission is refused as a whole, and the next one is stored.
#[tokio::test]
async fn attack_64_a_store_that_fails_leaves_nothing_and_the_next_submission_is_stored() {
    let (place, store) = place();
    let faults = [Fault::Away, Fault::Put, Fault::PutUnanswered, Fault::Part, Fault::Complete];
    for fault in faults {
        for (size, concerned) in [
            (1_000, !matches!(fault, Fault::Part | Fault::Complete)),
            (20 * MIB, fault != Fault::PutUnanswered),
        ] {
            if !concerned {
                continue;
            }
            let documents = vec![
                submitted("first", place.stage(&document(10)).await),
                submitted("second", place.stage(&document(size)).await),
            ];
            store.fails(fault);
            let error = place.repository.commit(documents).await.err().unwrap();
            assert!(matches!(error, StoreError::Io(_)), "{error}");
            assert!(place.kind_bucket().ready().is_err() || fault != Fault::Away);
            store.fails(Fault::None);
            if fault != Fault::Away {
                place.wait_until_large_are(&[]).await;
            }
            assert!(matches!(place.repository.retrieve("first").await.unwrap(), Retrieved::Unknown));
            place.submit("next", &document(size)).await.unwrap();
            assert!(place.bytes("next").await == document(size), "{fault:?}");
            assert!(place.kind_bucket().ready().is_ok());
            assert!(place.remove("next").await);
        }
    }
    assert_eq!(store.aborted.load(Ordering::Relaxed), 2, "parts of what was not completed go away");
    assert_eq!(place.repository.usage().await.unwrap(), Usage::default());
}

#[tokio::test]
async fn a_store_that_is_away_is_told_apart_from_damage() {
    let (place, store) = place();
    for (id, size) in [("small", 1_000), ("large", 3 * MIB)] {
        place.submit(id, &document(size)).await.unwrap();
        store.fails(Fault::Away);
        assert!(matches!(place.repository.retrieve(id).await.unwrap(), Retrieved::Away));
        assert!(place.kind_bucket().ready().unwrap_err().contains("the test's"));
        store.fails(Fault::GetBreaks);
        let broken = place.repository.retrieve(id).await.unwrap();
        match broken {
            Retrieved::Found(_, content) => drop(content.collect(u64::MAX).await.unwrap_err()),
            other => assert!(matches!(other, Retrieved::Away), "{other:?}"),
        }
        store.fails(Fault::GetShort);
        match place.repository.retrieve(id).await.unwrap() {
            Retrieved::Found(_, content) => drop(content.collect(u64::MAX).await.unwrap_err()),
            other => assert!(matches!(other, Retrieved::Damaged), "{other:?}"),
        }
        store.fails(Fault::None);
        assert!(place.bytes(id).await == document(size));
    }
}

/// The row goes; the object may stay until its store is back, and is nobody's.
#[tokio::test]
async fn what_is_removed_while_the_store_is_away_is_erased_later() {
    let (place, store) = place();
    for id in ["1.1", "1.2", "1.3"] {
        place.submit(id, &document(100)).await.unwrap();
    }
    store.fails(Fault::Delete);
    assert!(place.remove("1.1").await);
    assert!(matches!(place.repository.retrieve("1.1").await.unwrap(), Retrieved::Unknown));
    assert_eq!(place.keys_of_objects().await.len(), 3);
    store.fails(Fault::None);
    let crashed = place.crashed();
    crashed.wait_for_objects(2).await;
    assert!(place.remove("1.2").await);
    place.wait_for_objects(1).await;
}

#[tokio::test]
async fn attack_65_an_object_that_no_row_refers_to_is_settled_when_it_is_old_enough() {
    let (place, _) = place();
    place.submit("kept", &document(100)).await.unwrap();
    let kept = place.keys_of_objects().await;
    // Whose objects they are was said before: the one that crashed lives on here, and would say it behind the crash.
    place.repository.settle_objects(limits::ORPHAN_GRACE).await.unwrap();
    // The crash comes when the object is put and the transaction has not begun.
    let staged = place.stage(&document(100)).await;
    let committing = place.repository.commit(vec![submitted("1.1", staged)]).await.unwrap();
    std::mem::forget(committing);
    let arriving = fs::write(place.directory.join("incoming/0123"), "half");
    arriving.unwrap();
    let crashed = place.crashed();
    assert_eq!(crashed.repository.settled().unfinished, 1);
    assert_eq!(crashed.keys_of_objects().await.len(), 2);
    assert_eq!(crashed.repository.settle_objects(limits::ORPHAN_GRACE).await.unwrap(), 0, "too young");
    assert_eq!(crashed.repository.settle_objects(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(crashed.keys_of_objects().await, kept);
    assert!(crashed.bytes("kept").await == document(100));
}

/// Our clock jumps ahead by a day, or the store's falls behind: a document that is being submitted is no orphan by that.
#[tokio::test]
async fn attack_64_a_clock_that_jumps_by_a_day_makes_no_orphans() {
    let (place, _) = place();
    place.repository.settle_objects(limits::ORPHAN_GRACE).await.unwrap();
    let staged = place.stage(&document(100)).await;
    let committing = place.repository.commit(vec![submitted("1.1", staged)]).await.unwrap();
    let jumped = limits::ORPHAN_GRACE - Duration::from_secs(24 * 3600);
    let at_most = Duration::from_secs(24 * 3600);
    assert!(jumped > at_most, "both may be wrong at once");
    assert_eq!(place.repository.settle_objects(jumped - at_most).await.unwrap(), 0);
    place.store.write(committing).await.unwrap();
    assert!(place.bytes("1.1").await == document(100));
}

/// A gateway that is tried out with another's configuration and an empty database.
#[tokio::test]
async fn objects_of_another_database_are_no_orphans() {
    let (place, _) = place();
    place.submit("1.1", &document(100)).await.unwrap();
    place.repository.settle_objects(Duration::ZERO).await.unwrap();
    let stranger = Place::of(place.kind.clone(), None);
    let refused = stranger.repository.settle_objects(Duration::ZERO).await.unwrap_err();
    assert!(refused.to_string().contains("belong to another database"), "{refused}");
    assert!(place.bytes("1.1").await == document(100));
    // Nor where the objects are from before anybody left a name, whoever comes first.
    place.objects().delete("owner").await.unwrap();
    stranger.repository.settle_objects(Duration::ZERO).await.unwrap_err();
    assert_eq!(place.repository.settle_objects(Duration::ZERO).await.unwrap(), 0);
    stranger.repository.settle_objects(Duration::ZERO).await.unwrap_err();
    assert!(place.bytes("1.1").await == document(100));
}

#[tokio::test]
async fn objects_that_are_newer_than_the_index_stay_and_raise_an_alarm() {
    let (place, _) = place();
    assert_eq!(
        place.repository.settle_objects(Duration::ZERO).await.unwrap(),
        0,
        "they are ours from now on"
    );
    for _ in 0..=limits::MAX_SETTLED_FILES {
        let object = place.objects().put(vec![Bytes::from_static(b"x")]).await.unwrap();
        object.link();
    }
    assert_eq!(place.repository.settle_objects(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(place.keys_of_objects().await.len(), limits::MAX_SETTLED_FILES + 1);
}

/// A folder's documents are read where they are after the configuration names a bucket.
#[tokio::test]
async fn documents_in_files_are_still_read_when_new_ones_go_into_objects() {
    let place = Place::new();
    for (id, size) in [("small", 1_000), ("large", 2 * MIB)] {
        place.submit(id, &document(size)).await.unwrap();
    }
    let moved = place.reopened(Kind::objects(), None).unwrap();
    moved.submit("new", &document(500)).await.unwrap();
    for (id, size) in [("small", 1_000), ("large", 2 * MIB), ("new", 500)] {
        assert!(moved.bytes(id).await == document(size), "{id}");
    }
    // Another gateway of the same database may remove them, which this one is not told.
    moved.bytes("small").await;
    let ids = ["small".to_owned()];
    assert!(reading::retrieve_cached(&moved.repository.rooms, &ids).is_none(), "its place is not remembered");
    assert!(moved.remove("small").await && moved.remove("large").await);
    assert_eq!(moved.files("large"), Vec::<PathBuf>::new());
    assert_eq!(moved.keys_of_objects().await.len(), 1);
}

/// A gateway that removes what lies in another one's folder cannot erase it, and does not say that it did.
#[tokio::test]
async fn what_lies_in_another_gateways_folder_stays_noted_until_that_one_erases_it() {
    let place = Place::new();
    place.submit("small", &document(1_000)).await.unwrap();
    let folder = place.copied();
    fs::remove_dir_all(folder.join("segments")).unwrap();
    let other = Place::at(folder, Backend::Sqlite, Kind::objects(), None).unwrap();
    assert!(other.remove("small").await);
    let index = other.repository.rooms.index.clone();
    let noted = other.store.read(move |connection| index.erasures(connection, None, 10)).await.unwrap();
    assert_eq!(noted.len(), 1, "{noted:?}");
}

/// However many there are of them: what lies in the bucket does not wait behind.
#[tokio::test]
async fn what_cannot_be_erased_here_holds_up_nothing_behind_it() {
    let (place, _) = place();
    place.submit("1.1", &document(1_000)).await.unwrap();
    let elsewhere = limits::MAX_ERASURES_AT_ONCE + 1;
    let index = place.repository.rooms.index.clone();
    let note = move |connection: &Connection| {
        // Before any key of an object, and behind all of them.
        let files = (0..elsewhere).map(|n| index::Place::File(format!("{n:08}")));
        let records =
            (0..elsewhere as u64).map(|offset| index::Place::Segment(Position { segment: 1, offset }));
        for place in files.chain(records) {
            index.note_erasure(connection, &index::Erasure { place, size: 1 })?;
        }
        Ok(())
    };
    place.store.write(note).await.unwrap();
    assert!(place.remove("1.1").await);
    assert_eq!(place.keys_of_objects().await, [""; 0]);
    let index = place.repository.rooms.index.clone();
    let noted = place.store.read(move |connection| index.erasures(connection, None, 10 * elsewhere)).await;
    assert_eq!(noted.unwrap().len(), 2 * elsewhere);
}

#[tokio::test]
async fn memory_for_parts_is_bounded_over_all_documents() {
    let (place, _) = place();
    let documents = (0..6).map(|n| (n.to_string(), document(30 * MIB + n)));
    let documents: Vec<_> = documents.collect();
    let submit = documents.iter().map(|(id, bytes)| place.submit(id, bytes));
    for submitted in futures_util::future::join_all(submit).await {
        submitted.unwrap();
    }
    for (id, bytes) in &documents {
        assert!(place.bytes(id).await == *bytes);
    }
    assert_eq!(place.kind_bucket().free_parts(), limits::MAX_PARTS_IN_MEMORY);
}

impl Place {
    fn kind_bucket(&self) -> &Bucket {
        match &self.kind {
            Kind::Objects(_, bucket) | Kind::S3(bucket) => bucket,
            Kind::Files => panic!("no bucket"),
        }
    }

    async fn wait_for_objects(&self, count: usize) {
        for _ in 0..1_000 {
            if self.keys_of_objects().await.len() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still there: {:?}", self.keys_of_objects().await);
    }
}
