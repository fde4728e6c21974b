//! What a strategy is: a way to publish signals through relays of one kind.
//!
//! There are two forms. A [`RelaySession`] is the general one: a small state machine on one link.
//! Most services are publish and subscribe by topic; for those a [`TopicCodec`] is enough, and
//! [`TopicSession`](super::TopicSession) makes a session of it. Implement either outside this
//! crate, and name it by a [`Strategy`], to meet over a service of your own.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::rng::{Rng, Seed};
use crate::time::{Clock, Deadline, Time};
use crate::wire::{OfferId, Signal};

/// A kind of relay. It makes the session for each relay of its kind.
///
/// Relays are shared between rooms whose strategies and URLs are equal, so a strategy has to have
/// [`PartialEq`]: derive it, and everything that sessions may differ by, such as a token, counts.
pub trait Strategy: fmt::Debug + Send + Sync + SameStrategy {
    /// A short name in lower case, such as `ws`.
    fn name(&self) -> &str;

    /// A session for one relay. It lives through all reconnections.
    fn session(&self, terms: SessionTerms) -> Box<dyn RelaySession>;

    /// Whether candidates may follow a description, where a room's configuration does not say.
    fn trickles(&self) -> bool {
        true
    }

    /// Whether its relays pass offers round that are for anyone, as BitTorrent trackers do, in place
    /// of signals under a topic. Sessions of such a strategy are told to
    /// [`Offer`](SessionInput::Offer) where others announce. Its rooms never trickle: there is no
    /// way to send a candidate.
    fn trades_offers(&self) -> bool {
        false
    }

    /// Reads what an application calls a relay: a URL with `ws` or `wss`, if not said otherwise.
    fn relay_url(&self, text: &str) -> Result<RelayUrl, InvalidRelayUrl> {
        RelayUrl::web_socket(text)
    }

    /// The relays to choose from where a room's configuration names none, those to be preferred
    /// first. Peers meet because all choose the same ones. There are none by default.
    fn default_relays(&self, _app_id: &str) -> Vec<RelayUrl> {
        Vec::new()
    }

    /// How many of those are used, where a room's configuration does not say.
    fn redundancy(&self) -> usize {
        usize::MAX
    }
}

/// Whether a strategy is equal to another that may be of any type. Whatever has [`PartialEq`] has
/// it.
#[diagnostic::on_unimplemented(
    message = "relays are shared between rooms whose strategies are equal, and `{Self}` can't be \
               compared",
    note = "add `#[derive(PartialEq)]` to it"
)]
pub trait SameStrategy: Any {
    /// Whether a session of either would do for both.
    fn is_same(&self, other: &dyn Strategy) -> bool;
}

impl<S: PartialEq + Any> SameStrategy for S {
    fn is_same(&self, other: &dyn Strategy) -> bool {
        (other as &dyn Any).downcast_ref::<S>().is_some_and(|other| self == other)
    }
}

impl PartialEq for dyn Strategy {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
    }
}

/// What a session is told at its beginning.
#[derive(Debug)]
pub struct SessionTerms {
    /// Where the relay is.
    pub url: RelayUrl,
    /// Our id.
    pub self_id: PeerId,
    /// Randomness that all sessions of the strategy share, such as for a key of the node.
    pub shared: Seed,
    /// Randomness of this session.
    pub rng: Rng,
    /// What the wall clock shows when, for services that ask, until
    /// [`SessionInput::WallClock`] says otherwise.
    pub clock: Clock,
}

/// Where a relay is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayUrl(Box<str>);

/// A text that is no relay's URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not a relay's URL: {why}")]
pub struct InvalidRelayUrl {
    url: String,
    why: String,
}

impl InvalidRelayUrl {
    /// Says what was given, and why it is refused. Secrets are left out of the text.
    pub fn new(text: &str, why: &str) -> Self {
        InvalidRelayUrl { url: without_secrets(text), why: why.to_owned() }
    }
}

