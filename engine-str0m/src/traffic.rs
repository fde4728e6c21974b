//! What is known of a connection's path from the datagrams that pass: no statistics timer wakes an
//! idle connection for it.

use std::time::Duration;

use tristero_proto::Time;
use tristero_proto::engine::Path;

use crate::datagram::is_stun;

/// A STUN message's transaction, which its answer repeats.
pub(crate) type TransactionId = [u8; 12];

/// Counts and measures of one connection.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    /// Where data was sent last.
    pub(crate) path: Option<Path>,
    pub(crate) rtt: Option<Duration>,
    /// The last round trips, of which one alone may have waited in a queue.
    rtts: [Option<Duration>; RTTS],
    /// The last check of that path, which is not answered yet.
    check: Option<(TransactionId, Time)>,
}

impl Traffic {
    /// Notes a datagram of ours; returns whether it checks its path.
    pub(crate) fn on_sent(&mut self, path: Path, bytes: &[u8], now: Time) -> bool {
        self.bytes_sent += bytes.len() as u64;
        let check = transaction_of_check(bytes);
        match check {
            Some(transaction) if self.path.is_none_or(|used| used == path) => {
                self.check = Some((transaction, now));
            }
            None if !is_stun(bytes) && self.path != Some(path) => {
                self.path = Some(path);
                self.rtts = Default::default();
            }
            Some(_) | None => {}
        }
        check.is_some()
    }

    /// Notes a datagram of the other side.
    pub(crate) fn on_received(&mut self, bytes: &[u8]) {
        self.bytes_received += bytes.len() as u64;
    }

    /// Notes an answer to a check.
    pub(crate) fn on_answer(&mut self, answer: &[u8], now: Time) {
        if let Some((_, sent)) = self.check.take_if(|(id, _)| transaction(answer) == Some(*id)) {
            self.rtt = Some(now.since(sent));
            self.rtts.rotate_right(1);
            self.rtts[0] = self.rtt;
        }
    }

    /// The round trip of the path as such: the least of the last ones.
    pub(crate) fn rtt_min(&self) -> Option<Duration> {
        self.rtts.iter().flatten().min().copied().or(self.rtt)
    }
}

/// Round trips that are remembered: those of some 10 s.
const RTTS: usize = 4;

/// The transaction of a STUN binding request.
fn transaction_of_check(bytes: &[u8]) -> Option<TransactionId> {
    if bytes.starts_with(&BINDING_REQUEST) { transaction(bytes) } else { None }
}

/// spec: RFC 8489 section 5: type, length and magic cookie stand before it
fn transaction(stun: &[u8]) -> Option<TransactionId> {
    stun.get(8..20)?.try_into().ok()
}

const BINDING_REQUEST: [u8; 2] = [0, 1];

#[cfg(test)]
mod tests {
    use super::*;

    fn stun(kind: u16, id: u8) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0; 6]);
        bytes.extend([id; 12]);
        bytes
    }

    fn path(port: u16) -> Path {
        Path { local: ([192, 0, 2, 1], 1).into(), remote: ([192, 0, 2, 2], port).into() }
    }

    #[test]
    fn the_round_trip_is_measured_on_the_path_in_use() {
        let mut traffic = Traffic::default();
        traffic.on_sent(path(1), &[22; 100], Time::ZERO);
        assert!(traffic.on_sent(path(1), &stun(1, 7), Time::from_millis(100)));
        assert!(traffic.on_sent(path(2), &stun(1, 8), Time::from_millis(110)));
        traffic.on_answer(&stun(0x101, 8), Time::from_millis(120));
        assert_eq!(traffic.rtt, None, "that was another path");
        traffic.on_answer(&stun(0x101, 7), Time::from_millis(150));
        assert_eq!(traffic.rtt, Some(Duration::from_millis(50)));
        assert_eq!(traffic.path, Some(path(1)));
    }

    #[test]
    fn the_least_of_the_last_round_trips_is_that_of_the_path() {
        let mut traffic = Traffic::default();
        traffic.on_sent(path(1), &[22; 100], Time::ZERO);
        for (check, millis) in [50, 20, 70, 80, 90, 60].into_iter().enumerate() {
            let id = u8::try_from(check).unwrap();
            traffic.on_sent(path(1), &stun(1, id), Time::ZERO);
            traffic.on_answer(&stun(0x101, id), Time::from_millis(millis));
        }
        assert_eq!(traffic.rtt_min(), Some(Duration::from_millis(60)), "20 ms is too long ago");
        traffic.on_sent(path(2), &[22; 100], Time::ZERO);
        assert_eq!(traffic.rtt_min(), traffic.rtt, "that was another path");
    }

    #[test]
    fn bytes_are_counted_both_ways_and_answers_of_ours_are_no_checks() {
        let mut traffic = Traffic::default();
        assert!(!traffic.on_sent(path(1), &stun(0x101, 1), Time::ZERO));
        assert_eq!(traffic.path, None);
        traffic.on_received(&[23; 30]);
        assert_eq!((traffic.bytes_sent, traffic.bytes_received), (20, 30));
    }
}
