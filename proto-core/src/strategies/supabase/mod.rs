//! Supabase Realtime: signals as broadcasts on channels.
//!
//! **What it does.** It speaks the Phoenix channel protocol, version 2.0.0 of its serializer, over
//! one WebSocket. Each topic is a channel, `realtime:room:<topic>:messages`. An announce is a
//! broadcast of the event `join` with the signal as an object; a signal to a peer is one of the
//! event `sdp` with the signal's JSON as a string. Only who has joined a channel can broadcast
//! there, so a peer's channel is joined before the first signal to it, and kept for a while. Our
//! own broadcasts do not come back.
//!
//! The application's id is the project's URL, as in Trystero; both sides have to use the same.
//!
//! spec: docs/protocol.md, section 9, "Supabase"; the Phoenix serializers of supabase/realtime

mod channel;
mod message;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;

use url::Url;

use crate::signaling::{InvalidRelayUrl, RelaySession, RelayUrl, SessionTerms, Strategy};
use session::SupabaseSession;

/// Where a project has its WebSocket.
const PATH: &str = "/realtime/v1/websocket";
/// The version of the serializer.
const VERSION: &str = "2.0.0";

/// The strategy `supabase`: the Realtime service of one project.
#[derive(Clone, PartialEq, Eq)]
pub struct Supabase {
    key: String,
    access_token: Option<String>,
}

impl Supabase {
    /// The strategy with a project's anonymous (publishable) key.
    pub fn new(key: impl Into<String>) -> Self {
        Supabase { key: key.into(), access_token: None }
    }

    /// Joins channels with this token (JWT) in place of the key.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.access_token = Some(token.into());
        self
    }
}

/// Without the key and the token, which are not for logs.
impl fmt::Debug for Supabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supabase(…)")
    }
}

impl Strategy for Supabase {
    fn name(&self) -> &'static str {
        "supabase"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        let token = self.access_token.as_ref().unwrap_or(&self.key);
        Box::new(SupabaseSession::new(terms, token.clone()))
    }

    /// Reads a project's URL (`https://…`, or `http://…` on one's own machine), or that of its
    /// WebSocket. Path, key and version are added where they are missing.
    fn relay_url(&self, text: &str) -> Result<RelayUrl, InvalidRelayUrl> {
        let scheme =
            |from: &str, to: &str| text.strip_prefix(from).map(|rest| format!("{to}{rest}"));
        let socket = scheme("https://", "wss://").or_else(|| scheme("http://", "ws://"));
        let url = RelayUrl::web_socket(socket.as_deref().unwrap_or(text))?;
        let mut url = Url::parse(url.as_str()).expect("a WebSocket URL is a URL");
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with(PATH) {
            url.set_path(&format!("{path}{PATH}"));
        }
        let is_ours = |name: &str| matches!(name, "apikey" | "vsn");
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let key = pairs.iter().find(|(name, _)| name == "apikey").map(|(_, key)| key.clone());
        url.query_pairs_mut()
            .clear()
            .extend_pairs(pairs.iter().filter(|(name, _)| !is_ours(name)))
            .append_pair("apikey", key.as_deref().unwrap_or(&self.key))
            .append_pair("vsn", VERSION);
        url.set_fragment(None);
        RelayUrl::web_socket(url.as_str())
    }

    /// The project whose URL the application's id is.
    fn default_relays(&self, app_id: &str) -> Vec<RelayUrl> {
        self.relay_url(app_id).into_iter().collect()
    }

    fn redundancy(&self) -> usize {
        1
    }
}
