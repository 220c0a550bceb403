//! Files that matter while a region runs, and whether they have changed. The directory of communities looks after its own.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::{ClientTls, Mode, Settings, TlsListener};

/// Files, and when and how large they were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Files {
    /// Looks at files.
    pub async fn look(paths: Vec<PathBuf>) -> Self {
        let stamp = |path: PathBuf| {
            let stamp = std::fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
            (path, stamp)
        };
        let looked = tokio::task::spawn_blocking(move || paths.into_iter().map(stamp).collect());
        Self(looked.await.unwrap_or_default())
    }

    /// Looks at the same files once more.
    pub async fn look_again(&self) -> Self {
        Self::look(self.0.iter().map(|(path, _)| path.clone()).collect()).await
    }
}

/// The configuration and the files that it names.
pub fn files(file: &Path, settings: &Settings) -> Vec<PathBuf> {
    let mut files = vec![file.to_owned()];
    let listen = &settings.listen;
    let mllps = listen.mllps.as_ref().map(|mllps| &mllps.listener);
    for TlsListener { certificate, key, client_ca, .. } in listen.soap.iter().chain(mllps) {
        files.extend([certificate.clone(), key.clone()]);
        files.extend(client_ca.clone());
    }
    if let Mode::Bridge(bridge) = &settings.mode
        && let Some(ClientTls { ca, identity }) = &bridge.tls
    {
        files.push(ca.clone());
        files.extend(identity.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
    }
    files.extend(settings.assertions.iter().flat_map(|assertions| assertions.files.clone()));
    let told = settings.identity.iter().flat_map(|identity| {
        let consumers = identity.consumers.iter().map(|consumer| &consumer.peer);
        consumers.chain(identity.registries.iter().map(|registry| &registry.peer))
    });
    for ClientTls { ca, identity } in told.filter_map(|peer| peer.tls.as_ref()) {
        files.push(ca.clone());
        files.extend(identity.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
    }
    files
}
