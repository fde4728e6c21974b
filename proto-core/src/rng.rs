//! Randomness from one seed.
//!
//! A node is given its seed once. Each part draws from a generator of its own, forked from the
//! seed under a label, so that a part that draws more never shifts what another part sees.

use std::fmt;
use std::time::Duration;

use hkdf::Hkdf;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};
use sha2::Sha256;

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The 32 secret bytes that all randomness of a node comes from.
///
/// Draw them from the operating system outside of tests: ICE passwords and the initialization
/// vectors of the signaling encryption follow from them.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Seed(bytes)
    }

    /// The seed of a simulation run or a test. Not for the open network.
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Seed(bytes)
    }

    /// A seed of its own for a part: HKDF-SHA-256 (RFC 5869) with the label as info.
    pub fn fork(&self, label: &str) -> Seed {
        let mut bytes = [0; 32];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(label.as_bytes(), &mut bytes)
            .expect("32 bytes are far below what HKDF-SHA-256 can give");
        Seed(bytes)
    }

    /// The generator of a part.
    pub fn rng(&self, label: &str) -> Rng {
        Rng(ChaCha12Rng::from_seed(self.fork(label).0))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// A cryptographically secure generator, made by [`Seed::rng`].
#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A number below `bound`, each as likely as any other; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let unbiased = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = self.0.next_u64();
            if drawn < unbiased {
                return drawn % bound;
            }
        }
    }

    /// A duration below `bound`, in whole microseconds.
    pub fn duration_below(&mut self, bound: Duration) -> Duration {
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }

    /// This many characters of `0-9A-Za-z`.
    pub fn alphanumeric(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| {
                let index = usize::try_from(self.below(62)).expect("below 62");
                char::from(ALPHANUMERIC[index])
            })
            .collect()
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_and_labels_give_equal_streams_and_other_labels_other_ones() {
        let seed = Seed::from_number(7);
        assert_eq!(seed.rng("a").bytes::<16>(), seed.rng("a").bytes::<16>());
        assert_ne!(seed.rng("a").bytes::<16>(), seed.rng("b").bytes::<16>());
        assert_ne!(seed.rng("a").bytes::<16>(), Seed::from_number(8).rng("a").bytes::<16>());
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut rng = Seed::from_number(1).rng("test");
        let drawn: Vec<u64> = (0..1000).map(|_| rng.below(3)).collect();
        assert!((0..3).all(|n| drawn.contains(&n)), "{drawn:?}");
        assert!(drawn.iter().all(|n| *n < 3), "{drawn:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn identifiers_are_alphanumeric_and_of_the_length_asked_for() {
        let id = Seed::from_number(2).rng("id").alphanumeric(20);
        assert_eq!(id.len(), 20);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
    }
}
