//! Which run it is: one that is drawn from a seed, or one that somebody wrote down.

use std::fmt;

use tristero_proto::Seed;

use super::options::Options;
use super::scenarios::{self, Scenario};

/// Which run it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Night {
    /// All of it comes from this seed.
    Drawn(u64),
    /// What happens is written down.
    Written(&'static Scenario),
}

impl Night {
    /// The nights that are written down.
    pub(crate) fn written() -> impl Iterator<Item = Night> {
        scenarios::ALL.iter().map(Night::Written)
    }

    /// The night that is written down under this name.
    pub(crate) fn by_name(name: &str) -> Option<Night> {
        Night::written().find(|night| matches!(night, Night::Written(known) if known.name == name))
    }

    /// What its world comes from.
    pub(crate) fn seed(self) -> u64 {
        match self {
            Night::Drawn(seed) => seed,
            Night::Written(_) => SEED_OF_THE_WRITTEN,
        }
    }

    /// What it is like.
    pub(crate) fn options(self) -> Options {
        match self {
            Night::Drawn(seed) => Options::draw(&Seed::from_number(seed).fork("soak")),
            Night::Written(scenario) => (scenario.options)(),
        }
    }
}

/// The arguments that name it to the program.
impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Night::Drawn(seed) => write!(f, "--seed {seed}"),
            Night::Written(scenario) => write!(f, "--scenario {}", scenario.name),
        }
    }
}

/// Ids, ports and keys are drawn where all else is written down.
const SEED_OF_THE_WRITTEN: u64 = 1;
