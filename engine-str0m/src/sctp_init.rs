//! How SCTP begins, said in descriptions: what two that do so need not say on the path.
//!
//! SCTP opens with two round trips before anything can be sent. If both descriptions have
//! `a=sctp-init`, each side knows what the other would have said. str0m offers it and answers it;
//! who does not know it ignores it, and SCTP opens as ever.
//!
//! The parser below trusts chunks that come over DTLS and meets these before there is any, so a
//! chunk is read into values here, and str0m gets one that is made of those. What can't be read is
//! nothing: SCTP then begins on the path.
//!
//! spec: draft-hancke-tsvwg-snap; RFC 9260, section 3.3.2 (INIT); RFC 5061, section 4.2.7

use std::num::{NonZeroU16, NonZeroU32};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An INIT chunk, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SctpInit {
    tag: NonZeroU32,
    window_bytes: u32,
    outbound_streams: NonZeroU16,
    inbound_streams: NonZeroU16,
    first_number: NonZeroU32,
    /// Whether it resets streams (RFC 6525), which closes channels.
    resets_streams: bool,
    /// Whether it gives up messages (RFC 3758).
    forwards_numbers: bool,
}

impl SctpInit {
    /// Reads the value of the attribute; `None` if it is of no use.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        if value.len() > CHARS_MAX {
            return None;
        }
        let bytes = STANDARD.decode(value).ok()?;
        let (header, rest) = bytes.split_first_chunk::<4>()?;
        let [INIT, 0, high, low] = *header else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // What fills the chunk up to a multiple of four is not counted.
        if !(length..length + 4).contains(&bytes.len()) {
            return None;
        }
        let (fixed, parameters) = rest.split_first_chunk::<16>()?;
        let [tag, window_bytes, streams, first_number] =
            [0, 4, 8, 12].map(|at| u32::from_be_bytes([0, 1, 2, 3].map(|byte| fixed[at + byte])));
        let [outbound, inbound] = [streams >> 16, streams & 0xFFFF];
        let stream_count = |count| u16::try_from(count).ok().and_then(NonZeroU16::new);
        let extensions = extensions(parameters)?;
        let init = SctpInit {
            tag: NonZeroU32::new(tag)?,
            window_bytes,
            outbound_streams: stream_count(outbound)?,
            inbound_streams: stream_count(inbound)?,
            first_number: NonZeroU32::new(first_number)?,
            resets_streams: extensions.contains(&RECONFIG),
            forwards_numbers: extensions.contains(&FORWARD_TSN),
        };
        (window_bytes >= WINDOW_BYTES_MIN).then_some(init)
    }

    /// Writes the value of the attribute.
    pub(crate) fn emit(&self) -> String {
        let extensions = [(self.resets_streams, RECONFIG), (self.forwards_numbers, FORWARD_TSN)];
        let extensions: Vec<u8> = extensions
            .into_iter()
            .filter_map(|(is_known, chunk)| is_known.then_some(chunk))
            .collect();
        let parameter = |extensions: &[u8]| {
            let [high, low] = SUPPORTED_EXTENSIONS.to_be_bytes();
            let length = u8::try_from(4 + extensions.len()).expect("there are two at most");
            [&[high, low, 0, length][..], extensions].concat()
        };
        let fixed = [
            &self.tag.get().to_be_bytes()[..],
            &self.window_bytes.to_be_bytes(),
            &self.outbound_streams.get().to_be_bytes(),
            &self.inbound_streams.get().to_be_bytes(),
            &self.first_number.get().to_be_bytes(),
            &if extensions.is_empty() { Vec::new() } else { parameter(&extensions) },
        ]
        .concat();
        let length = u8::try_from(4 + fixed.len()).expect("it has less than thirty bytes");
        let mut chunk = [&[INIT, 0, 0, length][..], &fixed].concat();
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        STANDARD.encode(chunk)
    }
}

/// The value of the attribute in a description of ours.
pub(crate) fn sctp_init_of(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=sctp-init:"))
}

