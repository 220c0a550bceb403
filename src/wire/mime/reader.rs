//! The reader: parts one after the other from a stream of chunks, each in bounded memory.
//!
//! Tolerant where the field is sloppy (LF for CRLF, a boundary glued to the envelope, headers missing or folded), strict
//! where a guess would cost bytes of a document: only a whole delimiter line ends a part, and a body that ends before its
//! closing delimiter was cut off.

use std::future::poll_fn;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use super::decode::Decoder;
use super::{ContentType, decode_content_id};
use crate::limits;
use crate::wire::stream::{ByteStream, StreamError};

/// Headers of a part that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartHeaders {
    /// Content-ID, decoded for comparing ([`super::decode_content_id`]).
    pub content_id: Option<String>,
    /// Content-Type as sent.
    pub content_type: Option<String>,
    /// Content-Transfer-Encoding, lower case; the reader has undone it already.
    pub transfer_encoding: Option<String>,
}

/// Reads the parts of a multipart body.
pub struct MultipartReader {
    body: ByteStream,
    /// Whether `body` has ended.
    ended: bool,
    /// Why `body` broke off, behind what is in the buffer.
    broken: Option<StreamError>,
    /// What has arrived and is not given out yet.
    buffer: Bytes,
    /// `--boundary`.
    delimiter: Finder<'static>,
    state: State,
    parts: usize,
    decoder: Decoder,
    /// Nothing of this part, or of the body, was given out yet: a delimiter may stand here without a line break.
    at_start: bool,
    /// The last byte that was given out.
    last: u8,
    /// The part is an envelope: a delimiter may be glued to its last `>`.
    envelope: bool,
    /// Delimiter lines end in LF alone: a CR before such a line belongs to the part.
    lf_only: bool,
}

/// What the next byte of the body belongs to.
#[derive(Debug)]
enum State {
    Preamble,
    Headers,
    Content,
    Epilogue,
    Done,
    Failed(StreamError),
}

/// What stands at the start of the buffer.
#[derive(Debug)]
enum Token {
    Data(Bytes),
    Delimiter(Delimiter),
    /// The end of the buffer; what is in it may be the beginning of a delimiter.
    More,
}

/// Which kind of delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    /// Another part follows.
    Opening,
    /// The last part has ended.
    Closing,
}

impl MultipartReader {
    /// A reader of the parts that `boundary` separates.
    pub fn new(body: ByteStream, boundary: &str) -> Result<Self, StreamError> {
        let boundary = boundary.trim_end();
        if boundary.is_empty() {
            return Err(StreamError::Malformed(
                "the Content-Type multipart/related has no boundary parameter (RFC 2046, 5.1.1)".to_owned(),
            ));
        }
        if boundary.len() > limits::MAX_MIME_BOUNDARY_BYTES {
            return Err(StreamError::TooLarge {
                what: "the MIME boundary (bytes)",
                limit: limits::MAX_MIME_BOUNDARY_BYTES as u64,
            });
        }
        Ok(Self {
            body,
            ended: false,
            broken: None,
            buffer: Bytes::new(),
            delimiter: Finder::new(&format!("--{boundary}")).into_owned(),
            state: State::Preamble,
            parts: 0,
            decoder: Decoder::Identity,
            at_start: true,
            last: 0,
            envelope: false,
            lf_only: false,
        })
    }

    /// Goes to the next part, passing over what is left of this one. None behind the last: then the whole body has been
    /// read.
    pub async fn next_part(&mut self) -> Result<Option<PartHeaders>, StreamError> {
        let part = self.advance().await;
        self.remember_failure(part)
    }

