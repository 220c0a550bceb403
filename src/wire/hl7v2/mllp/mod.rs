//! MLLP: messages between 0x0B and 0x1C 0x0D, one after the other on connections that last (HL7 transport specification,
//! MLLP release 1; ITI TF-2: C.2.1). Plain or over TLS, both sides.

mod client;
mod frames;
mod reject;
mod server;

pub use client::{MllpClient, MllpError, MllpPeer};
pub use frames::{FrameError, Frames, frame};
pub use reject::reject;
pub use server::{FrameHandler, MllpListener, serve};

#[cfg(test)]
mod tests;
