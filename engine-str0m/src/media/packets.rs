//! Frames as the payloads of packets, for connections that carry packets.
//!
//! Where frames are received str0m does this. Where packets are, it takes nothing but packets, and what
//! is sent may be frames all the same.

use tristero_proto::limits::RTP_PAYLOAD_BYTES_MAX;
use tristero_proto::media::{Codec, MediaFrame};

/// The payloads that carry a frame, which has the structure of its codec. The last one ends it.
pub(crate) fn payloads(frame: &MediaFrame) -> Vec<Vec<u8>> {
    let bytes = &frame.bytes[..];
    match frame.codec {
        Codec::Vp8 => described(bytes, |is_first, _is_last| if is_first { 0x10 } else { 0 }),
        Codec::Vp9 => {
            let needs_others = if frame.is_key { 0 } else { 0x40 };
            described(bytes, |is_first, is_last| {
                needs_others | u8::from(is_first) << 3 | u8::from(is_last) << 2
            })
        }
        Codec::H264 => units(bytes).into_iter().flat_map(unit_payloads).collect(),
        Codec::Av1 => obu_payloads(bytes, frame.is_key),
        _ => vec![bytes.to_vec()],
    }
}

/// A frame in pieces, each behind a byte that says where it stands.
///
/// spec: RFC 7741, section 4.2 (VP8); RFC 9628, section 4.2 (VP9)
fn described(frame: &[u8], describe: impl Fn(bool, bool) -> u8) -> Vec<Vec<u8>> {
    let pieces = frame.chunks(RTP_PAYLOAD_BYTES_MAX - 1);
    let last = pieces.len().saturating_sub(1);
    let with_byte =
        |(index, piece): (usize, &[u8])| [&[describe(index == 0, index == last)], piece].concat();
    pieces.enumerate().map(with_byte).collect()
}

/// The units between start codes.
///
/// spec: ITU-T H.264, annex B
fn units(frame: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    let mut begin = None;
    let mut at = 0;
    while let Some(found) = frame.get(at..at + 3) {
        if found == [0, 0, 1] {
            units.extend(begin.map(|begin| &frame[begin..at]));
            begin = Some(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    units.extend(begin.map(|begin| &frame[begin..]));
    // A unit never ends with a zero; those are of the next start code.
    let trimmed = units.into_iter().map(|unit| {
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        &unit[..unit.len() - zeros]
    });
    trimmed.filter(|unit| !unit.is_empty()).collect()
}

/// A unit as it is, or in fragments.
///
/// spec: RFC 6184, sections 5.6 and 5.8
fn unit_payloads(unit: &[u8]) -> Vec<Vec<u8>> {
    let Some((header, body)) = unit.split_first().filter(|_| unit.len() > RTP_PAYLOAD_BYTES_MAX)
    else {
        return vec![unit.to_vec()];
    };
    let indicator = header & 0xE0 | FRAGMENT;
    let pieces = body.chunks(RTP_PAYLOAD_BYTES_MAX - 2);
    let last = pieces.len().saturating_sub(1);
    let with_header = |(index, piece): (usize, &[u8])| {
        let place = u8::from(index == 0) << 7 | u8::from(index == last) << 6;
        [&[indicator, place | header & 0x1F], piece].concat()
    };
    pieces.enumerate().map(with_header).collect()
}

/// One OBU in each packet, or a piece of one. They go without their sizes.
///
/// spec: RTP payload format for AV1, sections 4.4 and 4.5
fn obu_payloads(mut unit: &[u8], is_key: bool) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some((obu, rest)) = split_obu(unit) {
        unit = rest;
        if obu[0] >> 3 & 0xF == TEMPORAL_DELIMITER {
            continue;
        }
        let pieces = obu.chunks(RTP_PAYLOAD_BYTES_MAX - 1);
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.enumerate() {
            let begins_sequence = is_key && payloads.is_empty();
            let place = u8::from(index > 0) << 7 | u8::from(index < last) << 6;
            let aggregation = place | ONE_ELEMENT | u8::from(begins_sequence) << 3;
            payloads.push([&[aggregation], piece].concat());
        }
    }
    payloads
}

/// An OBU without its size, and what follows.
fn split_obu(unit: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (header, rest) = unit.split_first()?;
    let (extension, rest) = rest.split_at_checked(usize::from(header & 0b100 != 0))?;
    let (size, rest) = super::frame::leb128(rest)?;
    let (body, rest) = rest.split_at_checked(size)?;
    Some(([&[header & !HAS_SIZE], extension, body].concat(), rest))
}

/// The type of a fragment, FU-A.
const FRAGMENT: u8 = 28;
const TEMPORAL_DELIMITER: u8 = 2;
const HAS_SIZE: u8 = 0b10;
const ONE_ELEMENT: u8 = 1 << 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_what_stands_between_start_codes() {
        let frame = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 0, 0, 3, 9];
        let expected = [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 0, 0, 3, 9]];
        assert_eq!(units(&frame), expected);
        assert!(units(&[]).is_empty() && units(&[0, 0]).is_empty() && units(&[0, 0, 1]).is_empty());
    }

    #[test]
    fn a_large_unit_goes_in_fragments() {
        let unit = [&[0x65][..], &[7; 2_000]].concat();
        let payloads = unit_payloads(&unit);
        let heads: Vec<&[u8]> = payloads.iter().map(|payload| &payload[..2]).collect();
        assert_eq!(heads, [[0x7C, 0x85], [0x7C, 0x45]]);
        assert!(payloads.iter().all(|payload| payload.len() <= RTP_PAYLOAD_BYTES_MAX));
        assert_eq!(unit_payloads(&unit[..9]), [unit[..9].to_vec()]);
    }

    #[test]
    fn obus_go_without_sizes_and_delimiters() {
        let unit = [0x12, 0, 0x0A, 2, 8, 9, 0x36, 0x40, 1, 7];
        assert_eq!(obu_payloads(&unit, true), [vec![0x18, 0x08, 8, 9], vec![0x10, 0x34, 0x40, 7]]);
    }
}
