//! Reads single bits of a bitstream, the highest first.

/// Bits of a slice. Past its end every reading is `None`.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, position: 0 }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// Up to 32 bits as a number.
    pub(crate) fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0_u32, |number, _| Some(number << 1 | u32::from(self.bit()?)))
    }

    pub(crate) fn skip(&mut self, bits: u32) -> Option<()> {
        (0..bits).try_for_each(|_| self.bit().map(drop))
    }

    /// An Exp-Golomb number without sign, `ue(v)` of H.264, section 9.1.
    pub(crate) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.number(zeros)?;
        ((1_u32 << zeros) - 1).checked_add(rest)
    }

    /// The number that `uvlc()` of AV1 is, section 4.10.3, which is the same but for its bounds.
    pub(crate) fn uvlc(&mut self) -> Option<u32> {
        self.golomb()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_the_highest_bit() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!(bits.number(3), Some(0b101));
        assert_eq!(bits.golomb(), Some(5), "00110");
        assert_eq!(bits.golomb(), Some(1), "010");
        assert_eq!(bits.number(6), None, "five are left");
    }

    #[test]
    fn a_number_without_an_end_is_none() {
        assert_eq!(Bits::new(&[0; 64]).golomb(), None);
    }
}
