//! The registry without sockets, on each database.

#![allow(clippy::duplicate_mod, reason = "the same tests on each database")]

#[path = "hosted.rs"]
mod on_postgres;
#[path = "hosted.rs"]
mod on_sqlite;
