//! `sekisho verify-store` and `sekisho rotate-keys` on real damage.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sekisho::repository::MIGRATION;
use sekisho::store::{Backend, Connection, PostgresSettings, Store, StoreError};
use sekisho::transactions::errors::Status;
use serde_json::{Value, json};

use crate::durability::{self, Begun, CONFIG};
use crate::support::certs::TempDir;
use crate::support::postgres;
use crate::support::program::{Served, run};
use crate::support::submissions::Document;

/// A key of the tenant, current with others beside it.
fn encryption(folder: &Path, current: &str, ids: &[&str]) -> Vec<String> {
    let mut settings = vec![format!("standalone.encryption.current={current}")];
    for id in ids {
        let file = folder.join(id);
        fs::write(&file, format!("{:02x}", id.len()).repeat(32)).unwrap();
        settings
            .push(format!("standalone.encryption.keys.{id}={{ file = {:?} }}", file.display().to_string()));
    }
    settings
}

/// Runs a command on a stopped service; gives its exit code and what it tells.
fn command(command: &[&str], data: &Path, settings: &[String]) -> (i32, Value) {
    let database = postgres::setting_for(data);
    let data = format!("data.directory={}", data.display());
    let mut arguments = command.to_vec();
    arguments.extend(["--config", CONFIG, "--json", "--set", &data]);
    settings.iter().chain(&database).for_each(|setting| arguments.extend(["--set", setting]));
    let (code, out, log) = run(&arguments, "");
    (code, serde_json::from_str(&out).unwrap_or_else(|_| json!(log)))
}

async fn stored(data: &Path, settings: &[String], sizes: &[usize]) -> Vec<String> {
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let served = Served::start(CONFIG, data, &settings);
    let mut ids = Vec::new();
    for size in sizes {
        let document = Document::new(*size);
        ids.push(document.unique_id.clone());
        let response = durability::submit(&served, &Begun::default(), vec![document]).await.unwrap();
        assert_eq!(response.status, Status::Success, "{:?}", response.errors);
    }
    assert_eq!(served.terminate(), Some(0));
    ids
}

/// Does something to the database.
fn database<T: Send + 'static>(
    data: &Path,
    work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> T {
    let backend = postgres::connection_for(data)
        .map_or(Backend::Sqlite, |at| Backend::Postgres(PostgresSettings::parse(&at).unwrap()));
    let store = Store::open_in(&backend, data, &[MIGRATION]).unwrap();
    let done = store.write_blocking(work);
    store.close();
    done.unwrap()
}

