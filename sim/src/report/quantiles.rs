//! What most things took, in three numbers.

use std::time::Duration;

/// Half of all took no longer than the first, 19 of 20 no longer than the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantiles {
    pub(super) p50: Duration,
    pub(super) p95: Duration,
    pub(super) max: Duration,
}

impl Quantiles {
    /// Those of these times; `None` if there are none.
    pub(super) fn of(took: &[Duration]) -> Option<Self> {
        let mut sorted = took.to_vec();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        // The nearest rank: each is a time that something took.
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
        Some(Quantiles { p50: rank(50), p95: rank(95), max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_something_took() {
        let seconds = |seconds: &[u64]| {
            Quantiles::of(&seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>())
        };
        let expected = |p50, p95, max| {
            let [p50, p95, max] = [p50, p95, max].map(Duration::from_secs);
            Some(Quantiles { p50, p95, max })
        };
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[7]), expected(7, 7, 7));
        assert_eq!(seconds(&[2, 1]), expected(1, 2, 2));
        assert_eq!(seconds(&(1..=100).rev().collect::<Vec<_>>()), expected(50, 95, 100));
    }
}
