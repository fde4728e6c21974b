//! Units of H.264 between start codes (Annex B of the standard).

/// The units of an access unit, without start codes and the zeros after a unit.
pub(crate) fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(bytes);
    std::iter::from_fn(move || {
        loop {
            let unit = rest?;
            rest = after_start_code(unit);
            let end = rest.map_or(unit.len(), |next| unit.len() - next.len() - START_CODE.len());
            let zeros = unit[..end].iter().rev().take_while(|byte| **byte == 0).count();
            if end > zeros {
                return Some(&unit[..end - zeros]);
            }
        }
    })
}

/// What kind of unit it is, `nal_unit_type` of table 7-1.
pub(crate) fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

/// The payload of a unit without the bytes that keep start codes out of it, section 7.4.1.
pub(crate) fn payload(unit: &[u8]) -> Vec<u8> {
    let mut payload: Vec<u8> = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit.iter().copied().skip(1) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

/// A slice of a picture that depends on no other.
pub(crate) const IDR: u8 = 5;
/// A sequence parameter set.
pub(crate) const SPS: u8 = 7;

const START_CODE: [u8; 3] = [0, 0, 1];

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.windows(3).position(|window| window == START_CODE)?;
    bytes.get(start + START_CODE.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_end_where_the_next_start_code_begins() {
        let bytes = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 0, 0, 3, 1];
        let units: Vec<&[u8]> = units(&bytes).collect();
        assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 0, 0, 3, 1]]);
        assert_eq!(kind(units[2]), IDR);
        assert_eq!(payload(units[2]), [0, 0, 1]);
    }

    #[test]
    fn without_a_start_code_there_is_no_unit() {
        assert_eq!(units(&[1, 2, 3]).count(), 0);
        assert_eq!(units(&[0, 0, 1]).count(), 0);
        assert_eq!(units(&[0, 0, 1, 0, 0, 1]).count(), 0);
    }
}
