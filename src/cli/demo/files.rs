//! The demo's folder: a configuration for each region, as anybody would write it, and `demo.json`, which tells outside clients
//! where everything is.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use hyper::Uri;
use serde::{Deserialize, Serialize};

use super::people::{PEOPLE, REGIONS, Region};
use crate::cli::{Exit, Stop};
use crate::config::quoted;

/// The listeners of one region.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// SOAP over mutual TLS.
    pub soap: u16,
    /// The operator's pages.
    pub operator: u16,
}

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
    /// An endpoint by its name in `demo.json`.
    pub fn endpoint(&self, name: &str) -> Result<Uri, Stop> {
        let url = self.endpoints.get(name).and_then(|url| url.parse().ok());
        url.ok_or_else(|| Stop::new(Exit::Usage, format!("the demo's region has no endpoint `{name}`")))
    }
}

/// The folder of a region.
pub fn folder(directory: &Path, region: usize) -> PathBuf {
    directory.join(format!("region-{}", region + 1))
}

/// Free ports, the ones of the last run if they still are.
pub fn ports(directory: &Path) -> std::io::Result<Vec<Ports>> {
    let last: Vec<Ports> = std::fs::read(directory.join("ports.json"))
        .ok()
        .and_then(|text| serde_json::from_slice::<Vec<(u16, u16)>>(&text).ok())
        .map(|ports| ports.into_iter().map(|(soap, operator)| Ports { soap, operator }).collect())
        .unwrap_or_default();
    let wanted = last.iter().flat_map(|ports| [ports.soap, ports.operator]);
    let mut held = Vec::new();
    for port in wanted.chain(std::iter::repeat(0)).take(REGIONS.len() * 2) {
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        held.push(bind(port).or_else(|_| bind(0))?);
    }
    let numbers: Result<Vec<u16>, _> = held.iter().map(|h| h.local_addr().map(|a| a.port())).collect();
    let pairs: Vec<(u16, u16)> = numbers?.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    std::fs::write(directory.join("ports.json"), serde_json::to_vec(&pairs)?)?;
    Ok(pairs.into_iter().map(|(soap, operator)| Ports { soap, operator }).collect())
}

/// Writes the configuration of every region.
pub fn write_configurations(directory: &Path, ports: &[Ports]) -> std::io::Result<()> {
    for (number, region) in REGIONS.iter().enumerate() {
        let folder = folder(directory, number);
        let communities = folder.join("communities");
        std::fs::create_dir_all(&communities)?;
        if let Some(ports) = ports.get(number) {
            std::fs::write(folder.join("sekisho.toml"), configuration(number, region, *ports))?;
        }
        for (other, (neighbour, ports)) in REGIONS.iter().zip(ports).enumerate() {
            if other != number {
                let file = communities.join(format!("region-{}.toml", other + 1));
                std::fs::write(file, community(neighbour, *ports))?;
            }
        }
    }
    Ok(())
}

fn configuration(number: usize, region: &Region, ports: Ports) -> String {
    let mut rows = String::new();
    for person in PEOPLE {
        let Some(local) = person.ids.get(number).copied().flatten() else { continue };
        for (other, neighbour) in REGIONS.iter().enumerate().filter(|(other, _)| *other != number) {
            if let Some(remote) = person.ids.get(other).copied().flatten() {
                let cells = [
                    region.patient(local),
                    format!("urn:oid:{}", neighbour.home()),
                    neighbour.patient(remote),
                ];
                let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
                rows.push_str(&format!("    [{}],\n", cells.join(", ")));
            }
        }
    }
    format!(
        r#"# Region {} of the demo. `sekisho check --config` tells what is wrong after a change.

[community]
home = "urn:oid:{}"
name = {}
authorities = ["{}"]

[listen.soap]
address = "127.0.0.1:{}"
tls = {{ certificate = "certificates/server.pem", key = "certificates/server.key", client_ca = "../ca.pem" }}

[listen.operator]
address = "127.0.0.1:{}"

[data]
directory = "data"

[hosted]
repository = "{}"
patients = "any"

[federation]
communities = "communities"
# Who is who elsewhere: our identifier, the community, the identifier there.
correlation = [
{rows}]

[log]
level = "warn"
"#,
        number + 1,
        region.home(),
        quoted(region.name),
        region.authority(),
        ports.soap,
        ports.operator,
        region.repository(),
    )
}

fn community(region: &Region, ports: Ports) -> String {
    format!(
        r#"name = {}
home = ["urn:oid:{}"]
authorities = ["{}"]

[endpoints]
iti38 = "https://127.0.0.1:{soap}/services/iti-38"
iti39 = "https://127.0.0.1:{soap}/services/iti-39"

[tls]
ca = "../../ca.pem"
certificate = "../certificates/server.pem"
key = "../certificates/server.key"

[limits]
# A region that is started again is asked again soon.
breaker_pause_ms = 1000
"#,
        quoted(region.name),
        region.home(),
        region.authority(),
        soap = ports.soap,
    )
}
