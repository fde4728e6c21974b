//! The handshake of an agent: it says one thing, awaits one, and lets the peer in, or does not.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use tristero_tokio::{Handshake, Payload, Room};

use super::command::HandshakeSpec;
use super::events::Fields;
use super::payload::describe;
use super::reply::Refusal;
use super::room::Teller;

/// What every peer is told, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Greeting {
    payload: Payload,
    metadata: Option<Value>,
    reject: Option<String>,
}

impl Greeting {
    pub(crate) async fn read(spec: HandshakeSpec) -> Result<Self, Refusal> {
        let HandshakeSpec { payload, metadata, reject } = spec;
        Ok(Greeting { payload: payload.read().await?, metadata, reject })
    }

    /// Greets every peer that waits to be let in, until the room is left.
    pub(crate) fn serve(self, room: &Room, teller: Teller) -> impl Future<Output = ()> + use<> {
        let greeting = Arc::new(self);
        room.serve_handshakes(move |handshake| {
            let (greeting, teller) = (greeting.clone(), teller.clone());
            async move { greeting.shake(&handshake, &teller).await }
        })
    }

    async fn shake(&self, handshake: &Handshake, teller: &Teller) -> Result<(), String> {
        let Greeting { payload, metadata, reject } = self;
        let said = match metadata {
            Some(metadata) => handshake.send_with(payload.clone(), metadata.clone()),
            None => handshake.send(payload.clone()),
        };
        said.map_err(|error| error.to_string())?;
        let heard = handshake.recv().await.ok_or("it is gone")?;
        let fields = Fields::new()
            .with("peer", handshake.peer.as_str())
            .with("isInitiator", handshake.is_initiator)
            .with_option("metadata", heard.metadata)
            .with_all(describe(&heard.payload, true).await);
        teller.tell("handshake", fields).await;
        reject.clone().map_or(Ok(()), Err)
    }
}
