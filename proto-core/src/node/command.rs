//! The calls of a node as data: for a runtime's channel, a simulator, a fuzzer and replay.

use bytes::Bytes;
use serde_json::Value;

use crate::engine::Engine;
use crate::ids::{CallId, HandshakeId, PeerId, PingId, RequestId, RoomKey, SendId};
use crate::media::{AddedStream, AddedTrack, MediaError, Written};
use crate::node::Node;
use crate::node::config::{JoinError, RoomConfig};
use crate::node::media::MediaCommand;
use crate::room::{
    ActionOptions, HandshakeError, PingError, RegisterError, RequestError, RequestOptions,
    RespondError, RestartError, SendError, SendOptions,
};
use crate::time::Time;
use crate::wire::{ActionName, Payload};

/// A call of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// [`Node::join`].
    Join(Box<RoomConfig>),
    /// [`Node::leave`].
    Leave(RoomKey),
    /// [`Node::register`].
    Register(RoomKey, ActionName, ActionOptions),
    /// [`Node::send`].
    Send(RoomKey, ActionName, Payload, SendOptions),
    /// [`Node::send_stream`].
    SendStream(RoomKey, ActionName, SendOptions, Option<u64>),
    /// [`Node::feed`].
    Feed(RoomKey, SendId, Bytes),
    /// [`Node::finish`].
    Finish(RoomKey, SendId),
    /// [`Node::abort`].
    Abort(RoomKey, SendId),
    /// [`Node::request`].
    Request(RoomKey, ActionName, Payload, RequestOptions),
    /// [`Node::abort_request`].
    AbortRequest(RoomKey, RequestId),
    /// [`Node::respond`].
    Respond(RoomKey, CallId, Result<Payload, String>),
    /// [`Node::ping`].
    Ping(RoomKey, PeerId),
    /// [`Node::restart_ice`].
    RestartIce(RoomKey, PeerId),
    /// [`Node::handshake_send`].
    HandshakeSend(RoomKey, HandshakeId, Payload, Option<Value>),
    /// [`Node::handshake_accept`].
    HandshakeAccept(RoomKey, HandshakeId),
    /// [`Node::handshake_refuse`].
    HandshakeRefuse(RoomKey, HandshakeId, String),
    /// Something about audio and video.
    Media(MediaCommand),
    /// [`Node::pause_relays`].
    PauseRelays,
    /// [`Node::resume_relays`].
    ResumeRelays,
    /// [`Node::shut_down`].
    ShutDown,
}

/// What a [`Command`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To [`Command::Join`].
    Joined(Result<RoomKey, JoinError>),
    /// To [`Command::Register`].
    Registered(Result<(), RegisterError>),
    /// To [`Command::Send`] and [`Command::SendStream`].
    Sending(Result<SendId, SendError>),
    /// To [`Command::Request`].
    Requested(Result<RequestId, RequestError>),
    /// To [`Command::Respond`].
    Responded(Result<SendId, RespondError>),
    /// To [`Command::Ping`].
    Pinged(Result<PingId, PingError>),
    /// To [`Command::RestartIce`].
    Restarted(Result<(), RestartError>),
    /// To the commands of a handshake.
    Handshake(Result<(), HandshakeError>),
    /// To [`MediaCommand::AddStream`].
    StreamAdded(Result<AddedStream, MediaError>),
    /// To [`MediaCommand::ShareStream`]: whom the stream goes to now.
    StreamShared(Result<Vec<PeerId>, MediaError>),
    /// To [`MediaCommand::AddTrack`] and [`MediaCommand::ReplaceTrack`].
    TrackAdded(Result<AddedTrack, MediaError>),
    /// To [`MediaCommand::WriteFrame`] and [`MediaCommand::WritePacket`].
    Written(Result<Written, MediaError>),
    /// To [`MediaCommand::RemoveStream`], [`MediaCommand::RemoveTrack`], [`MediaCommand::MuteTrack`] and
    /// [`MediaCommand::RelayTrack`].
    Media(Result<(), MediaError>),
    /// To all others.
    Done,
}

impl<E: Engine> Node<E> {
    /// Does what a [`Command`] says.
    pub fn handle_command(&mut self, command: Command, now: Time) -> Reply {
        match command {
            Command::Join(config) => return Reply::Joined(self.join(*config, now)),
            Command::Leave(room) => self.leave(room, now),
            Command::Register(room, action, options) => {
                return Reply::Registered(self.register(room, &action, options, now));
            }
            Command::Send(room, action, payload, options) => {
                return Reply::Sending(self.send(room, &action, payload, &options, now));
            }
            Command::SendStream(room, action, options, length) => {
                return Reply::Sending(self.send_stream(room, &action, &options, length, now));
            }
            Command::Feed(room, send, bytes) => self.feed(room, send, bytes, now),
            Command::Finish(room, send) => self.finish(room, send, now),
            Command::Abort(room, send) => self.abort(room, send, now),
            Command::Request(room, action, payload, options) => {
                return Reply::Requested(self.request(room, &action, payload, options, now));
            }
            Command::AbortRequest(room, request) => self.abort_request(room, request, now),
            Command::Respond(room, call, result) => {
                return Reply::Responded(self.respond(room, call, result, now));
            }
            Command::Ping(room, peer) => return Reply::Pinged(self.ping(room, &peer, now)),
            Command::RestartIce(room, peer) => {
                return Reply::Restarted(self.restart_ice(room, &peer, now));
            }
            Command::HandshakeSend(room, handshake, payload, metadata) => {
                let metadata = metadata.as_ref();
                let sent = self.handshake_send(room, handshake, payload, metadata, now);
                return Reply::Handshake(sent);
            }
            Command::HandshakeAccept(room, handshake) => {
                return Reply::Handshake(self.handshake_accept(room, handshake, now));
            }
            Command::HandshakeRefuse(room, handshake, reason) => {
                return Reply::Handshake(self.handshake_refuse(room, handshake, reason, now));
            }
            Command::Media(command) => return self.handle_media_command(command, now),
            Command::PauseRelays => self.pause_relays(now),
            Command::ResumeRelays => self.resume_relays(now),
            Command::ShutDown => self.shut_down(now),
        }
        Reply::Done
    }
}
