//! How a peer that is connected becomes a member.
//!
//! Each side takes its own steps, says that it is ready, and waits for the other to say so. The
//! steps are the proof of the password, where there is one, and the application's own handshake,
//! where it has one.
//!
//! In Trystero's proof the initiator asks and the other side answers. Between two of ours the
//! other side asks too; what the initiator answers is bound to its id, so that nobody can have
//! his own question answered by asking it back.
//!
//! spec: docs/protocol.md, sections 5 and 11

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::action::internal;
use crate::crypto::{bound_password_proof, password_proof};
use crate::ids::{HandshakeId, PeerId};
use crate::join_failure::JoinFailure;
use crate::limits;
use crate::signaling::RoomNames;
use crate::time::Time;
use crate::wire::Payload;

/// The key that marks a password message among the application's handshake data.
const MARK: &str = "__trystero_pw";
/// The length of a challenge, in characters.
pub(super) const CHALLENGE_LENGTH: usize = 36;

/// What is said with a repeated `@_hsready`, so that it is not answered by another one. JavaScript
/// reads nothing of it.
const AGAIN: &str = "again";

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Admission {
    terms: Terms,
    own: Step,
    /// Whether the other side proves the password too, as ours do.
    proves_too: bool,
    is_remote_ready: bool,
    deadline: Time,
    /// What came for the application's handshake before it began.
    early: VecDeque<HandshakeMessage>,
}

/// Who meets whom, and what for.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) self_id: PeerId,
    pub(super) peer: PeerId,
    /// What the other side is asked. It is the same each time for one peer and room, also on a
    /// later visit: admission may be repeated over a connection, and the answer to an earlier one
    /// may still be on its way.
    pub(super) challenge: String,
    /// The run of the application's handshake, if it has one.
    pub(super) handshake: Option<HandshakeId>,
}

#[derive(Debug)]
enum Step {
    /// We asked for a proof.
    AwaitingProof,
    /// We are to be asked for one.
    AwaitingChallenge,
    /// It is the application's turn.
    Shaking(HandshakeId),
    /// We have nothing more to ask, and said so.
    Ready,
}

/// A message of the application's handshake.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HandshakeMessage {
    pub(super) payload: Payload,
    pub(super) metadata: Option<Value>,
    pub(super) size: usize,
}

/// What admission wants done.
#[derive(Debug, PartialEq)]
pub(super) enum AdmissionOutput {
    Say(&'static str, Payload),
    /// The application's handshake begins.
    Shake(HandshakeId),
    /// A message for it.
    HandOn(HandshakeId, HandshakeMessage),
    Admit,
    Refuse(JoinFailure),
}

impl Admission {
    pub(super) fn new(terms: Terms, proves_too: bool, deadline: Time) -> Self {
        Admission {
            terms,
            own: Step::AwaitingChallenge,
            proves_too,
            is_remote_ready: false,
            deadline,
            early: VecDeque::new(),
        }
    }

    /// Takes the first step.
    pub(super) fn begin(&mut self, names: &RoomNames) -> Vec<AdmissionOutput> {
        if names.password.is_empty() {
            return self.after_password();
        }
        if !self.is_initiator() {
            return Vec::new();
        }
        self.own = Step::AwaitingProof;
        vec![self.ask()]
    }

    /// The other side turns out to be one of ours, which proves the password too.
    pub(super) fn on_hello(&mut self) {
        self.proves_too = true;
    }

    /// Takes a message of the other side's steps.
    pub(super) fn on_data(
        &mut self,
        message: HandshakeMessage,
        names: &RoomNames,
    ) -> Vec<AdmissionOutput> {
        let password_message = match &message.payload {
            Payload::Json(json) if !names.password.is_empty() => PasswordMessage::read(json),
            Payload::Json(_) | Payload::Text(_) | Payload::Binary(_) => None,
        };
        match (&self.own, password_message) {
            (_, Some(PasswordMessage::Challenge(challenge))) => self.on_challenge(challenge, names),
            (Step::AwaitingProof, Some(PasswordMessage::Response(proof))) => {
                if proof == self.expected_proof(names) {
                    self.after_password()
                } else {
                    vec![AdmissionOutput::Refuse(JoinFailure::PasswordProof)]
                }
            }
            (_, Some(PasswordMessage::Response(_))) | (Step::Ready, None) => Vec::new(),
            (Step::Shaking(handshake), None) => {
                vec![AdmissionOutput::HandOn(*handshake, message)]
            }
            (Step::AwaitingProof | Step::AwaitingChallenge, None) => {
                self.keep_early(message);
                Vec::new()
            }
        }
    }

