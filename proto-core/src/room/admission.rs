//! How a peer that is connected becomes a member.
//!
//! Each side takes its own steps, says that it is ready, and waits for the other to say so. The
//! one step that there is today is the proof of the password; the application's own handshake
//! comes between it and `@_hsready`.
//!
//! spec: docs/protocol.md, section 5

use serde_json::{Value, json};

use super::action::internal;
use crate::crypto::password_proof;
use crate::join_failure::JoinFailure;
use crate::signaling::RoomNames;
use crate::time::Time;
use crate::wire::Payload;

/// The key that marks a password message among the application's handshake data.
const MARK: &str = "__trystero_pw";
/// The length of a challenge, in characters.
pub(super) const CHALLENGE_LENGTH: usize = 36;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Admission {
    is_initiator: bool,
    own: Step,
    is_remote_ready: bool,
    deadline: Time,
}

#[derive(Debug)]
enum Step {
    /// We asked for a proof.
    AwaitingProof { expected: String },
    /// We are to be asked for one.
    AwaitingChallenge,
    /// We have nothing more to ask, and said so.
    Ready,
}

/// What admission wants done.
#[derive(Debug, PartialEq)]
pub(super) enum AdmissionOutput {
    Say(&'static str, Payload),
    Admit,
    Refuse(JoinFailure),
}

impl Admission {
    pub(super) fn new(is_initiator: bool, deadline: Time) -> Self {
        Admission { is_initiator, own: Step::AwaitingChallenge, is_remote_ready: false, deadline }
    }

    /// Takes the first step.
    ///
    /// `challenge` is the same each time for one peer and room, also on a later visit. Admission may
    /// be repeated over a connection, and the answer to an earlier one may still be on its way.
    pub(super) fn begin(&mut self, names: &RoomNames, challenge: &str) -> Vec<AdmissionOutput> {
        if names.password.is_empty() {
            return self.become_ready();
        }
        if !self.is_initiator {
            return Vec::new();
        }
        let expected = password_proof(challenge, &names.password, &names.app_id, &names.room_id);
        self.own = Step::AwaitingProof { expected };
        let message = json!({ MARK: "challenge", "c": challenge });
        vec![AdmissionOutput::Say(internal::HANDSHAKE_DATA, Payload::Json(message))]
    }

    /// Takes a message of the other side's steps.
    pub(super) fn on_data(&mut self, payload: &Payload, names: &RoomNames) -> Vec<AdmissionOutput> {
        let Payload::Json(message) = payload else { return Vec::new() };
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        match (&self.own, text(MARK)) {
            // The other side may have begun anew, so it gets an answer as often as it asks.
            (Step::AwaitingChallenge | Step::Ready, Some("challenge"))
                if self.may_be_asked(names) =>
            {
                let Some(challenge) = text("c") else { return Vec::new() };
                let proof =
                    password_proof(challenge, &names.password, &names.app_id, &names.room_id);
                let message = Payload::Json(json!({ MARK: "response", "h": proof }));
                let mut said = vec![AdmissionOutput::Say(internal::HANDSHAKE_DATA, message)];
                said.extend(self.become_ready());
                said
            }
            (Step::AwaitingProof { expected }, Some("response")) => {
                if text("h") == Some(expected) {
                    self.become_ready()
                } else {
                    vec![AdmissionOutput::Refuse(JoinFailure::PasswordProof)]
                }
            }
            (Step::AwaitingChallenge | Step::AwaitingProof { .. } | Step::Ready, _) => Vec::new(),
        }
    }

    /// The other side is ready.
    pub(super) fn on_ready(&mut self) -> Vec<AdmissionOutput> {
        let was_ready = std::mem::replace(&mut self.is_remote_ready, true);
        match self.own {
            Step::Ready if !was_ready => vec![AdmissionOutput::Admit],
            Step::Ready | Step::AwaitingChallenge | Step::AwaitingProof { .. } => Vec::new(),
        }
    }

    fn may_be_asked(&self, names: &RoomNames) -> bool {
        !self.is_initiator && !names.password.is_empty()
    }

    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }

    fn become_ready(&mut self) -> Vec<AdmissionOutput> {
        self.own = Step::Ready;
        let ready = Payload::Text(String::new());
        let mut said = vec![AdmissionOutput::Say(internal::HANDSHAKE_READY, ready)];
        if self.is_remote_ready {
            said.push(AdmissionOutput::Admit);
        }
        said
    }
}
