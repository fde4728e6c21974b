//! Datagrams that leave together.
//!
//! What a transfer sends in one turn is many datagrams of one size that go the same way. One after
//! another they are put into one [`Transmit`], which an operating system takes in one call and cuts
//! itself.

use bytes::BytesMut;
use tristero_proto::engine::Transmit;

/// Datagrams in one [`Transmit`]: what Linux takes of one call (`UDP_MAX_SEGMENTS`).
const SEGMENTS_MAX: usize = 64;
/// Bytes in one [`Transmit`]: less than a datagram's length field holds, with all headers.
const BYTES_MAX: usize = 65_000;

/// Puts datagrams together.
#[derive(Debug, Default)]
pub(crate) struct Trains {
    /// What the next datagram may be coupled to.
    first: Option<Transmit>,
    /// The first and others, if there are others.
    bytes: BytesMut,
    is_full: bool,
}

impl Trains {
    /// Takes a datagram, and gives what is complete without it.
    pub(crate) fn couple(&mut self, next: Transmit) -> Option<Transmit> {
        let Some(first) = self.first.as_ref().filter(|first| self.takes(first, &next)) else {
            return self.take_before(next);
        };
        let size = first.bytes.len();
        if self.bytes.is_empty() {
            self.bytes.reserve(BYTES_MAX);
            self.bytes.extend_from_slice(&first.bytes);
        }
        self.bytes.extend_from_slice(&next.bytes);
        let count = self.bytes.len().div_ceil(size);
        self.is_full = next.bytes.len() < size || count >= SEGMENTS_MAX;
        None
    }

    /// What is left.
    pub(crate) fn take(&mut self) -> Option<Transmit> {
        let mut train = self.first.take()?;
        self.is_full = false;
        if !self.bytes.is_empty() {
            train.segment_size = Some(train.bytes.len());
            train.bytes = self.bytes.split().freeze();
        }
        Some(train)
    }

    fn take_before(&mut self, next: Transmit) -> Option<Transmit> {
        let train = self.take();
        self.is_full = next.segment_size.is_some() || next.bytes.is_empty();
        self.first = Some(next);
        train
    }

    fn takes(&self, first: &Transmit, next: &Transmit) -> bool {
        !self.is_full
            && first.path == next.path
            && first.ecn == next.ecn
            && next.segment_size.is_none()
            && (1..=first.bytes.len()).contains(&next.bytes.len())
            && self.bytes.len().max(first.bytes.len()) + next.bytes.len() <= BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tristero_proto::engine::Path;

    use super::*;

    fn datagram(port: u16, bytes: usize) -> Transmit {
        let path =
            Path { local: ([192, 0, 2, 1], 1).into(), remote: ([192, 0, 2, 2], port).into() };
        let bytes = Bytes::from(vec![7; bytes]);
        Transmit { path, bytes, segment_size: None, ecn: None }
    }

    /// Who gets how many bytes, in segments of what size.
    fn trains(datagrams: &[(u16, usize)]) -> Vec<(u16, usize, Option<usize>)> {
        let mut trains = Trains::default();
        let mut left: Vec<Transmit> = Vec::new();
        for (port, bytes) in datagrams {
            left.extend(trains.couple(datagram(*port, *bytes)));
        }
        left.extend(trains.take());
        assert_eq!(trains.take(), None);
        let of =
            |train: Transmit| (train.path.remote.port(), train.bytes.len(), train.segment_size);
        left.into_iter().map(of).collect()
    }

    #[test]
    fn datagrams_of_one_size_leave_together_and_one_alone_as_it_is() {
        assert_eq!(trains(&[(1, 100)]), [(1, 100, None)]);
        assert_eq!(trains(&[(1, 100), (1, 100), (1, 100)]), [(1, 300, Some(100))]);
    }

    #[test]
    fn a_shorter_one_is_the_last_and_a_longer_one_begins_anew() {
        let sent = [(1, 100), (1, 100), (1, 40), (1, 40), (1, 100)];
        assert_eq!(trains(&sent), [(1, 240, Some(100)), (1, 40, None), (1, 100, None)]);
    }

    #[test]
    fn what_goes_another_way_leaves_apart_and_nothing_is_overtaken() {
        let sent = [(1, 100), (2, 100), (2, 100), (1, 100)];
        assert_eq!(trains(&sent), [(1, 100, None), (2, 200, Some(100)), (1, 100, None)]);
    }

    #[test]
    fn no_train_is_longer_than_an_operating_system_takes() {
        let of = |sent: &[(u16, usize)]| {
            trains(sent).into_iter().map(|(_, bytes, _)| bytes).collect::<Vec<_>>()
        };
        assert_eq!(of(&[(1, 10); 100]), [640, 360]);
        assert_eq!(of(&[(1, 1_200); 60]), [54 * 1_200, 6 * 1_200]);
    }
}
