//! The demo's folder: a configuration for each region, as anybody would write it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use super::people::{REGIONS, Region};
use crate::config::quoted;

/// The listeners of one region.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// SOAP over mutual TLS.
    pub soap: u16,
    /// HL7 v2 over mutual TLS.
    pub mllps: u16,
    /// HL7 v2 without.
    pub mllp: u16,
    /// The operator's pages.
    pub operator: u16,
}

impl From<[u16; 4]> for Ports {
    fn from([soap, operator, mllps, mllp]: [u16; 4]) -> Self {
        Self { soap, mllps, mllp, operator }
    }
}

/// The folder of a region.
pub fn folder(directory: &Path, region: usize) -> PathBuf {
    directory.join(format!("region-{}", region + 1))
}

/// Free ports, the ones of the last run if they still are.
pub fn ports(directory: &Path) -> std::io::Result<Vec<Ports>> {
    let last: Vec<[u16; 4]> = std::fs::read(directory.join("ports.json"))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let mut held = Vec::new();
    for port in last.into_iter().flatten().chain(std::iter::repeat(0)).take(REGIONS.len() * 4) {
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        held.push(bind(port).or_else(|_| bind(0))?);
    }
    let numbers: Result<Vec<u16>, _> = held.iter().map(|h| h.local_addr().map(|a| a.port())).collect();
    let numbers = numbers?;
    let regions: Vec<[u16; 4]> = numbers.chunks_exact(4).filter_map(|four| four.try_into().ok()).collect();
    std::fs::write(directory.join("ports.json"), serde_json::to_vec(&regions)?)?;
    Ok(regions.into_iter().map(Ports::from).collect())
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
                std::fs::write(file, community(other, neighbour, *ports))?;
            }
        }
    }
    Ok(())
}

fn configuration(number: usize, region: &Region, ports: Ports) -> String {
    format!(
        r#"# Region {} of the demo. `sekisho check --config` tells what is wrong after a change.

[community]
home = "urn:oid:{}"
name = {}
authorities = ["{}"]

[listen.soap]
address = "127.0.0.1:{}"
tls = {{ certificate = "certificates/server.pem", key = "certificates/server.key", client_ca = "../ca.pem" }}

[listen.mllps]
address = "127.0.0.1:{}"
tls = {{ certificate = "certificates/server.pem", key = "certificates/server.key", client_ca = "../ca.pem" }}

[listen.mllp]
address = "127.0.0.1:{}"

[listen.operator]
address = "127.0.0.1:{}"

[data]
directory = "data"

[hosted]
repository = "{}"
patients = "any"
# To try them out: whoever gets through to us may correct and remove.
permit = {{ update = ["*"], remove = ["*"] }}

[federation]
communities = "communities"

# Who is who: the hospital's patient numbers, fed when the demo starts. Who somebody is elsewhere is asked there.
[[identity.domains]]
oid = "{}"
namespace = {}
name = {}

[log]
level = "warn"
"#,
        number + 1,
        region.home(),
        quoted(region.name),
        region.authority(),
        ports.soap,
        ports.mllps,
        ports.mllp,
        ports.operator,
        region.repository(),
        region.authority(),
        quoted(&region.namespace()),
        quoted(region.hospital),
    )
}

fn community(number: usize, region: &Region, ports: Ports) -> String {
    format!(
        r#"name = {}
home = ["urn:oid:{}"]
authorities = ["{}"]
# What it tells of its own patients is believed under this certificate.
certificates = ["C=JP, O=Sekisho demo, CN=region {} gateway"]

[endpoints]
iti38 = "https://127.0.0.1:{soap}/services/iti-38"
iti39 = "https://127.0.0.1:{soap}/services/iti-39"
iti55 = "https://127.0.0.1:{soap}/services/iti-55"
iti56 = "https://127.0.0.1:{soap}/services/iti-56"

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
        number + 1,
        soap = ports.soap,
    )
}
