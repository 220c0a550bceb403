//! From settings to a running region: actors, services, listeners. `serve`, the demo and tests start regions through this and
//! nothing else.

mod delivery;
mod hosting;
mod identity;
#[cfg(test)]
mod keys;
mod load;
mod patients;
mod region;
mod status;
mod stocktaking;
mod watch;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use self::region::Region;
use self::status::{Alarms, Seen, sentences};
use self::watch::Files;
use super::{Exit, Stop};
use crate::actors::notifier::Notifier;
use crate::admin::{Operator, install_metrics};
use crate::config::{MllpListener, MllpsListener, PlainListener, Problems, Settings, TlsListener};
use crate::federation::directory::Directory;
use crate::identity::crossref::follow::has_caught_up;
use crate::identity::index::Index;
use crate::server::{Exposure, Front, ListenError, ListenerSettings, Listeners, Services, TlsFiles};
use crate::trust::Xua;

pub use self::hosting::{Housing, MIGRATIONS, Shelves};
pub use self::identity::crossref_settings;
pub use self::load::load;
pub use self::region::{directory, directory_settings, registries};

/// Where a region listens: what `ready` tells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bound {
    /// SOAP over HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soap: Option<String>,
    /// SOAP over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// HL7 v2 over TLS, host:port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mllps: Option<String>,
    /// HL7 v2, host:port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mllp: Option<String>,
    /// Health, metrics, status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// URLs by transaction: `iti18`, `hosted-iti18` for what answers without federation, `hosted-NAME-iti18` of a tenant.
    pub endpoints: BTreeMap<String, String>,
}

/// A running region.
pub struct Running {
    file: PathBuf,
    overrides: Vec<String>,
    settings: Settings,
    bound: Bound,
    region: Region,
    front: Arc<Front>,
    listeners: Listeners,
    /// What the operator should know.
    alarms: Arc<Alarms>,
    /// What the files were like when they were last read.
    seen: Mutex<Files>,
    /// Looks after the directory of communities.
    watch: Option<JoinHandle<()>>,
    /// Lets the cross-reference cache follow the patient index, and ends what tenants have kept for long enough.
    follow: Vec<JoinHandle<()>>,
    /// Tells consumers and registries what happens to identifiers.
    notifier: Option<Arc<Notifier>>,
}

/// A configuration that was read and is good.
pub struct Configured {
    file: PathBuf,
    overrides: Vec<String>,
    settings: Settings,
    warnings: Problems,
}

impl Configured {
    /// Reads a configuration, with overrides; all of its problems are in the error.
    pub async fn load(file: &Path, overrides: &[String]) -> Result<Self, Stop> {
        let (file, overrides) = (file.to_owned(), overrides.to_vec());
        let (settings, warnings) = load(file.clone(), overrides.clone()).await?.map_err(|problems| {
            Stop::new(Exit::Usage, format!("{} cannot be used:\n\n{problems}", file.display()))
        })?;
        Ok(Self { file, overrides, settings, warnings })
    }

    /// What it says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts it; returns when everything listens.
    pub async fn start(self) -> Result<Running, Stop> {
        let Self { file, overrides, settings, warnings } = self;
        for warning in sentences(&warnings) {
            tracing::warn!(warning, "the configuration");
        }
        // First of all: what a crash left is counted when the store opens.
        install_metrics().map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
        let seen = Mutex::new(Files::look(watch::files(&file, &settings)).await);
        let region = Region::open(&settings).await?;
        let exchange = region.exchange(&settings)?;
        let services = region.services(&settings, &exchange);
        let paths = paths(&services);
        let alarms = Arc::new(Alarms::default());
        alarms.set(sentences(&warnings));
        let mut listeners = Listeners::new();
        let front = Arc::new(Front::exchanging(services, &settings.limits, exchange));
        front.trust(xua(&settings));
        let notifier = region.notifier(&settings)?.map(Arc::new);
        region.stock().look().await;
        open_listeners(&mut listeners, &settings, &front, &region, &alarms, notifier.clone()).await?;
        let bound = bound(&listeners, paths);
        let watch = region.directory().map(|directory| tokio::spawn(Arc::clone(directory).watch()));
        let follow = region.follow();
        Ok(Running {
            file,
            overrides,
            settings,
            bound,
            region,
            front,
            listeners,
            alarms,
            seen,
            watch,
            follow,
            notifier,
        })
    }
}

