//! What the soak said of a mutant.

use std::fmt;

use crate::command::{Ending, RunError};

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// All nights passed.
    Nothing,
    /// A check failed.
    Check {
        /// Which one.
        name: String,
        /// How many nights were tried, with this one: seeds, and scenarios.
        nights: u32,
    },
    /// It did not end.
    Hangs,
    /// There is no mutant: the patch does not apply, or what it makes does not compile.
    NoMutant,
}

impl Finding {
    /// Reads what the program printed.
    pub(super) fn read(ended: Ending, said: &str) -> Result<Self, RunError> {
        match ended {
            Ending::Well => Ok(Self::Nothing),
            Ending::Late => Ok(Self::Hangs),
            Ending::Badly(error) => {
                let (name, nights) = check(said).zip(nights(said)).ok_or(error)?;
                Ok(Self::Check { name: name.to_owned(), nights })
            }
        }
    }

    /// Whether there is something wrong, and the soak says so.
    pub(super) fn is_found(&self) -> bool {
        match self {
            Self::Check { .. } | Self::Hangs => true,
            Self::Nothing | Self::NoMutant => false,
        }
    }

    /// Who found it and after how many nights, for a table.
    pub(super) fn cells(&self) -> (String, String) {
        match self {
            Self::Nothing | Self::NoMutant => ("–".to_owned(), "–".to_owned()),
            Self::Check { name, nights } => (name.clone(), nights.to_string()),
            Self::Hangs => ("the soak never ends".to_owned(), "–".to_owned()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("not found"),
            Self::Check { name, nights } => write!(f, "found by {name} after {nights} nights"),
            Self::Hangs => f.write_str("found: the soak never ends"),
            Self::NoMutant => f.write_str("it can't be made"),
        }
    }
}

/// The check in `--seed 7 failed after 12.5s: mesh: somebody is missing`.
fn check(said: &str) -> Option<&str> {
    said.lines().rev().find(|line| line.contains(" failed after "))?.split(": ").nth(1)
}

/// How many there are in `7 seeds and 2 scenarios in 1.2s`.
fn nights(said: &str) -> Option<u32> {
    let counts = said.lines().find_map(|line| {
        let (counts, _) = line.split_once(" in ")?;
        counts.contains(" seeds").then_some(counts)
    })?;
    Some(counts.split(' ').filter_map(|word| word.parse::<u32>().ok()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;
    use std::process::Command;

    #[test]
    fn what_failed_and_when_is_read_from_what_the_soak_prints() {
        let said = "9 seeds in 1.2s\n2 peers, 1 rooms\n   1.5 Healed\n\
                    --seed 7 failed after 12.5s: mesh: Who(1): alone\nreplay it: cargo run\n";
        let error = || command::read(Command::new("rustc").arg("--no-such-option")).unwrap_err();
        let found = Finding::read(Ending::Badly(error()), said).unwrap();
        assert_eq!(found, Finding::Check { name: "mesh".to_owned(), nights: 9 });
        assert_eq!(found.to_string(), "found by mesh after 9 nights");
        let said = "0 seeds and 2 scenarios in 9ms\n--scenario x failed after 1s: log: bad\n";
        let found = Finding::read(Ending::Badly(error()), said).unwrap();
        assert_eq!(found.cells(), ("log".to_owned(), "2".to_owned()));
        assert!(Finding::read(Ending::Badly(error()), "").is_err(), "it is no finding to crash");
        assert_eq!(Finding::read(Ending::Well, said).unwrap(), Finding::Nothing);
        assert_eq!(Finding::read(Ending::Late, said).unwrap(), Finding::Hangs);
    }
}
