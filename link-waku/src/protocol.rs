//! The protocols of a Waku node that the strategy uses, and the byte that stands for each.

use libp2p::StreamProtocol;

/// A protocol that we open streams of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestProtocol {
    FilterSubscribe,
    Lightpush,
    Metadata,
}

impl RequestProtocol {
    /// The protocol that the first byte of a frame stands for.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(RequestProtocol::FilterSubscribe),
            2 => Some(RequestProtocol::Lightpush),
            4 => Some(RequestProtocol::Metadata),
            _ => None,
        }
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            RequestProtocol::FilterSubscribe => 1,
            RequestProtocol::Lightpush => 2,
            RequestProtocol::Metadata => 4,
        }
    }

    pub(crate) fn name(self) -> StreamProtocol {
        match self {
            RequestProtocol::FilterSubscribe => {
                StreamProtocol::new("/vac/waku/filter-subscribe/2.0.0-beta1")
            }
            RequestProtocol::Lightpush => StreamProtocol::new("/vac/waku/lightpush/3.0.0"),
            RequestProtocol::Metadata => METADATA,
        }
    }
}

/// The byte of [`FILTER_PUSH`].
pub(crate) const FILTER_PUSH_BYTE: u8 = 3;
/// The node opens streams of this one, and pushes messages on them.
pub(crate) const FILTER_PUSH: StreamProtocol =
    StreamProtocol::new("/vac/waku/filter-push/2.0.0-beta1");
/// Both sides ask with this one.
pub(crate) const METADATA: StreamProtocol = StreamProtocol::new("/vac/waku/metadata/1.0.0");
/// What we say of ourselves before the codec has said anything: cluster 1, in protobuf.
pub(crate) const DEFAULT_METADATA: &[u8] = &[0x08, 0x01];
