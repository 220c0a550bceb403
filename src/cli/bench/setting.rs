//! Regions for the benchmark: configurations on disk, child processes, and documents in them.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;

use super::load::{Shot, exchange};
use super::process::Process;
use super::{Run, data};
use crate::ids::{HomeCommunityId, PatientId};
use crate::wire::http::{Client, ClientSettings};

/// A region's configuration folder.
pub struct Region {
    /// Where it lies.
    pub dir: PathBuf,
    /// Its homeCommunityId, as a URN.
    pub home: String,
    /// Its repositoryUniqueId.
    pub repository: String,
    /// The deadline of its questions, where it is not the default.
    pub deadline_ms: Option<u64>,
    /// Whether it listens and asks with mutual TLS, too: the certificates in `../tls`.
    pub tls: bool,
    /// What its configuration ends with.
    with: String,
}

/// Another community, as a gateway sees it.
pub struct Neighbour {
    /// Its homeCommunityId, as a URN.
    pub home: String,
    /// The base address of its gateway.
    pub base: String,
}

const LISTEN_TLS: &str = "[listen.soap]\naddress = \"127.0.0.1:0\"\n[listen.soap.tls]\n\
    certificate = \"../tls/server.pem\"\nkey = \"../tls/server.key\"\nclient_ca = \"../ca.pem\"\n";
const ASK_TLS: &str =
    "[tls]\nca = \"../../ca.pem\"\ncertificate = \"../../tls/client.pem\"\nkey = \"../../tls/client.key\"\n";

impl Region {
    /// Region `number` of the benchmark.
    pub fn new(run: &Run, name: &str, number: usize) -> Result<Self, String> {
        let dir = run.dir.join(name);
        std::fs::create_dir_all(dir.join("communities"))
            .map_err(|error| format!("{}: {error}", dir.display()))?;
        let (home, repository) =
            (format!("urn:oid:1.2.392.200270.4.99.{number}"), format!("1.2.392.200270.4.98.{number}"));
        Ok(Self { dir, home, repository, deadline_ms: None, tls: false, with: run.with.clone() })
    }

    /// With these lines in its configuration, too.
    pub fn with(mut self, lines: &str) -> Self {
        self.with.insert_str(0, lines);
        self
    }

    /// Starts it: a stand-alone without neighbours, else a gateway with a registry of its own.
    pub fn start(&self, neighbours: &[Neighbour], patients: &[String]) -> Result<Process, String> {
        self.write(neighbours, patients).map_err(|error| format!("{}: {error}", self.dir.display()))?;
        Process::serve(&self.dir.join("sekisho.toml")).map_err(|error| error.to_string())
    }

    /// Starts it as a gateway before a stand-alone registry and repository.
    pub fn start_bridge(&self, base: &str, repository: &str) -> Result<Process, String> {
        let config = format!(
            "[community]\nhome = \"{}\"\nname = \"bench\"\n[listen.http]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n\
             [bridge]\niti18 = \"{base}/services/iti-18\"\n[bridge.iti43]\n\"{repository}\" = \"{base}/services/iti-43\"\n\
             [federation]\ncommunities = \"communities\"\n",
            self.home
        );
        let file = self.dir.join("sekisho.toml");
        std::fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        Process::serve(&file).map_err(|error| error.to_string())
    }

    fn write(&self, neighbours: &[Neighbour], patients: &[String]) -> std::io::Result<()> {
        let mut config = format!(
            "[community]\nhome = \"{}\"\nname = \"bench\"\n[listen.http]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n",
            self.home
        );
        let tls = if self.tls { (LISTEN_TLS, ASK_TLS) } else { ("", "") };
        config.push_str(tls.0);
        let hosted = if neighbours.is_empty() { "standalone" } else { "hosted" };
        let _ = write!(config, "[{hosted}]\nrepository = \"{}\"\npatients = \"any\"\n", self.repository);
        if !neighbours.is_empty() {
            config.push_str("[federation]\ncommunities = \"communities\"\n");
            if let Some(deadline) = self.deadline_ms {
                let _ = writeln!(config, "deadline_ms = {deadline}");
            }
            config.push_str("correlation = [\n");
            for (neighbour, patient) in neighbours.iter().flat_map(|n| patients.iter().map(move |p| (n, p))) {
                let _ = writeln!(config, "  [\"{patient}\", \"{}\", \"{patient}\"],", neighbour.home);
            }
            config.push_str("]\n");
        }
        config.push_str(&self.with);
        for (number, neighbour) in neighbours.iter().enumerate() {
            let community = format!(
                "name = \"neighbour {number}\"\nhome = [\"{}\"]\n[endpoints]\niti38 = \"{1}/services/iti-38\"\niti39 = \"{1}/services/iti-39\"\n{2}",
                neighbour.home, neighbour.base, tls.1
            );
            std::fs::write(self.dir.join(format!("communities/{number:03}.toml")), community)?;
        }
        std::fs::write(self.dir.join("sekisho.toml"), config)
    }

    /// Puts `count` documents of `size` bytes for a patient into a running region; gives their bytes.
    pub async fn fill(
        &self,
        base: &str,
        patient: &str,
        run: u64,
        count: u64,
        size: usize,
    ) -> Result<Bytes, String> {
        debug_assert!(PatientId::parse(patient).is_ok() && HomeCommunityId::parse(&self.home).is_ok());
        let document = Bytes::from(vec![b'a'; size]);
        let client = Client::new(&ClientSettings::default()).map_err(|error| error.to_string())?;
        for first in (1..=count).step_by(10) {
            let submission = data::submission(patient, run, first, 10.min(count + 1 - first), "text/xml");
            let (content_type, body) = data::provide_request(&submission, &document).await?;
            let url = format!("{base}/hosted/iti-41");
            let url = if self.is_standalone() { format!("{base}/services/iti-41") } else { url };
            let shot = Shot {
                url: url.parse().map_err(|error| format!("{url}: {error}"))?,
                content_type,
                body: std::sync::Arc::new(move |_| body.clone()),
                expect: "",
            };
            let answer = exchange(&client, &shot, 0).await?.concat();
            if memchr::memmem::find(&answer, b"ResponseStatusType:Success").is_none() {
                return Err(format!("filling failed: {}", String::from_utf8_lossy(&answer)));
            }
        }
        Ok(document)
    }

    fn is_standalone(&self) -> bool {
        std::fs::read_to_string(self.dir.join("sekisho.toml")).is_ok_and(|text| text.contains("[standalone]"))
    }
}
