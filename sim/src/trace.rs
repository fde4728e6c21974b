//! What happened, as one number: equal runs have equal hashes.
//!
//! By default the hash is over time, peer, kind and size of all that peers did, which is the same in
//! any process. The numbers that SCTP begins with come from the operating system, so the bytes are
//! the same only where that is overridden, as in this crate's own program.

use sha2::{Digest, Sha256};
use tristero_proto::signaling::LinkFrame;
use tristero_proto::{Output, Time};

use crate::world::Who;

/// A hash over the outputs of all peers.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: Sha256,
    takes_bytes: bool,
}

impl Trace {
    pub(crate) fn new(takes_bytes: bool) -> Self {
        Trace { hash: Sha256::new(), takes_bytes }
    }

    pub(crate) fn note(&mut self, at: Time, who: Who, output: &Output) {
        let (kind, bytes): (u8, &[u8]) = match output {
            Output::OpenLink { .. } => (1, &[]),
            Output::SendLink { frame, .. } => (
                2,
                match frame {
                    LinkFrame::Text(text) => text.as_bytes(),
                    LinkFrame::Binary(bytes) => bytes,
                },
            ),
            Output::CloseLink { .. } => (3, &[]),
            Output::Transmit(transmit) => (4, &transmit.bytes),
            Output::Event(event) => {
                // Times and sizes in it are those of what it tells of.
                self.hash.update(format!("{:?}", std::mem::discriminant(event)));
                (5, &[])
            }
            Output::Network(_) => (6, &[]),
            _ => (0, &[]),
        };
        self.hash.update(at.since_epoch().as_nanos().to_be_bytes());
        self.hash.update(who.number().to_be_bytes());
        self.hash.update([kind]);
        self.hash.update(bytes.len().to_be_bytes());
        if self.takes_bytes {
            self.hash.update(bytes);
        }
    }

    /// The hash so far.
    pub(crate) fn digest(&self) -> u64 {
        let digest: [u8; 32] = self.hash.clone().finalize().into();
        let (head, _) = digest.split_first_chunk().expect("it has 32 bytes");
        u64::from_be_bytes(*head)
    }
}
