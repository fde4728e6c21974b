//! Whether a frame can be decoded without those before it, told from its first bits.
//!
//! Files have a flag for that at most, and some of them have none.

use tristero_proto::media::{Codec, MediaKind};

use crate::bits::Bits;
use crate::{annex_b, obu};

/// Whether decoding can begin with this frame. Always so for audio; never for bytes that are no
/// frame of the codec.
///
/// A frame of H.264 is one if it has an IDR slice, one of AV1 if it has a sequence header and then a
/// key frame.
pub fn is_key_frame(codec: Codec, bytes: &[u8]) -> bool {
    if codec.kind() == MediaKind::Audio {
        return true;
    }
    match codec {
        Codec::Vp8 => is_key_of_vp8(bytes),
        Codec::Vp9 => is_key_of_vp9(bytes).unwrap_or(false),
        Codec::H264 => annex_b::units(bytes).any(|unit| annex_b::kind(unit) == annex_b::IDR),
        Codec::Av1 => is_key_of_av1(bytes).unwrap_or(false),
        _ => false,
    }
}

/// RFC 6386, section 9.1.
fn is_key_of_vp8(bytes: &[u8]) -> bool {
    bytes.len() >= 10 && bytes[0] & 1 == 0 && bytes[3..6] == [0x9d, 0x01, 0x2a]
}

/// VP9 bitstream specification, section 6.2.
fn is_key_of_vp9(bytes: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(bytes);
    if bits.number(2)? != 2 {
        return None;
    }
    if bits.number(2)? == 3 {
        bits.skip(1)?;
    }
    let shows_existing = bits.bit()?;
    let is_inter = bits.bit()?;
    Some(!shows_existing && !is_inter)
}

/// AV1 specification, sections 5.5.1 and 5.9.2.
fn is_key_of_av1(bytes: &[u8]) -> Option<bool> {
    let mut is_still = None;
    for obu in obu::obus(bytes) {
        let obu = obu?;
        match obu.kind {
            obu::SEQUENCE_HEADER => {
                let mut bits = Bits::new(obu.payload);
                bits.skip(4)?;
                is_still = Some(bits.bit()?);
            }
            obu::FRAME | obu::FRAME_HEADER => {
                let Some(is_still) = is_still else { return Some(false) };
                let mut bits = Bits::new(obu.payload);
                return Some(is_still || (!bits.bit()? && bits.number(2)? == 0));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_always_one_and_nothing_never() {
        for codec in Codec::ALL {
            assert_eq!(is_key_frame(codec, &[]), codec.kind() == MediaKind::Audio);
        }
    }

    #[test]
    fn a_picture_of_av1_alone_is_none_without_its_sequence() {
        let (sequence, key, inter) = ([0x0a, 1, 0], [0x32, 1, 0b0001_0000], [0x32, 1, 0b0011_0000]);
        assert!(is_key_frame(Codec::Av1, &[sequence, key].concat()));
        assert!(!is_key_frame(Codec::Av1, &[sequence, inter].concat()));
        assert!(!is_key_frame(Codec::Av1, &key));
    }
}
