//! Waiting for what must happen, however slow the machine is.

use std::time::{Duration, Instant};

use sekisho::cli::assemble::Running;

use super::http::PATIENCE;

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what}: it never happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a region's cache has followed its index: what it kept before that, it would forget again.
pub async fn until_caught_up(region: &Running) {
    until("the cache follows the index", async || region.cache_has_caught_up()).await;
}
