//! Messages of multicast DNS: questions for addresses, and answers to them.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

/// What somebody said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Names, in lower case, and what they stand for.
    Answers(Vec<(String, IpAddr)>),
    /// Names, in lower case, that somebody wants to know about.
    Questions {
        /// The number of the question, for who asks as a resolver of the usual kind.
        id: u16,
        asked: Vec<Asked>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) record: Record,
}

/// What of a name is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    V4,
    V6,
    Any,
}

impl Record {
    pub(super) fn is_of(self, address: IpAddr) -> bool {
        match self {
            Record::V4 => address.is_ipv4(),
            Record::V6 => address.is_ipv6(),
            Record::Any => true,
        }
    }
}

/// For whom an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// All.
    Group,
    /// One that asks as a resolver of the usual kind, by this number (RFC 6762, section 6.7).
    Resolver { id: u16 },
}

/// RFC 1035, section 4.1.1.
const HEADER_BYTES: usize = 12;
/// The shortest entry: a question for the root.
const ENTRY_BYTES_MIN: usize = 5;

/// Reads a message; nothing if it is not one, or says nothing of addresses.
pub(super) fn parse(bytes: &[u8]) -> Option<Heard> {
    // The codec makes room for as many as the header says there are.
    let counts = bytes.get(4..HEADER_BYTES)?.chunks_exact(2);
    let count: usize = counts.map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    if count * ENTRY_BYTES_MIN > bytes.len() - HEADER_BYTES {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    if packet.has_flags(PacketFlag::RESPONSE) {
        // Some give the address along with something else that they were asked for.
        let records = packet.answers.iter().chain(&packet.additional_records);
        let answers: Vec<_> = records.filter_map(answer_of).collect();
        return (!answers.is_empty()).then_some(Heard::Answers(answers));
    }
    let asked: Vec<_> = packet.questions.iter().filter_map(asked_of).collect();
    (!asked.is_empty()).then(|| Heard::Questions { id: packet.id(), asked })
}

/// Asks for the addresses of a name, in a message for each kind: Chromium does not answer one with
/// two questions. Nothing if it is no name.
pub(super) fn emit_questions(name: &str) -> Option<[Vec<u8>; 2]> {
    let message = |record| {
        let mut packet = Packet::new_query(0);
        packet.questions.push(question(name, record)?);
        packet.build_bytes_vec_compressed().ok()
    };
    Some([message(TYPE::A)?, message(TYPE::AAAA)?])
}

/// Says what names stand for; nothing if one is no name.
pub(super) fn emit_answer(answers: &[(&str, IpAddr)], audience: Audience) -> Option<Vec<u8>> {
    let (id, lifetime) = match audience {
        Audience::Group => (0, LIFETIME_SECONDS),
        Audience::Resolver { id } => (id, RESOLVER_LIFETIME_SECONDS),
    };
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    for (name, address) in answers {
        let (record, data) = match address {
            IpAddr::V4(address) => (TYPE::A, RData::A((*address).into())),
            IpAddr::V6(address) => (TYPE::AAAA, RData::AAAA((*address).into())),
        };
        if audience != Audience::Group {
            packet.questions.push(question(name, record)?);
        }
        let answer = ResourceRecord::new(Name::new(name).ok()?, CLASS::IN, lifetime, data);
        packet.answers.push(answer.with_cache_flush(audience == Audience::Group));
    }
    packet.build_bytes_vec_compressed().ok()
}

fn question(name: &str, record: TYPE) -> Option<Question<'_>> {
    Some(Question::new(Name::new(name).ok()?, record.into(), CLASS::IN.into(), false))
}

fn answer_of(record: &ResourceRecord<'_>) -> Option<(String, IpAddr)> {
    let address = match &record.rdata {
        RData::A(data) => IpAddr::V4(data.address.into()),
        RData::AAAA(data) => IpAddr::V6(data.address.into()),
        _ => return None,
    };
    // spec: RFC 6762, section 10.1: a record that is taken back
    let is_known = record.ttl > 0 && record.class == CLASS::IN;
    is_known.then(|| (text(&record.name), address))
}

fn asked_of(question: &Question<'_>) -> Option<Asked> {
    let record = match question.qtype {
        QTYPE::TYPE(TYPE::A) => Record::V4,
        QTYPE::TYPE(TYPE::AAAA) => Record::V6,
        QTYPE::ANY => Record::Any,
        _ => return None,
    };
    let is_ours = matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY);
    is_ours.then(|| Asked { name: text(&question.qname), record })
}

fn text(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// How long others may remember an answer: RFC 6762, section 10, for names of hosts.
const LIFETIME_SECONDS: u32 = 120;
/// The same for who would not hear of a change: RFC 6762, section 6.7.
const RESOLVER_LIFETIME_SECONDS: u32 = 10;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const NAME: &str = "3f6c1a9e-70d4-4b52-9c1e-8f2a5d7b6c30.local";

    #[test]
    fn questions_ask_for_both_kinds_of_address() {
        let heard = emit_questions(&NAME.to_uppercase()).unwrap().map(|message| parse(&message));
        let expected = [Record::V4, Record::V6].map(|record| {
            let asked = vec![Asked { name: NAME.to_owned(), record }];
            Some(Heard::Questions { id: 0, asked })
        });
        assert_eq!(heard, expected);
        assert_eq!(emit_questions(&"x".repeat(64)), None);
    }

    #[test]
    fn what_is_answered_is_read_back() {
        let v4 = IpAddr::from(Ipv4Addr::new(192, 168, 1, 7));
        let v6 = IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7));
        for audience in [Audience::Group, Audience::Resolver { id: 77 }] {
            let answer = emit_answer(&[(NAME, v4), ("other.local", v6)], audience).unwrap();
            let expected = vec![(NAME.to_owned(), v4), ("other.local".to_owned(), v6)];
            assert_eq!(parse(&answer), Some(Heard::Answers(expected)));
        }
    }

    #[test]
    fn a_resolver_is_answered_by_number_and_may_not_remember_for_long() {
        let v4 = IpAddr::from(Ipv4Addr::new(192, 168, 1, 7));
        let answer = emit_answer(&[(NAME, v4)], Audience::Resolver { id: 77 }).unwrap();
        let packet = Packet::parse(&answer).unwrap();
        assert_eq!((packet.id(), packet.questions.len()), (77, 1));
        assert!(packet.answers[0].ttl <= 10 && !packet.answers[0].cache_flush);
    }

    #[test]
    fn what_is_no_message_is_nothing() {
        let [question, _] = emit_questions(NAME).unwrap();
        for length in 0..question.len() {
            assert_eq!(parse(&question[..length]), None);
        }
        for byte in 0..question.len() {
            let mut broken = question.clone();
            for value in 0..=255 {
                broken[byte] = value;
                let _ = parse(&broken);
            }
        }
    }
}
