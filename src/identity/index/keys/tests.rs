use super::*;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn folder() -> Folder {
    Folder(std::env::temp_dir().join(format!("sekisho-keys-{}", uuid::Uuid::new_v4())))
}

fn room() -> Arc<Room> {
    Room::of(1 << 20)
}

fn marks(record: u64) -> Marks {
    Marks { record, former: 0 }
}

fn found(keys: &Keys, key: u64) -> Vec<u32> {
    let mut found = Vec::new();
    keys.find(key, 10_000, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn keys_are_found_in_memory_in_runs_and_after_a_restart() {
    let folder = folder();
    let (keys, reached) = Keys::open(folder.0.clone(), vec![7; 16], marks(0), room()).unwrap();
    assert_eq!(reached, marks(0));
    let mut record = 0;
    // Sizes that make runs of several lengths, and joins.
    for records in [700, 300, 200, 1, 900, 5] {
        for _ in 0..records {
            record += 1;
            keys.insert(record, &[record % 3, 1_000 + record]);
        }
        keys.flush(Some(marks(record)));
    }
    keys.insert(record + 1, &[1]);
    let thirds: Vec<u32> =
        (1..=record as u32 + 1).filter(|number| *number == record as u32 + 1 || number % 3 == 1).collect();
    assert_eq!(found(&keys, 1), thirds);
    assert_eq!(found(&keys, 1_000 + 700), [700]);
    assert!(found(&keys, 999).is_empty());
    drop(keys);

    let (keys, reached) = Keys::open(folder.0.clone(), vec![7; 16], marks(record + 1), room()).unwrap();
    assert_eq!(reached, marks(record));
    assert_eq!(found(&keys, 1), thirds[..thirds.len() - 1]);
    let mut few = Vec::new();
    keys.find(1, 10, &mut few);
    assert_eq!(few.len(), 10);
}

#[test]
fn runs_of_another_index_of_a_later_state_or_cut_off_are_not_used() {
    for (generation, written, cut) in [(8, 5, 0), (7, 4, 0), (7, 5, 1)] {
        let folder = folder();
        let (keys, _) = Keys::open(folder.0.clone(), vec![7; 16], marks(0), room()).unwrap();
        keys.insert(5, &[1, 2, 3]);
        keys.flush(Some(marks(5)));
        drop(keys);
        for file in std::fs::read_dir(&folder.0).unwrap() {
            let file = std::fs::OpenOptions::new().write(true).open(file.unwrap().path()).unwrap();
            file.set_len(file.metadata().unwrap().len() - cut).unwrap();
        }
        let (keys, reached) = Keys::open(folder.0.clone(), vec![generation; 16], marks(written), room()).unwrap();
        assert_eq!(reached, marks(0));
        assert!(found(&keys, 1).is_empty());
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    }
}

#[test]
fn keys_are_found_alike_in_memory_and_on_disk() {
    let folder = folder();
    let (keys, _) = Keys::open(folder.0.clone(), vec![7; 16], marks(0), Room::of(0)).unwrap();
    // Random ones, neighbours that differ in one bit, one that fills several blocks, and both ends.
    let mut wanted = vec![0, 1, u64::MAX, u64::MAX - 1];
    let mut key = 1_u64;
    for record in 1..=5_000 {
        key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        wanted.extend([key, key ^ 1, key ^ (1 << 40)]);
        keys.insert(record, &[key, key ^ 1, 1 << 63, wanted[record as usize % 4]]);
    }
    keys.flush(Some(marks(5_000)));
    drop(keys);
    let open = |room| Keys::open(folder.0.clone(), vec![7; 16], marks(5_000), room).unwrap().0;
    let room = Room::of(8 * 20_000);
    let (on_disk, in_memory) = (open(Room::of(0)), open(room.clone()));
    in_memory.hold();
    assert!(!room.take(1));
    wanted.extend([1 << 63, (1 << 63) - 1]);
    for key in wanted {
        assert_eq!(found(&on_disk, key), found(&in_memory, key), "{key}");
    }
    assert_eq!(found(&in_memory, 1 << 63).len(), 5_000);
    let mut few = Vec::new();
    in_memory.find(1 << 63, 200, &mut few);
    assert_eq!(few.len(), 200);
    drop(in_memory);
    assert!(room.take(8 * 20_000));
}
