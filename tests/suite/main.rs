//! The one integration-test binary: whole messages over real sockets, files and databases.

// Helpers of tests panic as tests do; clippy only knows the functions that are marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asynchronous;
mod asynchronous_regions;
mod bulk;
mod canaries;
mod command_line;
mod content_gate;
mod crossref;
mod deferred;
mod discovery;
mod doctor;
mod documentation;
mod dry_run;
mod durability;
mod error_codes;
mod federation_faults;
mod federation_regions;
mod federation_rules;
mod feed;
mod hl7v2_identity;
mod http_client;
mod http_limits;
mod http_smuggling;
mod http_tls;
mod identity_v3;
mod large_documents;
mod merge_races;
mod metadata;
mod metadata_update;
mod mllp;
mod multi_patient;
mod notifications;
mod object_store;
mod on_demand;
mod operator;
mod outside_identity;
mod patient;
mod postgres;
mod provision;
mod registration;
mod removal;
mod samples;
mod server_faults;
mod server_front;
mod settling;
mod shared_bucket;
mod soap_call;
mod soap_forms;
mod stored_queries;
mod support;
mod tenants;
mod transactions;
mod validation;
mod verify_store;
