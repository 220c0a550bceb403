//! The SOAP front: listeners, routing, admission, faults, WSDL, reload, shutdown. The command line composes it: it fills a
//! [`Services`] table with what the actors answer, makes a [`Front`] of it, and opens [`Listeners`] on that.
//!
//! One message flows straight down and straight back:
//!
//! ```text
//! path -> admission -> envelope -> headers -> who calls -> transaction's reader -> actor -> its writer -> answer
//! ```
//!
//! Whatever ends on the way ends as a fault ([`faults`]); what an actor finds wrong is in its response.

mod admission;
mod asynchronous;
mod elsewhere;
mod faults;
mod front;
mod hl7v2;
mod identity;
mod listeners;
mod observe;
mod service;
mod services;
mod wsdl;

pub use elsewhere::Exchange;
pub use front::Front;
pub use hl7v2::Hl7Services;
pub use listeners::{Exposure, ListenError, ListenerSettings, Listeners, Listening, TlsFiles};
pub use service::{Service, Written};
pub use services::{Place, Services};
