//! The operator's listener: health, readiness, metrics, and the status page.
