//! What is particular to files and segments.

use super::*;

#[tokio::test]
async fn small_documents_go_to_files_when_the_memory_for_them_is_used_up() {
    let place = Place::new();
    let bytes = document(MIB);
    let mut staged = Vec::new();
    for _ in 0..limits::MAX_STAGED_MEMORY / MIB {
        staged.push(place.stage(&bytes).await);
    }
    assert_eq!(place.repository.rooms.dock.memory.free(), 0);
    place.submit("one-more", &bytes).await.unwrap();
    assert_eq!(place.files("large").len(), 1);
    assert!(place.bytes("one-more").await == bytes);
    drop(staged);
    assert_eq!(place.repository.rooms.dock.memory.free(), limits::MAX_STAGED_MEMORY);
}

#[tokio::test]
async fn the_memory_for_documents_on_their_way_in_is_all_tenants_together() {
    let (memory, place) = (StagingMemory::default(), Place::new());
    let of = |tenant: &str| {
        let opening = Opening::new(place.directory.join(tenant), tenant.into(), Oid::parse("1.2.3").unwrap());
        Repository::open(place.store.clone(), opening.with_memory(memory.clone())).unwrap()
    };
    let (one, another) = (of("one"), of("another"));
    let mut staged = Vec::new();
    for repository in [&one, &another].into_iter().cycle().take(limits::MAX_STAGED_MEMORY / MIB) {
        staged.push(repository.stage(Content::from_bytes(document(MIB)), u64::MAX).await.unwrap());
    }
    assert_eq!(memory.free(), 0);
    let more = another.stage(Content::from_bytes(document(10)), u64::MAX).await.unwrap();
    assert!(matches!(more.held, Held::File(_)), "{more:?}");
}

#[tokio::test]
async fn what_was_retrieved_lately_is_read_without_another_thread() {
    let place = Place::new();
    place.submit("small", &document(1_000)).await.unwrap();
    place.submit("large", &document(2 * MIB)).await.unwrap();
    let at_once = |ids: &[&str]| {
        let ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
        reading::retrieve_cached(&place.repository.rooms, &ids).is_some()
    };
    assert!(!at_once(&["small"]), "not retrieved yet");
    for id in ["small", "large"] {
        place.bytes(id).await;
    }
    assert!(at_once(&["small"]));
    assert!(!at_once(&["small", "large"]) && !at_once(&["small", "unknown"]));
    assert!(place.bytes("small").await == document(1_000));
}

#[test]
fn what_is_not_asked_for_is_forgotten() {
    let recent = Recent::default();
    let row = |id: usize| {
        let unique_id = id.to_string();
        let document = StoredDocument { unique_id, mime_type: String::new(), size: 0, sha1: String::new() };
        Arc::new(Row { document, place: index::Place::File(String::new()), crc: 0, wrapped: None })
    };
    recent.remember(row(0));
    for id in 1..2 * limits::MAX_RECENT_DOCUMENTS {
        recent.remember(row(id));
        assert!(recent.find("0").is_some(), "asked for all the time, after {id}");
    }
    assert!(recent.find("1").is_none());
}

