//! What is new in what the server says of the tree.
//!
//! The server tells changes of any depth: a whole room at first, one signal later, or a node above
//! all rooms. Each is reduced to the *leaves* in it that matter to us, which are announces and
//! signals to us. A leaf is told once, and may be told again only after the server has said that
//! it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::crypto::Topic;

/// The child of a presence node that has the announce.
pub(super) const ANNOUNCE_KEY: &str = "_";
/// Keys that lead to an announce: the push key, and that one.
const ANNOUNCE_DEPTH: usize = 2;
/// Keys that lead to a signal: the self topic, the sender, and the push key.
const SIGNAL_DEPTH: usize = 3;
/// Leaves that one message may bring, in all its changes. Of more in one change, the newest are
/// taken: who came last is most likely still there.
pub(super) const LEAVES_PER_MESSAGE_MAX: usize = 1_024;
/// Leaves remembered as told. The oldest is forgotten, and would be told again.
const TOLD_MAX: usize = 16_384;
/// The longest key of a node, in bytes, as the database has it. Longer ones are passed over.
const KEY_BYTES_MAX: usize = 768;

/// Where rooms are in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base(Vec<String>);

impl Base {
    pub(super) fn new(path: &str) -> Self {
        Base(segments(path).map(str::to_owned).collect())
    }

    /// The path of a node in a room, as requests have it.
    pub(super) fn path(&self, root: &Topic, below: &[&str]) -> String {
        let base = self.0.iter().map(String::as_str);
        let parts = base.chain([root.as_str()]).chain(below.iter().copied());
        parts.fold(String::new(), |path, part| path + "/" + part)
    }

    /// What a change at a path says of a room: the path within the room and the value there, or
    /// nothing.
    pub(super) fn within<'a>(
        &self,
        root: &Topic,
        path: &'a str,
        value: &'a Value,
    ) -> Option<(Vec<&'a str>, &'a Value)> {
        let mut path = segments(path);
        let mut value = value;
        for part in self.0.iter().map(String::as_str).chain([root.as_str()]) {
            match path.next() {
                Some(other) if other == part => {}
                Some(_) => return None,
                None => value = value.get(part).unwrap_or(&Value::Null),
            }
        }
        Some((path.collect(), value))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// An announce, or a signal to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The keys that lead to it within its room.
    pub(super) path: Vec<String>,
    /// The signal's JSON.
    pub(super) body: String,
}

impl Leaf {
    /// Whether it lies in a self topic, and not in a presence node.
    pub(super) fn is_signal(&self) -> bool {
        is_signal(&self.path)
    }

    /// The push key, which sorts by time.
    fn age(&self) -> Option<&String> {
        if self.is_signal() { self.path.last() } else { self.path.first() }
    }
}

fn is_signal(path: &[String]) -> bool {
    path.len() == SIGNAL_DEPTH
}

/// The newest leaves of a change.
#[derive(Debug)]
struct Newest {
    found: Vec<Leaf>,
    max: usize,
}

impl Newest {
    /// Each leaf has its whole path, so no more than twice as many are ever held as are wanted.
    fn add(&mut self, leaf: Leaf) {
        self.found.push(leaf);
        if self.found.len() >= 2 * self.max.max(1) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.found.sort_by(|a, b| a.age().cmp(&b.age()));
        self.found.drain(..self.found.len().saturating_sub(self.max));
    }
}

/// The newest leaves in a change of a room, in the order of their push keys. `own` is our self
/// topic there, if we listen to it.
fn leaves(own: Option<&Topic>, path: &[&str], value: &Value, max: usize) -> Vec<Leaf> {
    let mut newest = Newest { found: Vec::new(), max };
    let mut path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    if path.iter().all(|key| key.len() <= KEY_BYTES_MAX) {
        collect(own, &mut path, value, &mut newest);
    }
    newest.trim();
    newest.found
}

fn collect(own: Option<&Topic>, path: &mut Vec<String>, value: &Value, newest: &mut Newest) {
    let is_own = path.first().is_some_and(|key| own.is_some_and(|own| own.as_str() == key));
    let is_leaf = if is_own {
        path.len() == SIGNAL_DEPTH
    } else {
        path.len() == ANNOUNCE_DEPTH && path[1] == ANNOUNCE_KEY
    };
    let is_above = path.len() < if is_own { SIGNAL_DEPTH } else { ANNOUNCE_DEPTH };
    if is_leaf {
        let body = match value {
            Value::String(body) => body.clone(),
            Value::Object(_) => value.to_string(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return,
        };
        newest.add(Leaf { path: path.clone(), body });
    } else if let (true, Value::Object(children)) = (is_above, value) {
        for (key, child) in children.iter().filter(|(key, _)| key.len() <= KEY_BYTES_MAX) {
            path.push(key.clone());
            collect(own, path, child, newest);
            path.pop();
        }
    }
}

/// Leaves that were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    by_leaf: BTreeMap<(Topic, Vec<String>), u64>,
    by_age: BTreeMap<u64, (Topic, Vec<String>)>,
    count: u64,
}

impl Told {
    /// Takes a change at a path of a room. Gives the leaves that are new, of so many at most.
    pub(super) fn change(
        &mut self,
        root: &Topic,
        own: Option<&Topic>,
        path: &[&str],
        value: &Value,
        leaves_max: usize,
    ) -> Vec<Leaf> {
        let mut found = leaves(own, path, value, leaves_max);
        let paths: BTreeSet<&Vec<String>> = found.iter().map(|leaf| &leaf.path).collect();
        self.forget(root, path, |known| paths.contains(known));
        found.retain(|leaf| self.is_new(root, &leaf.path));
        found
    }

