//! Units of AV1: OBUs that say their size (AV1 specification, section 5.3).

/// One unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obu<'a> {
    /// `obu_type`, section 6.2.2.
    pub(crate) kind: u8,
    /// With its header.
    pub(crate) whole: &'a [u8],
    pub(crate) payload: &'a [u8],
}

pub(crate) const SEQUENCE_HEADER: u8 = 1;
pub(crate) const TEMPORAL_DELIMITER: u8 = 2;
pub(crate) const FRAME_HEADER: u8 = 3;
pub(crate) const FRAME: u8 = 6;

/// The delimiter that files have before each temporal unit, and packets have not.
pub(crate) const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

/// The units of a temporal unit. `None` of the iterator's items says that what follows is none.
pub(crate) fn obus(bytes: &[u8]) -> impl Iterator<Item = Option<Obu<'_>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let obu = parse(rest);
        rest = obu.map_or(&[], |obu| &rest[obu.whole.len()..]);
        Some(obu)
    })
}

/// The temporal unit without delimiters; `None` if it is none at all.
pub(crate) fn without_delimiters(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    for obu in obus(bytes) {
        let obu = obu?;
        if obu.kind != TEMPORAL_DELIMITER {
            kept.extend_from_slice(obu.whole);
        }
    }
    Some(kept)
}

const HAS_EXTENSION: u8 = 4;
const HAS_SIZE: u8 = 2;
const FORBIDDEN: u8 = 0x80;

fn parse(bytes: &[u8]) -> Option<Obu<'_>> {
    let first = *bytes.first()?;
    if first & FORBIDDEN != 0 {
        return None;
    }
    let header = if first & HAS_EXTENSION == 0 { 1 } else { 2 };
    let after_header = bytes.get(header..)?;
    let (size, size_bytes) =
        if first & HAS_SIZE == 0 { (after_header.len(), 0) } else { leb128(after_header)? };
    let payload = after_header.get(size_bytes..)?.get(..size)?;
    let whole = &bytes[..header + size_bytes + size];
    Some(Obu { kind: first >> 3 & 0xf, whole, payload })
}

/// A number of up to eight bytes and how many those are, section 4.10.5.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(8) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_taken_out_and_the_rest_stays() {
        let unit = [0x12, 0, 0x0a, 2, 7, 8, 0x32, 1, 9];
        assert_eq!(unit[..2], DELIMITER);
        assert_eq!(without_delimiters(&unit), Some(vec![0x0a, 2, 7, 8, 0x32, 1, 9]));
    }

    #[test]
    fn what_is_longer_than_the_bytes_is_no_unit() {
        assert_eq!(without_delimiters(&[0x0a, 3, 7, 8]), None);
        assert_eq!(
            without_delimiters(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
        assert_eq!(without_delimiters(&[0x80]), None);
    }

    #[test]
    fn the_last_unit_may_leave_its_size_out() {
        assert_eq!(without_delimiters(&[0x30, 1, 2]), Some(vec![0x30, 1, 2]));
    }
}
