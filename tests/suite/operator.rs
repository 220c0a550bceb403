//! The operator's listener: health, readiness, metrics, status, and the page in two languages; also while the SOAP front is
//! flooded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Method;
use metrics_exporter_prometheus::PrometheusBuilder;
use sekisho::admin::{Community, Gateway, Operator, Status, StatusSource};
use sekisho::limits::Limits;
use tokio::net::TcpStream;

use crate::support::front::{Asks, front};
use crate::support::hosted::Standalone;
use crate::support::http::{plain, raw};

#[derive(Default)]
struct Region {
    stopping: AtomicBool,
}

impl StatusSource for Region {
    fn ready(&self) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) { Err("shutting down".into()) } else { Ok(()) }
    }
    fn status(&self) -> Status {
        let gateway =
            Gateway { name: "東の国".into(), home: "urn:oid:1.2.3".into(), ..Gateway::default() };
        let peer =
            Community {
                name: "西の国".into(), circuit: "closed", hash_mismatches: 2, ..Default::default()
            };
        Status { gateway, communities: vec![peer], ..Status::default() }
    }
}

async fn operator(region: &Arc<Region>) -> sekisho::wire::http::ServerHandle {
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    plain(Limits::default(), Operator::new(region.clone(), metrics)).await
}

#[tokio::test]
async fn health_readiness_status_and_page() {
    let region = Arc::new(Region::default());
    let server = operator(&region).await;
    let asks = Asks::of(&server);
    let get = async |path: &str| asks.method(Method::GET, path).await;
    assert!(get("/health/live").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/health/ready").await.ends_with("ready\n"));
    assert!(get("/metrics").await.starts_with("HTTP/1.1 200 "));
    assert!(get("/nothing").await.starts_with("HTTP/1.1 404 "));
    assert!(asks.method(Method::POST, "/").await.starts_with("HTTP/1.1 405 "));
    let status = get("/status").await;
    let (_, json) = status.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["communities"][0]["hash_mismatches"], 2);
    assert_eq!(json["gateway"]["home"], "urn:oid:1.2.3");

    let page = get("/").await;
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    assert!(page.contains("hash differences") && page.contains("西の国"), "{page}");
    assert!(get("/?lang=ja").await.contains("ハッシュ不一致"));
    let preferring = "GET / HTTP/1.1\r\nHost: x\r\nAccept-Language: ja,en;q=0.5\r\nConnection: close\r\n\r\n";
    assert!(raw(server.address, preferring.as_bytes()).await.contains("<html lang=\"ja\">"));

    region.stopping.store(true, Ordering::Relaxed);
    let ready = get("/health/ready").await;
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.ends_with("not ready: shutting down\n"), "{ready}");
    assert!(get("/health/live").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn attack_34_health_answers_while_the_front_is_flooded() {
    let operator = operator(&Arc::default()).await;
    let front = front(Limits { max_connections: 8, ..Limits::default() }).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(TcpStream::connect(front.address).await.unwrap());
    }
    let asks = Asks::of(&operator);
    assert!(asks.method(Method::GET, "/health/live").await.starts_with("HTTP/1.1 200 "));
}

#[test]
fn every_metric_is_on_the_operators_pages() {
    fn names(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names(&path, found);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let quoted = source.split('"').filter(|text| text.starts_with("sekisho_"));
            found.extend(quoted.filter(|text| !text.contains([' ', '{', '='])).map(str::to_owned));
        }
    }
    let mut found = std::collections::BTreeSet::new();
    names(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.contains("sekisho_requests_total"), "{found:?}");
    for page in ["docs/operations.md", "docs/operations.ja.md"] {
        let page = std::fs::read_to_string(page).unwrap();
        let missing: Vec<_> = found.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[tokio::test]
async fn a_region_without_room_is_not_ready_and_says_why() {
    let listens = "listen.operator.address=127.0.0.1:0";
    for (least, status) in [("1", "200"), ("9000000000000000000", "503")] {
        let least = format!("limits.min_free_disk_bytes={least}");
        let region = Standalone::start(&[listens, &least]).await;
        let address = region.running().bound().operator.clone().unwrap();
        let address = address.trim_start_matches("http://").parse().unwrap();
        let get = async |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            raw(address, request.as_bytes()).await
        };
        let ready = get("/health/ready").await;
        assert!(ready.starts_with(&format!("HTTP/1.1 {status} ")), "{ready}");
        let why = "the disk of the data directory has";
        assert_eq!(ready.contains(why), status == "503", "{ready}");
        assert_eq!(get("/").await.contains(why), status == "503");
        region.stop().await;
    }
}
