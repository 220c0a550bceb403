//! An address that is known before the server behind it is there, and stays the same when that is started anew.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};

/// Passes connections on, as they are; goes when it is dropped.
pub struct Doorway {
    pub address: SocketAddr,
    behind: Arc<Mutex<Option<SocketAddr>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Doorway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Doorway {
    /// With nobody behind it.
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(None::<SocketAddr>));
        let there = Arc::clone(&behind);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut outside, _)) = listener.accept().await {
                let Some(to) = *there.lock().unwrap() else { continue };
                connections.spawn(async move {
                    let Ok(mut inside) = TcpStream::connect(to).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self { address, behind, task }
    }

    /// Leads to a server, by its URL.
    pub fn leads_to(&self, url: &str) {
        let address = url.split("://").nth(1).unwrap().parse().unwrap();
        *self.behind.lock().unwrap() = Some(address);
    }
}
