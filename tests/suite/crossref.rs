//! The cross-reference cache in an operator's hands: `sekisho crossref`, and what the status page says of a damaged one.

use std::path::Path;

use hyper::Method;
use sekisho::cli::assemble::Running;
use sekisho::identity::crossref::{Crossref, CrossrefSettings, Decided, Digest, Entry, Lookup, now};
use sekisho::wire::http::{Client, ClientSettings};
use serde_json::Value;

use crate::support::certs::TempDir;
use crate::support::community::{home, patient};
use crate::support::front::Asks;
use crate::support::program::{Served, run};

const HOME: &str = "urn:oid:2.25.318902478213461.10.1";

fn configuration(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("communities")).unwrap();
    let text = format!(
        "[community]\nhome = \"{HOME}\"\nname = \"Region\"\nauthorities = [\"1.2.1\"]\n\
         [listen.http]\naddress = \"127.0.0.1:0\"\n[listen.operator]\naddress = \"127.0.0.1:0\"\n\
         [data]\ndirectory = \"{}\"\n[hosted]\nrepository = \"2.25.318902478213461.10.2\"\npatients = \"any\"\n\
         [federation]\n[[identity.domains]]\noid = \"1.2.1\"\nnamespace = \"A\"\n",
        folder.join("data").display(),
    );
    let file = folder.join("sekisho.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn open(folder: &Path) -> Crossref {
    let directory = folder.join("data/crossref");
    Crossref::open(&CrossrefSettings { directory, tenant: HOME.to_owned(), most: 100, memory: 1 << 20 })
        .unwrap()
}

/// Runs `sekisho crossref` with JSON; gives exit code, the object and what it complained of.
fn crossref(config: &str, arguments: &[&str]) -> (i32, Value, String) {
    let all = [&["crossref", "--config", config, "--json"], arguments].concat();
    let (code, stdout, stderr) = run(&all, "");
    (code, serde_json::from_str(&stdout).unwrap_or_default(), stderr)
}

#[tokio::test]
async fn the_cache_goes_out_and_in_as_lines() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    let local = patient("7^^^&1.2.1&ISO");
    {
        let cache = open(folder.path());
        let entry = Entry {
            remote: vec![patient("X^^^&1.5.3&ISO")],
            digest: Digest::NONE,
            score: 97,
            decided: Decided::Community,
            obtained: now(),
            expires: now() + 3_600,
        };
        cache.keep(cache.ticket(&local), home("1.5"), entry).await;
        cache.flush().await.unwrap();
    }
    let file = folder.path().join("out.jsonl").display().to_string();
    let (code, told, problem) = crossref(&config, &["export", &file]);
    assert_eq!((code, &told["exported"]), (0, &Value::from(1)), "{problem}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"X^^^&1.5.3&ISO\"") && text.contains("\"community\""), "{text}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(crossref(&config, &["export", &file]).0, 2, "nothing is written over");

    // Into another region's cache; what has expired is passed over.
    let other = TempDir::new();
    let other_config = configuration(other.path());
    let expired = "{\"local\":\"8^^^&1.2.1&ISO\",\"community\":\"urn:oid:1.5\",\"remote\":[],\"expires\":\"2020-01-01T00:00:00Z\"}";
    let lines = other.path().join("in.jsonl").display().to_string();
    std::fs::write(&lines, format!("{text}{expired}\n")).unwrap();
    let (code, told, problem) = crossref(&other_config, &["import", &lines]);
    assert_eq!((code, &told["imported"], &told["expired"]), (0, &1.into(), &1.into()), "{problem}");
    {
        let Lookup::Hit(entry) = open(other.path()).get(&local, &home("1.5")) else { panic!() };
        assert_eq!((entry.score, entry.decided), (97, Decided::Community));
    }

    let refused = text.replace("7^^^", "123456789018^^^");
    for (lines_text, said) in [(refused, "My Number"), ("nonsense\n".to_owned(), "line 1")] {
        std::fs::write(&lines, lines_text).unwrap();
        let (code, _, problem) = crossref(&other_config, &["import", &lines]);
        assert!(code == 1 && problem.contains(said) && !problem.contains("123456789018"), "{problem}");
    }

    let served = Served::start(&config, &folder.path().join("data"), &[]);
    let (code, _, problem) = crossref(&config, &["export", &format!("{file}.2")]);
    assert!(code == 3 && problem.contains("Stop it first"), "{problem}");
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cache_is_on_the_status_page() {
    let folder = TempDir::new();
    let config = configuration(folder.path());
    open(folder.path()).flush().await.unwrap();
    std::fs::write(folder.path().join("data/crossref/conf"), b"no sled at all").unwrap();
    let running = Running::start(Path::new(&config), &[]).await.map_err(|stop| stop.message).unwrap();
    let operator = running.bound().operator.clone().unwrap();
    let address = operator.split("://").nth(1).unwrap().parse().unwrap();
    let asks = Asks { client: Client::new(&ClientSettings::default()).unwrap(), address };
    let status = asks.method(Method::GET, "/status").await;
    assert!(status.contains("the cross-reference cache was damaged"), "{status}");
    running.shutdown().await;
}
