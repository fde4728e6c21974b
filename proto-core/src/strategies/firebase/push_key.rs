//! Push keys: names of children that nobody else has, and that sort by when they were made.
//!
//! The scheme is Firebase's: eight characters of the time in milliseconds, then twelve of
//! randomness, each of six bits. A key made within the millisecond of the one before has its
//! randomness plus one.

use crate::rng::Rng;

/// The digits, in their order as ASCII.
const DIGITS: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/// Characters that tell the time.
const TIME_LENGTH: usize = 8;
/// Characters that are random.
const RANDOM_LENGTH: usize = 12;

/// Makes push keys.
#[derive(Debug)]
pub(super) struct PushKeys {
    rng: Rng,
    millis: Option<u64>,
    random: [u8; RANDOM_LENGTH],
}

impl PushKeys {
    pub(super) fn new(rng: Rng) -> Self {
        PushKeys { rng, millis: None, random: [0; RANDOM_LENGTH] }
    }

    /// A key made at this time, in milliseconds since 1970.
    pub(super) fn next(&mut self, unix_millis: u64) -> String {
        if self.millis == Some(unix_millis) {
            self.increment();
        } else {
            self.millis = Some(unix_millis);
            self.random = self.rng.bytes::<RANDOM_LENGTH>().map(|byte| byte % 64);
        }
        let time = (0..TIME_LENGTH).rev().map(|place| (unix_millis >> (6 * place)) % 64);
        let digits = time.chain(self.random.map(u64::from));
        digits.map(|digit| char::from(DIGITS[usize::try_from(digit).expect("below 64")])).collect()
    }

    fn increment(&mut self) {
        for digit in self.random.iter_mut().rev() {
            *digit = (*digit + 1) % 64;
            if *digit != 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn keys() -> PushKeys {
        PushKeys::new(Seed::from_number(1).rng("push keys"))
    }

    #[test]
    fn keys_tell_the_time_as_those_of_firebase_do() {
        // spec: tests/wire/firebase/npm-firebase-server-open.jsonl, A's first announce
        let key = keys().next(1_795_404_451_288);
        assert_eq!(&key[..8], "-P75RRrN");
        assert_eq!(key.len(), 20);
    }

    #[test]
    fn keys_sort_as_they_were_made_and_none_is_made_twice() {
        let mut keys = keys();
        let made: Vec<String> =
            (0..1_000).map(|n| keys.next(1_700_000_000_000 + n / 100)).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]), "{made:?}");
    }
}
