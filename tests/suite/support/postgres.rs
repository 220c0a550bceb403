//! A real PostgreSQL for tests, a schema of its own for each. Where it is says `SEKISHO_TEST_POSTGRES`, a connection string;
//! without that, `.ci/postgres` starts one for this user, which stays. There is no test without a database: one that
//! cannot be had fails. (Also part of the library's own tests.)

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// A connection string for an empty schema.
pub fn schema() -> String {
    let schema = format!("t_{}", uuid::Uuid::new_v4().simple());
    run(server(), &format!("CREATE SCHEMA {schema}"));
    format!("{} options='-c search_path={schema}'", server())
}

/// The setting with which a gateway that has its data in a folder keeps them in PostgreSQL, where
/// `SEKISHO_TEST_DATABASE=postgres` wants the whole suite on it: the same schema for the same folder.
#[allow(dead_code, reason = "the library's own tests need it not")]
pub fn setting_for(data: &Path) -> Option<String> {
    Some(format!("store.postgres={}", connection_for(data)?))
}

/// How that database is connected to.
#[allow(dead_code, reason = "the library's own tests need it not")]
pub fn connection_for(data: &Path) -> Option<String> {
    if std::env::var("SEKISHO_TEST_DATABASE").ok()? != "postgres" {
        return None;
    }
    let name: String = data.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let schema = format!("d_{}", name.chars().rev().take(40).collect::<String>().to_lowercase());
    run(server(), &format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    Some(format!("{} options='-c search_path={schema}'", server()))
}

/// The same as a section of a configuration; empty where the database is the embedded one.
#[allow(dead_code, reason = "the library's own tests need it not")]
pub fn section_for(data: &Path) -> String {
    connection_for(data).map(|at| format!("[store]\npostgres = \"{at}\"\n")).unwrap_or_default()
}

/// Runs statements. On a thread of its own, where it may wait.
pub fn run(connection: &str, script: &str) {
    with(connection, async |client| client.batch_execute(script).await.unwrap());
}

/// How many rows a table has.
#[allow(dead_code, reason = "the library's own tests need it not")]
pub fn count(connection: &str, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    with(connection, async |client| client.query_one(&count, &[]).await.unwrap().get(0))
}

fn with<T: Send>(connection: &str, work: impl AsyncFnOnce(tokio_postgres::Client) -> T + Send) -> T {
    let working = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, driven) =
                tokio_postgres::connect(connection, tokio_postgres::NoTls).await.expect(connection);
            tokio::spawn(driven);
            work(client).await
        })
    };
    std::thread::scope(|scope| scope.spawn(working).join().unwrap())
}

fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| std::env::var("SEKISHO_TEST_POSTGRES").unwrap_or_else(|_| start()))
}

fn start() -> String {
    control("start", &std::env::temp_dir().join("sekisho-postgres"))
}

/// Starts, halts or stops a server in a folder; what `start` says is how to connect to it.
pub fn control(what: &str, folder: &Path) -> String {
    control_with(what, folder, &[])
}

/// The same with more to say.
pub fn control_with(what: &str, folder: &Path, more: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/postgres");
    let done = Command::new(script).arg(what).arg(folder).args(more).output().unwrap();
    assert!(done.status.success(), "no PostgreSQL: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
