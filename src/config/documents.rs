//! `[documents]`: where documents are kept; and `encryption` of whoever has a repository (docs/storage.md).

use std::path::{Path, PathBuf};

use hyper::Uri;

use super::document::{Entry, Node, Value};
use super::probe;
use super::section::{Section, Setting};
use super::settings::check_authorities;
use crate::limits;
use crate::repository::{Keys, S3Settings};

/// A secret, which stands in a file or in the environment and never in the configuration.
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// Every user of this machine may read it.
    open: Option<PathBuf>,
}

impl Setting for Secret {
    const WANTED: &'static str =
        "{ file = \"path\" } or { env = \"NAME\" }: secrets do not stand in this file";

    fn read(node: &Node, directory: &Path) -> Result<Self, Option<String>> {
        let Value::Table(entries) = &node.value else { return Err(None) };
        let [Entry { key, node: Node { value: Value::Text(place), .. }, .. }] = entries.as_slice() else {
            return Err(Some("a secret is in one file or one variable".to_owned()));
        };
        let (text, open) = match key.as_str() {
            "file" => {
                let file = directory.join(place);
                let text = std::fs::read_to_string(&file)
                    .map_err(|error| Some(format!("{} cannot be read: {error}", file.display())))?;
                let open = probe::is_open_to_others(&file).then_some(file);
                (text, open)
            }
            "env" => {
                let text = std::env::var(place)
                    .map_err(|_| Some(format!("the environment has no variable {place:?}")))?;
                (text, None)
            }
            other => return Err(Some(format!("{other:?} is not where a secret can be"))),
        };
        match text.trim() {
            "" => Err(Some(format!("there is nothing in {place:?}"))),
            text => Ok(Self { text: text.to_owned(), open }),
        }
    }
}

impl Secret {
    /// What it is. A file that everybody may read is warned about.
    pub fn reveal(self, section: &Section<'_>, key: &'static str) -> String {
        if let Some(file) = self.open {
            let problem = format!("every user of this machine may read {}", file.display());
            section.warning(key, problem, "chmod 600 it");
        }
        self.text
    }
}

/// Reads the section; None keeps documents in files.
pub(super) fn read(top: &Section<'_>) -> Option<S3Settings> {
    let section = top.section("documents")?;
    let s3 = section.section("s3").and_then(s3);
    section.close();
    s3
}

fn s3(section: Section<'_>) -> Option<S3Settings> {
    let endpoint: Option<Uri> = section.required("endpoint");
    let bucket: Option<String> = section.required("bucket");
    let region: Option<String> = section.optional("region");
    let prefix: Option<String> = section.optional("prefix");
    let ca: Option<PathBuf> = section.optional("ca");
    let insecure = section.optional("insecure").unwrap_or(false);
    let secret = |key| section.required::<Secret>(key).map(|secret| secret.reveal(&section, key));
    let (access_key, secret_key) = (secret("access_key"), secret("secret_key"));
    check_authorities(&section, "ca", ca.as_ref());
    if let Some(endpoint) = &endpoint {
        check_endpoint(&section, endpoint, ca.as_ref(), insecure);
    }
    if let Some(bucket) = bucket.as_deref().filter(|bucket| !is_bucket(bucket)) {
        let help = "3 to 63 of a-z, 0-9, `.` and `-`, as S3 names buckets";
        section.error("bucket", format!("{bucket:?} cannot be a bucket"), help);
    }
    if let Some(prefix) = prefix.as_deref().filter(|prefix| !is_prefix(prefix)) {
        let help = "letters, digits, `.`, `-` and `_`, in parts that `/` separates";
        section.error("prefix", format!("{prefix:?} cannot begin keys"), help);
    }
    section.close();
    Some(S3Settings {
        endpoint: endpoint?.to_string().trim_end_matches('/').to_owned(),
        bucket: bucket?,
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        prefix: prefix.unwrap_or_default(),
        ca,
        access_key: access_key?,
        secret_key: secret_key?,
    })
}

fn check_endpoint(section: &Section<'_>, endpoint: &Uri, ca: Option<&PathBuf>, insecure: bool) {
    let encrypted = endpoint.scheme_str() == Some("https");
    let host = endpoint.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !matches!(endpoint.path(), "" | "/") || endpoint.query().is_some() {
        let help = "write scheme, host and port; the bucket has a key of its own";
        section.error("endpoint", "an endpoint has no path", help);
    }
    if encrypted && ca.is_none() {
        let help = "add ca = \"…pem\": the CA of the store's certificate";
        section.error("endpoint", "an https endpoint needs to know whom to trust", help);
    }
    if !encrypted && !is_loopback && !insecure {
        let message = "an http endpoint that is not loopback: documents would travel unencrypted";
        section.error("endpoint", message, "use https; insecure = true permits it knowingly");
    }
}

