//! What the tests share.

#![allow(dead_code)]

pub mod certs;
pub mod community;
pub mod doorway;
pub mod draft;
pub mod example;
pub mod front;
pub mod golden;
pub mod hl7v3;
pub mod hosted;
pub mod http;
pub mod idp;
pub mod messages;
pub mod postgres;
pub mod program;
pub mod region;
pub mod s3;
pub mod scanners;
pub mod sink;
pub mod straw;
pub mod submissions;
pub mod waiting;
