//! The proof that a peer knows a room's password, made inside the connection.
//!
//! Signals under one password open with that password alone, but a connection made for another
//! room can be attached to this one, so each room asks again.
//!
//! spec: docs/protocol.md, section 5

use sha2::{Digest as _, Sha256};

use super::token_text;

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
