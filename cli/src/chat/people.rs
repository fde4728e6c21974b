//! What the members of a room are called.
//!
//! Everyone may take any name, also that of another. So a name is cleaned, and stands alone only
//! as long as nobody else in the room could be meant by it; else the id is shown too, which nobody
//! else has.

use std::collections::BTreeMap;

use tristero_tokio::PeerId;

use super::text::{is_invisible, printable};

/// The longest name, in characters. It stands before everything that somebody says.
const NAME_MAX: usize = 32;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct People {
    own_name: Option<String>,
    names: BTreeMap<PeerId, Option<String>>,
}

/// Why nobody is found by what somebody was called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfound {
    #[error("nobody here is called {0}")]
    Nobody(String),
    #[error("several are called {0}; the beginning of an id tells them apart")]
    Several(String),
}

impl People {
    pub(crate) fn new(own_name: Option<String>) -> Self {
        People { own_name, names: BTreeMap::new() }
    }

    /// What we are called.
    pub(crate) fn own_name(&self) -> Option<&str> {
        self.own_name.as_deref()
    }

    pub(crate) fn join(&mut self, peer: &PeerId) {
        self.names.entry(peer.clone()).or_default();
    }

    pub(crate) fn leave(&mut self, peer: &PeerId) {
        self.names.remove(peer);
    }

    /// Somebody says what to be called. False if that is nothing new.
    pub(crate) fn rename(&mut self, peer: &PeerId, name: &str) -> bool {
        let Some(current) = self.names.get_mut(peer) else { return false };
        let name = clean_name(name);
        let is_new = *current != name;
        *current = name;
        is_new
    }

    /// Those who are here.
    pub(crate) fn present(&self) -> impl Iterator<Item = &PeerId> {
        self.names.keys()
    }

    /// How somebody is shown.
    pub(crate) fn title(&self, peer: &PeerId) -> String {
        let id = printable(peer.as_str());
        match self.names.get(peer) {
            Some(Some(name)) if self.is_unmistakable(peer, name) => name.clone(),
            Some(Some(name)) => format!("{name} ({id})"),
            Some(None) | None => id.into_owned(),
        }
    }

    /// How somebody is shown with all that is known.
    pub(crate) fn full_title(&self, peer: &PeerId) -> String {
        let id = printable(peer.as_str());
        match self.names.get(peer) {
            Some(Some(name)) => format!("{name} ({id})"),
            Some(None) | None => id.into_owned(),
        }
    }

    /// Who is meant, by an id, a name, or the beginning of an id.
    pub(crate) fn find(&self, word: &str) -> Result<PeerId, Unfound> {
        let called =
            |name: &Option<String>| name.as_deref().is_some_and(|name| is_same(name, word));
        let by_id = || self.names.keys().filter(|peer| peer.as_str() == word);
        let by_name = || self.names.iter().filter(|(_, name)| called(name)).map(|(peer, _)| peer);
        let by_beginning = || self.names.keys().filter(|peer| peer.as_str().starts_with(word));
        only(by_id())
            .or_else(|| only(by_name()))
            .or_else(|| only(by_beginning()))
            .unwrap_or_else(|| Err(Unfound::Nobody(String::new())))
            .map_err(|unfound| unfound.about(word))
    }

    /// Whether nobody else could be meant.
    fn is_unmistakable(&self, peer: &PeerId, name: &str) -> bool {
        let is_ours = self.own_name.as_deref().is_some_and(|own| is_same(own, name));
        let mut others = self.names.iter().filter(|(other, _)| *other != peer);
        !is_ours
            && others.all(|(other, its_name)| {
                let is_its = its_name.as_deref().is_some_and(|its_name| is_same(its_name, name));
                !is_its && !is_same(other.as_str(), name)
            })
    }
}

impl Unfound {
    fn about(self, word: &str) -> Self {
        let word = printable(word).into_owned();
        match self {
            Unfound::Nobody(_) => Unfound::Nobody(word),
            Unfound::Several(_) => Unfound::Several(word),
        }
    }
}

