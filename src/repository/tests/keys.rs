//! Keys that change, are missing, or are not what they were.

use super::*;

async fn rotated(place: &Place) -> Rotated {
    let repository = place.repository.clone();
    let rotate = move || repository.rotate_keys_blocking(|_| {}).unwrap();
    tokio::task::spawn_blocking(rotate).await.unwrap()
}

fn reopened(place: &Place, keys: Option<Keys>) -> Result<Place, StoreError> {
    place.reopened(place.kind.clone(), keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_takes_over_and_bytes_are_not_touched() {
    for kind in [Kind::Files, Kind::objects(), Kind::s3()] {
        let first = Place::of(kind, Some(keys("first", &["first"])));
        for (id, size) in [("small", 1_000), ("large", 2 * MIB)] {
            first.submit(id, &document(size)).await.unwrap();
        }
        let both = reopened(&first, Some(keys("second", &["first", "second"]))).unwrap();
        both.submit("new", &document(700)).await.unwrap();
        let before = [both.stored("small").await, both.stored("large").await];
        assert_eq!(rotated(&both).await, Rotated { rewrapped: 2, current: 1, ..Rotated::default() });
        assert_eq!(rotated(&both).await, Rotated { current: 3, ..Rotated::default() });
        assert!(before == [both.stored("small").await, both.stored("large").await]);

        let second = reopened(&both, Some(keys("second", &["second"]))).unwrap();
        for (id, size) in [("small", 1_000), ("large", 2 * MIB), ("new", 700)] {
            assert!(second.bytes(id).await == document(size), "{id}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_missing_or_another_stops_the_start_and_is_named() {
    let place = Place::of(Kind::Files, Some(keys("2026", &["2026"])));
    place.submit("1.1", &document(100)).await.unwrap();
    let changed = Keys::new("2026", [("2026".to_owned(), [7; 32])]).unwrap();
    let cases = [
        (None, "\"2026\", which is not in the configuration"),
        (Some(keys("2027", &["2027"])), "\"2026\", which is not in the configuration"),
        (Some(changed), "\"2026\", which is not the key"),
    ];
    for (keys, expected) in cases {
        let error = reopened(&place, keys).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("tenant"), "{error}");
    }
    assert!(reopened(&place, Some(keys("2027", &["2026", "2027"]))).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_from_before_there_were_keys_stay_as_they_are() {
    let plain = Place::new();
    plain.submit("old", &document(100)).await.unwrap();
    let sealed = reopened(&plain, Some(keys("first", &["first"]))).unwrap();
    sealed.submit("new", &document(100)).await.unwrap();
    for id in ["old", "new"] {
        assert!(sealed.bytes(id).await == document(100));
    }
    assert_eq!(rotated(&sealed).await, Rotated { current: 1, unencrypted: 1, ..Rotated::default() });
    let everything = fs::read(&sealed.files("segments")[0]).unwrap();
    let twice = |needle: &[u8]| everything.windows(needle.len()).filter(|window| *window == needle).count();
    assert_eq!(twice(&document(100)), 1, "the new one cannot be read in the file");
}

#[tokio::test]
async fn what_is_removed_leaves_nothing_of_its_key() {
    let place = Place::of(Kind::Files, Some(keys("first", &["first"])));
    place.submit("1.1", &document(5_000)).await.unwrap();
    assert!(place.remove("1.1").await);
    let left = |connection: &Connection| -> Result<i64, StoreError> {
        Ok(connection.query_row("SELECT count(*) FROM repository_document", (), |row| row.get(0))?)
    };
    assert_eq!(place.store.read(left).await.unwrap(), 0);
    let segment = fs::read(&place.files("segments")[0]).unwrap();
    assert!(segment[record::HEADER_BYTES as usize..].iter().all(|byte| *byte == 0));
}
