//! All links of a node, by the names that the node gave them.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use mio::{Registry, Token};
use tristero_proto::LinkId;
use tristero_proto::signaling::{LinkFrame, LinkTarget};

use crate::link::{Link, LinkEvent};

/// The links of a node.
#[derive(Debug)]
pub struct Links {
    links: BTreeMap<LinkId, Entry>,
    /// Which spoke last; the others are asked first, so that none starves them.
    spoke: Option<LinkId>,
    registry: Registry,
    tokens: Range<usize>,
}

#[derive(Debug)]
struct Entry {
    link: Link,
    /// Whether it may have something to say.
    is_ready: bool,
}

impl Links {
    /// No links yet. Each gets a token of these while it is there.
    pub fn new(registry: Registry, tokens: Range<usize>) -> Self {
        Links { links: BTreeMap::new(), spoke: None, registry, tokens }
    }

    /// Begins to open a link. One for which there is no token fails: a node has one link for each of
    /// its relays, so there is, if there are as many tokens as the rooms have relays.
    pub fn open(&mut self, id: LinkId, target: &LinkTarget) {
        let is_taken = |token| self.links.values().any(|entry| entry.link.token() == Token(token));
        let free = self.tokens.clone().find(|token| !is_taken(*token));
        let link = match free {
            Some(token) => Link::open(target, Token(token), &self.registry),
            None => Link::refused("there are too many links"),
        };
        // It may have failed already.
        self.links.insert(id, Entry { link, is_ready: true });
    }

    /// Sends a message over a link, if it is there.
    pub fn send(&mut self, id: LinkId, frame: LinkFrame) {
        let Some(Entry { link, is_ready }) = self.links.get_mut(&id) else { return };
        *is_ready |= !link.send(frame);
    }

    /// Closes a link.
    pub fn close(&mut self, id: LinkId) {
        if let Some(entry) = self.links.remove(&id) {
            entry.link.close();
        }
    }

    /// Notes that something happened; false if the token is of none of these.
    pub fn note_ready(&mut self, token: Token) -> bool {
        let mut entries = self.links.values_mut();
        let Some(entry) = entries.find(|entry| entry.link.token() == token) else { return false };
        entry.is_ready = true;
        true
    }

    /// Whether a link may have something to say.
    pub fn is_ready(&self) -> bool {
        self.links.values().any(|entry| entry.is_ready)
    }

    /// What happened to one of the links. Never waits.
    pub fn poll_event(&mut self) -> Option<(LinkId, LinkEvent)> {
        loop {
            let id = self.next_ready()?;
            let entry = self.links.get_mut(&id)?;
            match entry.link.advance(&self.registry) {
                Some(event) => {
                    self.spoke = Some(id);
                    if matches!(event, LinkEvent::Closed(_)) {
                        self.links.remove(&id);
                    }
                    return Some((id, event));
                }
                None => entry.is_ready = false,
            }
        }
    }

    /// A link that may have something to say.
    fn next_ready(&self) -> Option<LinkId> {
        let after = self.spoke.map_or(Bound::Unbounded, Bound::Excluded);
        let mut links = self.links.range((after, Bound::Unbounded)).chain(&self.links);
        links.find(|(_, entry)| entry.is_ready).map(|(id, _)| *id)
    }
}
