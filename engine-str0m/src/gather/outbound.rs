//! What goes out to servers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use tristero_proto::engine::{EngineOutput, NetworkRequest, Path, StreamId, Transmit};

use super::framing::padding;

/// The engine's outputs, as servers use them.
#[derive(Debug)]
pub(crate) struct Outbound<'a>(pub(crate) &'a mut VecDeque<EngineOutput>);

impl Outbound<'_> {
    pub(crate) fn datagram(&mut self, path: Path, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        let transmit = Transmit { path, bytes, segment_size: None, ecn: None };
        self.0.push_back(EngineOutput::Transmit(transmit));
    }

    /// Sends a message of TURN over a stream.
    pub(crate) fn stream(&mut self, stream: StreamId, message: &[u8]) {
        let padded = message.len() + padding(message);
        let mut bytes = BytesMut::zeroed(padded);
        bytes[..message.len()].copy_from_slice(message);
        self.request(NetworkRequest::SendStream { stream, bytes: bytes.freeze() });
    }

    pub(crate) fn request(&mut self, request: NetworkRequest) {
        self.0.push_back(EngineOutput::Network(request));
    }
}