/// The chunks that a peer knows beyond those that all know; `None` if its parameters make no sense.
fn extensions(mut parameters: &[u8]) -> Option<&[u8]> {
    let mut extensions: &[u8] = &[];
    while let Some((header, _)) = parameters.split_first_chunk::<4>() {
        let [kind, length] =
            [[header[0], header[1]], [header[2], header[3]]].map(u16::from_be_bytes);
        let length = usize::from(length);
        let value = parameters.get(4..length)?;
        if kind == SUPPORTED_EXTENSIONS {
            extensions = value;
        }
        parameters = parameters.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(extensions)
}

const INIT: u8 = 1;
const RECONFIG: u8 = 130;
const FORWARD_TSN: u8 = 192;
const SUPPORTED_EXTENSIONS: u16 = 0x8008;

/// Less must not be said.
const WINDOW_BYTES_MIN: u32 = 1_500;

/// The longest value that is looked at. str0m's has 36 characters; one with every parameter that is
/// known, and a name of a host among them, stays far below.
const CHARS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What str0m says of itself, another time something else.
    fn bytes_of_str0m() -> Vec<u8> {
        str0m::channel::SctpInitData::new().local_init_chunk().unwrap()
    }

    fn parse(bytes: &[u8]) -> Option<SctpInit> {
        SctpInit::parse(&STANDARD.encode(bytes))
    }

    #[test]
    fn what_str0m_says_is_read_and_said_again() {
        let bytes = bytes_of_str0m();
        let read = parse(&bytes).unwrap();
        assert!(read.resets_streams && read.forwards_numbers);
        assert_eq!(read.window_bytes, 1024 * 1024);
        let again = read.emit();
        assert_eq!(SctpInit::parse(&again), Some(read));
        // str0m leaves what fills the chunk up away.
        assert_eq!(STANDARD.decode(again).unwrap()[..bytes.len()], bytes);
    }

    #[test]
    fn parameters_that_nobody_needs_are_left_out() {
        let mut bytes = bytes_of_str0m();
        let few = parse(&bytes);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        // It forwards numbers, takes checksums of zero, and has a name.
        for parameter in [&[0xC0, 0, 0, 4][..], &[0x80, 1, 0, 8, 0, 0, 0, 1], &[0, 11, 0, 5, b'x']]
        {
            bytes.extend(parameter);
            bytes[3] = u8::try_from(bytes.len()).unwrap();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        assert!(few.is_some());
        assert_eq!(parse(&bytes), few);
    }

    #[test]
    fn what_is_no_init_is_nothing() {
        let good = bytes_of_str0m();
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = good.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed
        };
        let longer = |extra: usize| [&good[..], &vec![0; extra]].concat();
        assert!(parse(&good).is_some() && parse(&longer(2)).is_some());
        for (what, bytes) in [
            ("an acknowledgement", with(0, &[2])),
            ("flags", with(1, &[1])),
            ("a length that is too great", with(3, &[200])),
            ("a length that is too small", with(3, &[19])),
            ("a length of nothing", with(2, &[0, 0])),
            ("no tag", with(4, &[0; 4])),
            ("a window that is too small", with(8, &1_499_u32.to_be_bytes())),
            ("no stream out", with(12, &[0; 2])),
            ("no stream in", with(14, &[0; 2])),
            ("no first number", with(16, &[0; 4])),
            ("a parameter that is shorter than its header", with(22, &[0, 3])),
            ("a parameter that is longer than the chunk", with(22, &[0, 7])),
            ("more than there is", longer(4)),
            ("half of it", good[..12].to_vec()),
            ("nothing", Vec::new()),
            ("much", vec![1; 60_000]),
        ] {
            assert_eq!(parse(&bytes), None, "{what}");
        }
        for text in ["", "=", "AAAA", "not base64 at all", " AQAA", "AQAA\u{0}"] {
            assert_eq!(SctpInit::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_said_so_that_it_is_read_the_same(
            fixed: [u8; 16], parameters: Vec<u8>, known: bool, mut extensions: Vec<u8>,
        ) {
            extensions.truncate(40);
            let length = u8::try_from(4 + extensions.len()).unwrap();
            let known_parameter = [&[0x80, 8, 0, length], &extensions[..]].concat();
            let parameters = if known { known_parameter } else { parameters };
            let length = u16::try_from(20 + parameters.len()).unwrap().to_be_bytes();
            let chunk = [&[1, 0, length[0], length[1]], &fixed[..], &parameters].concat();
            if let Some(read) = parse(&chunk) {
                prop_assert_eq!(SctpInit::parse(&read.emit()), Some(read));
            }
        }

        #[test]
        fn any_text_is_read_without_harm(text in "[A-Za-z0-9+/]{0,120}={0,2}") {
            let _ = SctpInit::parse(&text);
        }
    }
}