#[tokio::test]
async fn wrong_bytes_are_never_given_out() {
    let place = Place::new();
    place.submit("good", &document(1_000)).await.unwrap();
    place.submit("small", &document(1_000)).await.unwrap();
    place.submit("large", &document(3 * MIB)).await.unwrap();

    // Retrieved before: what is remembered does not make wrong bytes right.
    assert!(place.bytes("small").await == document(1_000));
    let flip = |path: &Path, at: u64| {
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    flip(&place.files("segments")[0], record::BLOCK_BYTES + record::HEADER_BYTES + 500);
    flip(&place.files("large")[0], 5);

    let ids = ["good", "small", "large"].map(str::to_owned).to_vec();
    let mut retrieved = place.repository.retrieve_all(ids).await.unwrap().into_iter();
    assert!(matches!(retrieved.next(), Some(Retrieved::Found(..))));
    assert!(matches!(retrieved.next(), Some(Retrieved::Damaged)));
    let Some(Retrieved::Found(_, mut content)) = retrieved.next() else { panic!() };
    let mut received = 0;
    let error = loop {
        match content.next().await.unwrap() {
            Ok(chunk) => received += chunk.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StreamError::Store(_)));
    assert!(received < 3 * MIB, "the last chunk is held back");

    // What is shorter than it was is seen before the answer begins.
    fs::OpenOptions::new().write(true).open(&place.files("large")[0]).unwrap().set_len(100).unwrap();
    assert!(matches!(place.repository.retrieve("large").await.unwrap(), Retrieved::Damaged));
    fs::remove_file(&place.files("large")[0]).unwrap();
    assert!(matches!(place.repository.retrieve("large").await.unwrap(), Retrieved::Damaged));
}

#[tokio::test]
async fn attack_65_what_a_crash_leaves_without_a_row_is_settled() {
    let place = Place::new();
    place.submit("kept", &document(1_000)).await.unwrap();
    place.submit("kept-large", &document(2 * MIB)).await.unwrap();
    let end = place.repository.rooms.segments.mark();
    assert_eq!(end.offset, record::BLOCK_BYTES);

    // One is still arriving, one has arrived, and two were appended but not committed.
    let mut arriving = place.repository.receive(u64::MAX);
    for _ in 0..4 {
        arriving.write(document(MIB)).await.unwrap();
    }
    let arrived = place.stage(&document(2 * MIB)).await;
    for fill in [1, 2] {
        let bytes = document(fill * 100);
        let crc = crc32fast::hash(&bytes);
        place.repository.rooms.segments.append([fill as u8; 16], &[bytes], fill as u64 * 100, crc).unwrap();
    }
    place.repository.rooms.segments.sync().unwrap();
    let crashed = place.crashed();
    drop((arriving, arrived));

    assert_eq!(crashed.repository.rooms.segments.mark(), end);
    assert_eq!(fs::metadata(&crashed.files("segments")[0]).unwrap().len(), end.offset);
    assert!(crashed.files("incoming").is_empty());
    assert_eq!(crashed.files("large").len(), 1);
    assert!(crashed.bytes("kept").await == document(1_000));
    assert!(crashed.bytes("kept-large").await == document(2 * MIB));
    crashed.submit("next", &document(500)).await.unwrap();
    assert!(crashed.bytes("next").await == document(500));
}

#[tokio::test]
async fn what_settling_finds_is_counted() {
    let place = Place::new();
    place.submit("kept", &document(1_000)).await.unwrap();
    let crc = crc32fast::hash(&document(100));
    for _ in 0..2 {
        place.repository.rooms.segments.append([7; 16], &[document(100)], 100, crc).unwrap();
    }
    place.repository.rooms.segments.sync().unwrap();
    place.repository.rooms.segments.append([7; 16], &[document(100)], 100, crc).unwrap();
    place.repository.rooms.segments.sync().unwrap();
    let arrived = place.stage(&document(2 * MIB)).await;
    fs::write(place.directory.join("incoming/0123"), "half").unwrap();

    let rooms = &place.repository.rooms;
    let (_, settled) =
        settling::settle(&place.directory, &place.store, &rooms.index, &rooms.dock.files).unwrap();
    let expected = Settled {
        unfinished: 1,
        unaccepted: 1,
        unaccepted_small: 3,
        truncated: 2 * record::BLOCK_BYTES,
        alarms: Vec::new(),
    };
    assert_eq!(settled, expected);
    drop(arrived);
}

#[tokio::test]
async fn files_that_are_newer_than_the_index_stay_and_raise_an_alarm() {
    let place = Place::new();
    place.submit("kept", &document(1_000)).await.unwrap();
    let segment = place.files("segments").remove(0);
    let longer = limits::MAX_SETTLED_BYTES + 10_000;
    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(longer).unwrap();
    fs::create_dir_all(place.directory.join("large/00")).unwrap();
    for n in 0..=limits::MAX_SETTLED_FILES {
        fs::write(place.directory.join(format!("large/00/00{n:030}")), "x").unwrap();
    }
    let rooms = &place.repository.rooms;
    let (segments, settled) =
        settling::settle(&place.directory, &place.store, &rooms.index, &rooms.dock.files).unwrap();
    assert_eq!(settled.alarms.len(), 2, "{settled:?}");
    assert_eq!(segments.mark(), Position { segment: 2, offset: 0 });
    assert_eq!(fs::metadata(&segment).unwrap().len(), longer);
    assert_eq!(place.files("large").len(), limits::MAX_SETTLED_FILES + 1);

    fs::OpenOptions::new().write(true).open(&segment).unwrap().set_len(10).unwrap();
    let (segments, settled) =
        settling::settle(&place.directory, &place.store, &rooms.index, &rooms.dock.files).unwrap();
    assert!(settled.alarms[1].contains("missing"), "{settled:?}");
    assert_eq!(segments.mark(), Position { segment: 2, offset: 0 });
}

#[tokio::test]
async fn a_full_segment_is_followed_by_the_next() {
    let place = Place::new();
    let folder = place.directory.join("segments");
    let full = Segments::new(folder.clone(), Position { segment: 1, offset: limits::SEGMENT_BYTES });
    let bytes = document(100);
    let appended = full.append([1; 16], std::slice::from_ref(&bytes), 100, crc32fast::hash(&bytes)).unwrap();
    full.sync().unwrap();
    assert_eq!(appended, index::Place::Segment(Position { segment: 2, offset: 0 }));
    assert_eq!(full.mark(), Position { segment: 2, offset: record::BLOCK_BYTES });
    let records = record::walk(&full.read(2).unwrap(), 0).unwrap();
    assert_eq!(records, [record::Record { offset: 0, length: 100, fingerprint: [1; 16] }]);
}

#[tokio::test]
async fn a_group_larger_than_the_buffer_is_written_in_pieces() {
    let place = Place::new();
    let sizes: Vec<usize> = (0..40).map(|n| 200_000 + n * 1_001).collect();
    let mut documents = Vec::new();
    for size in &sizes {
        documents.push(submitted(&size.to_string(), place.stage(&document(*size)).await));
    }
    place.store.write(place.repository.commit(documents).await.unwrap()).await.unwrap();
    for size in sizes {
        assert!(place.bytes(&size.to_string()).await == document(size), "{size}");
    }
    let records = record::walk(&place.repository.rooms.segments.read(1).unwrap(), 0).unwrap();
    assert_eq!(records.len(), 40);
}

#[tokio::test]
async fn attack_64_when_documents_cannot_be_written_the_submission_fails_and_the_next_does_not() {
    let place = Place::new();
    let folder = place.directory.join("segments");
    fs::remove_dir(&folder).unwrap();
    for size in [100, limits::SEGMENT_BUFFER_BYTES] {
        let mut documents = Vec::new();
        for n in 0..3 {
            documents.push(submitted(&format!("{size}-{n}"), place.stage(&document(size / 2)).await));
        }
        let error = place.store.write(place.repository.commit(documents).await.unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Group(_) | StoreError::Io(_)), "{error}");
        assert!(matches!(place.repository.retrieve("100-0").await.unwrap(), Retrieved::Unknown));
    }
    fs::create_dir(&folder).unwrap();
    place.submit("later", &document(100)).await.unwrap();
    assert!(place.bytes("later").await == document(100));
}