impl RelayUrl {
    /// Takes a URL whose scheme is `ws` or `wss`.
    pub fn web_socket(text: &str) -> Result<Self, InvalidRelayUrl> {
        let invalid = |why: String| InvalidRelayUrl { url: without_secrets(text), why };
        let scheme = "it has to begin with ws:// or wss://";
        let url = match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "ws" | "wss") => url,
            Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => {
                return Err(invalid(scheme.to_owned()));
            }
            Err(error) => return Err(invalid(error.to_string())),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("it names no host".to_owned()));
        }
        Ok(RelayUrl(url.as_str().into()))
    }

    /// Takes any text, for a medium that is dialled as [`LinkTarget::Custom`].
    pub fn custom(text: &str) -> Self {
        RelayUrl(text.into())
    }

    /// The text, in the normal form of the URL standard, with the credentials that it may hold.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without credentials, keys and tokens, which are not for logs.
impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&without_secrets(&self.0), f)
    }
}

/// A URL, or what was meant as one, without `user:password@` and the values of parameters that
/// are secret by their name.
fn without_secrets(url: &str) -> String {
    let url = without_credentials(url);
    let Some((start, rest)) = url.split_once('?') else { return url };
    let (query, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=…"),
        Some(_) | None => pair.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(shown).collect();
    format!("{start}?{}{fragment}", pairs.join("&"))
}

/// Whether the value of a URL's parameter is not for logs.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = ["key", "auth", "token", "secret", "pass", "pwd", "cred", "jwt"];
    words.iter().any(|word| name.contains(word))
}

/// A URL, or what was meant as one, without `user:password@`.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        let account = url.rsplit_once('@').filter(|(account, _)| account.contains(':'));
        return account.map_or(url, |(_, host)| host).to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // What follows the colon is no port: a password goes on behind what seems to end it.
    let is_account = !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err());
    let shown = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{host}{path}"),
        None if is_account => rest.rsplit_once('@').map_or(rest, |(_, host)| host).to_owned(),
        None => rest.to_owned(),
    };
    format!("{scheme}://{shown}")
}

/// What a runtime is to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkTarget {
    /// A WebSocket (RFC 6455).
    WebSocket {
        /// The URL.
        url: RelayUrl,
        /// The sub-protocol to ask for.
        protocol: Option<&'static str>,
    },
    /// A medium that the application supplies the link for.
    Custom {
        /// What the strategy calls it.
        url: RelayUrl,
    },
}

