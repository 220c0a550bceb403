//! The tenant leads every primary key and every index, on both databases: by it a distributed PostgreSQL spreads the rows
//! (docs/storage.md), and one tenant's lie together. The databases' own catalogs are asked.

use std::collections::BTreeSet;

use super::MIGRATIONS;
use crate::store::{Backend, Store, testing};

/// Tables that are no tenant's: what they are.
const NO_TENANTS: [(&str, &str); 4] = [
    ("store_schema", "the versions of the tables"),
    ("store_owner", "which gateway has what"),
    ("registry_tenant", "the tenants themselves"),
    ("identity_tenant", "the tenants themselves"),
];

/// Tables that are found by numbers whose upper bits are the tenant's, and those numbers.
const NUMBERED: [(&str, &[&str]); 10] = [
    ("identity_bar", &["record", "other"]),
    ("identity_decision", &["decision"]),
    ("identity_domain", &["domain"]),
    ("identity_event", &["event"]),
    ("identity_former", &["former", "record"]),
    ("identity_insured", &["domain", "record"]),
    ("identity_link", &["record"]),
    ("identity_model", &["model"]),
    ("identity_record", &["record", "domain", "person"]),
    ("identity_review", &["review", "record", "other"]),
];

/// The same, but in PostgreSQL the tenant stands before them.
const NUMBERED_IN_SQLITE: [(&str, &[&str]); 3] =
    [("registry_object", &["object"]), ("registry_patient", &["patient"]), ("registry_value", &["object"])];

const OF_SQLITE: &str = "
    SELECT t.name, i.name FROM sqlite_master t, pragma_index_list(t.name) l, pragma_index_info(l.name) i
    WHERE t.type = 'table' AND i.seqno = 0
    UNION SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.pk = 1";
const OF_POSTGRES: &str = "
    SELECT t.relname::text, c.attname::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum = i.indkey[0]
    WHERE t.relnamespace = current_schema()::regnamespace";

/// Tables, and the first columns of their keys and indexes.
fn first_columns(backend: &Backend, catalog: &'static str) -> BTreeSet<(String, String)> {
    let folder = std::env::temp_dir().join(format!("sekisho-keys-{}", uuid::Uuid::new_v4().simple()));
    let store = Store::open_in(backend, &folder, MIGRATIONS).unwrap();
    let found = store.read_blocking(move |connection| {
        let mut find = connection.prepare_cached(catalog)?;
        Ok(find.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    });
    store.close();
    std::fs::remove_dir_all(folder).unwrap();
    found.unwrap()
}

fn others(found: BTreeSet<(String, String)>, numbered: &[(&str, &[&str])]) -> Vec<(String, String)> {
    let is_other = |(table, column): &(String, String)| {
        let is_number = |(of, numbers): &(&str, &[&str])| of == table && numbers.contains(&column.as_str());
        column != "tenant" && !NO_TENANTS.iter().any(|(of, _)| of == table) && !numbered.iter().any(is_number)
    };
    found.into_iter().filter(is_other).collect()
}

#[test]
fn the_tenant_leads_every_key() {
    let of_sqlite = first_columns(&Backend::Sqlite, OF_SQLITE);
    let of_postgres = first_columns(&testing::backend("on_postgres"), OF_POSTGRES);
    let tables = |found: &BTreeSet<(String, String)>| -> BTreeSet<String> {
        found.iter().map(|(table, _)| table.clone()).collect()
    };
    assert_eq!(tables(&of_sqlite), tables(&of_postgres));
    assert!(of_sqlite.len() > 40, "{of_sqlite:?}");
    assert_eq!(others(of_sqlite, &[&NUMBERED[..], &NUMBERED_IN_SQLITE].concat()), []);
    assert_eq!(others(of_postgres, &NUMBERED), []);
}
