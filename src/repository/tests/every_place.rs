//! What holds wherever documents are kept, encrypted or not.

use super::*;

#[tokio::test]
async fn documents_of_every_size_come_back_as_they_were() {
    let part = limits::OBJECT_PART_BYTES as usize;
    let edges = [
        64 * KIB,
        limits::CHUNK_BYTES,
        limits::SPOOL_BATCH_BYTES,
        MIB,
        MIB + limits::SPOOL_BATCH_BYTES,
        part,
    ];
    let mut sizes = vec![0, 1, 20 * MIB];
    sizes.extend(edges.iter().flat_map(|size| [size - 1, *size, size + 1]));
    for (kind, place) in Place::every() {
        for &size in &sizes {
            let bytes = document(size);
            let staged = place.stage(&bytes).await;
            assert_eq!((staged.size, &staged.sha1), (size as u64, &sha1(&bytes)), "{kind}: {size}");
            let job = place.repository.commit(vec![submitted(&size.to_string(), staged)]).await.unwrap();
            place.store.write(job).await.unwrap();
        }
        let reopened = place.crashed();
        for &size in &sizes {
            for place in [&place, &reopened] {
                let bytes = place.bytes(&size.to_string()).await;
                assert!(bytes == document(size), "{kind}: {size}");
            }
            let stored = place.stored(&size.to_string()).await;
            assert_eq!(stored == document(size), place.keys.is_none(), "{kind}: {size}");
            let found = reopened.repository.find(vec![size.to_string()]).await.unwrap();
            assert_eq!(found[0].as_ref().unwrap().size, size as u64);
        }
        let large = sizes.iter().filter(|size| **size > MIB).count();
        let (segments, names) = match place.kind {
            Kind::Files => (1, large),
            _ => (0, sizes.len()),
        };
        place.wait_until_large_are(&place.large().await).await;
        assert_eq!((place.files("segments").len(), place.large().await.len()), (segments, names), "{kind}");
        let usage = Usage { documents: sizes.len() as u64, bytes: sizes.iter().sum::<usize>() as u64 };
        assert_eq!(reopened.repository.usage().await.unwrap(), usage, "{kind}");
    }
}

#[tokio::test]
async fn what_is_dropped_leaves_nothing_behind() {
    for (_, place) in Place::every() {
        for size in [100 * KIB, 3 * MIB] {
            drop(place.stage(&document(size)).await);
            let mut half = place.repository.receive(u64::MAX);
            half.write(document(size)).await.unwrap();
            drop(half);
            // Put already where it would lie, but its transaction never ran.
            let staged = place.stage(&document(size)).await;
            drop(place.repository.commit(vec![submitted("1.1", staged)]).await.unwrap());
        }
        place.wait_until_large_are(&[]).await;
        assert!(place.files("segments").is_empty());
        assert_eq!(place.repository.rooms.dock.memory.free(), limits::MAX_STAGED_MEMORY);
        assert_eq!(place.repository.usage().await.unwrap(), Usage::default());
    }
}

#[tokio::test]
async fn a_document_beyond_the_limit_is_refused_by_name_and_leaves_nothing() {
    for (_, place) in Place::every() {
        for size in [10 * KIB, 3 * MIB] {
            let bytes = document(size);
            assert!(place.repository.stage(in_chunks(&bytes, 1_000), size as u64).await.is_ok());
            let error = place.repository.stage(in_chunks(&bytes, 1_000), size as u64 - 1).await.unwrap_err();
            let StageError::Stream(StreamError::TooLarge { limit, .. }) = error else { panic!("{error}") };
            assert_eq!(limit, size as u64 - 1);
        }
        place.wait_until_large_are(&[]).await;
    }
}

#[tokio::test]
async fn attack_52_the_same_bytes_again_are_no_second_copy_and_other_bytes_are_refused() {
    for (kind, place) in Place::every() {
        for (id, size) in [("small", 1_000), ("large", 2 * MIB)] {
            place.submit(id, &document(size)).await.unwrap();
            let (end, large) = (place.repository.rooms.segments.mark(), place.large().await);
            let usage = place.repository.usage().await.unwrap();
            place.submit(id, &document(size)).await.unwrap();

            let (new, other) = (place.stage(&document(10)).await, place.stage(&document(size + 1)).await);
            let both = vec![submitted("new", new), submitted(id, other)];
            let job = place.repository.commit(both).await.unwrap();
            assert!(place.store.write(job).await.is_err());
            assert!(matches!(place.repository.retrieve("new").await.unwrap(), Retrieved::Unknown));

            assert!(place.bytes(id).await == document(size));
            place.wait_until_large_are(&large).await;
            assert_eq!(place.repository.rooms.segments.mark(), end, "{kind}");
            assert_eq!(place.repository.usage().await.unwrap(), usage, "{kind}");
        }
    }
}