/// One message of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFrame {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl LinkFrame {
    /// The length in bytes.
    pub fn len(&self) -> usize {
        match self {
            LinkFrame::Text(text) => text.len(),
            LinkFrame::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a session is told.
#[derive(Debug)]
pub enum SessionInput<'a> {
    /// A link stands. All topics are subscribed anew after this.
    Opened,
    /// A message came over the link.
    Frame(LinkFrame),
    /// The link is gone.
    Closed,
    /// What the wall clock shows from now on, in place of what was told before. Comes at any time.
    WallClock(Clock),
    /// Subscribe a topic. Comes only while a link stands.
    Subscribe(Subscription<'a>),
    /// Unsubscribe a topic. Comes only while a link stands.
    Unsubscribe(Subscription<'a>),
    /// Publish a signal on a topic. Comes only while a link stands.
    Publish(Publication<'a>),
    /// Announce a room with offers for anyone. Comes only while a link stands, and only where the
    /// strategy [trades offers](Strategy::trades_offers).
    Offer(BulkOffers<'a>),
    /// A passive room has fallen asleep: what stands of its announces is to be withdrawn. Comes
    /// only while a link stands.
    Rest {
        /// The room's root topic.
        root: &'a Topic,
    },
}

/// A topic that a room listens to.
#[derive(Clone, Copy, Debug)]
pub struct Subscription<'a> {
    /// The topic: the room's root topic, or our own self topic there.
    pub topic: &'a Topic,
    /// The room's root topic.
    pub root: &'a Topic,
}

/// A signal to be published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// Where: the room's root topic, or the self topic of a peer.
    pub topic: &'a Topic,
    /// The room's root topic.
    pub root: &'a Topic,
    /// Whom it is for; an announce is for everyone.
    pub to: Option<&'a PeerId>,
    /// What to say. [`Signal::emit`] writes it.
    pub signal: &'a Signal,
}

/// Offers that anyone in a room may answer.
#[derive(Clone, Copy, Debug)]
pub struct BulkOffers<'a> {
    /// The room's root topic.
    pub root: &'a Topic,
    /// The name and the sealed SDP of each. A passive room that is dormant has none.
    pub offers: &'a [(OfferId, String)],
    /// Whether the room is passive and dormant.
    pub is_dormant: bool,
}

/// What a session says.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionOutput {
    /// Send this over the link.
    Send(LinkFrame),
    /// The relay has the subscription.
    Subscribed(Topic),
    /// Someone published a signal.
    Message {
        /// The topic.
        topic: Topic,
        /// The signal's JSON, as it came.
        body: String,
    },
    /// The relay sent something that is not of its protocol. It is dropped and counted.
    Malformed(&'static str),
    /// The relay has something to say to whoever looks after us.
    Notice(String),
    /// The relay refused something: a notice that is remembered as the relay's last error too.
    Refusal(String),
    /// The relay wants fewer announces of a room: the next one, and those after it, this long
    /// after the one before.
    AnnounceEvery {
        /// The room's root topic.
        root: Topic,
        /// How long. It caps the pauses of the first announces too.
        interval: Duration,
    },
    /// The relay wants no announce of a room for this long. Signals to peers may go on.
    HoldAnnounces {
        /// The room's root topic.
        root: Topic,
        /// How long.
        pause: Duration,
    },
    /// The relay does not want us: it is not dialled any more.
    Retire(String),
    /// The link is of no use any more: close it, and dial anew after a wait as after any failure.
    /// Why is remembered as the relay's last error.
    Fail(String),
    /// Close the link and dial anew: [`RelaySession::target`] has changed.
    Redial,
}

/// A strategy on one relay: the general form.
pub trait RelaySession: fmt::Debug + Send {
    /// What to dial.
    fn target(&self) -> LinkTarget;

    /// Takes an event of the link, or a wish of a room.
    fn handle_input(&mut self, input: SessionInput<'_>, now: Time);

    /// Does what is due.
    fn handle_timeout(&mut self, now: Time);

    /// The next thing to do, until `None`.
    fn poll_output(&mut self) -> Option<SessionOutput>;

    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Deadline>;
}

/// A service that publishes and subscribes by topic: all that there is to say about it.
///
/// A codec keeps no time and no subscriptions, and is asked again for each after a reconnect.
pub trait TopicCodec: fmt::Debug + Send {
    /// What to dial.
    fn target(&self) -> LinkTarget;

    /// The frame that subscribes a topic.
    fn subscribe(&mut self, topic: &Topic) -> LinkFrame;

    /// The frame that ends a subscription.
    fn unsubscribe(&mut self, topic: &Topic) -> LinkFrame;

    /// The frame that publishes a signal.
    fn publish(&mut self, topic: &Topic, body: &str) -> LinkFrame;

    /// Reads what the service sent.
    fn decode(&mut self, frame: LinkFrame) -> Result<Decoded, Malformed>;

    /// Whether the service says when a subscription stands, by [`Decoded::Subscribed`]. Where it
    /// does not, writing the frame has to be enough.
    fn acknowledges_subscriptions(&self) -> bool {
        false
    }
}

/// What a service sent.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// Someone published a signal.
    Message {
        /// The topic.
        topic: Topic,
        /// The signal's JSON.
        body: String,
    },
    /// A subscription stands.
    Subscribed(Topic),
    /// Nothing that matters to us.
    Nothing,
}

/// A frame that is not of the service's protocol, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_credentials_keys_and_tokens() {
        let url = RelayUrl::web_socket("wss://user:p%40ss@host:1/path@x?y#z").unwrap();
        assert_eq!(url.to_string(), "wss://host:1/path@x?y#z");
        assert_eq!(format!("{url:?}"), r#""wss://host:1/path@x?y#z""#);
        assert!(url.as_str().contains("p%40ss"));
        let url = RelayUrl::web_socket("wss://h/?vsn=1&apikey=abc&Access_Token=d=e&x#f").unwrap();
        assert_eq!(url.to_string(), "wss://h/?vsn=1&apikey=…&Access_Token=…&x#f");
        assert!(!format!("{url:?}").contains("abc"));
        let error = RelayUrl::web_socket("http://user:secret@host?auth=secret").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_password_that_makes_a_url_invalid_is_not_shown_either() {
        for text in
            ["wss://user:sec/ret@host/x", "wss://user:sec#ret@host/x", "user:sec/ret@host/x"]
        {
            let error = RelayUrl::web_socket(text).unwrap_err().to_string();
            assert!(!error.contains("sec") && !error.contains("ret"), "{error}");
            assert!(error.contains("host/x"), "{error}");
        }
    }
}
