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

/// Runs statements. On a thread of its own, where it may wait.
pub fn run(connection: &str, script: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, driven) =
                    tokio_postgres::connect(connection, tokio_postgres::NoTls).await.expect(connection);
                tokio::spawn(driven);
                client.batch_execute(script).await.unwrap();
            });
        });
    });
}

fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| std::env::var("SEKISHO_TEST_POSTGRES").unwrap_or_else(|_| start()))
}

fn start() -> String {
    let folder = std::env::temp_dir().join("sekisho-postgres");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/postgres");
    let started = Command::new(script).arg("start").arg(folder).output().unwrap();
    assert!(started.status.success(), "no PostgreSQL: {}", String::from_utf8_lossy(&started.stderr));
    String::from_utf8(started.stdout).unwrap().trim().to_owned()
}
