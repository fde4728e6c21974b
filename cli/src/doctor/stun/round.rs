//! Questions to STUN servers over one socket, all at once, each repeated until it is answered.
//!
//! The engine of a node asks only where a server sees it. Here it is also asked for answers from
//! elsewhere, which shows what a NAT lets in.
//!
//! spec: RFC 8489, sections 6 and 7; RFC 5780, section 7

use std::net::SocketAddr;
use std::time::Duration;

use stun_proto::types::attribute::{
    AttributeType, ErrorCode, MappedSocketAddr, RawAttribute, XorMappedAddress,
};
use stun_proto::types::message::{BINDING, Message, MessageWriteVec, TransactionId};
use stun_proto::types::prelude::{MessageWrite as _, MessageWriteExt as _};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct Question {
    pub(in crate::doctor) to: SocketAddr,
    pub(in crate::doctor) change: Change,
}

/// From where it is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Change {
    /// From where it was asked.
    Nothing,
    /// From its other port.
    Port,
    /// From its other address and port.
    AddressAndPort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) struct Answer {
    /// Where it sees the socket.
    pub(in crate::doctor) mapped: SocketAddr,
    /// Its other address and port, if it has one.
    pub(in crate::doctor) other: Option<SocketAddr>,
    pub(in crate::doctor) took: Duration,
}

/// An answer to a question, or why there is none.
pub(in crate::doctor) type Answered = Result<Answer, String>;

/// A question that is out.
struct Asked {
    transaction: TransactionId,
    bytes: Vec<u8>,
    to: SocketAddr,
    answer: Option<Answered>,
    /// What came of the last attempt to send it.
    unsent: Option<String>,
}

/// Asks, and resolves when all questions are answered, or when it is time.
pub(in crate::doctor) async fn ask(
    socket: &UdpSocket,
    questions: &[Question],
    deadline: Instant,
) -> Vec<Answered> {
    let begun = Instant::now();
    let mut asked: Vec<Asked> = questions.iter().map(|question| Asked::new(*question)).collect();
    // Whoever is late then has no answer.
    let _ = timeout_at(deadline, converse(socket, &mut asked, begun)).await;
    let answer = |asked: Asked| {
        let silence = asked.unsent.unwrap_or_else(|| format!("no answer from {}", asked.to));
        asked.answer.unwrap_or(Err(silence))
    };
    asked.into_iter().map(answer).collect()
}

async fn converse(socket: &UdpSocket, asked: &mut [Asked], begun: Instant) {
    let (mut again, mut pause) = (begun, REPEATED_FIRST);
    let mut buffer = [0; ANSWER_BYTES_MAX];
    while asked.iter().any(|asked| asked.answer.is_none()) {
        tokio::select! {
            () = sleep_until(again) => {
                for asked in asked.iter_mut().filter(|asked| asked.answer.is_none()) {
                    asked.send(socket).await;
                }
                again = Instant::now() + pause;
                pause *= 2;
            }
            received = socket.recv_from(&mut buffer) => {
                // An error is that of an earlier datagram, and a question is repeated anyway.
                let Ok((length, _)) = received else { continue };
                let Ok(message) = Message::from_bytes(&buffer[..length]) else { continue };
                if let Some(asked) = asked.iter_mut().find(|asked| asked.is_answered_by(&message)) {
                    asked.answer = Some(read(&message, begun.elapsed()));
                }
            }
        }
    }
}

impl Asked {
    fn new(question: Question) -> Self {
        let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
        let transaction = request.transaction_id();
        if let Some(flags) = question.change.flags() {
            let attribute = RawAttribute::new(CHANGE_REQUEST, &flags);
            request.add_attribute(&attribute).expect("a request has room for its one attribute");
        }
        let bytes = request.finish();
        Asked { transaction, bytes, to: question.to, answer: None, unsent: None }
    }

    async fn send(&mut self, socket: &UdpSocket) {
        let sent = socket.send_to(&self.bytes, self.to).await;
        self.unsent = sent.err().map(|error| format!("{} can't be reached: {error}", self.to));
    }

    /// Whoever answers knows the transaction, which is a random number: it may be another address
    /// that answers than was asked.
    fn is_answered_by(&self, message: &Message<'_>) -> bool {
        self.answer.is_none()
            && message.is_response()
            && message.transaction_id() == self.transaction
    }
}

impl Change {
    /// spec: RFC 5780, section 7.2
    fn flags(self) -> Option<[u8; 4]> {
        match self {
            Change::Nothing => None,
            Change::Port => Some([0, 0, 0, 0b010]),
            Change::AddressAndPort => Some([0, 0, 0, 0b110]),
        }
    }
}

fn read(message: &Message<'_>, took: Duration) -> Answered {
    if let Ok(error) = message.attribute::<ErrorCode>() {
        return Err(format!("it refuses: {} {}", error.code(), error.reason()));
    }
    let mapped = message.attribute::<XorMappedAddress>();
    let mapped = mapped.map_err(|_| "what it answers makes no sense".to_owned())?;
    let other = message.raw_attribute(OTHER_ADDRESS);
    let other = other.and_then(|raw| MappedSocketAddr::from_raw(&raw).ok());
    Ok(Answer {
        mapped: mapped.addr(message.transaction_id()),
        other: other.map(|other| other.addr()),
        took,
    })
}

/// A question is repeated after this long, and each later time after twice as long as before: RFC
/// 8489, section 6.2.1, has 500 ms for who knows nothing of the path, and people are waiting here.
const REPEATED_FIRST: Duration = Duration::from_millis(250);

/// A STUN message over UDP fits this (RFC 8489, section 6.1, has less).
const ANSWER_BYTES_MAX: usize = 2_048;

/// spec: RFC 5780, section 7.2
const CHANGE_REQUEST: AttributeType = AttributeType::new(0x0003);
/// spec: RFC 5780, section 7.4
const OTHER_ADDRESS: AttributeType = AttributeType::new(0x802c);