    /// The next chunk of this part, decoded; None at its end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        let chunk = self.read_content().await;
        self.remember_failure(chunk)
    }

    /// A body that has once broken the rules is not read on.
    fn remember_failure<T>(&mut self, outcome: Result<T, StreamError>) -> Result<T, StreamError> {
        if let Err(error) = &outcome {
            self.state = State::Failed(error.clone());
            self.buffer = Bytes::new();
        }
        outcome
    }

    async fn advance(&mut self) -> Result<Option<PartHeaders>, StreamError> {
        loop {
            match &self.state {
                State::Preamble => self.skip_preamble().await?,
                State::Content => self.skip_content().await?,
                State::Headers => return self.read_headers().await.map(Some),
                State::Epilogue => self.skip_epilogue().await?,
                State::Done => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
            }
        }
    }

    async fn read_content(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            match &self.state {
                State::Content => {}
                State::Failed(error) => return Err(error.clone()),
                _ => return Ok(None),
            }
            let decoded = match self.token() {
                Token::Data(chunk) => self.decoder.push(chunk)?,
                Token::Delimiter(delimiter) => {
                    self.pass(delimiter);
                    self.decoder.finish()?
                }
                Token::More => {
                    self.fill_or_truncated().await?;
                    continue;
                }
            };
            if !decoded.is_empty() {
                return Ok(Some(decoded));
            }
        }
    }

    async fn skip_preamble(&mut self) -> Result<(), StreamError> {
        let mut skipped = 0;
        loop {
            match self.token() {
                Token::Data(chunk) => {
                    skipped += chunk.len();
                    within_margin("bytes before the first MIME boundary", skipped)?;
                }
                Token::Delimiter(delimiter) => {
                    self.pass(delimiter);
                    return Ok(());
                }
                Token::More if self.ended => {
                    return Err(StreamError::Malformed(
                        "the boundary that the Content-Type names is nowhere in the body (RFC 2046, 5.1.1)"
                            .to_owned(),
                    ));
                }
                Token::More => self.fill().await?,
            }
        }
    }

    async fn skip_content(&mut self) -> Result<(), StreamError> {
        loop {
            match self.token() {
                Token::Data(_) => {}
                Token::Delimiter(delimiter) => {
                    self.pass(delimiter);
                    return Ok(());
                }
                Token::More => self.fill_or_truncated().await?,
            }
        }
    }

    async fn skip_epilogue(&mut self) -> Result<(), StreamError> {
        let mut skipped = 0;
        loop {
            skipped += std::mem::take(&mut self.buffer).len();
            within_margin("bytes behind the last MIME boundary", skipped)?;
            if self.ended {
                self.state = State::Done;
                return Ok(());
            }
            self.fill().await?;
        }
    }

    fn pass(&mut self, delimiter: Delimiter) {
        self.state = match delimiter {
            Delimiter::Opening => State::Headers,
            Delimiter::Closing => State::Epilogue,
        };
    }

    async fn read_headers(&mut self) -> Result<PartHeaders, StreamError> {
        self.parts += 1;
        if self.parts > limits::MAX_MIME_PARTS {
            return Err(StreamError::TooLarge {
                what: "the number of MIME parts",
                limit: limits::MAX_MIME_PARTS as u64,
            });
        }
        let block = loop {
            let block = header_block(&self.buffer, self.delimiter.needle());
            if block.unwrap_or(self.buffer.len()) > limits::MAX_MIME_HEADER_BYTES {
                return Err(StreamError::TooLarge {
                    what: "the headers of a MIME part (bytes)",
                    limit: limits::MAX_MIME_HEADER_BYTES as u64,
                });
            }
            match block {
                Some(end) => break self.buffer.split_to(end),
                None => self.fill_or_truncated().await?,
            }
        };
        let headers = parse_headers(&block)?;
        let essence = headers.content_type.as_deref().and_then(ContentType::parse).map(|t| t.essence);
        self.decoder = Decoder::new(headers.transfer_encoding.as_deref())?;
        self.envelope = match essence.as_deref() {
            Some(essence) => matches!(essence, "application/xop+xml" | "application/soap+xml"),
            None => self.parts == 1,
        };
        self.at_start = true;
        self.state = State::Content;
        Ok(headers)
    }

    /// Takes the next token off the buffer.
    fn token(&mut self) -> Token {
        let mut from = 0;
        while let Some(found) = self.delimiter.find(&self.buffer[from..]) {
            let dashes = from + found;
            if let Some(start) = self.delimiter_start(dashes) {
                let end = dashes + self.delimiter.needle().len();
                match line_behind(&self.buffer[end..], self.ended) {
                    LineBehind::Other => {}
                    LineBehind::Unclear => return self.data(start),
                    LineBehind::Delimiter(..) if start > 0 => return self.data(start),
                    LineBehind::Delimiter(delimiter, rest_of_line) => {
                        let line = self.buffer.split_to(end + rest_of_line);
                        self.lf_only = line.ends_with(b"\n") && !line.ends_with(b"\r\n");
                        return Token::Delimiter(delimiter);
                    }
                }
            }
            from = dashes + 1;
        }
        let clear = if self.ended { self.buffer.len() } else { self.clear_of_delimiters() };
        self.data(clear)
    }

    fn data(&mut self, length: usize) -> Token {
        if length == 0 {
            return Token::More;
        }
        let data = self.buffer.split_to(length);
        self.at_start = false;
        self.last = data.last().copied().unwrap_or(0);
        Token::Data(data)
    }

    /// Where a delimiter begins whose dashes stand at `dashes`: its line break belongs to it. None if dashes cannot stand
    /// there.
    fn delimiter_start(&self, dashes: usize) -> Option<usize> {
        match &self.buffer[..dashes] {
            [.., b'\r', b'\n'] if !self.lf_only => Some(dashes - 2),
            [.., b'\n'] => Some(dashes - 1),
            [] if self.at_start || self.envelope && self.last == b'>' => Some(dashes),
            [.., b'>'] if self.envelope => Some(dashes),
            _ => None,
        }
    }

    /// How many bytes of the buffer, which holds no delimiter, cannot be the beginning of one either.
    fn clear_of_delimiters(&self) -> usize {
        let dashes = self.delimiter.needle();
        let begun = (0..dashes.len()).rev().find(|n| self.buffer.ends_with(&dashes[..*n])).unwrap_or(0);
        match &self.buffer[..self.buffer.len() - begun] {
            [before @ .., b'\r', b'\n'] | [before @ .., b'\n'] => before.len(),
            [before @ .., b'\r'] if begun == 0 => before.len(),
            before => before.len(),
        }
    }

    async fn fill_or_truncated(&mut self) -> Result<(), StreamError> {
        if self.ended {
            return Err(StreamError::Interrupted(
                "the multipart body ends without its closing delimiter: it was cut off (RFC 2046, 5.1.1)"
                    .to_owned(),
            ));
        }
        self.fill().await
    }

    /// Waits for more of the body. What is there already is taken at once, up to a frame: a peer that sends a chunk per
    /// byte must not cost a pass over the buffer per byte. Cancel safe.
    async fn fill(&mut self) -> Result<(), StreamError> {
        let Self { body, buffer, ended, broken, .. } = self;
        if let Some(error) = broken.take() {
            return Err(error);
        }
        let before = buffer.len();
        poll_fn(|context| {
            loop {
                let arrived = buffer.len() - before;
                if *ended || arrived >= limits::MIN_READ_BYTES {
                    return Poll::Ready(Ok(()));
                }
                match body.as_mut().poll_next(context) {
                    Poll::Ready(Some(Ok(chunk))) => append(buffer, chunk),
                    Poll::Ready(Some(Err(error))) if arrived > 0 => {
                        *broken = Some(error);
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) => *ended = true,
                    Poll::Pending if arrived > 0 => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

fn append(buffer: &mut Bytes, chunk: Bytes) {
    if buffer.is_empty() {
        *buffer = chunk;
        return;
    }
    let mut joined = std::mem::take(buffer).try_into_mut().unwrap_or_else(|held| {
        let mut joined = BytesMut::with_capacity(held.len() + chunk.len().max(limits::MIN_READ_BYTES));
        joined.extend_from_slice(&held);
        joined
    });
    joined.extend_from_slice(&chunk);
    *buffer = joined.freeze();
}

fn within_margin(what: &'static str, bytes: usize) -> Result<(), StreamError> {
    if bytes > limits::MAX_MIME_PREAMBLE_BYTES {
        return Err(StreamError::TooLarge { what, limit: limits::MAX_MIME_PREAMBLE_BYTES as u64 });
    }
    Ok(())
}

/// What follows `--boundary` on its line.
enum LineBehind {
    /// Something that makes it no delimiter, such as the rest of a longer boundary.
    Other,
    /// Not all of it has arrived.
    Unclear,
    /// A delimiter, and how many bytes of its line are left.
    Delimiter(Delimiter, usize),
}

fn line_behind(behind: &[u8], ended: bool) -> LineBehind {
    let (delimiter, rest) = match behind {
        [b'-', b'-', rest @ ..] => (Delimiter::Closing, rest),
        [b'-'] if !ended => return LineBehind::Unclear,
        _ => (Delimiter::Opening, behind),
    };
    let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if padding > limits::MAX_MIME_PADDING_BYTES {
        return LineBehind::Other;
    }
    let before = behind.len() - rest.len() + padding;
    match &rest[padding..] {
        [b'\r', b'\n', ..] => LineBehind::Delimiter(delimiter, before + 2),
        [b'\n', ..] => LineBehind::Delimiter(delimiter, before + 1),
        [] | [b'\r'] if !ended => LineBehind::Unclear,
        [] | [b'\r'] if delimiter == Delimiter::Closing => LineBehind::Delimiter(delimiter, behind.len()),
        _ => LineBehind::Other,
    }
}

/// The length of the header block at the start of `buffer`, empty line included; None while it is incomplete. Where the
/// headers are missing altogether, empty line included, it is 0; where the content is, it ends before the delimiter.
fn header_block(buffer: &[u8], delimiter: &[u8]) -> Option<usize> {
    if buffer.first() == Some(&b'<') {
        return Some(0);
    }
    let mut at = 0;
    loop {
        let rest = &buffer[at..];
        if rest.starts_with(delimiter) {
            return Some(at);
        }
        let line = &rest[..memchr::memchr(b'\n', rest)?];
        let next = at + line.len() + 1;
        match line {
            [] | [b'\r'] => return Some(next),
            _ => at = next,
        }
    }
}

fn parse_headers(block: &[u8]) -> Result<PartHeaders, StreamError> {
    let text = String::from_utf8_lossy(block);
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        } else if !line.trim().is_empty() {
            return Err(StreamError::Malformed(
                "a header line of a MIME part has no colon (RFC 822, 3.2)".to_owned(),
            ));
        }
    }
    let mut headers = PartHeaders::default();
    for (name, value) in fields {
        match name.as_str() {
            "content-id" if headers.content_id.is_some() => {
                return Err(StreamError::Malformed("a MIME part has two Content-ID headers".to_owned()));
            }
            "content-id" => headers.content_id = Some(decode_content_id(&value)),
            "content-type" if headers.content_type.is_none() => headers.content_type = Some(value),
            "content-transfer-encoding" if headers.transfer_encoding.is_none() => {
                headers.transfer_encoding =
                    Some(value.trim_end_matches(';').trim().to_ascii_lowercase()).filter(|e| !e.is_empty());
            }
            _ => {}
        }
    }
    Ok(headers)
}