/// What somebody who wants this name is called: one short word that is no punctuation. Nothing if
/// none is left.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let visible: String = name.chars().filter(|character| !is_invisible(*character)).collect();
    let word = visible.trim().chars().take(NAME_MAX).map(|character| {
        let is_mark =
            character.is_ascii_punctuation() && !matches!(character, '-' | '_' | '.' | '\'');
        if character.is_whitespace() || is_mark { '-' } else { character }
    });
    let word: String = word.collect();
    let word = word.trim_matches('-');
    word.contains(char::is_alphanumeric).then(|| word.to_owned())
}

/// The one of these, if there are any.
fn only<'a>(mut found: impl Iterator<Item = &'a PeerId>) -> Option<Result<PeerId, Unfound>> {
    let first = found.next()?.clone();
    Some(match found.next() {
        None => Ok(first),
        Some(_) => Err(Unfound::Several(String::new())),
    })
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: &str) -> PeerId {
        PeerId::new(id).unwrap()
    }

    fn people(own_name: Option<&str>, named: &[(&str, &str)]) -> People {
        let mut people = People::new(own_name.map(str::to_owned));
        for (id, name) in named {
            people.join(&peer(id));
            people.rename(&peer(id), name);
        }
        people
    }

    #[test]
    fn a_name_is_a_short_word() {
        for (name, clean) in [
            ("Ann", Some("Ann")),
            ("  Zoë Müller ", Some("Zoë-Müller")),
            ("O'Neill_2.0", Some("O'Neill_2.0")),
            ("a\u{1b}[2J\u{202e}b \u{200b}", Some("a-2Jb")),
            ("* Bob joined:", Some("Bob-joined")),
            ("two\nlines", Some("twolines")),
            ("\u{200b}\u{feff}", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(clean_name(name).as_deref(), clean, "{name:?}");
        }
        assert_eq!(clean_name(&"x".repeat(1_000_000)).unwrap().len(), NAME_MAX);
    }

    #[test]
    fn a_name_that_could_mean_another_is_shown_with_the_id() {
        let named =
            [("id-a", "Ann"), ("id-b", "Bob"), ("id-c", "bob"), ("id-d", "ID-A"), ("id-e", "Me")];
        let people = people(Some("me"), &named);
        for (id, title) in [
            ("id-a", "Ann"),
            ("id-b", "Bob (id-b)"),
            ("id-c", "bob (id-c)"),
            ("id-d", "ID-A (id-d)"),
            ("id-e", "Me (id-e)"),
            ("id-f", "id-f"),
        ] {
            assert_eq!(people.title(&peer(id)), title);
        }
        assert_eq!(people.full_title(&peer("id-a")), "Ann (id-a)");
    }

    #[test]
    fn somebody_is_found_by_id_name_or_beginning() {
        let people = people(None, &[("abc", "Ann"), ("abd", "Bob"), ("x", "bob"), ("y", "abc")]);
        let find = |word: &str| people.find(word);
        assert_eq!(find("abc"), Ok(peer("abc")), "nobody takes another's id for a name");
        assert_eq!(find("ann"), Ok(peer("abc")));
        assert_eq!(find("abd"), Ok(peer("abd")));
        assert_eq!(find("ab"), Err(Unfound::Several("ab".to_owned())));
        assert_eq!(find("Bob"), Err(Unfound::Several("Bob".to_owned())));
        assert_eq!(find("z\u{7}"), Err(Unfound::Nobody(r"z\u{7}".to_owned())));
    }

    #[test]
    fn only_who_is_here_has_a_name() {
        let mut people = people(None, &[("a", "Ann")]);
        assert!(!people.rename(&peer("a"), "Ann") && people.rename(&peer("a"), "Eve"));
        people.leave(&peer("a"));
        assert!(!people.rename(&peer("a"), "Ann"));
        assert_eq!((people.title(&peer("a")).as_str(), people.present().count()), ("a", 0));
    }
}