    /// Forgets the leaves below a path of a room, but for some.
    pub(super) fn forget(
        &mut self,
        root: &Topic,
        path: &[&str],
        is_kept: impl Fn(&Vec<String>) -> bool,
    ) {
        let first = path.iter().map(|part| (*part).to_owned()).collect();
        let is_within = |(other, leaf): &(Topic, Vec<String>)| {
            other == root && leaf.iter().zip(path).all(|(key, part)| key == part)
        };
        let below = self.by_leaf.range((root.clone(), first)..).map(|(leaf, _)| leaf);
        let below = below.take_while(|leaf| is_within(leaf));
        let gone: Vec<_> = below.filter(|(_, leaf)| !is_kept(leaf)).cloned().collect();
        for leaf in gone {
            if let Some(age) = self.by_leaf.remove(&leaf) {
                self.by_age.remove(&age);
            }
        }
    }

    /// Forgets announces, and no signals.
    pub(super) fn forget_announces(&mut self) {
        self.by_leaf.retain(|(_, path), _| is_signal(path));
        self.by_age.retain(|_, (_, path)| is_signal(path));
    }

    fn is_new(&mut self, root: &Topic, path: &[String]) -> bool {
        let leaf = (root.clone(), path.to_vec());
        if self.by_leaf.contains_key(&leaf) {
            return false;
        }
        if self.by_leaf.len() >= TOLD_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_leaf.remove(&oldest);
        }
        self.count += 1;
        self.by_leaf.insert(leaf.clone(), self.count);
        self.by_age.insert(self.count, leaf);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bodies(told: &mut Told, path: &[&str], value: &Value) -> Vec<String> {
        let (root, own) = (Topic::from_wire("root"), Topic::from_wire("own"));
        let new = told.change(&root, Some(&own), path, value, LEAVES_PER_MESSAGE_MAX);
        new.into_iter().map(|leaf| leaf.body).collect()
    }

    #[test]
    fn a_room_is_found_in_changes_of_any_depth() {
        let (base, root) = (Base::new("/a//b/"), Topic::from_wire("r"));
        assert_eq!(base.path(&root, &["x", "y"]), "/a/b/r/x/y");
        let value = json!({ "b": { "r": 1 } });
        assert_eq!(base.within(&root, "/a", &value), Some((vec![], &json!(1))));
        assert_eq!(base.within(&root, "", &Value::Null), Some((vec![], &Value::Null)));
        assert_eq!(base.within(&root, "a/b/r/x/y", &value), Some((vec!["x", "y"], &value)));
        assert_eq!(base.within(&root, "a/b/other", &value), None);
    }

    #[test]
    fn a_leaf_is_told_once_wherever_it_shows_up() {
        let mut told = Told::default();
        let room = json!({ "-2": { "_": "b" }, "-1": { "_": { "peerId": "a" } }, "other": { "x": { "-3": "c" } } });
        assert_eq!(bodies(&mut told, &[], &room), [r#"{"peerId":"a"}"#, "b"]);
        assert!(bodies(&mut told, &[], &room).is_empty());
        assert!(bodies(&mut told, &["-1"], &room["-1"]).is_empty());
        assert!(bodies(&mut told, &["-1", "_"], &json!({ "peerId": "z" })).is_empty());
        assert!(bodies(&mut told, &["-1", "_", "peerId"], &json!("z")).is_empty());
        assert_eq!(bodies(&mut told, &["own", "x"], &json!({ "-4": "d" })), ["d"]);
        assert_eq!(bodies(&mut told, &["own", "x", "-5"], &json!("e")), ["e"]);
        assert!(bodies(&mut told, &["own", "x"], &json!({ "-4": "d", "-5": "e" })).is_empty());
    }

    #[test]
    fn what_was_gone_is_new_again() {
        let mut told = Told::default();
        let room = json!({ "-1": { "_": "a" }, "-2": { "_": "b" } });
        assert_eq!(bodies(&mut told, &[], &room), ["a", "b"]);
        assert!(bodies(&mut told, &["-1"], &Value::Null).is_empty());
        assert_eq!(bodies(&mut told, &[], &room), ["a"]);
        assert!(bodies(&mut told, &[], &json!({ "-1": { "_": "a" } })).is_empty());
        assert_eq!(bodies(&mut told, &["-2", "_"], &json!("b")), ["b"]);
    }

    #[test]
    fn what_is_too_much_is_not_kept() {
        let mut told = Told::default();
        let presence = |n: usize| (format!("-{n:05}"), json!({ "_": n.to_string() }));
        let room = Value::Object((0..2_000).map(presence).collect());
        let new = bodies(&mut told, &[], &room);
        assert_eq!((new.len(), &*new[0]), (LEAVES_PER_MESSAGE_MAX, "976"));
        for n in 0..TOLD_MAX {
            bodies(&mut told, &[&n.to_string()], &json!({ "_": "a" }));
        }
        assert_eq!((told.by_leaf.len(), told.by_age.len()), (TOLD_MAX, TOLD_MAX));
        assert!(bodies(&mut told, &[&"k".repeat(769)], &json!({ "_": "a" })).is_empty());
        assert!(bodies(&mut told, &["-1"], &json!({ "_": 7 })).is_empty());
    }
}
