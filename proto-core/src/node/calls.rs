//! What an application does in a room.

use bytes::Bytes;
use serde_json::Value;

use super::{Node, Part};
use crate::engine::Engine;
use crate::ids::{CallId, HandshakeId, PeerId, PingId, RequestId, RoomKey, SendId};
use crate::room::{
    ActionOptions, HandshakeError, PingError, RegisterError, RequestError, RequestOptions,
    RespondError, Room, SendError, SendOptions,
};
use crate::time::Time;
use crate::wire::{ActionName, Payload};

impl<E: Engine> Node<E> {
    /// Makes what is sent on an action arrive, from the messages that are held on. Registering
    /// again changes the options; the kind stays.
    pub fn register(
        &mut self,
        room: RoomKey,
        action: &ActionName,
        options: ActionOptions,
        now: Time,
    ) -> Result<(), RegisterError> {
        self.in_room(room, now, |room| room.register(action, options, now))
            .unwrap_or(Err(RegisterError::RoomGone))
    }

    /// Sends a payload to the members of a room, or to some. One [`Event::Sent`] answers.
    ///
    /// [`Event::Sent`]: crate::Event::Sent
    pub fn send(
        &mut self,
        room: RoomKey,
        action: &ActionName,
        payload: Payload,
        options: &SendOptions,
        now: Time,
    ) -> Result<SendId, SendError> {
        let send = SendId(self.next_send.next());
        self.in_room(room, now, |room| room.send(send, action, payload, options))
            .unwrap_or(Err(SendError::RoomGone))?;
        Ok(send)
    }

    /// Sends bytes that are not there yet, by [`feed`](Self::feed) and [`finish`](Self::finish).
    /// `length` is how many they will be, for the progress that receivers see. One
    /// [`Event::SendReady`] answers this and each `feed`; [`Event::Sent`] comes at the end.
    ///
    /// What is sent later on the same action waits for the end of this.
    ///
    /// [`Event::SendReady`]: crate::Event::SendReady
    /// [`Event::Sent`]: crate::Event::Sent
    pub fn send_stream(
        &mut self,
        room: RoomKey,
        action: &ActionName,
        options: &SendOptions,
        length: Option<u64>,
        now: Time,
    ) -> Result<SendId, SendError> {
        let send = SendId(self.next_send.next());
        self.in_room(room, now, |room| room.send_stream(send, action, options, length))
            .unwrap_or(Err(SendError::RoomGone))?;
        Ok(send)
    }

    /// Adds bytes to a stream that is being sent. Nothing happens if it is over.
    pub fn feed(&mut self, room: RoomKey, send: SendId, bytes: Bytes, now: Time) {
        self.in_room(room, now, |room| room.feed(send, bytes, false));
    }

    /// Ends a stream that is being sent: all its bytes are there.
    pub fn finish(&mut self, room: RoomKey, send: SendId, now: Time) {
        self.in_room(room, now, |room| room.feed(send, Bytes::new(), true));
    }

    /// Ends a call of `send` or `send_stream` before all was handed over. [`Event::Sent`] follows,
    /// if it was not over already. Receivers are not told, as in Trystero; they drop what they
    /// have after a while.
    ///
    /// [`Event::Sent`]: crate::Event::Sent
    pub fn abort(&mut self, room: RoomKey, send: SendId, now: Time) {
        self.in_room(room, now, |room| room.abort(send));
    }

    /// Asks a member. One [`Event::Response`] answers, whatever happens.
    ///
    /// [`Event::Response`]: crate::Event::Response
    pub fn request(
        &mut self,
        room: RoomKey,
        action: &ActionName,
        payload: Payload,
        options: RequestOptions,
        now: Time,
    ) -> Result<RequestId, RequestError> {
        let request = RequestId(self.next_send.next());
        self.in_room(room, now, |room| room.request(request, action, payload, options))
            .unwrap_or(Err(RequestError::Send(SendError::RoomGone)))?;
        Ok(request)
    }

    /// Forgets a request. Nothing more is said of it, and what was not sent yet is not.
    pub fn abort_request(&mut self, room: RoomKey, request: RequestId, now: Time) {
        self.in_room(room, now, |room| room.abort_request(request));
    }

    /// Answers a request of a peer, or rejects it with a text. [`Event::Sent`] follows.
    ///
    /// [`Event::Sent`]: crate::Event::Sent
    pub fn respond(
        &mut self,
        room: RoomKey,
        call: CallId,
        result: Result<Payload, String>,
        now: Time,
    ) -> Result<SendId, RespondError> {
        let send = SendId(self.next_send.next());
        self.in_room(room, now, |room| room.respond(send, call, result))
            .unwrap_or(Err(RespondError::Over))?;
        Ok(send)
    }

    /// Asks a member how long it takes to answer. One [`Event::Pong`] follows.
    ///
    /// [`Event::Pong`]: crate::Event::Pong
    pub fn ping(&mut self, room: RoomKey, peer: &PeerId, now: Time) -> Result<PingId, PingError> {
        self.in_room(room, now, |room| room.ping(peer, now)).unwrap_or(Err(PingError::RoomGone))
    }

    /// Sends a message of the application's handshake.
    pub fn handshake_send(
        &mut self,
        room: RoomKey,
        handshake: HandshakeId,
        payload: Payload,
        metadata: Option<&Value>,
        now: Time,
    ) -> Result<(), HandshakeError> {
        self.in_room(room, now, |room| room.handshake_send(handshake, payload, metadata))
            .unwrap_or(Err(HandshakeError::Over))
    }

    /// Lets a peer in. It becomes a member once it has let us in too.
    pub fn handshake_accept(
        &mut self,
        room: RoomKey,
        handshake: HandshakeId,
        now: Time,
    ) -> Result<(), HandshakeError> {
        self.in_room(room, now, |room| room.handshake_accept(handshake))
            .unwrap_or(Err(HandshakeError::Over))
    }

    /// Does not let a peer in. It is not told why; [`Event::JoinFailed`] says so here. It may try
    /// again.
    ///
    /// [`Event::JoinFailed`]: crate::Event::JoinFailed
    pub fn handshake_refuse(
        &mut self,
        room: RoomKey,
        handshake: HandshakeId,
        reason: String,
        now: Time,
    ) -> Result<(), HandshakeError> {
        self.in_room(room, now, |room| room.handshake_refuse(handshake, reason))
            .unwrap_or(Err(HandshakeError::Over))
    }

    /// Acts in a room, and carries what comes of it; `None` if the room was left.
    fn in_room<T>(
        &mut self,
        key: RoomKey,
        now: Time,
        act: impl FnOnce(&mut Room) -> T,
    ) -> Option<T> {
        let result = act(&mut self.rooms.get_mut(&key)?.room);
        self.touched.insert(Part::Room(key));
        self.settle(now);
        Some(result)
    }
}