impl Running {
    /// Starts what a configuration says; returns when everything listens.
    pub async fn start(file: &Path, overrides: &[String]) -> Result<Self, Stop> {
        Configured::load(file, overrides).await?.start().await
    }

    /// The configuration that it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where it listens.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Its directory of communities; None with federation off.
    pub fn directory(&self) -> Option<&Arc<Directory>> {
        self.region.directory()
    }

    /// Its patient index; None without `[identity]`.
    pub fn index(&self) -> Option<&Index> {
        self.region.index()
    }

    /// Whether its cross-reference cache has taken up everything that its patient index has told.
    pub fn cache_has_caught_up(&self) -> bool {
        let both = self.region.crossref().zip(self.region.index());
        both.is_none_or(|(cache, index)| has_caught_up(cache, index))
    }

    /// Takes up certificates, communities, correlation, whose assertions are taken and who is told of changes anew. What is
    /// wrong is logged, and the old stays in force.
    pub async fn reload(&self) {
        let loaded = load(self.file.clone(), self.overrides.clone()).await;
        match loaded {
            Ok(Ok((settings, warnings))) => {
                self.alarms.set(sentences(&warnings));
                let files = Files::look(watch::files(&self.file, &settings)).await;
                *self.seen.lock().await = files;
                self.front.trust(xua(&settings));
                self.region.reload(&settings).await;
                if let Some(notifier) = &self.notifier {
                    match self.region.consumers(&settings) {
                        Ok(consumers) => notifier.replace(consumers).await,
                        Err(Stop { message, .. }) => {
                            tracing::error!(problem = message, "who is told of changes stays as it was");
                        }
                    }
                }
                tracing::info!("the configuration was read again");
            }
            Ok(Err(problems)) => {
                let problems = sentences(&problems);
                for problem in &problems {
                    tracing::error!(problem, "the configuration has a problem; the old one stays in force");
                }
                self.alarms.set(problems);
            }
            Err(stop) => tracing::error!(problem = stop.message, "the configuration cannot be read"),
        }
        // Certificates are taken up even if something else is wrong: they end on their day. Their own problems are logged
        // where they are read.
        let _ = self.listeners.reload().await;
    }

    /// The same, if a file has changed since it was last read.
    pub async fn reload_if_changed(&self) {
        let changed = {
            let mut seen = self.seen.lock().await;
            let now = seen.look_again().await;
            let changed = now != *seen;
            *seen = now;
            changed
        };
        if changed {
            self.reload().await;
        }
    }

    /// Finishes what is in flight and closes the store.
    pub async fn shutdown(self) {
        drop(self.notifier);
        for beside in self.watch.into_iter().chain(self.follow) {
            beside.abort();
        }
        let grace = Duration::from_millis(self.settings.limits.shutdown_grace_ms);
        self.listeners.shutdown(grace).await;
        self.front.settle(grace).await;
        self.region.close().await;
    }
}

fn xua(settings: &Settings) -> Option<Arc<Xua>> {
    settings.assertions.as_ref().map(|assertions| Arc::clone(&assertions.xua))
}

/// Name in `ready` and `demo.json`, and path, of every service.
fn paths(services: &Services) -> Vec<(String, String)> {
    let name = |id: &str, path: &str| {
        let id = id.to_ascii_lowercase().replace('-', "");
        match path.strip_prefix("/hosted/").map(|rest| rest.split_once('/')) {
            Some(Some((tenant, _))) => format!("hosted-{tenant}-{id}"),
            Some(None) => format!("hosted-{id}"),
            None => id,
        }
    };
    services.paths().map(|(transaction, path)| (name(transaction.id, path), path.to_owned())).collect()
}

