//! How long packets of Opus are (RFC 6716, section 3.1), and the head of files with it (RFC 7845).

use crate::error::ReadError;

/// Samples in a packet, at 48 kHz; `None` if it is no packet of Opus.
pub(crate) fn samples(packet: &[u8]) -> Option<u64> {
    let first = *packet.first()?;
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 0x3f),
    };
    let samples = frames * samples_of_a_frame(first);
    (1..=PACKET_SAMPLES_MAX).contains(&samples).then_some(samples)
}

/// Packets of which a decoder makes up for `samples` that are missing, in the configuration of the
/// packet `like` that was before them: frames without bytes (RFC 7845, section 4.1).
///
/// Less than a frame is not made up for.
pub(crate) fn concealment(like: u8, samples: u64) -> impl Iterator<Item = [u8; 2]> {
    let a_frame = samples_of_a_frame(like);
    let most = PACKET_SAMPLES_MAX / a_frame;
    let mut frames = samples / a_frame;
    std::iter::from_fn(move || {
        let now = frames.min(most);
        frames -= now;
        // Code 3, of one size and without padding; there are 48 of them at most.
        (now > 0).then(|| [like | 3, u8::try_from(now).expect("48 at most")])
    })
}

/// The head of an Ogg stream, and the private data of a track in WebM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) channels: u8,
    /// Samples at the beginning that are decoded and not played.
    pub(crate) pre_skip: u16,
}

impl Head {
    /// RFC 7845, section 5.1.
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, ReadError> {
        if packet.len() < 19 || &packet[..8] != HEAD_MAGIC {
            return Err(ReadError::Damaged("its head is not that of Opus"));
        }
        if packet[8] >> 4 != 0 {
            return Err(ReadError::Unsupported("a later form of Ogg Opus".to_owned()));
        }
        if packet[18] != 0 {
            return Err(ReadError::Unsupported("more than two channels of sound".to_owned()));
        }
        let channels = packet[9];
        if !(1..=2).contains(&channels) {
            return Err(ReadError::Damaged("it has neither one channel nor two"));
        }
        Ok(Head { channels, pre_skip: u16::from_le_bytes([packet[10], packet[11]]) })
    }

    /// What [`Head::parse`] reads.
    pub(crate) fn emit(self) -> [u8; 19] {
        let mut packet = [0; 19];
        packet[..8].copy_from_slice(HEAD_MAGIC);
        packet[8] = 1;
        packet[9] = self.channels;
        packet[10..12].copy_from_slice(&self.pre_skip.to_le_bytes());
        packet[12..16].copy_from_slice(&RATE.to_le_bytes());
        packet
    }
}

/// Samples in a second, whatever was encoded.
pub(crate) const RATE: u32 = 48_000;

/// What libopus needs before its first sample at 48 kHz, and every browser has libopus.
pub(crate) const PRE_SKIP: u16 = 312;

pub(crate) const HEAD_MAGIC: &[u8; 8] = b"OpusHead";

/// 120 ms.
const PACKET_SAMPLES_MAX: u64 = 5_760;

fn samples_of_a_frame(first: u8) -> u64 {
    let configuration = first >> 3;
    let by_two = u32::from(configuration & 3);
    match configuration {
        0..=11 if by_two == 3 => 2_880,
        0..=11 => 480 << by_two,
        12..=15 => 480 << (configuration & 1),
        _ => 120 << by_two,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_long_as_their_first_byte_says() {
        // RFC 6716, table 2.
        let durations =
            [(0, 480), (3, 2_880), (5, 960), (12, 480), (15, 960), (16, 120), (31, 960)];
        for (configuration, samples_of_one) in durations {
            assert_eq!(samples(&[configuration << 3]), Some(samples_of_one));
            assert_eq!(
                samples(&[configuration << 3 | 1]),
                Some(2 * samples_of_one).filter(|all| *all <= 5_760)
            );
        }
        assert_eq!(samples(&[31 << 3 | 3, 6]), Some(5_760));
        assert_eq!(samples(&[31 << 3 | 3, 7]), None, "longer than 120 ms");
        assert_eq!(samples(&[31 << 3 | 3, 0]), None);
        assert_eq!(samples(&[31 << 3 | 3]), None);
        assert_eq!(samples(&[]), None);
    }

    #[test]
    fn what_is_missing_is_as_long_in_packets_that_conceal_it() {
        for configuration in 0..32 {
            let first = configuration << 3;
            let packets: Vec<[u8; 2]> = concealment(first, 48_000).collect();
            let all: u64 = packets.iter().map(|packet| samples(packet).expect("a packet")).sum();
            let a_frame = samples(&[first]).expect("a packet");
            assert_eq!(all, 48_000 / a_frame * a_frame);
        }
        assert_eq!(concealment(31 << 3, 959).count(), 0);
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { channels: 2, pre_skip: PRE_SKIP };
        assert_eq!(Head::parse(&head.emit()).expect("a head"), head);
        let mut surround = head.emit();
        surround[18] = 1;
        assert!(matches!(Head::parse(&surround), Err(ReadError::Unsupported(_))));
    }
}