    /// The other side is ready. If it was so before then it began anew and has forgotten that we
    /// are; it is told again.
    pub(super) fn on_ready(&mut self, payload: &Payload) -> Vec<AdmissionOutput> {
        let was_ready = std::mem::replace(&mut self.is_remote_ready, true);
        let is_again = *payload == Payload::from(AGAIN);
        match self.own {
            Step::Ready if !was_ready => vec![AdmissionOutput::Admit],
            Step::Ready if !is_again => {
                vec![AdmissionOutput::Say(internal::HANDSHAKE_READY, AGAIN.into())]
            }
            Step::Ready | Step::AwaitingChallenge | Step::AwaitingProof | Step::Shaking(_) => {
                Vec::new()
            }
        }
    }

    /// The application lets the peer in.
    pub(super) fn accept(&mut self) -> Vec<AdmissionOutput> {
        self.become_ready()
    }

    /// Whether this run of the application's handshake is under way.
    pub(super) fn is_shaking(&self) -> Option<HandshakeId> {
        match self.own {
            Step::Shaking(handshake) => Some(handshake),
            Step::AwaitingProof | Step::AwaitingChallenge | Step::Ready => None,
        }
    }

    pub(super) fn deadline(&self) -> Time {
        self.deadline
    }

    /// Answers a challenge. The other side may have begun anew, so it gets an answer as often as
    /// it asks.
    fn on_challenge(&mut self, challenge: &str, names: &RoomNames) -> Vec<AdmissionOutput> {
        if self.is_initiator() {
            let answer = bound_proof(challenge, names, &self.terms.self_id);
            return if self.proves_too { vec![respond(&answer)] } else { Vec::new() };
        }
        let answer = proof(challenge, names);
        let mut said = vec![respond(&answer)];
        match self.own {
            Step::AwaitingChallenge | Step::AwaitingProof if self.proves_too => {
                self.own = Step::AwaitingProof;
                said.push(self.ask());
            }
            Step::AwaitingChallenge | Step::AwaitingProof => said.extend(self.after_password()),
            Step::Ready => said.extend(self.become_ready()),
            Step::Shaking(_) => {}
        }
        said
    }

    fn keep_early(&mut self, message: HandshakeMessage) {
        if self.terms.handshake.is_none() {
            return;
        }
        self.early.push_back(message);
        let bytes = |early: &VecDeque<HandshakeMessage>| -> usize {
            early.iter().map(|message| message.size).sum()
        };
        while self.early.len() > limits::EARLY_HANDSHAKE_MAX
            || bytes(&self.early) > limits::EARLY_HANDSHAKE_BYTES_MAX
        {
            self.early.pop_front();
        }
    }

    fn ask(&self) -> AdmissionOutput {
        let message = json!({ MARK: "challenge", "c": self.terms.challenge });
        AdmissionOutput::Say(internal::HANDSHAKE_DATA, Payload::Json(message))
    }

    fn expected_proof(&self, names: &RoomNames) -> String {
        let Terms { challenge, peer, .. } = &self.terms;
        if self.is_initiator() {
            proof(challenge, names)
        } else {
            bound_proof(challenge, names, peer)
        }
    }

    fn after_password(&mut self) -> Vec<AdmissionOutput> {
        let Some(handshake) = self.terms.handshake else { return self.become_ready() };
        self.own = Step::Shaking(handshake);
        let early = std::mem::take(&mut self.early).into_iter();
        let mut said = vec![AdmissionOutput::Shake(handshake)];
        said.extend(early.map(|message| AdmissionOutput::HandOn(handshake, message)));
        said
    }

    fn become_ready(&mut self) -> Vec<AdmissionOutput> {
        let was_ready = matches!(self.own, Step::Ready);
        self.own = Step::Ready;
        self.early.clear();
        let ready = Payload::Text(String::new());
        let mut said = vec![AdmissionOutput::Say(internal::HANDSHAKE_READY, ready)];
        if self.is_remote_ready && !was_ready {
            said.push(AdmissionOutput::Admit);
        }
        said
    }

