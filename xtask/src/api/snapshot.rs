//! Comparing two lists of items.

use std::collections::BTreeSet;
use std::fmt;

/// The items that only one of two lists has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    gone: Vec<String>,
    new: Vec<String>,
}

impl Difference {
    /// What `now` lacks of `before`, and what it has beside that; `None` if they are equal.
    ///
    /// The order of items says nothing.
    pub(super) fn between(before: &str, now: &str) -> Option<Self> {
        let items = |text| str::lines(text).collect::<BTreeSet<&str>>();
        let (before, now) = (items(before), items(now));
        let only = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| -> Vec<String> {
            one.difference(other).map(ToString::to_string).collect()
        };
        let difference = Self { gone: only(&before, &now), new: only(&now, &before) };
        (!difference.gone.is_empty() || !difference.new.is_empty()).then_some(difference)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, items) in [('-', &self.gone), ('+', &self.new)] {
            for item in items {
                writeln!(f, "{sign} {item}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_have_no_difference_in_whatever_order() {
        assert_eq!(Difference::between("a\nb\n", "b\na\n"), None);
        assert_eq!(Difference::between("", ""), None);
    }

    #[test]
    fn what_is_gone_comes_before_what_is_new() {
        let difference =
            Difference::between("pub fn a()\npub fn b()\n", "pub fn b()\npub fn c()\n");
        assert_eq!(difference.unwrap().to_string(), "- pub fn a()\n+ pub fn c()\n");
    }

    #[test]
    fn a_list_that_was_never_written_lacks_everything() {
        assert_eq!(Difference::between("", "pub fn a()").unwrap().to_string(), "+ pub fn a()\n");
    }
}
