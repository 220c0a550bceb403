//! A real S3-compatible store for tests. Where it is says `SEKISHO_TEST_S3`
//! (`http://ACCESS_KEY:SECRET_KEY@HOST:PORT/BUCKET`); without that, `.ci/s3` starts one for this user, which stays. There is
//! no test without a store: one that cannot be had fails. (Also part of the library's own tests.)

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Where a bucket is, and how it is used.
#[derive(Debug, Clone)]
pub struct TestBucket {
    /// `http://HOST:PORT`
    pub endpoint: String,
    pub bucket: String,
    pub access_key: String,
    pub secret_key: String,
}

/// The bucket that all tests share; each takes a prefix of its own.
pub fn bucket() -> TestBucket {
    static URL: OnceLock<String> = OnceLock::new();
    let url = URL.get_or_init(|| std::env::var("SEKISHO_TEST_S3").unwrap_or_else(|_| start()));
    let parse = || {
        let (scheme, rest) = url.split_once("://")?;
        let (keys, rest) = rest.split_once('@')?;
        let (access_key, secret_key) = keys.split_once(':')?;
        let (host, bucket) = rest.split_once('/')?;
        Some(TestBucket {
            endpoint: format!("{scheme}://{host}"),
            bucket: bucket.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
        })
    };
    parse().unwrap_or_else(|| panic!("SEKISHO_TEST_S3 is no http://ACCESS:SECRET@HOST:PORT/BUCKET: {url}"))
}

fn start() -> String {
    let folder = std::env::temp_dir().join("sekisho-s3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/s3");
    let started = Command::new(script).arg("start").arg(folder).output().unwrap();
    assert!(started.status.success(), "no object store: {}", String::from_utf8_lossy(&started.stderr));
    String::from_utf8(started.stdout).unwrap().trim().to_owned()
}