async fn open_listeners(
    listeners: &mut Listeners,
    settings: &Settings,
    front: &Arc<Front>,
    region: &Region,
    alarms: &Arc<Alarms>,
    notifier: Option<Arc<Notifier>>,
) -> Result<(), Stop> {
    let limits = &settings.limits;
    let listener =
        |address, tls, exposure| ListenerSettings { address, tls, exposure, limits: limits.clone() };
    let with_tls = |TlsListener { address, certificate, key, client_ca }: TlsListener| {
        listener(address, Some(TlsFiles { certificate, key, client_ca }), Exposure::Loopback)
    };
    let plain = |PlainListener { address, insecure }: PlainListener| {
        listener(address, None, if insecure { Exposure::Insecure } else { Exposure::Loopback })
    };
    if let Some(soap) = settings.listen.soap.clone() {
        listeners.open("soap", with_tls(soap), Arc::clone(front) as _).await?;
    }
    if let Some(http) = settings.listen.http.clone() {
        listeners.open("http", plain(http), Arc::clone(front) as _).await?;
    }
    if let Some(MllpsListener { listener, charset }) = settings.listen.mllps.clone() {
        listeners.open_mllp("mllps", with_tls(listener), Arc::new(region.hl7v2(charset))).await?;
    }
    if let Some(MllpListener { listener, charset }) = settings.listen.mllp.clone() {
        listeners.open_mllp("mllp", plain(listener), Arc::new(region.hl7v2(charset))).await?;
    }
    if let Some(address) = settings.listen.operator {
        let directory = region.directory().cloned();
        let (alarms, cache) = (Arc::clone(alarms), region.crossref().cloned());
        let seen = Seen::new(settings, listeners.listening(), directory, alarms, notifier, cache);
        let seen = seen
            .with_bucket(region.bucket().cloned())
            .with_stock(region.stock().clone())
            .with_store(region.store());
        let metrics = install_metrics().map_err(|error| Stop::new(Exit::Unavailable, error.to_string()))?;
        let pages = Arc::new(Operator::new(Arc::new(seen), metrics));
        // It shows no patient data, and changes nothing: beyond loopback is the operator's decision.
        listeners.open("operator", listener(address, None, Exposure::Insecure), pages).await?;
    }
    Ok(())
}

impl From<ListenError> for Stop {
    fn from(error: ListenError) -> Self {
        match &error {
            ListenError::Address(_, why) => {
                let next = match why.kind() {
                    ErrorKind::AddrInUse => "; is another process there? port 0 takes a free one",
                    ErrorKind::AddrNotAvailable => "; this machine has no such address: take one of its own",
                    ErrorKind::PermissionDenied => {
                        "; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
                    }
                    _ => "",
                };
                Self::new(Exit::Unavailable, format!("{error}{next}"))
            }
            ListenError::NotLoopback(_) | ListenError::Tls(_) => Self::new(Exit::Usage, error.to_string()),
        }
    }
}

fn bound(listeners: &Listeners, paths: Vec<(String, String)>) -> Bound {
    let listening = listeners.listening();
    let listening = |name: &str| listening.iter().find(|listening| listening.name == name);
    let place = |name: &str| Some(reachable(listening(name)?.address).to_string());
    let base = |name: &str| {
        let listening = listening(name)?;
        let scheme = if listening.tls { "https" } else { "http" };
        Some(format!("{scheme}://{}", reachable(listening.address)))
    };
    let (soap, http, operator) = (base("soap"), base("http"), base("operator"));
    let endpoints = match soap.as_ref().or(http.as_ref()) {
        Some(base) => paths.into_iter().map(|(name, path)| (name, format!("{base}{path}"))).collect(),
        None => BTreeMap::new(),
    };
    Bound { soap, http, mllps: place("mllps"), mllp: place("mllp"), operator, endpoints }
}

/// An address that can be connected to from here, where a listener takes all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