#[tokio::test]
async fn attack_49_identifiers_never_reach_files_or_objects() {
    let long = "9".repeat(4_096);
    for (kind, place) in Place::every() {
        for id in ["../../etc/passwd", "/etc/passwd", "a\0b", "１.２.３", "..", "", &long] {
            assert!(matches!(place.repository.retrieve(id).await.unwrap(), Retrieved::Unknown));
            for size in [10, 2 * MIB] {
                let id = format!("{id}{size}");
                place.submit(&id, &document(size)).await.unwrap();
                assert!(place.bytes(&id).await == document(size));
            }
        }
        for name in place.large().await {
            let name = name.rsplit('/').next().unwrap();
            assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{kind}: {name}");
        }
    }
}

#[tokio::test]
async fn many_small_documents_of_one_answer_are_read_as_they_are_sent() {
    for (kind, place) in Place::every() {
        let count = limits::MAX_EAGER_BYTES as usize / MIB + 3;
        for n in 0..count {
            place.submit(&n.to_string(), &document(MIB - n)).await.unwrap();
        }
        let ids = (0..count).map(|n| n.to_string()).collect();
        let mut later = 0;
        for (n, retrieved) in place.repository.retrieve_all(ids).await.unwrap().into_iter().enumerate() {
            let Retrieved::Found(_, content) = retrieved else { panic!("{kind}: {n}") };
            later += usize::from(content.rest.is_some());
            assert!(content.collect(u64::MAX).await.unwrap() == document(MIB - n), "{kind}: {n}");
        }
        assert_eq!(later, 3, "{kind}");
    }
}

#[tokio::test]
async fn tenants_do_not_see_each_others_documents() {
    for (kind, place) in Place::every() {
        place.submit("same", &document(100)).await.unwrap();
        let folder = place.directory.join("other");
        let other = open(&folder, &place.store, "other", &place.kind, place.keys.clone()).unwrap();
        assert!(matches!(other.retrieve("same").await.unwrap(), Retrieved::Unknown));
        let staged = other.stage(Content::from_bytes(document(200)), u64::MAX).await.unwrap();
        let job = other.commit(vec![submitted("same", staged)]).await.unwrap();
        place.store.write(job).await.unwrap();
        assert!(place.bytes("same").await == document(100));
        let usage = |documents, bytes| Usage { documents, bytes };
        assert_eq!(place.repository.usage().await.unwrap(), usage(1, 100), "{kind}");
        assert_eq!(other.usage().await.unwrap(), usage(1, 200), "{kind}");
        assert_ne!(
            place.repository.rooms.index.fingerprint("same"),
            other.rooms.index.fingerprint("same"),
            "records of different tenants can be told apart"
        );
        // Somebody who may write the database points one tenant's row at the other's bytes.
        let steal = |connection: &Connection| {
            let swap = "UPDATE repository_document SET (segment, position, file, size, crc, sha1, key_id, data_key) =
                (SELECT segment, position, file, size, crc, sha1, key_id, data_key FROM repository_document
                 WHERE tenant = 'other') WHERE tenant = 'tenant'";
            Ok(connection.execute(swap, ())?)
        };
        place.store.write(steal).await.unwrap();
        let stolen = place.crashed().repository.retrieve("same").await.unwrap();
        assert!(place.keys.is_none() || matches!(stolen, Retrieved::Damaged), "{kind}: {stolen:?}");
    }
}

#[tokio::test]
async fn a_removal_whose_transaction_fails_removes_nothing() {
    for (kind, place) in Place::every() {
        let bytes = Bytes::from_static(b"still here");
        place.submit("1.1", &bytes).await.unwrap();
        let fail: CommitJob = Box::new(|_| Err(io::Error::from(ErrorKind::Other).into()));
        assert!(place.repository.remove(vec!["1.1".to_owned()], fail).await.is_err());
        assert_eq!(place.bytes("1.1").await, bytes);
        assert!(place.remove("1.1").await && !place.remove("1.2").await);
        assert!(matches!(place.repository.retrieve("1.1").await.unwrap(), Retrieved::Unknown));
        assert_eq!(place.keys_of_objects().await, Vec::<String>::new(), "{kind}");
        assert_eq!(place.repository.usage().await.unwrap(), Usage::default(), "{kind}");
    }
}

