//! How much one caller may ask: a bucket for each that fills with time (attack 59).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::limits;
use crate::transactions::Caller;

/// The buckets.
pub(super) struct Rates {
    per_minute: f64,
    buckets: Mutex<HashMap<Who, Bucket>>,
}

/// A caller: by certificate where there is one, since addresses are shared.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Who {
    Certified(Arc<str>),
    At(Option<IpAddr>),
}

struct Bucket {
    left: f64,
    filled: Instant,
}

impl Rates {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute: f64::from(per_minute.max(1)), buckets: Mutex::default() }
    }

    /// Takes what a question costs; false if the caller has used up what is theirs.
    pub(super) fn admit(&self, caller: &Caller, cost: u32, now: Instant) -> bool {
        let who = match &caller.certificate {
            Some(subject) => Who::Certified(Arc::clone(subject)),
            None => Who::At(caller.address.map(|address| address.ip())),
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= limits::MAX_RATED_CALLERS && !buckets.contains_key(&who) {
            // Whose bucket is full again is as good as new.
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.per_minute);
            if buckets.len() >= limits::MAX_RATED_CALLERS {
                return false;
            }
        }
        let bucket = buckets.entry(who).or_insert(Bucket { left: self.per_minute, filled: now });
        bucket.left = self.filled(bucket, now);
        bucket.filled = now;
        let cost = f64::from(cost);
        let admitted = bucket.left >= cost;
        bucket.left = (bucket.left - cost).max(0.0);
        admitted
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        (bucket.left + since * self.per_minute / 60.0).min(self.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_caller_has_so_much_a_minute_and_takes_nothing_from_others() {
        let caller = |subject: &str| Caller { certificate: Some(subject.into()), ..Caller::default() };
        let rates = Rates::new(60);
        let start = Instant::now();
        assert!((0..60).all(|_| rates.admit(&caller("CN=a"), 1, start)));
        assert!(!rates.admit(&caller("CN=a"), 1, start));
        assert!(rates.admit(&caller("CN=b"), 1, start));
        assert!(!rates.admit(&caller("CN=a"), 2, start + Duration::from_secs(1)));
        assert!(rates.admit(&caller("CN=a"), 2, start + Duration::from_secs(4)));
    }
}
