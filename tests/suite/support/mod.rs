//! What the tests share.

#![allow(dead_code)]

pub mod certs;
pub mod example;
pub mod golden;
pub mod messages;
