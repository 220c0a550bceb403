//! Listeners: opened from typed settings, told apart by name, reloaded and shut down together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tracing::{error, info, warn};

use crate::limits::Limits;
use crate::wire::hl7v2::mllp::{self, FrameHandler, MllpListener};
use crate::wire::http::{self, Handler, Listener, ServerHandle, TlsError, TlsServer};

/// PEM files of a server.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Our certificate, and the chain that is sent with it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whose clients are let in; None asks nobody for a certificate.
    pub client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Reads the files off the runtime's threads.
    async fn load(&self) -> Result<TlsServer, TlsError> {
        let files = self.clone();
        let loading = tokio::task::spawn_blocking(move || {
            TlsServer::new(&files.certificate, &files.key, files.client_ca.as_deref())
        });
        loading.await.unwrap_or_else(|ended| Err(TlsError(format!("reading TLS files failed: {ended}"))))
    }
}

/// Where a listener without TLS may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// On loopback only.
    Loopback,
    /// Anywhere, knowingly: `insecure = true`.
    Insecure,
}

/// A listener to open.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, or plain.
    pub tls: Option<TlsFiles>,
    /// Where it may be without TLS.
    pub exposure: Exposure,
    /// Bounds.
    pub limits: Limits,
}

impl ListenerSettings {
    /// What it speaks TLS with; an error where it must and does not.
    async fn tls(&self, name: &'static str) -> Result<Option<(TlsFiles, TlsServer)>, ListenError> {
        match self.tls.clone() {
            Some(files) => {
                let server = files.load().await?;
                Ok(Some((files, server)))
            }
            None => self.plain(name).map(|()| None),
        }
    }

    fn plain(&self, name: &'static str) -> Result<(), ListenError> {
        let address = self.address;
        if address.ip().is_loopback() {
            return Ok(());
        }
        if self.exposure == Exposure::Loopback {
            return Err(ListenError::NotLoopback(address));
        }
        warn!(%address, name, "no TLS beyond loopback: everything can be read on the way");
        Ok(())
    }
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Without TLS beyond loopback.
    #[error("{0}: without TLS, only loopback is listened on; give it TLS, or say insecure = true")]
    NotLoopback(SocketAddr),
    /// A certificate, key, or trust list.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {0}: {1}")]
    Address(SocketAddr, std::io::Error),
}

/// A listener as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listening {
    /// `soap`, `http`, `mllps`, `mllp`, `operator`.
    pub name: &'static str,
    /// Where.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether clients must show certificates.
    pub mutual: bool,
}

impl Listening {
    /// Whether what it carries can be read on the way, or anybody may ask: neither TLS with client certificates, nor
    /// loopback.
    pub fn is_insecure(&self) -> bool {
        !self.mutual && !self.address.ip().is_loopback()
    }
}

struct Open {
    name: &'static str,
    tls: Option<(TlsFiles, TlsServer)>,
    handle: ServerHandle,
}

impl Open {
    fn listening(&self) -> Listening {
        Listening {
            name: self.name,
            address: self.handle.address,
            tls: self.tls.is_some(),
            mutual: self.tls.as_ref().is_some_and(|(files, _)| files.client_ca.is_some()),
        }
    }
}

/// The open listeners of a process.
#[derive(Default)]
pub struct Listeners {
    open: Vec<Open>,
}

impl Listeners {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Opens one more; returns where it is.
    pub async fn open(
        &mut self,
        name: &'static str,
        settings: ListenerSettings,
        handler: Arc<dyn Handler>,
    ) -> Result<SocketAddr, ListenError> {
        let tls = settings.tls(name).await?;
        let server = tls.as_ref().map(|(_, server)| server.clone());
        let ListenerSettings { address, limits, .. } = settings;
        let handle = http::serve(Listener { address, tls: server, limits, handler }).await;
        let handle = handle.map_err(|error| ListenError::Address(address, error))?;
        Ok(self.opened(name, tls, handle))
    }
    /// Opens one more for HL7 v2; returns where it is.
    pub async fn open_mllp(
        &mut self,
        name: &'static str,
        settings: ListenerSettings,
        handler: Arc<dyn FrameHandler>,
    ) -> Result<SocketAddr, ListenError> {
        let tls = settings.tls(name).await?;
        let server = tls.as_ref().map(|(_, server)| server.clone());
        let ListenerSettings { address, limits, .. } = settings;
        let handle = mllp::serve(MllpListener { address, tls: server, limits, handler }).await;
        let handle = handle.map_err(|error| ListenError::Address(address, error))?;
        Ok(self.opened(name, tls, handle))
    }

    fn opened(
        &mut self,
        name: &'static str,
        tls: Option<(TlsFiles, TlsServer)>,
        handle: ServerHandle,
    ) -> SocketAddr {
        if let Some((_, server)) = &tls {
            show_expiry(name, server);
        }
        let open = Open { name, tls, handle };
        let Listening { address, tls, mutual, .. } = open.listening();
        info!(%address, name, tls, mutual, "listening");
        self.open.push(open);
        address
    }
    /// Where everything listens, by name: what `ready` prints.
    pub fn addresses(&self) -> BTreeMap<&'static str, SocketAddr> {
        self.open.iter().map(|open| (open.name, open.handle.address)).collect()
    }
    /// The listeners, for the status page.
    pub fn listening(&self) -> Vec<Listening> {
        self.open.iter().map(Open::listening).collect()
    }
    /// Reads certificates, keys and trust again. A listener whose files cannot be used keeps what it has; all such are
    /// returned.
    pub async fn reload(&self) -> Result<(), Vec<TlsError>> {
        let mut problems = Vec::new();
        for Open { name, tls, .. } in &self.open {
            let Some((files, serving)) = tls else { continue };
            match files.load().await {
                Ok(fresh) => {
                    serving.replace(&fresh);
                    show_expiry(name, serving);
                }
                Err(problem) => {
                    error!(%problem, "TLS files not taken over; the old ones stay in force");
                    problems.push(problem);
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
    /// Stops accepting everywhere, finishes what is in flight, and cuts off what is left after `grace`.
    pub async fn shutdown(self, grace: Duration) {
        let closing = self.open.into_iter().map(|open| open.handle.shutdown(grace));
        futures_util::future::join_all(closing).await;
    }
}

/// The day on which a listener's certificate ends: alarms are set on it (user pain 93).
fn show_expiry(listener: &'static str, tls: &TlsServer) {
    if let Some(when) = tls.expires_at() {
        metrics::gauge!("sekisho_certificate_expires_timestamp_seconds", "listener" => listener)
            .set(when as f64);
    }
}
