//! Waiting for what must happen, however slow the machine is.

use std::time::{Duration, Instant, SystemTime};

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

/// For tests that let days go by: where the day (UTC) is about to end, waits for the next one.
pub async fn until_the_day_is_long_enough() {
    const DAY: u64 = 24 * 60 * 60;
    // More than such a test takes on a machine that is busy.
    const ENOUGH: u64 = 120;
    let left = DAY - SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() % DAY;
    if left <= ENOUGH {
        tokio::time::sleep(Duration::from_secs(left)).await;
    }
}

/// Waits until a region's cache has followed its index: what it kept before that, it would forget again.
pub async fn until_caught_up(region: &Running) {
    until("the cache follows the index", async || region.cache_has_caught_up()).await;
}
