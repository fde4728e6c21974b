//! Firebase Realtime Database: signals as children of a room's node in a shared tree.
//!
//! Whoever is in a room has a child with its announce under the room's node, which the server
//! removes when the connection ends. Signals to a peer lie two levels below the peer's self topic,
//! and are removed by it once they are read. One listen on the room's node brings all of it.
//!
//! The database is an application's own: Trystero takes its URL for the application's id, and so
//! do the default relays here.
//!
//! - `wire`: messages of the database's protocol, numbered requests, and messages in parts
//! - `push_key`: names of children that sort by time
//! - `tree`: what is new in what the server says of the tree
//! - `session`: the connection, its rooms, and what the server refuses
//!
//! spec: docs/protocol.md, section 9, "Firebase"; the protocol itself is that of Firebase's own
//! clients, version 5

mod push_key;
mod session;
mod tree;
mod wire;

use std::fmt;

use url::Url;

use crate::signaling::{InvalidRelayUrl, RelaySession, RelayUrl, SessionTerms, Strategy};
use session::FirebaseSession;
use tree::Base;

/// Trystero's `firebasePath`, where it isn't set.
const DEFAULT_PATH: &str = "__trystero__";
/// Hosts whose first label is the database's namespace.
const FIREBASE_DOMAINS: [&str; 2] = [".firebaseio.com", ".firebasedatabase.app"];

/// The strategy `firebase`: a Firebase Realtime Database.
///
/// A relay is a database's URL: `https://NAME.firebaseio.com`,
/// `https://NAME.REGION.firebasedatabase.app`, or a server of one's own with the database's name,
/// `http://localhost:9000/?ns=NAME`. If an application's id is such a URL, as Trystero has it, the
/// relay need not be named.
///
/// ```
/// # use tristero_proto::signaling::Strategy;
/// # use tristero_proto::strategies::Firebase;
/// let url = Firebase::default().relay_url("https://chat.firebaseio.com")?;
/// assert_eq!(url.as_str(), "wss://chat.firebaseio.com/.ws?v=5&ns=chat");
/// # Ok::<(), tristero_proto::signaling::InvalidRelayUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Firebase {
    base: Base,
    namespace: Option<String>,
    token: Option<String>,
}

impl Firebase {
    /// Keeps rooms under this path of the database, Trystero's `firebasePath`, in place of
    /// `__trystero__`. Peers meet only if they have the same.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.base = Base::new(path);
        self
    }

    /// The database's name, for URLs that don't tell it.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Signs in with this token before anything else, for databases with rules. It is sent again
    /// after each reconnect, and not renewed.
    #[must_use]
    pub fn auth(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    fn namespace_of(&self, url: &Url) -> Option<String> {
        let named = url.query_pairs().find(|(key, name)| key == "ns" && !name.is_empty());
        let host = url.host_str().unwrap_or_default();
        let of_host = || {
            let is_firebase = FIREBASE_DOMAINS.iter().any(|domain| host.ends_with(domain));
            let (label, _) = host.split_once('.')?;
            is_firebase.then(|| label.to_owned())
        };
        named.map(|(_, name)| name.into_owned()).or_else(|| self.namespace.clone()).or_else(of_host)
    }
}

impl Default for Firebase {
    fn default() -> Self {
        Firebase { base: Base::new(DEFAULT_PATH), namespace: None, token: None }
    }
}

/// Without the token.
impl fmt::Debug for Firebase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firebase")
            .field("base", &self.base)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Strategy for Firebase {
    fn name(&self) -> &'static str {
        "firebase"
    }

    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession> {
        Box::new(FirebaseSession::new(terms, self.base.clone(), self.token.clone()))
    }

    fn relay_url(&self, text: &str) -> Result<RelayUrl, InvalidRelayUrl> {
        let invalid = |why: &str| InvalidRelayUrl::new(text, why);
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let scheme = match url.scheme() {
            "https" | "wss" => "wss",
            "http" | "ws" => "ws",
            _ => return Err(invalid("it has to begin with https://, http://, wss:// or ws://")),
        };
        if !matches!(url.path(), "" | "/" | "/.ws") {
            return Err(invalid("it has to be that of the whole database, without a path"));
        }
        let namespace = self
            .namespace_of(&url)
            .ok_or_else(|| invalid("it does not tell the database's name: add ?ns=NAME"))?;
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut socket = Url::parse(&format!("{scheme}://{host}/.ws?v=5"))
            .map_err(|error| invalid(&error.to_string()))?;
        socket.query_pairs_mut().append_pair("ns", &namespace);
        RelayUrl::web_socket(socket.as_str())
    }

    /// The database that the application's id names, if it is the URL of one.
    fn default_relays(&self, app_id: &str) -> Vec<RelayUrl> {
        self.relay_url(app_id).into_iter().collect()
    }

    fn redundancy(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_as_its_own_clients_name_it() {
        let firebase = Firebase::default();
        for (text, url) in [
            ("https://chat.firebaseio.com", "wss://chat.firebaseio.com/.ws?v=5&ns=chat"),
            (
                "https://chat.europe-west1.firebasedatabase.app/",
                "wss://chat.europe-west1.firebasedatabase.app/.ws?v=5&ns=chat",
            ),
            ("http://localhost:9000/?ns=chat", "ws://localhost:9000/.ws?v=5&ns=chat"),
            ("http://127.0.0.1:9107?ns=a%26b", "ws://127.0.0.1:9107/.ws?v=5&ns=a%26b"),
            ("ws://localhost:9000/.ws?v=5&ns=chat", "ws://localhost:9000/.ws?v=5&ns=chat"),
        ] {
            assert_eq!(firebase.relay_url(text).unwrap().as_str(), url, "{text}");
            assert_eq!(firebase.default_relays(text).len(), 1, "{text}");
        }
        let named = firebase.clone().namespace("chat").relay_url("http://localhost:9000").unwrap();
        assert_eq!(named.as_str(), "ws://localhost:9000/.ws?v=5&ns=chat");
        for text in [
            "",
            "chat",
            "http://localhost:9000",
            "ftp://a.firebaseio.com",
            "https://a.firebaseio.com/x",
        ] {
            assert!(firebase.relay_url(text).is_err(), "{text}");
            assert!(firebase.default_relays(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn another_path_is_another_strategy_and_tokens_are_not_shown() {
        let firebase = Firebase::default();
        assert_eq!(firebase, firebase.clone().path("/__trystero__/"));
        assert_ne!(firebase, firebase.clone().path("a/b"));
        assert!(!format!("{:?}", firebase.auth("secret")).contains("secret"));
    }
}
