//! What the store promises, on each database; and what only one of them can be asked.

#![allow(clippy::duplicate_mod, reason = "the same tests on each database")]

#[path = "promises.rs"]
mod on_postgres;
#[path = "promises.rs"]
mod on_sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use on_sqlite::{Scratch, ids, insert};

use crate::limits;

#[test]
fn a_closed_sqlite_leaves_no_wal() {
    let scratch = Scratch::new();
    let store = scratch.store();
    store.write_blocking(|connection| insert(connection, 1)).unwrap();
    store.close();
    assert!(!scratch.0.join("sekisho.db-wal").exists());
}

/// What a power cut leaves: the files as they are at some moment. Every job writes two rows, so that half of one shows.
#[test]
fn a_copy_of_the_files_at_any_moment_holds_what_was_acknowledged_and_nothing_half() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (store, acknowledged) = (store.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                for number in 0..limits::CHECKPOINT_AFTER_JOBS as i64 / 5 {
                    let id = 2 * (number * 4 + writer);
                    store
                        .write_blocking(move |connection| {
                            insert(connection, id)?;
                            insert(connection, id + 1)
                        })
                        .unwrap();
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        let before = acknowledged.load(Ordering::SeqCst);
        let copy = Scratch::new();
        for name in ["sekisho.db", "sekisho.db-wal"] {
            std::fs::copy(scratch.0.join(name), copy.0.join(name)).unwrap();
        }
        let found = ids(&copy.store());
        assert!(found.len() >= 2 * before, "{} rows of {before} acknowledged jobs", found.len());
        assert!(found.chunks(2).all(|pair| pair[0] % 2 == 0 && pair[1] == pair[0] + 1));
    }
    for writer in writers {
        writer.join().unwrap();
    }
    assert_eq!(ids(&store).len(), 2 * 4 * (limits::CHECKPOINT_AFTER_JOBS / 5));
}
