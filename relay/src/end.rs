//! Why connections end, and what clients are told.

use thiserror::Error;
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::{outbox::Stuck, shared::Shared};

/// Why a connection ends.
#[derive(Debug, Error)]
pub(crate) enum End {
    #[error("the client left")]
    Left,
    #[error("the network failed: {0}")]
    Broken(tungstenite::Error),
    #[error("the client sent no sign of life")]
    Silent,
    #[error("the client did not read what was sent to it")]
    Slow,
    #[error("the client sent a message that is too long")]
    Oversized,
    #[error("the client sent text that is not UTF-8")]
    NotUtf8,
    #[error("the client broke the WebSocket protocol: {0}")]
    Protocol(tungstenite::Error),
    #[error("the relay ends")]
    Stopping,
}

impl End {
    /// What the client is told, unless it is gone.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Left | Self::Broken(_) => return None,
            Self::Silent => (CloseCode::Policy, "no answer to pings"),
            Self::Slow => (CloseCode::Policy, "too slow to read"),
            Self::Oversized => (CloseCode::Size, "message too long"),
            Self::NotUtf8 => (CloseCode::Invalid, "text is not UTF-8"),
            Self::Protocol(_) => (CloseCode::Protocol, "not the WebSocket protocol"),
            Self::Stopping => (CloseCode::Away, "the relay shuts down"),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }

    pub(crate) fn count(&self, shared: &Shared) {
        let meters = &shared.meters;
        match self {
            Self::Left | Self::Broken(_) | Self::Stopping => {}
            Self::Silent => meters.cut_silent.count(),
            Self::Slow => meters.cut_slow.count(),
            Self::Oversized => meters.cut_oversized.count(),
            Self::NotUtf8 | Self::Protocol(_) => meters.cut_protocol.count(),
        }
    }
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::{Error, error::ProtocolError};

        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Left,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Broken(error),
            Error::Protocol(_) => Self::Protocol(error),
            Error::Capacity(_) => Self::Oversized,
            Error::Utf8(_) => Self::NotUtf8,
            _ => Self::Broken(error),
        }
    }
}

impl From<Stuck> for End {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Overflowed => Self::Slow,
            Stuck::Broken(error) => Self::Broken(error.into()),
        }
    }
}