fn large(data: &Path, unique_id: &str) -> PathBuf {
    let find = format!("SELECT file FROM repository_document WHERE unique_id = '{unique_id}'");
    let name: String =
        database(data, move |connection| Ok(connection.query_row(&find, (), |row| row.get(0))?));
    data.join("large").join(&name[..2]).join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_every_kind_is_found_and_named() {
    for encrypted in [false, true] {
        let folder = TempDir::new();
        let data = folder.path().join("data");
        let settings = if encrypted { encryption(folder.path(), "a", &["a"]) } else { Vec::new() };
        let sizes = [1_000, 2_000, 3_000, 2_000_000, 2_000_001, 2_000_002];
        let ids = stored(&data, &settings, &sizes).await;
        let (code, found) = command(&["verify-store"], &data, &settings);
        assert_eq!((code, &found["documents"]), (0, &json!(6)), "{found}");

        // The first small one: a flipped byte. The second: its row is gone. The large ones: one is cut, one is gone, and of
        // one a byte is another.
        let segment = fs::OpenOptions::new().read(true).write(true).open(data.join("segments/00000001.seg"));
        let flip = |file: &fs::File, at| {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        };
        flip(&segment.unwrap(), 40 + 500);
        let open = |id| fs::OpenOptions::new().read(true).write(true).open(large(&data, id)).unwrap();
        open(&ids[3]).set_len(100_000).unwrap();
        fs::remove_file(large(&data, &ids[4])).unwrap();
        flip(&open(&ids[5]), 1_999_999);
        let forget = format!("DELETE FROM repository_document WHERE unique_id = '{}'", ids[1]);
        database(&data, move |connection| Ok(connection.execute(&forget, ())?));
        fs::write(data.join("incoming/0123"), "half").unwrap();

        let (code, found) = command(&["verify-store"], &data, &settings);
        let sorted = |mut ids: Vec<&String>| {
            ids.sort_unstable();
            json!(ids)
        };
        let findings = &found["findings"];
        assert_eq!(code, 1, "{found}");
        assert_eq!(findings["documents that are damaged"], sorted(vec![&ids[0], &ids[5]]));
        assert_eq!(findings["documents whose bytes are missing"], sorted(vec![&ids[3], &ids[4]]));
        assert_eq!(findings["approved entries without document"].as_array().unwrap().len(), 1);
        let strays = findings["bytes that no document refers to"].as_array().unwrap();
        assert!(strays.len() == 1 && strays[0].as_str().unwrap().starts_with("segments/00000001.seg at "));
        assert_eq!(found["removed at opening"], 1);

        // A row that went by hand was not counted either.
        assert_eq!(findings["wrong counts of documents"].as_array().unwrap().len(), 1);

        let (code, found) = command(&["verify-store", "--settle"], &data, &settings);
        let settled = ["bytes that no document refers to were removed", "counts were corrected"];
        // What is damaged or gone stays so.
        assert_eq!((code, &found["settled"]), (1, &json!(settled)));
        let (code, found) = command(&["verify-store"], &data, &settings);
        assert_eq!(
            (code, &found["findings"]["bytes that no document refers to"]),
            (1, &json!([])),
            "{found}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_an_old_one_can_go_only_then() {
    let folder = TempDir::new();
    let data = folder.path().join("data");
    let [old, both, new] = [("a", &["a"][..]), ("bb", &["a", "bb"]), ("bb", &["bb"])]
        .map(|(current, ids)| encryption(folder.path(), current, ids));
    stored(&data, &old, &[1_000, 2_000_000]).await;

    let (code, told) = command(&["verify-store"], &data, &new);
    assert_eq!(code, 3);
    assert!(
        told.as_str().unwrap().contains("encrypted with key \"a\", which is not in the configuration"),
        "{told}"
    );

    let expected = json!({ "rewrapped": 2, "current": 0, "unencrypted": 0, "damaged": 0 });
    assert_eq!(command(&["rotate-keys"], &data, &both), (0, expected));
    let (code, found) = command(&["verify-store"], &data, &new);
    assert_eq!(code, 0, "{found}");
    assert_eq!(command(&["rotate-keys"], &data, &[]).0, 2);
}

/// Nothing but a hand in the database, or a defect, makes the count of a quota wrong: it is found and put right all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_count_is_found_and_corrected() {
    let folder = TempDir::new();
    let data = folder.path().join("data");
    stored(&data, &[], &[1_000, 2_000]).await;
    for settling in [&["verify-store", "--settle"][..], &["check", "--store", "--settle"]] {
        let meddle = "UPDATE repository_usage SET documents = documents + 3, bytes = bytes - 5
                      WHERE part = (SELECT min(part) FROM repository_usage)";
        database(&data, move |connection| Ok(connection.execute(meddle, ())?));
        let told = json!(["5 documents of 2995 bytes are counted, and 2 documents of 3000 bytes are stored"]);
        for command_line in [&["verify-store"][..], &["check", "--store"]] {
            let (code, found) = command(command_line, &data, &[]);
            assert_eq!((code, &found["findings"]["wrong counts of documents"]), (1, &told), "{found}");
        }
        let (code, found) = command(settling, &data, &[]);
        assert_eq!(code, 0, "{found}");
        let (code, found) = command(&["verify-store"], &data, &[]);
        assert_eq!(code, 0, "{found}");
    }
}
