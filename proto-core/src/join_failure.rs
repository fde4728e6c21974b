//! Why a peer that was met did not join.

use std::time::Duration;

use crate::engine::Obstacle;

/// Why no room came about with a peer. The text is JavaScript Trystero's, where it has one.
///
/// spec: docs/protocol.md, sections 2 and 5
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinFailure {
    /// Its offer does not open with our password.
    #[error("incorrect room password when decrypting offer")]
    OfferPassword,
    /// Its answer does not open with our password.
    #[error("incorrect room password when decrypting answer")]
    AnswerPassword,
    /// Its session description opens and is none.
    #[error("invalid session description from peer: {0}")]
    Description(
        /// What is wrong with it.
        String,
    ),
    /// Descriptions were exchanged, and no connection came about in time.
    #[error("could not connect to peer {peer} after exchanging SDP{}", hint(*obstacle))]
    NotConnected {
        /// The peer.
        peer: String,
        /// Why, if that can be told.
        obstacle: Option<Obstacle>,
    },
    /// It is connected, and its proof of the password is wrong.
    #[error("Trystero: incorrect password for overlapping room")]
    PasswordProof,
    /// It is connected, and did not get ready in time: it may have no password where we have one,
    /// or have left.
    #[error("Trystero: handshake timed out after {}ms", .after.as_millis())]
    HandshakeTimedOut {
        /// The time it was given.
        after: Duration,
    },
    /// It is connected, and the application's handshake refused it.
    #[error("{reason}")]
    HandshakeRefused {
        /// Why, in the application's words.
        reason: String,
    },
}

fn hint(obstacle: Option<Obstacle>) -> String {
    obstacle.map_or_else(String::new, |obstacle| format!("; {obstacle}"))
}

impl JoinFailure {
    /// A short name that stays the same, for logs and programs.
    pub fn code(&self) -> &'static str {
        match self {
            JoinFailure::OfferPassword => "offer-password",
            JoinFailure::AnswerPassword => "answer-password",
            JoinFailure::Description(_) => "description",
            JoinFailure::NotConnected { .. } => "not-connected",
            JoinFailure::PasswordProof => "password-proof",
            JoinFailure::HandshakeTimedOut { .. } => "handshake-timed-out",
            JoinFailure::HandshakeRefused { .. } => "handshake-refused",
        }
    }
}
