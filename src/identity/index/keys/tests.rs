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

/// Keys are hashes: no two differ in their last bits alone.
fn hash(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn some(keys: &Keys, key: u64, most: usize) -> Vec<u32> {
    let mut sought = Sought::of([(key, most)]);
    keys.find(&mut sought);
    sought.all().collect()
}

fn found(keys: &Keys, key: u64) -> Vec<u32> {
    let mut found = some(keys, key, 10_000);
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
            keys.insert(record, &[hash(record % 3), hash(1_000 + record)]);
        }
        keys.flush(Some(marks(record)));
    }
    keys.insert(record + 1, &[hash(1)]);
    let thirds: Vec<u32> =
        (1..=record as u32 + 1).filter(|number| *number == record as u32 + 1 || number % 3 == 1).collect();
    assert_eq!(found(&keys, hash(1)), thirds);
    assert_eq!(found(&keys, hash(1_000 + 700)), [700]);
    assert!(found(&keys, hash(999)).is_empty());
    drop(keys);

    let (keys, reached) = Keys::open(folder.0.clone(), vec![7; 16], marks(record + 1), room()).unwrap();
    assert_eq!(reached, marks(record));
    assert_eq!(found(&keys, hash(1)), thirds[..thirds.len() - 1]);
    assert_eq!(some(&keys, hash(1), 10).len(), 10);
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
        let (keys, reached) =
            Keys::open(folder.0.clone(), vec![generation; 16], marks(written), room()).unwrap();
        assert_eq!(reached, marks(0));
        assert!(found(&keys, 1).is_empty());
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    }
}

#[test]
fn keys_are_found_alike_in_memory_and_on_disk() {
    let folder = folder();
    let (keys, _) = Keys::open(folder.0.clone(), vec![7; 16], marks(0), Room::of(0)).unwrap();
    // Random ones, one that fills several blocks, and both ends.
    let ends = [0, 1 << 40, u64::MAX, u64::MAX ^ (1 << 40)];
    let mut wanted = ends.to_vec();
    for record in 1..=5_000 {
        let key = hash(record * record);
        wanted.extend([key, key ^ (1 << 40)]);
        keys.insert(record, &[key, 1 << 63, ends[record as usize % 4]]);
    }
    keys.flush(Some(marks(5_000)));
    drop(keys);
    let open = |room| Keys::open(folder.0.clone(), vec![7; 16], marks(5_000), room).unwrap().0;
    let room = Room::of(9 * 15_000);
    let (on_disk, in_memory) = (open(Room::of(0)), open(room.clone()));
    in_memory.hold();
    assert!(!room.take(1));
    wanted.push(1 << 63);
    for key in wanted {
        assert!(found(&on_disk, key) == found(&in_memory, key), "{key}");
    }
    assert_eq!(found(&in_memory, 1 << 63).len(), 5_000);
    for keys in [&on_disk, &in_memory] {
        assert_eq!(some(keys, 1 << 63, 200).len(), 200);
    }
    drop(in_memory);
    assert!(room.take(9 * 15_000));
}