/// The `encryption` of a registry and repository of ours: the tenant's keys.
pub(super) fn keys(section: &Section<'_>) -> Option<Keys> {
    let section = section.section("encryption")?;
    let current: Option<String> = section.required("current");
    let mut keys = Vec::new();
    if let Some(table) = section.required_section("keys", "a table of keys by their ids") {
        for (entry, secret) in table.pairs::<Secret>() {
            let id = entry.key.clone();
            if id.is_empty() || id.len() > limits::MAX_KEY_ID_BYTES {
                let message = format!("a key's id has 1 to {} bytes", limits::MAX_KEY_ID_BYTES);
                section.error_at(entry.place, message, "name it after the day when it was made");
            }
            match Keys::parse(&secret.reveal(&section, "keys")) {
                Some(key) => keys.push((id, key)),
                None => {
                    let help = "32 random bytes as 64 hexadecimal digits or in base64: openssl rand -hex 32";
                    section.error_at(entry.place, format!("key {id:?} is no key of 256 bits"), help);
                }
            }
        }
    }
    let current = current?;
    let ids: Vec<_> = keys.iter().map(|(id, _)| id.clone()).collect();
    let keys = Keys::new(&current, keys);
    if keys.is_none() {
        let help = match ids.as_slice() {
            [] => "add the key to [….encryption.keys]".to_owned(),
            ids => format!("known here: {}", ids.join(", ")),
        };
        section.error("current", format!("there is no key {current:?}"), help);
    }
    section.close();
    keys
}

fn is_bucket(name: &str) -> bool {
    let is_inside =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    (3..=63).contains(&name.len()) && name.bytes().all(is_inside)
}

fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        !matches!(part, "" | "." | "..") && part.bytes().all(is_inside)
    };
    prefix.is_empty() || prefix.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Folder, STANDALONE};

    const S3: &str = r#"
[documents.s3]
endpoint = "http://127.0.0.1:9000"
bucket = "documents"
prefix = "region/a"
access_key = { file = "access" }
secret_key = { file = "secret" }
[standalone.encryption]
current = "2026"
keys = { "2026" = { file = "new" }, "2025" = { file = "old" } }
"#;

    fn folder(text: &str) -> Folder {
        let folder = Folder::with(&format!("{STANDALONE}{text}"));
        let files = [
            ("access", "AK\n".to_owned()),
            ("secret", "SK".to_owned()),
            ("new", "a5".repeat(32)),
            ("old", "00".repeat(32)),
        ];
        for (name, text) in files {
            std::fs::write(folder.0.join(name), text).unwrap();
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(folder.0.join(name), mode).unwrap();
        }
        folder
    }

    #[test]
    fn a_store_and_keys_are_read_and_secrets_are_not_shown() {
        let (settings, warnings) = folder(S3).load(&[]).unwrap();
        assert!(warnings.0.is_empty(), "{warnings}");
        let s3 = settings.s3.as_ref().unwrap();
        assert_eq!((&*s3.access_key, &*s3.secret_key, &*s3.region), ("AK", "SK", "us-east-1"));
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("AK") && shown.contains("Keys([\"2025\", \"2026\"], current \"2026\")"),
            "{shown}"
        );
    }

    #[test]
    fn every_problem_has_its_place_and_help() {
        let cases = [
            ("endpoint = \"http://127.0.0.1:9000\"", "endpoint = \"http://10.0.0.1:9000\"", "unencrypted"),
            ("endpoint = \"http://127.0.0.1:9000\"", "endpoint = \"https://10.0.0.1\"", "whom to trust"),
            ("endpoint = \"http://127.0.0.1:9000\"", "endpoint = \"http://127.0.0.1:1/x\"", "no path"),
            ("bucket = \"documents\"", "bucket = \"Documents\"", "cannot be a bucket"),
            ("\"region/a\"", "\"../a\"", "cannot begin keys"),
            ("{ file = \"access\" }", "\"AK\"", "secrets do not stand in this file"),
            ("{ file = \"access\" }", "{ file = \"nowhere\" }", "cannot be read"),
            ("{ file = \"access\" }", "{ env = \"SEKISHO_NOT_THERE\" }", "has no variable"),
            ("{ file = \"access\" }", "{ value = \"AK\" }", "is not where a secret can be"),
            ("secret_key = { file = \"secret\" }", "", "`documents.s3.secret_key` is missing"),
            ("current = \"2026\"", "current = \"2027\"", "there is no key \"2027\""),
            ("{ file = \"old\" }", "{ file = \"secret\" }", "no key of 256 bits"),
        ];
        for (good, bad, expected) in cases {
            let problems = folder(&S3.replace(good, bad)).load(&[]).unwrap_err().to_string();
            assert!(problems.contains(expected) && problems.contains("sekisho.toml:"), "{bad}: {problems}");
        }
    }

    #[test]
    fn a_key_that_everybody_may_read_is_warned_about() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder(S3);
        std::fs::set_permissions(folder.0.join("new"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let (_, warnings) = folder.load(&[]).unwrap();
        assert!(warnings.to_string().contains("every user of this machine may read"), "{warnings}");
    }
}
