//! Why a community gave nothing, as consumers and metrics are told it.

use crate::wire::soap::CallError;
use crate::wire::stream::StreamError;

/// Why there is no usable answer from a community. It says a category only: what a socket or a peer's fault said is for
/// the operator's log, never for a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// Refused, unreachable, name not found, TLS.
    NoConnection,
    /// No answer by the deadline.
    TimedOut,
    /// The connection broke in the middle.
    Interrupted,
    /// Not a SOAP message.
    NotSoap,
    /// No body.
    Empty,
    /// A SOAP message that cannot be read.
    Malformed,
    /// wsa:RelatesTo is missing or names another request.
    WrongRelatesTo,
    /// A SOAP fault.
    Fault,
    /// The circuit breaker is open: it failed too often just now.
    Suspended,
    /// As many requests as it is allowed are under way.
    Busy,
    /// It has no endpoint for the transaction.
    NoEndpoint,
    /// The operator took it out of service.
    Disabled,
    /// Our own store, or a defect of ours.
    Internal,
}

impl Unavailable {
    /// Every reason, for status pages.
    pub const ALL: [Self; 13] = [
        Self::NoConnection,
        Self::TimedOut,
        Self::Interrupted,
        Self::NotSoap,
        Self::Empty,
        Self::Malformed,
        Self::WrongRelatesTo,
        Self::Fault,
        Self::Suspended,
        Self::Busy,
        Self::NoEndpoint,
        Self::Disabled,
        Self::Internal,
    ];

    /// The reason's name in metrics, and the words that a codeContext has for it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoConnection => ("no-connection", "no connection"),
            Self::TimedOut => ("timed-out", "no answer in time"),
            Self::Interrupted => ("interrupted", "the connection broke"),
            Self::NotSoap => ("not-soap", "the answer is no SOAP message"),
            Self::Empty => ("empty", "the answer is empty"),
            Self::Malformed => ("malformed", "the answer is malformed"),
            Self::WrongRelatesTo => {
                ("wrong-relates-to", "wsa:RelatesTo of the answer does not name the request")
            }
            Self::Fault => ("fault", "it answered with a SOAP fault"),
            Self::Suspended => ("suspended", "it is not asked for a while after repeated failures"),
            Self::Busy => ("busy", "too many requests to it are under way"),
            Self::NoEndpoint => ("no-endpoint", "no endpoint is configured for it"),
            Self::Disabled => ("disabled", "it is out of service by configuration"),
            Self::Internal => ("internal", "internal failure"),
        }
    }

    /// A stable name for metrics and status pages.
    pub fn label(self) -> &'static str {
        self.words().0
    }

    /// The words for consumers.
    pub fn reason(self) -> &'static str {
        self.words().1
    }

    /// Whether it shows that the service is dead or drowning, which is what a circuit breaker is for. A service that
    /// faults or answers nonsense answers at least, and one consumer's odd request must not take it from the others.
    pub fn is_outage(self) -> bool {
        matches!(self, Self::NoConnection | Self::TimedOut | Self::Interrupted | Self::Empty | Self::NotSoap)
    }
}

impl From<&CallError> for Unavailable {
    fn from(error: &CallError) -> Self {
        use crate::wire::soap::SoapError;
        match error {
            CallError::Connect(_) => Self::NoConnection,
            CallError::Deadline(_) => Self::TimedOut,
            CallError::Interrupted(_) => Self::Interrupted,
            CallError::NotSoap { .. } => Self::NotSoap,
            CallError::Empty(_) => Self::Empty,
            CallError::Malformed(SoapError::Stream(error)) => Self::from(error),
            CallError::Malformed(SoapError::ContentType(_)) => Self::NotSoap,
            CallError::Malformed(SoapError::Empty) => Self::Empty,
            CallError::Malformed(_) => Self::Malformed,
            CallError::WrongRelatesTo(_) => Self::WrongRelatesTo,
            CallError::TooManyAwaited => Self::Busy,
            CallError::Fault(_) => Self::Fault,
        }
    }
}

impl From<&StreamError> for Unavailable {
    fn from(error: &StreamError) -> Self {
        match error {
            StreamError::Interrupted(_) => Self::Interrupted,
            StreamError::Idle(_) => Self::TimedOut,
            StreamError::TooLarge { .. } | StreamError::Malformed(_) => Self::Malformed,
            StreamError::Store(_) => Self::Internal,
        }
    }
}
