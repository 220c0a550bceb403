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
    let (keys, reached) = Keys::open(folder.0.clone(), vec![7; 16], marks(0)).unwrap();
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

    let (keys, reached) = Keys::open(folder.0.clone(), vec![7; 16], marks(record + 1)).unwrap();
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
        let (keys, _) = Keys::open(folder.0.clone(), vec![7; 16], marks(0)).unwrap();
        keys.insert(5, &[1, 2, 3]);
        keys.flush(Some(marks(5)));
        drop(keys);
        for file in std::fs::read_dir(&folder.0).unwrap() {
            let file = std::fs::OpenOptions::new().write(true).open(file.unwrap().path()).unwrap();
            file.set_len(file.metadata().unwrap().len() - cut).unwrap();
        }
        let (keys, reached) = Keys::open(folder.0.clone(), vec![generation; 16], marks(written)).unwrap();
        assert_eq!(reached, marks(0));
        assert!(found(&keys, 1).is_empty());
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    }
}
