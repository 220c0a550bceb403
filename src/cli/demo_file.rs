//! `demo.json`: tells outside clients, and our own subcommands, where everything of a demo is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper::Uri;
use serde::{Deserialize, Serialize};

use super::{Exit, Stop};

/// What is in `demo.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoFile {
    /// The regions in order.
    pub regions: Vec<DemoRegion>,
}

/// One region of `demo.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoRegion {
    /// homeCommunityId, `urn:oid:…`.
    pub home: String,
    /// For people.
    pub name: String,
    /// The assigning authority, a bare OID.
    pub assigning_authority: String,
    /// repositoryUniqueId, a bare OID.
    pub repository: String,
    /// This region's identifier of the one person who has documents everywhere, a CX.
    pub patient: String,
    /// URLs by transaction.
    pub endpoints: BTreeMap<String, String>,
    /// HL7 v2 over TLS, host:port.
    #[serde(default)]
    pub mllps: Option<String>,
    /// HL7 v2, host:port.
    #[serde(default)]
    pub mllp: Option<String>,
    /// The operator's pages.
    pub operator: String,
    /// A certificate that this region's listener accepts, PEM.
    pub client_certificate: PathBuf,
    /// Its key, PEM.
    pub client_key: PathBuf,
    /// Whom to trust, PEM.
    pub ca: PathBuf,
    /// The region's configuration.
    pub config: PathBuf,
}

impl DemoFile {
    /// Reads `directory/demo.json`.
    pub fn read(directory: &Path) -> Result<Self, Stop> {
        let file = directory.join("demo.json");
        let help = "start one with `sekisho demo --dir DIR`, and wait until it says that it is up";
        let stop = |problem: String| Stop::new(Exit::Usage, format!("{}: {problem}; {help}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| stop(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| stop(error.to_string()))
    }

    /// Writes it under another name and renames: whoever sees the file sees all of it.
    pub fn write(&self, directory: &Path) -> std::io::Result<()> {
        let unfinished = directory.join("demo.json.new");
        std::fs::write(&unfinished, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(unfinished, directory.join("demo.json"))
    }

    /// Takes it away, while nothing listens.
    pub fn remove(directory: &Path) {
        let _ = std::fs::remove_file(directory.join("demo.json"));
    }

    /// A region by its number, from 1.
    pub fn region(self, number: usize) -> Result<DemoRegion, Stop> {
        let count = self.regions.len();
        number
            .checked_sub(1)
            .and_then(|index| self.regions.into_iter().nth(index))
            .ok_or_else(|| Stop::new(Exit::Usage, format!("the demo has regions 1 to {count}, not {number}")))
    }
}

impl DemoRegion {
    /// Where HL7 v2 is spoken over TLS, as a URL.
    pub fn mllps(&self) -> Result<String, Stop> {
        let place = self.mllps.as_ref();
        let place = place.ok_or_else(|| Stop::new(Exit::Usage, "the demo's region has no MLLP listener"))?;
        Ok(format!("mllps://{place}"))
    }
    /// An endpoint by its name in `demo.json`.
    pub fn endpoint(&self, name: &str) -> Result<Uri, Stop> {
        let url = self.endpoints.get(name).and_then(|url| url.parse().ok());
        url.ok_or_else(|| Stop::new(Exit::Usage, format!("the demo's region has no endpoint `{name}`")))
    }
}
