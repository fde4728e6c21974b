//! A few peers by name.

use std::fmt;
use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use crate::ids::PeerId;

/// How many have room without an allocation: most rooms are small, and most messages too.
const INLINE: usize = 4;

/// A list of peers that allocates nothing while it has up to four; else like a [`Vec`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct PeerIds(SmallVec<[PeerId; INLINE]>);

impl PeerIds {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a peer at the end.
    pub fn push(&mut self, peer: PeerId) {
        self.0.push(peer);
    }
}

impl Deref for PeerIds {
    type Target = [PeerId];

    fn deref(&self) -> &[PeerId] {
        &self.0
    }
}

impl DerefMut for PeerIds {
    fn deref_mut(&mut self) -> &mut [PeerId] {
        &mut self.0
    }
}

impl From<PeerId> for PeerIds {
    fn from(peer: PeerId) -> Self {
        PeerIds::from_iter([peer])
    }
}

impl From<Vec<PeerId>> for PeerIds {
    fn from(peers: Vec<PeerId>) -> Self {
        PeerIds(peers.into())
    }
}

impl From<PeerIds> for Vec<PeerId> {
    fn from(peers: PeerIds) -> Self {
        peers.0.into_vec()
    }
}

impl FromIterator<PeerId> for PeerIds {
    fn from_iter<I: IntoIterator<Item = PeerId>>(peers: I) -> Self {
        PeerIds(peers.into_iter().collect())
    }
}

impl Extend<PeerId> for PeerIds {
    fn extend<I: IntoIterator<Item = PeerId>>(&mut self, peers: I) {
        self.0.extend(peers);
    }
}

impl IntoIterator for PeerIds {
    type Item = PeerId;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self.0.into_iter())
    }
}

impl<'a> IntoIterator for &'a PeerIds {
    type Item = &'a PeerId;
    type IntoIter = std::slice::Iter<'a, PeerId>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The peers of a [`PeerIds`], one after another.
#[derive(Clone, Debug)]
pub struct IntoIter(smallvec::IntoIter<[PeerId; INLINE]>);

impl Iterator for IntoIter {
    type Item = PeerId;

    fn next(&mut self) -> Option<PeerId> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl PartialEq<[PeerId]> for PeerIds {
    fn eq(&self, other: &[PeerId]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<[PeerId; N]> for PeerIds {
    fn eq(&self, other: &[PeerId; N]) -> bool {
        **self == other[..]
    }
}

impl PartialEq<Vec<PeerId>> for PeerIds {
    fn eq(&self, other: &Vec<PeerId>) -> bool {
        **self == other[..]
    }
}

impl fmt::Debug for PeerIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
