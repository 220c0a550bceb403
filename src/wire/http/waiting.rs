//! Who lets us wait too long: the clocks on bodies and sockets that cut off slow senders and slow readers.
//!
//! A clock runs only while the other side is waited for, never while we ourselves are busy, and stops for good only when
//! enough bytes have moved: a peer that sends one byte now and then gains nothing (attack 31).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::limits;
use crate::wire::stream::{Body, StreamError};

/// How long the other side has been waited for since it last moved [`limits::MIN_PROGRESS_BYTES`].
pub(super) struct Clock {
    limit: Duration,
    /// Waits that are over.
    waited: Duration,
    /// The wait that is going on.
    since: Option<Instant>,
    moved: usize,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, waited: Duration::ZERO, since: None, moved: 0, alarm: None }
    }
    fn restart(&mut self) {
        self.waited = Duration::ZERO;
        self.since = None;
        self.moved = 0;
    }
    /// The other side moved some bytes.
    fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= limits::MIN_PROGRESS_BYTES {
            self.waited = Duration::ZERO;
            self.moved = 0;
        }
    }
    /// Nothing moved now. Ready once the limit is reached; until then the task is woken when it will be.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            let end = now + self.limit.saturating_sub(self.waited);
            match &mut self.alarm {
                Some(alarm) => alarm.as_mut().reset(end),
                None => self.alarm = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        match &mut self.alarm {
            Some(alarm) => alarm.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
    fn limit_ms(&self) -> u64 {
        self.limit.as_millis() as u64
    }
}

/// A received body that ends with [`StreamError::Idle`] when its sender is too slow.
struct Received {
    inner: Incoming,
    clock: Clock,
}

/// A body as it arrives, under the idle limit.
pub(super) fn received(inner: Incoming, idle: Duration) -> Body {
    Body::new(Received { inner, clock: Clock::new(idle) })
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.clock.moved(frame.data_ref().map_or(0, Buf::remaining));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(StreamError::Interrupted(super::causes(&error)))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                this.clock.wait(cx).map(|()| Some(Err(StreamError::Idle(this.clock.limit_ms()))))
            }
        }
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What a server's connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The rest of a request's head.
    Head,
    /// The answer to the request: reading is the body's affair.
    Answer,
    /// The next request: hyper's own timer, set to the keep-alive limit, ends it.
    Idle,
}

/// The phase of one connection, shared by its socket and its service.
#[derive(Clone)]
pub(super) struct SharedPhase(Arc<AtomicU8>);

impl SharedPhase {
    pub(super) fn new(phase: Phase) -> Self {
        Self(Arc::new(AtomicU8::new(phase as u8)))
    }
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }
    fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Answer,
            _ => Phase::Idle,
        }
    }
}

/// The limits of a server's socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketLimits {
    /// For a request's head, from its first byte; for the first one, from the connection's start.
    pub head: Duration,
    /// For the peer to take what we write.
    pub write_idle: Duration,
}

/// A server's socket that gives up on peers who are too slow with a request's head or with reading the answer.
pub(super) struct Socket<S> {
    inner: S,
    phase: SharedPhase,
    head: Clock,
    writing: Clock,
}

impl<S> Socket<S> {
    pub(super) fn new(inner: S, phase: SharedPhase, limits: SocketLimits) -> Self {
        Self { inner, phase, head: Clock::new(limits.head), writing: Clock::new(limits.write_idle) }
    }
    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Pending => self.writing.wait(cx).map(|()| Err(too_slow("did not read the answer"))),
            ready => {
                self.writing.moved(ready_bytes(&ready));
                ready
            }
        }
    }
}

fn ready_bytes(result: &Poll<io::Result<usize>>) -> usize {
    match result {
        Poll::Ready(Ok(bytes)) => *bytes,
        _ => 0,
    }
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the client {what} in time"))
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.inner).poll_read(cx, buffer);
        match (&result, this.phase.get()) {
            (Poll::Pending, Phase::Head) => {
                this.head.wait(cx).map(|()| Err(too_slow("sent no whole request head")))
            }
            (Poll::Ready(Ok(())), Phase::Idle) if buffer.filled().len() > before => {
                this.phase.set(Phase::Head);
                this.head.restart();
                result
            }
            _ => result,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(cx, result)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }
    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx).map_ok(|()| 0);
        self.written(cx, result).map_ok(|_| ())
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx).map_ok(|()| 0);
        self.written(cx, result).map_ok(|_| ())
    }
}
