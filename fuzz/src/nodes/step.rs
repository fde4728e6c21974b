//! One thing that happens, as bytes.
//!
//! All steps look alike: what happens and to whom, three picks, and for some bytes. So that most of
//! what a fuzzer changes still means something.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::script::{blob, emit_blob};
use crate::world::Who;

/// Something that is done to a node, or happens around both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub deed: Deed,
    /// To which node.
    pub(crate) who: Who,
    /// To which of those that there are, and how: each deed reads these in its own way.
    pub picks: [u8; 3],
    /// What is sent, where something is.
    pub bytes: Vec<u8>,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "most are commands of a node")]
pub enum Deed {
    Wait,
    Linger,
    Jump,
    Join,
    Leave,
    Register,
    Send,
    SendStream,
    Feed,
    Finish,
    Abort,
    Request,
    AbortRequest,
    Respond,
    Reject,
    Ping,
    Greet,
    Accept,
    Refuse,
    Pause,
    Resume,
    ShutDown,
    Cut,
    StopRelay,
    Address,
    LinkOpened,
    LinkClosed,
    LinkText,
    LinkBytes,
    Publish,
    Signal,
    Datagram,
    Forge,
    Chunk,
    AddStream,
    Share,
    Unshare,
    Write,
    Watch,
}

impl Deed {
    pub(super) const ALL: [Deed; 39] = [
        Deed::Wait,
        Deed::Linger,
        Deed::Jump,
        Deed::Join,
        Deed::Leave,
        Deed::Register,
        Deed::Send,
        Deed::SendStream,
        Deed::Feed,
        Deed::Finish,
        Deed::Abort,
        Deed::Request,
        Deed::AbortRequest,
        Deed::Respond,
        Deed::Reject,
        Deed::Ping,
        Deed::Greet,
        Deed::Accept,
        Deed::Refuse,
        Deed::Pause,
        Deed::Resume,
        Deed::ShutDown,
        Deed::Cut,
        Deed::StopRelay,
        Deed::Address,
        Deed::LinkOpened,
        Deed::LinkClosed,
        Deed::LinkText,
        Deed::LinkBytes,
        Deed::Publish,
        Deed::Signal,
        Deed::Datagram,
        Deed::Forge,
        Deed::Chunk,
        Deed::AddStream,
        Deed::Share,
        Deed::Unshare,
        Deed::Write,
        Deed::Watch,
    ];

    fn has_bytes(self) -> bool {
        matches!(
            self,
            Deed::Send
                | Deed::Feed
                | Deed::Request
                | Deed::Respond
                | Deed::Greet
                | Deed::LinkText
                | Deed::LinkBytes
                | Deed::Publish
                | Deed::Signal
                | Deed::Datagram
                | Deed::Forge
                | Deed::Chunk
        )
    }

    fn number(self) -> u8 {
        let index = Self::ALL.iter().position(|deed| *deed == self);
        index.and_then(|index| u8::try_from(index).ok()).expect("all are in the list")
    }
}

impl Step {
    /// A step without picks and bytes.
    pub(crate) fn new(deed: Deed, who: Who) -> Self {
        Step { deed, who, picks: [0; 3], bytes: Vec::new() }
    }

    /// Writes the step as it is read.
    pub(crate) fn emit(&self, out: &mut Vec<u8>) {
        out.extend([self.deed.number(), u8::from(self.who == Who(1))]);
        out.extend(self.picks);
        if self.deed.has_bytes() {
            emit_blob(&self.bytes, out);
        }
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let deed = Deed::ALL[usize::from(bytes.arbitrary::<u8>()?) % Deed::ALL.len()];
        let who = Who(usize::from(bytes.arbitrary::<u8>()? % 2));
        let picks = bytes.arbitrary()?;
        let bytes = if deed.has_bytes() { blob(bytes)? } else { Vec::new() };
        Ok(Step { deed, who, picks, bytes })
    }
}
