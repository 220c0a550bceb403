//! Finding frames in what arrives, however it is cut into pieces.
//!
//! Between frames anything is passed over (NULs, line ends, what is left of something broken). Within one, only 0x1C 0x0D
//! ends it, so that a 0x1C in the text stays text; some senders leave the 0x0D out, which shows when the next frame begins
//! or nothing follows.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits;

/// Begins a frame.
const START: u8 = 0x0b;
/// Ends it, with a CR behind.
const END: u8 = 0x1c;

/// A message in its frame.
pub fn frame(message: &[u8]) -> Vec<u8> {
    [&[START], message, &[END, b'\r']].concat()
}

/// Why a frame's content is no message to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It did not end where it was due.
    #[error("the message is larger than {} bytes", limits::MAX_HL7_MESSAGE_BYTES)]
    TooLarge,
    /// Another one began before its end.
    #[error("the message has no end block: another one began within it")]
    Unended,
    /// It stopped before its end.
    #[error("the message's end block did not come in time")]
    Slow,
    /// There were only other bytes.
    #[error("no start block within {} bytes", limits::MAX_MLLP_JUNK_BYTES)]
    Junk,
    /// Whoever was to answer broke down.
    #[error("the message could not be processed")]
    Failed,
    /// No answer in time.
    #[error("the message could not be processed in time")]
    Late,
}

impl FrameError {
    /// Whether what follows on the connection cannot be told from what was refused.
    pub fn is_final(self) -> bool {
        matches!(self, Self::TooLarge | Self::Junk | Self::Slow)
    }
}

/// What arrived and was not taken yet. Holds at most a frame and what was read together with its end.
#[derive(Default)]
pub struct Frames {
    buffer: BytesMut,
    /// A frame has begun; the buffer starts behind its 0x0B.
    inside: bool,
    /// Up to here the buffer has no end.
    scanned: usize,
    /// Passed over since the last frame.
    junk: usize,
}

impl Frames {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Where to read into.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }
    /// Whether a frame has begun whose end was not found yet.
    pub fn is_inside(&self) -> bool {
        self.inside
    }
    /// Whether the last byte may be the end: it is, if nothing follows.
    pub fn may_have_ended(&self) -> bool {
        self.inside && self.buffer.last() == Some(&END)
    }
    /// Whether everything that arrived was taken.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
    /// Ends the frame at the 0x1C that nothing follows.
    pub fn end(&mut self) -> Option<Bytes> {
        self.may_have_ended().then(|| self.take(self.buffer.len() - 1, 1))
    }
    /// Gives up the frame that has begun.
    pub fn give_up(&mut self) -> Option<(FrameError, Bytes)> {
        self.inside.then(|| (FrameError::Slow, self.take(self.buffer.len(), 0)))
    }
    /// The next frame's content; None until more has arrived. After an error that
    /// [`FrameError::is_final`] the connection is of no more use.
    pub fn next_frame(&mut self) -> Option<Result<Bytes, (FrameError, Bytes)>> {
        if !self.inside && !self.find_start() {
            let lost = self.junk > limits::MAX_MLLP_JUNK_BYTES;
            return lost.then(|| Err((FrameError::Junk, Bytes::new())));
        }
        while let Some(offset) = memchr::memchr2(END, START, self.buffer.get(self.scanned..)?) {
            let at = self.scanned + offset;
            match (self.buffer.get(at), self.buffer.get(at + 1..)?) {
                (Some(&END), [b'\r', ..]) => return Some(self.frame(at, 2)),
                (Some(&END), [START, ..]) => return Some(self.frame(at, 1)),
                (Some(&END), [b'\n' | 0, ..]) => return Some(self.frame(at, 2)),
                (Some(&START), [b'M', b'S', b'H', ..]) => {
                    return Some(Err((FrameError::Unended, self.take(at, 0))));
                }
                // It takes more to know.
                (Some(&END), []) | (Some(&START), [] | [b'M'] | [b'M', b'S']) => {
                    self.scanned = at;
                    return self.too_large();
                }
                _ => self.scanned = at + 1,
            }
        }
        self.scanned = self.buffer.len();
        self.too_large()
    }

    fn frame(&mut self, length: usize, end: usize) -> Result<Bytes, (FrameError, Bytes)> {
        let content = self.take(length, end);
        match content.len() {
            0..=limits::MAX_HL7_MESSAGE_BYTES => Ok(content),
            _ => Err((FrameError::TooLarge, content)),
        }
    }
    fn too_large(&mut self) -> Option<Result<Bytes, (FrameError, Bytes)>> {
        let length = self.buffer.len();
        (length > limits::MAX_HL7_MESSAGE_BYTES).then(|| Err((FrameError::TooLarge, self.take(length, 0))))
    }
    fn find_start(&mut self) -> bool {
        let found = memchr::memchr(START, &self.buffer);
        let passed = found.unwrap_or(self.buffer.len());
        self.junk += passed;
        self.buffer.advance(passed);
        if found.is_some() {
            self.buffer.advance(1);
            self.inside = true;
            self.scanned = 0;
            self.junk = 0;
        }
        self.inside
    }
    fn take(&mut self, length: usize, end: usize) -> Bytes {
        let content = self.buffer.split_to(length).freeze();
        self.buffer.advance(end);
        self.inside = false;
        content
    }
}
