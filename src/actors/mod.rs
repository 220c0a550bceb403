//! One file per IHE actor: what it decides, nothing about bytes. Each is a plain struct with one async method per
//! transaction, `typed request + Caller -> typed response`, and can be called without a socket.

pub mod content_gate;
mod continuations;
pub mod deferred_discovery;
pub mod document_registry;
pub mod document_repository;
mod identifiers;
pub mod identity_feed;
pub mod initiating_gateway;
pub mod notifier;
pub mod own_community;
pub mod patient_correlation;
pub mod patient_discovery;
pub mod pdq_supplier;
pub mod permits;
pub mod pix_consumer;
pub mod pix_manager;
pub mod responding_gateway;
pub mod retention;
mod rules;
pub mod submission_relay;
