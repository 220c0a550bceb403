//! What the store promises, on each database; and what only one of them can be asked.

#![allow(clippy::duplicate_mod, reason = "the same tests on each database")]

#[path = "promises.rs"]
mod on_postgres;
#[path = "promises.rs"]
mod on_sqlite;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use on_sqlite::{Scratch, ids, insert};

use super::{Backend, Connection, Migration, PostgresSettings, Step, Store, Trouble, testing};
use crate::limits;

/// Of several gateways one has a duty; another one when that is gone, or has lost its connection.
#[tokio::test]
async fn a_duty_is_one_gateways_as_long_as_it_lives() {
    let at = testing::postgres::schema();
    let (folders, names) = ([Scratch::new(), Scratch::new(), Scratch::new()], ["a duty", "another"]);
    let called = format!("one-{}", uuid::Uuid::new_v4());
    let gateway = |folder: &Scratch, name: &str| {
        let settings = PostgresSettings::parse(&format!("{at} application_name={name}")).unwrap();
        Store::open_in(&Backend::Postgres(settings), &folder.0, &[]).unwrap()
    };
    let (one, other) = (gateway(&folders[0], &called), gateway(&folders[1], "other"));
    for _ in 0..2 {
        assert!(one.duty(names[0]).is_ours().await.unwrap());
        assert!(!other.duty(names[0]).is_ours().await.unwrap());
        assert!(other.duty(names[1]).is_ours().await.unwrap());
    }
    // As when the server is started anew, for one of them.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name =";
    testing::postgres::run(&at, &format!("{cut} '{called}'"));
    until(async || other.duty(names[0]).is_ours().await.unwrap()).await;
    until(async || one.duty(names[0]).is_ours().await.is_ok()).await;
    assert!(!one.duty(names[0]).is_ours().await.unwrap(), "it went to the other one");
    other.close();
    until(async || one.duty(names[0]).is_ours().await.unwrap()).await;

    assert!(
        folders[2].store().duty(names[0]).is_ours().await.unwrap(),
        "an embedded database has one gateway"
    );
}

async fn until<F: Future<Output = bool>>(done: impl Fn() -> F) {
    for _ in 0..1_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it never happened");
}

/// A few jobs of many rows make a long write-ahead log, too.
#[tokio::test]
async fn rows_count_until_the_next_checkpoint_not_jobs() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let size = || std::fs::metadata(scratch.0.join("sekisho.db")).unwrap().len();
    let before = size();
    let job = |connection: &Connection| {
        (0..limits::CHECKPOINT_AFTER_ROWS as i64).try_for_each(|id| insert(connection, id))
    };
    store.write(job).await.unwrap();
    until(async || size() > before + limits::CHECKPOINT_AFTER_ROWS).await;
}

/// As when the server is started anew, or takes the lock from a gateway that stood still: senders may come again.
#[tokio::test]
async fn a_connection_that_is_lost_in_a_group_is_a_trouble_that_passes() {
    let scratch = on_postgres::Scratch::new();
    let store = scratch.store();
    let cut = |connection: &Connection, id| {
        insert(connection, id)?;
        if id == 1 {
            let cut = "SELECT pg_terminate_backend(pg_backend_pid())";
            connection.query_row(cut, (), |row| row.get::<bool>(0))?;
        }
        Ok(())
    };
    let results = on_postgres::together(&store, 0..4, cut).await;
    for lost in &results[..2] {
        assert_eq!(lost.as_ref().unwrap_err().trouble(), Trouble::Busy);
    }
    // Those behind them made another group.
    let mut kept: Vec<_> = (2..4).filter(|id| results[*id as usize].is_ok()).collect();
    until(async || store.write(|connection| insert(connection, 7)).await.is_ok()).await;
    kept.push(7);
    assert_eq!(ids(&store), kept);
}

/// An index of many millions of rows is not made within the time of a statement.
#[tokio::test]
async fn a_migration_may_take_its_time_and_nothing_else_may() {
    const SLOW: Migration = Migration {
        room: "slow",
        steps: &[Step::Each {
            sqlite: "",
            postgres: "DO $$ BEGIN IF current_setting('statement_timeout') <> '0' THEN RAISE 'in haste'; END IF; END $$",
        }],
    };
    let backend = testing::backend("on_postgres");
    let folder = Scratch::new();
    let store = Store::open_in(&backend, &folder.0, &[SLOW]).unwrap();
    let settings = |connection: &Connection| {
        let setting = |name: &str| {
            connection.query_row("SELECT current_setting(?1)", [name], |row| row.get::<String>(0))
        };
        Ok([setting("statement_timeout")?, setting("idle_in_transaction_session_timeout")?])
    };
    assert_eq!(store.write(settings).await.unwrap(), ["20s", "10s"]);
    assert_eq!(store.read(settings).await.unwrap(), ["20s", "15min"]);
}

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
    const WRITERS: i64 = 4;
    // No checkpoint yet: two files cannot be copied at one moment.
    const JOBS: i64 = limits::CHECKPOINT_AFTER_ROWS as i64 / WRITERS / 8;
    let scratch = Scratch::new();
    let store = scratch.store();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, acknowledged) = (store.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                for number in 0..JOBS {
                    let id = 2 * (number * WRITERS + writer);
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
    assert_eq!(ids(&store).len() as i64, 2 * WRITERS * JOBS);
}