    fn is_initiator(&self) -> bool {
        self.terms.self_id < self.terms.peer
    }
}

enum PasswordMessage<'a> {
    Challenge(&'a str),
    Response(&'a str),
}

impl<'a> PasswordMessage<'a> {
    fn read(message: &'a Value) -> Option<Self> {
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        match text(MARK)? {
            "challenge" => text("c").map(PasswordMessage::Challenge),
            "response" => text("h").map(PasswordMessage::Response),
            _ => None,
        }
    }
}

fn proof(challenge: &str, names: &RoomNames) -> String {
    password_proof(challenge, names.password.as_str(), &names.app_id, &names.room_id)
}

fn bound_proof(challenge: &str, names: &RoomNames, prover: &PeerId) -> String {
    let RoomNames { password, app_id, room_id, .. } = names;
    bound_password_proof(challenge, password.as_str(), app_id, room_id, prover.as_str())
}

fn respond(proof: &str) -> AdmissionOutput {
    let message = Payload::Json(json!({ MARK: "response", "h": proof }));
    AdmissionOutput::Say(internal::HANDSHAKE_DATA, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(password: &str) -> RoomNames {
        RoomNames::new("app", "room", &password.into(), &PeerId::new("a").unwrap())
    }

    fn admission(self_id: &str, peer: &str, proves_too: bool) -> Admission {
        let id = |text: &str| PeerId::new(text).unwrap();
        let (self_id, peer) = (id(self_id), id(peer));
        let challenge = format!("{self_id} asks");
        let terms = Terms { self_id, peer, challenge, handshake: None };
        Admission::new(terms, proves_too, Time::ZERO)
    }

    /// Carries what two sides say to each other until they are silent.
    fn talk(a: &str, b: &str, proves_too: bool) -> Vec<(char, AdmissionOutput)> {
        let (names_a, names_b) = (names(a), names(b));
        let mut sides = [admission("a", "b", proves_too), admission("b", "a", proves_too)];
        let mut said: VecDeque<(usize, AdmissionOutput)> = VecDeque::new();
        said.extend(sides[0].begin(&names_a).into_iter().map(|output| (0, output)));
        said.extend(sides[1].begin(&names_b).into_iter().map(|output| (1, output)));
        let mut results = Vec::new();
        while let Some((from, output)) = said.pop_front() {
            let to = 1 - from;
            let names = if to == 0 { &names_a } else { &names_b };
            let answers = match output {
                AdmissionOutput::Say(internal::HANDSHAKE_READY, said) => sides[to].on_ready(&said),
                AdmissionOutput::Say(_, payload) => {
                    let message = HandshakeMessage { payload, metadata: None, size: 0 };
                    sides[to].on_data(message, names)
                }
                other => {
                    results.push((if from == 0 { 'a' } else { 'b' }, other));
                    continue;
                }
            };
            said.extend(answers.into_iter().map(|output| (to, output)));
        }
        results
    }

    #[test]
    fn equal_passwords_are_proved_one_way_or_both() {
        for proves_too in [false, true] {
            let results = talk("secret", "secret", proves_too);
            assert_eq!(results.len(), 2, "{results:?}");
            assert!(results.iter().all(|(_, output)| *output == AdmissionOutput::Admit));
        }
    }

    #[test]
    fn between_ours_the_larger_id_finds_a_wrong_password_too() {
        let refusal = |results: Vec<(char, AdmissionOutput)>| {
            let refused = AdmissionOutput::Refuse(JoinFailure::PasswordProof);
            results.iter().filter(|(_, o)| *o == refused).map(|(who, _)| *who).collect::<String>()
        };
        assert_eq!(refusal(talk("right", "wrong", false)), "a");
        assert_eq!(refusal(talk("right", "wrong", true)), "ab");
    }

    #[test]
    fn an_answer_can_not_be_had_by_asking_the_question_back() {
        let names = names("secret");
        let mut initiator = admission("a", "b", true);
        initiator.begin(&names);
        let challenge = json!({ MARK: "challenge", "c": "a asks" });
        let message = |payload| HandshakeMessage { payload, metadata: None, size: 0 };
        let said = initiator.on_data(message(Payload::Json(challenge)), &names);
        let [AdmissionOutput::Say(_, answer)] = &said[..] else { panic!("{said:?}") };
        let refused = initiator.on_data(message(answer.clone()), &names);
        assert_eq!(refused, [AdmissionOutput::Refuse(JoinFailure::PasswordProof)]);
    }
}
