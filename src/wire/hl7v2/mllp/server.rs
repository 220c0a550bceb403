//! The server's side. The messages of one connection are answered in their order, one at a time, and nothing more is read
//! meanwhile: a sender that is faster than we are waits, and no message is ever dropped (user pain 84).

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::{debug, error};

use super::frames::{FrameError, Frames, frame};
use super::reject::reject;
use crate::limits::{self, Limits};
use crate::wire::http::TlsServer;
use crate::wire::listen::{self, Closing, Door, Peer, Protocol, ServerHandle};

/// What answers messages. Must not block. A panic in it rejects that message, and the connection goes on.
pub trait FrameHandler: Send + Sync + 'static {
    /// Answers a message; None sends nothing.
    fn answer(&self, peer: Peer, message: Bytes) -> BoxFuture<'static, Option<Bytes>>;
    /// Answers what is not to be acted on; of the message there may be only the beginning.
    fn refuse(&self, message: &[u8], reason: FrameError) -> Option<Bytes> {
        Some(reject(message, &reason.to_string()))
    }
}

/// A listener to open.
pub struct MllpListener {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, or plain.
    pub tls: Option<TlsServer>,
    /// Bounds.
    pub limits: Limits,
    /// What answers.
    pub handler: Arc<dyn FrameHandler>,
}

/// Opens a listener and serves it in the background.
pub async fn serve(listener: MllpListener) -> std::io::Result<ServerHandle> {
    let MllpListener { address, tls, limits, handler } = listener;
    let door = Door { address, tls, max_connections: limits.max_connections };
    let serving = Serving {
        handler,
        turns: Semaphore::new(limits.max_concurrent_requests),
        pause: Duration::from_millis(limits.body_idle_timeout_ms),
        deadline: Duration::from_millis(limits.request_deadline_ms),
    };
    listen::open(door, serving).await
}

/// What all connections of a listener share.
struct Serving {
    handler: Arc<dyn FrameHandler>,
    /// Messages that are worked on at once. Others wait, and their senders with them.
    turns: Semaphore,
    /// How long a frame, or the reading of an answer, may pause.
    pause: Duration,
    deadline: Duration,
}

impl Protocol for Serving {
    const PLAIN: &'static str = "mllp";
    const SECURE: &'static str = "mllps";

    async fn exchange<S>(&self, mut stream: S, peer: Peer, mut closing: Closing)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut frames = Frames::new();
        while let Some(arrived) = self.receive(&mut stream, &mut frames, &mut closing).await {
            let is_last = matches!(arrived, Err((reason, _)) if reason.is_final());
            if let Some(answer) = self.answer(&peer, arrived).await {
                let sent = timeout(self.pause, send(&mut stream, &answer)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    debug!(address = %peer.address, "an answer was not taken");
                    return;
                }
            }
            if is_last {
                break;
            }
            if closing.has_begun() {
                return;
            }
        }
        // Whoever still sends gets to read our last answer.
        listen::linger(stream).await;
    }
}

/// A frame's content, or why there is none, with what there is.
type Arrived = Result<Bytes, (FrameError, Bytes)>;

impl Serving {
    /// The next frame; None when the connection is over.
    async fn receive<S>(&self, stream: &mut S, frames: &mut Frames, closing: &mut Closing) -> Option<Arrived>
    where
        S: AsyncRead + Unpin,
    {
        let mut pace = Pace::new();
        loop {
            if let Some(arrived) = frames.next_frame() {
                return Some(arrived);
            }
            let patience = match (frames.is_inside(), frames.may_have_ended()) {
                (_, true) => limits::MLLP_END_WAIT,
                (true, false) => self.pause.saturating_sub(pace.since.elapsed()),
                (false, _) => limits::MLLP_IDLE,
            };
            let between = !frames.is_inside();
            let buffer = frames.buffer();
            buffer.reserve(limits::MIN_READ_BYTES);
            let read = tokio::select! {
                read = timeout(patience, stream.read_buf(buffer)) => read,
                () = closing.begun(), if between => return None,
            };
            match read {
                Ok(Ok(bytes @ 1..)) if between => pace = Pace { moved: bytes, ..Pace::new() },
                Ok(Ok(bytes @ 1..)) => pace.moved(bytes),
                // Nothing follows, for now or for ever.
                _ if frames.may_have_ended() => return frames.end().map(Ok),
                Err(_) => return frames.give_up().map(Err),
                Ok(_) => return None,
            }
        }
    }

    async fn answer(&self, peer: &Peer, arrived: Arrived) -> Option<Bytes> {
        let (message, reason) = match arrived {
            Ok(message) => match self.handle(peer, message.clone()).await {
                Ok(answer) => return answer,
                Err(reason) => (message, reason),
            },
            Err((reason, message)) => (message, reason),
        };
        metrics::counter!("sekisho_mllp_refused_total", "reason" => label(reason)).increment(1);
        debug!(address = %peer.address, %reason, "a message was refused");
        self.handler.refuse(&message, reason)
    }

    async fn handle(&self, peer: &Peer, message: Bytes) -> Result<Option<Bytes>, FrameError> {
        let _turn = self.turns.acquire().await;
        metrics::counter!("sekisho_mllp_messages_total", "transport" => peer.scheme).increment(1);
        let (handler, peer) = (Arc::clone(&self.handler), peer.clone());
        let handled = AssertUnwindSafe(async move { handler.answer(peer, message).await }).catch_unwind();
        match timeout(self.deadline, handled).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => {
                error!("the handler of a message panicked");
                Err(FrameError::Failed)
            }
            Err(_) => Err(FrameError::Late),
        }
    }
}

fn label(reason: FrameError) -> &'static str {
    match reason {
        FrameError::TooLarge => "too-large",
        FrameError::Unended => "unended",
        FrameError::Slow => "slow",
        FrameError::Junk => "junk",
        FrameError::Failed => "failed",
        FrameError::Late => "late",
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(&frame(answer)).await?;
    stream.flush().await
}

/// How fast a frame arrives: a byte now and then is no progress (attack 31).
struct Pace {
    since: Instant,
    moved: usize,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), moved: 0 }
    }
    fn moved(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= limits::MIN_PROGRESS_BYTES {
            *self = Self::new();
        }
    }
}