/// Many documents of a byte each, in a message that is mostly something else, must not hold on to all of the message.
#[tokio::test]
async fn what_waits_in_memory_holds_on_to_little_more_than_its_size() {
    let place = Place::new();
    let received = Bytes::from(vec![7; 4 * limits::MIN_KEPT_SLICE_BYTES]);
    let staged = place.repository.stage(Content::from_bytes(received.slice(..1)), u64::MAX).await.unwrap();
    assert!(received.is_unique(), "the buffer is free again");
    let whole = place.repository.stage(Content::from_bytes(received.clone()), u64::MAX).await.unwrap();
    assert!(!received.is_unique(), "a large piece is not copied");
    drop((staged, whole));
}

/// A crash may come between the commit by which a row goes and the end of its bytes.
#[tokio::test]
async fn bytes_of_removed_documents_are_erased_when_a_crash_came_between() {
    let place = Place::new();
    let (small, large) = (Bytes::from(vec![0x5a; 50_000]), Bytes::from(vec![0xa5; 2 * MIB]));
    for (unique_id, bytes) in [("1.1", &small), ("1.2", &small), ("1.3", &large)] {
        place.submit(unique_id, bytes).await.unwrap();
    }
    let index = place.repository.rooms.index.clone();
    let rows = [place.row("1.1").await.unwrap(), place.row("1.3").await.unwrap()];
    let remove = move |connection: &Connection| rows.iter().try_for_each(|row| index.remove(connection, row));
    place.store.write(remove).await.unwrap();
    let after = place.crashed();
    for removed in ["1.1", "1.3"] {
        assert!(matches!(after.repository.retrieve(removed).await.unwrap(), Retrieved::Unknown));
    }
    assert_eq!(after.bytes("1.2").await, small);
    assert_eq!(after.files("large"), Vec::<PathBuf>::new());
    let segment = fs::read(&after.files("segments")[0]).unwrap();
    assert_eq!(segment.iter().filter(|byte| **byte == 0x5a).count(), small.len(), "one of two is left");
    let noted = |connection: &Connection| {
        Ok(connection.query_row("SELECT count(*) FROM repository_erasure", (), |row| row.get::<i64>(0))?)
    };
    assert_eq!(after.store.read(noted).await.unwrap(), 0);
}
