//! Sekisho (関所): the gateway at a region's point of interconnection (POI, 相互接続点).
//!
//! One binary speaks the IHE profiles XCA and XDS.b on both sides: it federates the registries and
//! repositories that regions already run, and hosts them for a region that has none.
//!
//! The house has floors, and a module imports only from floors below its own. From the top:
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 6 | `main`, [`cli`] | one file per subcommand |
//! | 5 | [`server`], [`admin`], [`config`] | listeners, routing, admission, reload; the operator's pages; the configuration file |
//! | 4 | [`actors`] | one file per IHE actor: what it decides |
//! | 3 | [`federation`], [`identity`], [`registry`], [`repository`], [`delivery`], [`trust`] | communities and fan-out; who is who; metadata store; document bytes; what is still to be told; who asks |
//! | 2 | [`transactions`] | one file per ITI transaction |
//! | 1 | [`metadata`], [`demographics`], [`store`] | the XDS metadata model; the patient model; the embedded database |
//! | 0 | [`wire`], [`limits`], [`ids`], [`time`] | XML, MIME, SOAP, HTTP, HL7 v2; every bound; typed identifiers |

pub mod actors;
pub mod admin;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod demographics;
pub mod federation;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod metadata;
pub mod registry;
pub mod repository;
pub mod server;
pub mod store;
pub mod time;
pub mod transactions;
pub mod trust;
pub mod wire;