/// What a retrieve comes to when it is read to its end.
async fn outcome(place: &Place, id: &str) -> &'static str {
    match place.repository.retrieve(id).await.unwrap() {
        Retrieved::Unknown => "unknown",
        Retrieved::Damaged => "damaged",
        Retrieved::Away => "away",
        Retrieved::Found(document, mut content) => {
            let mut received = 0;
            while let Some(chunk) = content.next().await {
                match chunk {
                    Ok(chunk) => received += chunk.len() as u64,
                    Err(error) => {
                        assert!(matches!(error, StreamError::Store(_)));
                        assert!(received < document.size, "the last bytes are held back");
                        return "broken off";
                    }
                }
            }
            "whole"
        }
    }
}

/// Every way in which bytes can be wrong, what a retrieve makes of it, and how `verify-store` finds it.
#[tokio::test(flavor = "multi_thread")]
async fn attack_64_wrong_bytes_are_never_given_out_and_are_found() {
    type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;
    let flipped: Damage = |mut bytes| {
        bytes[5] ^= 1;
        Some(bytes)
    };
    let zeros: Damage = |bytes| Some(vec![0; bytes.len()]);
    let cut: Damage = |mut bytes| {
        bytes.truncate(bytes.len() - 3);
        Some(bytes)
    };
    let longer: Damage = |mut bytes| {
        bytes.push(0);
        Some(bytes)
    };
    let gone: Damage = |_| None;
    let (damaged, missing) = (Condition::Damaged, Condition::Missing);
    let every = [
        ("flipped", flipped, damaged),
        ("zeros", zeros, damaged),
        ("cut", cut, missing),
        ("longer", longer, damaged),
        ("gone", gone, missing),
    ];
    for (kind, place) in Place::every() {
        for (size, small) in [(1_000, true), (3 * MIB, false)] {
            place.submit("good", &document(size)).await.unwrap();
            for (what, damage, condition) in every {
                if small && matches!(place.kind, Kind::Files) && !matches!(what, "flipped" | "zeros") {
                    continue;
                }
                let id = format!("{what}-{size}");
                place.submit(&id, &document(size)).await.unwrap();
                // Retrieved before: what is remembered does not make wrong bytes right.
                assert!(place.bytes(&id).await == document(size));
                place.damage(&id, damage(place.stored(&id).await)).await;
                let outcome = outcome(&place, &id).await;
                assert!(matches!(outcome, "damaged" | "broken off"), "{kind}: {id} is {outcome}");
                assert!(
                    small || outcome == "damaged" || what == "flipped" || what == "zeros",
                    "{kind}: {id}"
                );
                let found = verified(&place).await;
                let found = found.iter().find(|(unique_id, _)| *unique_id == id).unwrap();
                let as_expected = found.1 == condition || (what == "cut" && found.1 == damaged);
                assert!(as_expected, "{kind}: {found:?}");
                assert!(place.remove(&id).await);
            }
            assert!(place.bytes("good").await == document(size));
            assert_eq!(verified(&place).await, [("good".to_owned(), Condition::Good)]);
            assert!(place.remove("good").await);
        }
    }
}

async fn verified(place: &Place) -> Vec<(String, Condition)> {
    let repository = place.repository.clone();
    let verify = move || {
        let mut verified = Vec::new();
        repository
            .verify_blocking(|document, condition| verified.push((document.unique_id.clone(), condition)))
            .unwrap();
        verified
    };
    tokio::task::spawn_blocking(verify).await.unwrap()
}

/// Bytes that no row refers to are found by who looks at everything, and can be taken away.
#[tokio::test(flavor = "multi_thread")]
async fn documents_without_a_row_are_found() {
    for (kind, place) in Place::every() {
        for (id, size) in [("a", 1_000), ("b", 2_000), ("c", 2 * MIB), ("kept", 3_000), ("erased", 4_000)] {
            place.submit(id, &document(size)).await.unwrap();
        }
        assert!(place.remove("erased").await);
        let strays = || {
            let repository = place.repository.clone();
            async move {
                tokio::task::spawn_blocking(move || repository.strays(Duration::ZERO).unwrap()).await.unwrap()
            }
        };
        assert_eq!(strays().await, []);
        let forget = |connection: &Connection| {
            let rows = "DELETE FROM repository_document WHERE unique_id IN ('a', 'c')";
            Ok(connection.execute(rows, ())?)
        };
        place.store.write(forget).await.unwrap();
        let found = strays().await;
        let places: Vec<_> = found.iter().map(Stray::place).collect();
        assert_eq!(found.len(), 2, "{kind}: {places:?}");
        assert!(matches!(place.kind, Kind::Files) != places.iter().all(|place| place.starts_with("object ")));
        let repository = place.repository.clone();
        let erase = move || repository.erase_strays_blocking(found).unwrap();
        tokio::task::spawn_blocking(erase).await.unwrap();
        assert_eq!(strays().await, []);
        for (id, size) in [("b", 2_000), ("kept", 3_000)] {
            assert!(place.bytes(id).await == document(size));
        }
    }
}
