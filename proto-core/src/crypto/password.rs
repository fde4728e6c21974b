//! The proof that a peer knows a room's password, made inside the connection.
//!
//! Signals under one password open with that password alone, but a connection made for another
//! room can be attached to this one, so each room asks again.
//!
//! spec: docs/protocol.md, section 5

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::token_text;

/// What the members of a room know and others do not; empty is none. It is never logged.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Password(text.to_owned())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Password(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "secret" })
    }
}

/// The answer to a challenge.
pub fn password_proof(challenge: &str, password: &str, app_id: &str, room_id: &str) -> String {
    token_text(&Sha256::digest(format!("{challenge}:{password}:{app_id}:{room_id}")))
}

/// The answer that the initiator gives to a challenge of one of ours: bound to its id, so that
/// nobody has his own challenge answered by asking it back.
pub fn bound_password_proof(
    challenge: &str,
    password: &str,
    app_id: &str,
    room_id: &str,
    prover: &str,
) -> String {
    token_text(&Sha256::digest(format!("{challenge}:{password}:{app_id}:{room_id}:{prover}")))
}
