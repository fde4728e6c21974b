//! How large the pictures are and of which sequence, from the bits of a key frame.

use tristero_proto::media::Codec;

use crate::bits::Bits;
use crate::{annex_b, obu};

/// Width and height in pixels of what a key frame begins; `None` if it is no key frame.
pub(crate) fn size(codec: Codec, bytes: &[u8]) -> Option<(u32, u32)> {
    match codec {
        Codec::Vp8 => size_of_vp8(bytes),
        Codec::Vp9 => size_of_vp9(bytes),
        Codec::H264 => size_of_h264(bytes),
        Codec::Av1 => Av1Sequence::of(bytes).map(|sequence| sequence.size),
        _ => None,
    }
}

/// RFC 6386, section 9.1.
fn size_of_vp8(bytes: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| {
        Some(u32::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]) & 0x3fff))
    };
    Some((side(6)?, side(8)?))
}

/// VP9 bitstream specification, sections 6.2 and 6.2.2 to 6.2.4.
fn size_of_vp9(bytes: &[u8]) -> Option<(u32, u32)> {
    const SYNC_CODE: u32 = 0x0049_8342;
    const SRGB: u32 = 7;
    let mut bits = Bits::new(bytes);
    bits.skip(2)?;
    let profile = u32::from(bits.bit()?) | u32::from(bits.bit()?) << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    bits.skip(4)?;
    if bits.number(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    let is_srgb = bits.number(3)? == SRGB;
    let has_subsampling = profile % 2 == 1;
    bits.skip(match (is_srgb, has_subsampling) {
        (false, false) => 1,
        (false, true) => 4,
        (true, false) => 0,
        (true, true) => 1,
    })?;
    Some((bits.number(16)? + 1, bits.number(16)? + 1))
}

fn size_of_h264(bytes: &[u8]) -> Option<(u32, u32)> {
    let unit = annex_b::units(bytes).find(|unit| annex_b::kind(unit) == annex_b::SPS)?;
    // What stands before the size is far shorter than this.
    size_of_sps(&annex_b::payload(&unit[..unit.len().min(1_024)]))
}

/// ITU-T H.264, sections 7.3.2.1.1 and 7.4.2.1.1.
fn size_of_sps(payload: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(payload);
    let profile = bits.number(8)?;
    bits.skip(16)?;
    bits.golomb()?;
    let chroma = if has_chroma_format(profile) { skip_chroma_format(&mut bits)? } else { 1 };
    bits.golomb()?;
    match bits.golomb()? {
        0 => drop(bits.golomb()?),
        1 => {
            bits.skip(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()?.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.skip(1)?;
    let width = bits.golomb()?.checked_add(1)?.checked_mul(16)?;
    let height_units = bits.golomb()?.checked_add(1)?;
    let fields = if bits.bit()? { 1 } else { 2 };
    let height = height_units.checked_mul(16)?.checked_mul(fields)?;
    bits.skip(if fields == 2 { 2 } else { 1 })?;
    let mut crop = [0; 4];
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.golomb()?;
        }
    }
    let unit_x = if chroma == 1 || chroma == 2 { 2 } else { 1 };
    let unit_y = if chroma == 1 { 2 * fields } else { fields };
    let cropped = |length: u32, one: u32, other: u32, unit: u32| {
        length.checked_sub(one.checked_add(other)?.checked_mul(unit)?)
    };
    Some((cropped(width, crop[0], crop[1], unit_x)?, cropped(height, crop[2], crop[3], unit_y)?))
}

fn has_chroma_format(profile: u32) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

fn skip_chroma_format(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma = bits.golomb()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    bits.golomb()?;
    bits.golomb()?;
    bits.skip(1)?;
    if bits.bit()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma)
}

fn skip_scaling_list(bits: &mut Bits<'_>, length: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..length {
        if next != 0 {
            let number = i64::from(bits.golomb()?);
            let delta = if number % 2 == 1 { (number + 1) / 2 } else { -(number / 2) };
            next = (last + delta).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// What the sequence header of AV1 says that a container repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Av1Sequence {
    pub(crate) size: (u32, u32),
    profile: u8,
    level: u8,
    is_high_tier: bool,
    has_high_depth: bool,
    is_monochrome: bool,
    /// The header with its frame.
    header: Vec<u8>,
}

impl Av1Sequence {
    /// That of a temporal unit which begins a sequence.
    pub(crate) fn of(unit: &[u8]) -> Option<Self> {
        for obu in obu::obus(unit) {
            let obu = obu?;
            if obu.kind == obu::SEQUENCE_HEADER {
                return Self::parse(obu.payload, obu.whole);
            }
        }
        None
    }

    /// The codec's private data in Matroska ("Carriage of AV1 in ISOBMFF", section 2.3.3).
    pub(crate) fn configuration(&self) -> Vec<u8> {
        let (x, y) = match self.profile {
            0 => (1, 1),
            1 => (0, 0),
            _ => (1, 0),
        };
        let third = u8::from(self.is_high_tier) << 7
            | u8::from(self.has_high_depth) << 6
            | u8::from(self.is_monochrome) << 4
            | x << 3
            | y << 2;
        let mut bytes = vec![0x81, self.profile << 5 | self.level, third, 0];
        bytes.extend_from_slice(&self.header);
        bytes
    }

    /// AV1 specification, section 5.5.
    #[allow(clippy::cast_possible_truncation)] // Fields of three and five bits.
    fn parse(payload: &[u8], header: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(payload);
        let profile = bits.number(3)? as u8;
        bits.skip(1)?;
        let is_reduced = bits.bit()?;
        let (level, is_high_tier) =
            if is_reduced { (bits.number(5)?, false) } else { operating_points(&mut bits)? };
        let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
        let size = (bits.number(width_bits)? + 1, bits.number(height_bits)? + 1);
        skip_tools(&mut bits, is_reduced)?;
        let has_high_depth = bits.bit()?;
        if profile == 2 && has_high_depth {
            bits.skip(1)?;
        }
        let is_monochrome = profile != 1 && bits.bit()?;
        Some(Av1Sequence {
            size,
            profile,
            level: level as u8,
            is_high_tier,
            has_high_depth,
            is_monochrome,
            header: header.to_vec(),
        })
    }
}

/// The level and the tier of the first of them; all are read over.
fn operating_points(bits: &mut Bits<'_>) -> Option<(u32, bool)> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            bits.uvlc()?;
        }
        if bits.bit()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.skip(42)?;
        }
    }
    let has_display_delay = bits.bit()?;
    let mut first = None;
    for _ in 0..=bits.number(5)? {
        bits.skip(12)?;
        let level = bits.number(5)?;
        let is_high = level > 7 && bits.bit()?;
        first.get_or_insert((level, is_high));
        if let Some(delay_bits) = delay_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    first
}

/// What stands between the size and the colours.
fn skip_tools(bits: &mut Bits<'_>, is_reduced: bool) -> Option<()> {
    if !is_reduced && bits.bit()? {
        bits.skip(7)?;
    }
    bits.skip(3)?;
    if !is_reduced {
        bits.skip(4)?;
        let has_order = bits.bit()?;
        if has_order {
            bits.skip(2)?;
        }
        let screen = if bits.bit()? { true } else { bits.bit()? };
        if screen && !bits.bit()? {
            bits.skip(1)?;
        }
        if has_order {
            bits.skip(3)?;
        }
    }
    bits.skip(3)
}
