//! Messages of a TURN server in a stream of bytes.
//!
//! The crate below leaves out the padding that channel data has over a stream, so that all after it
//! would be misread; it gets and gives one message at a time, without it.
//!
//! spec: RFC 8656, section 12.5 and RFC 8489, section 6.2.2

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of a stream that are no whole message yet.
#[derive(Debug, Default)]
pub(crate) struct Framing(BytesMut);

/// What comes is not from a TURN server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nonsense;

impl Framing {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole message. A length has 16 bits, so what waits for the rest is bounded.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Nonsense> {
        let Some((first, length)) = head(&self.0) else { return Ok(None) };
        let message = match first {
            STUN => STUN_HEADER_BYTES + length,
            CHANNEL => CHANNEL_HEADER_BYTES + length,
            _ => return Err(Nonsense),
        };
        let padded = message.next_multiple_of(PADDED_TO);
        if self.0.len() < padded {
            return Ok(None);
        }
        let whole = self.0.split_to(message).freeze();
        self.0.advance(padded - message);
        Ok(Some(whole))
    }
}

/// How many zeros follow a message in a stream.
pub(crate) fn padding(message: &[u8]) -> usize {
    message.len().next_multiple_of(PADDED_TO) - message.len()
}

/// The two bits that say what it is, and its length without header and padding.
fn head(bytes: &[u8]) -> Option<(u8, usize)> {
    let [first, _, high, low] = bytes.first_chunk()?;
    Some((first >> 6, usize::from(u16::from_be_bytes([*high, *low]))))
}

/// What the first two bits of a message say (RFC 8656, section 12).
const STUN: u8 = 0b00;
const CHANNEL: u8 = 0b01;

const STUN_HEADER_BYTES: usize = 20;
const CHANNEL_HEADER_BYTES: usize = 4;
/// STUN messages are a multiple of this anyway.
const PADDED_TO: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn channel_data(bytes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[0x40, 0x01][..], &length, bytes].concat()
    }

    #[test]
    fn what_a_web_server_says_is_nonsense() {
        let mut framing = Framing::default();
        framing.push(b"\xff\xff\0\0");
        assert_eq!(framing.next(), Err(Nonsense));
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_stream_is_cut(
            sizes in prop::collection::vec(0_usize..40, 0..20),
            cuts in prop::collection::vec(1_usize..30, 1..20),
        ) {
            let messages: Vec<Vec<u8>> = sizes.iter().map(|size| channel_data(&vec![7; *size])).collect();
            let mut stream = Vec::new();
            for message in &messages {
                stream.extend_from_slice(message);
                stream.resize(stream.len() + padding(message), 0);
            }
            let (mut framing, mut heard, mut rest) = (Framing::default(), Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                framing.push(now);
                while let Some(message) = framing.next().unwrap() {
                    heard.push(message.to_vec());
                }
                rest = later;
            }
            prop_assert_eq!(heard, messages);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let mut framing = Framing::default();
            framing.push(&bytes);
            while let Ok(Some(_)) = framing.next() {}
        }
    }
}
