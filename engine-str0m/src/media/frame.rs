//! Whether what is to be sent is a frame at all.
//!
//! A frame goes to packets by its own structure, and what has none would be an error in the middle of
//! a connection, or nothing that anybody can put together again.

use tristero_proto::limits::{AUDIO_FRAME_BYTES_MAX, FRAME_BYTES_MAX};
use tristero_proto::media::{Codec, MediaFrame, MediaKind};

/// Whether a frame can be sent.
pub(crate) fn is_frame(frame: &MediaFrame) -> bool {
    let bytes = &frame.bytes[..];
    // Sound is sent in one packet.
    let bytes_max = match frame.codec.kind() {
        MediaKind::Audio => AUDIO_FRAME_BYTES_MAX,
        MediaKind::Video => FRAME_BYTES_MAX,
    };
    let has_structure = match frame.codec {
        Codec::H264 => is_annex_b(bytes),
        Codec::Av1 => is_temporal_unit(bytes),
        // A key frame has a header of ten bytes, any other of three (RFC 6386, section 9.1).
        Codec::Vp8 => bytes.len() >= if frame.is_key { 10 } else { 3 },
        // The frame marker (VP9 bitstream, section 6.2).
        Codec::Vp9 => bytes.first().is_some_and(|first| first >> 6 == 0b10),
        _ => true,
    };
    (1..=bytes_max).contains(&bytes.len()) && has_structure
}

/// Whether units follow start codes, the first at the beginning.
///
/// spec: ITU-T H.264, annex B
fn is_annex_b(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // Behind the code stands the type of a unit, whose first bit is zero.
    zeros >= 2
        && bytes.get(zeros) == Some(&1)
        && bytes.get(zeros + 1).is_some_and(|header| header & 0x80 == 0 && header & 0x1F != 0)
}

/// Whether these are OBUs one after another, each with its size, up to the end.
///
/// spec: AV1 bitstream, section 5.3
fn is_temporal_unit(mut bytes: &[u8]) -> bool {
    while let Some((header, rest)) = bytes.split_first() {
        let has_extension = header & 0b100 != 0;
        if header & 0x80 != 0 || header & 0b10 == 0 {
            return false;
        }
        let rest = rest.get(usize::from(has_extension)..);
        let Some((size, rest)) = rest.and_then(leb128) else { return false };
        let Some(rest) = rest.get(size..) else { return false };
        bytes = rest;
    }
    true
}

/// A number of up to four bytes, and what follows it.
pub(crate) fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tristero_proto::media::MediaTime;

    use super::*;

    fn is(codec: Codec, is_key: bool, bytes: &[u8]) -> bool {
        let time = MediaTime::new(0, 1);
        is_frame(&MediaFrame { codec, time, is_key, is_contiguous: true, bytes: bytes.into() })
    }

    #[test]
    fn what_has_the_structure_of_its_codec_is_a_frame() {
        for (codec, bytes) in [
            (Codec::Opus, &[0xFC][..]),
            (Codec::Pcmu, &[0; 160]),
            (Codec::Vp8, &[1; 10]),
            (Codec::Vp9, &[0x82, 1, 2]),
            (Codec::H264, &[0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 1]),
            (Codec::H264, &[0, 0, 1, 0x65]),
            (Codec::Av1, &[0x0A, 2, 1, 1, 0x32, 1, 9]),
            (Codec::Av1, &[0x36, 0, 3, 1, 2, 3]),
        ] {
            assert!(is(codec, true, bytes), "{codec} {bytes:?}");
        }
    }

    #[test]
    fn what_has_none_is_not() {
        let large = vec![0; FRAME_BYTES_MAX + 1];
        for (codec, bytes) in [
            (Codec::Opus, &[][..]),
            (Codec::Pcma, &[0; 1_101]),
            (Codec::Vp8, &[1; 9]),
            (Codec::Vp8, &large),
            (Codec::Vp9, &[0x02]),
            (Codec::H264, &[0, 0, 0, 9, 0x65, 0, 0, 0, 0, 0]),
            (Codec::H264, &[0, 0, 1]),
            (Codec::H264, &[0, 0, 1, 0xE5]),
            (Codec::Av1, &[0x12, 0, 0x32, 9, 1]),
            (Codec::Av1, &[0x30, 1, 1]),
            (Codec::Av1, &[0x32, 0x80, 0x80, 0x80, 0x80, 0]),
        ] {
            assert!(!is(codec, true, bytes), "{codec} {:?}", &bytes[..bytes.len().min(20)]);
        }
        assert!(is(Codec::Vp8, false, &[1; 3]));
    }
}
