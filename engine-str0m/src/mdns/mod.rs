//! Names that multicast DNS resolves, in the place of addresses: browsers hide the addresses of their
//! machine so, and we may.
//!
//! A name is random and says nothing of the machine; who is on the same network can ask for the
//! address behind it. Asking and answering is the runtime's. Nothing waits for an answer: the
//! candidate joins the others when it is known, and if it never is, the peer's own checks may still
//! show where it is.
//!
//! spec: draft-ietf-mmusic-mdns-ice-candidates, sections 3.1 and 3.2

mod asked;
mod name;
mod own;

use std::net::IpAddr;

pub(crate) use asked::AskedNames;
pub(crate) use name::LocalName;
pub(crate) use own::OwnNames;

/// The first address of each family. An honest name stands for one address; more would have us send
/// datagrams to whomever it likes.
pub(crate) fn one_of_each_family(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let first = |is_v4: bool| addresses.iter().find(|address| address.is_ipv4() == is_v4);
    [first(true), first(false)].into_iter().flatten().copied()
}
