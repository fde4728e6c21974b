//! One database: the connection, our rooms in it, and what the server refuses.
//!
//! - Nothing is sent before the server's hello: it may name another host instead.
//! - One listen per room brings announces and signals. A room counts as subscribed once the server
//!   has granted it. If it is refused or revoked, we neither hear nor announce there until the
//!   next connection.
//! - An announce is a child of the room's node. The first gives it its key, later ones overwrite
//!   it, and the server removes it once the connection ends. After a reconnect it has a new key:
//!   if the server notices only then that the old connection is dead, it removes the old one.
//! - Signals are removed once they are told. One whose removal got lost is not told again.
//! - Everybody who is present is told anew after a reconnect: they may have missed us.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::push_key::PushKeys;
use super::tree::{ANNOUNCE_KEY, Base, LEAVES_PER_MESSAGE_MAX, Told};
use super::wire::{Parts, Request, Said};
use crate::crypto::Topic;
use crate::ids::PeerId;
use crate::signaling::{
    LinkFrame, LinkTarget, Publication, RelaySession, RelayUrl, SessionInput, SessionOutput,
    SessionTerms, Subscription,
};
use crate::time::{Clock, Deadline, Time};

/// The server forgets clients that are silent; Firebase's own send this often.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(45);
/// What they send then.
const KEEP_ALIVE: &str = "0";
/// A server that has not said hello by then is given up, while there is time to say why: a link
/// without a subscription has 15 s.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects that are followed, each within [`REDIRECT_WINDOW`] of the one before. Further ones
/// are not.
const REDIRECTS_MAX: u32 = 5;
/// A redirect that comes later than this after another has nothing to do with it.
const REDIRECT_WINDOW: Duration = Duration::from_secs(60);
/// Requests that wait for the server's hello. Further ones are dropped; the first is due a moment
/// after the link stands.
const HELD_MAX: usize = 1_024;
/// Requests whose answer matters and has not come. The oldest is forgotten.
const ASKED_MAX: usize = 1_024;
/// A room whose announce was refused announces no more for this long: rules seldom change.
const REFUSED_PAUSE: Duration = Duration::from_secs(15 * 60);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct FirebaseSession {
    url: RelayUrl,
    base: Base,
    token: Option<Token>,
    self_id: PeerId,
    clock: Clock,
    keys: PushKeys,
    redirect: Redirect,
    phase: Phase,
    /// The number of the last request on this link.
    last_request: u64,
    asked: BTreeMap<u64, Asked>,
    rooms: BTreeMap<Topic, Room>,
    told: Told,
    outputs: VecDeque<SessionOutput>,
}

/// How far the link is.
#[derive(Debug)]
enum Phase {
    /// There is none.
    Down,
    /// The server has not said hello. Requests wait.
    Greeting { parts: Parts, give_up: Time, held: Vec<(Request, Asked)> },
    /// Requests may be sent.
    Ready { parts: Parts, keep_alive_at: Time },
    /// Another host is about to be dialled.
    Moving,
}

/// Where the server has sent us.
#[derive(Debug, Default)]
struct Redirect {
    url: Option<RelayUrl>,
    in_a_row: u32,
    last_at: Option<Time>,
}

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    SignIn,
    Listen { root: Topic },
    Announce { root: Topic },
    Send,
    Tidy,
}

#[derive(Debug)]
struct Room {
    listen: Listen,
    /// The topics that are wanted: the root topic and our self topic.
    topics: Vec<Topic>,
    /// Our self topic, if it is wanted.
    own: Option<Topic>,
    /// The key of our announce, if it stands.
    presence: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    Asked,
    Granted,
    Refused,
}

/// A token to sign in with, which is not for logs.
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FirebaseSession {
    pub(super) fn new(terms: SessionTerms, base: Base, token: Option<String>) -> Self {
        let SessionTerms { url, self_id, rng, clock, shared: _ } = terms;
        FirebaseSession {
            url,
            base,
            token: token.map(Token),
            self_id,
            clock,
            keys: PushKeys::new(rng),
            redirect: Redirect::default(),
            phase: Phase::Down,
            last_request: 0,
            asked: BTreeMap::new(),
            rooms: BTreeMap::new(),
            told: Told::default(),
            outputs: VecDeque::new(),
        }
    }

    fn on_opened(&mut self, now: Time) {
        let (parts, give_up) = (Parts::default(), now + HELLO_TIMEOUT);
        self.phase = Phase::Greeting { parts, give_up, held: Vec::new() };
        if let Some(Token(token)) = &self.token {
            self.request(Request::Auth(token.clone()), Asked::SignIn);
        }
    }

    fn on_closed(&mut self) {
        match self.phase {
            Phase::Moving | Phase::Ready { .. } => {}
            // That host does not have us: back to the one that the application named.
            Phase::Down | Phase::Greeting { .. } => self.redirect.url = None,
        }
        self.phase = Phase::Down;
        self.last_request = 0;
        self.asked.clear();
        self.rooms.clear();
        self.told.forget_announces();
        self.outputs.clear();
    }

    fn subscribe(&mut self, subscription: &Subscription<'_>) {
        let Subscription { topic, root } = *subscription;
        let is_new = !self.rooms.contains_key(root);
        let room = self.rooms.entry(root.clone()).or_insert_with(Room::new);
        if !room.topics.contains(topic) {
            room.topics.push(topic.clone());
        }
        if topic != root {
            room.own = Some(topic.clone());
        }
        if room.listen == Listen::Granted {
            self.outputs.push_back(SessionOutput::Subscribed(topic.clone()));
        }
        if is_new {
            let path = self.base.path(root, &[]);
            self.request(Request::Listen(path), Asked::Listen { root: root.clone() });
        }
    }

    fn unsubscribe(&mut self, subscription: &Subscription<'_>) {
        let Subscription { topic, root } = *subscription;
        let Some(room) = self.rooms.get_mut(root) else { return };
        room.topics.retain(|other| other != topic);
        let is_last = room.topics.is_empty();
        if topic == root {
            self.request(Request::Unlisten(self.base.path(root, &[])), Asked::Tidy);
            self.rest(root);
        } else {
            room.own = None;
            self.remove(&self.base.path(root, &[topic.as_str()]));
        }
        if is_last {
            self.rooms.remove(root);
            self.told.forget(root, &[], |_| false);
        }
    }

    /// Takes our announce back.
    fn rest(&mut self, root: &Topic) {
        if let Some(key) = self.rooms.get_mut(root).and_then(|room| room.presence.take()) {
            self.remove(&self.base.path(root, &[&key]));
        }
    }

    fn publish(&mut self, publication: &Publication<'_>, now: Time) {
        let Publication { topic, root, to, signal } = *publication;
        if to.is_none() {
            return self.announce(root, &signal.emit(), now);
        }
        let key = self.keys.next(self.unix_millis(now));
        let path = self.base.path(root, &[topic.as_str(), self.self_id.as_str(), &key]);
        self.request(Request::RemoveOnDisconnect(path.clone()), Asked::Tidy);
        self.request(Request::Put(path, signal.emit().into()), Asked::Send);
    }

    fn announce(&mut self, root: &Topic, body: &str, now: Time) {
        let unix_millis = self.unix_millis(now);
        let Some(room) = self.rooms.get_mut(root) else { return };
        let key = room.presence.get_or_insert_with(|| self.keys.next(unix_millis));
        let path = self.base.path(root, &[key]);
        let mut announce: Value = serde_json::from_str(body).expect("a signal is written as JSON");
        // The database has no order of keys, and its clients write them sorted.
        announce.sort_all_objects();
        let value = json!({ ANNOUNCE_KEY: announce });
        self.request(Request::Put(path.clone(), value), Asked::Announce { root: root.clone() });
        self.request(Request::RemoveOnDisconnect(path), Asked::Tidy);
    }

    fn remove(&mut self, path: &str) {
        self.request(Request::Put(path.to_owned(), Value::Null), Asked::Tidy);
    }

    /// Sends a request, or keeps it until the server has said hello.
    fn request(&mut self, request: Request, asked: Asked) {
        match &mut self.phase {
            Phase::Down | Phase::Moving => return,
            Phase::Greeting { held, .. } => {
                if held.len() < HELD_MAX {
                    held.push((request, asked));
                }
                return;
            }
            Phase::Ready { .. } => {}
        }
        self.last_request += 1;
        let frames = request.emit(self.last_request);
        self.outputs.extend(frames.into_iter().map(SessionOutput::Send));
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_first();
        }
        self.asked.insert(self.last_request, asked);
    }

    fn on_frame(&mut self, frame: LinkFrame, now: Time) {
        let (Phase::Greeting { parts, .. } | Phase::Ready { parts, .. }) = &mut self.phase else {
            return;
        };
        let LinkFrame::Text(text) = frame else {
            return self.malformed("a database sends text");
        };
        let said = match parts.join(text) {
            Ok(None) => return,
            Ok(Some(message)) => Said::parse(&message),
            Err(malformed) => Err(malformed),
        };
        match said {
            Ok(said) => self.on_said(said, now),
            Err(malformed) => self.malformed(malformed.0),
        }
    }

    fn on_said(&mut self, said: Said, now: Time) {
        match said {
            Said::Hello => self.on_hello(now),
            Said::Redirect(host) => self.on_redirect(&host, now),
            Said::Shutdown(why) => self.refusal(format!("the database ends the connection: {why}")),
            Said::Notice(text) => self.outputs.push_back(SessionOutput::Notice(text)),
            Said::Answer { request, error } => {
                let asked = self.asked.remove(&request);
                match error {
                    None => self.on_granted(asked),
                    Some(error) => self.on_refused(asked, &error),
                }
            }
            Said::Changed(changes) => {
                let mut leaves_left = LEAVES_PER_MESSAGE_MAX;
                for (path, value) in &changes {
                    self.on_changed(path, value, &mut leaves_left);
                }
            }
            Said::Revoked(path) => self.on_revoked(&path),
            Said::SignedOut(why) => self.refusal(format!("the token is not valid any more: {why}")),
            Said::Other => {}
        }
    }

    fn on_hello(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Greeting { .. }) {
            return;
        }
        let keep_alive_at = now + KEEP_ALIVE_INTERVAL;
        let ready = Phase::Ready { parts: Parts::default(), keep_alive_at };
        if let Phase::Greeting { held, .. } = std::mem::replace(&mut self.phase, ready) {
            held.into_iter().for_each(|(request, asked)| self.request(request, asked));
        }
    }

    fn on_redirect(&mut self, host: &str, now: Time) {
        let Some(url) = at_host(&self.url, host) else {
            return self.malformed("a database is at a host");
        };
        if self.redirect.follow(url, now) {
            self.phase = Phase::Moving;
            self.outputs.push_back(SessionOutput::Redial);
        } else {
            self.refusal("the database sends us from host to host".to_owned());
        }
    }

    fn on_granted(&mut self, asked: Option<Asked>) {
        let Some(Asked::Listen { root }) = asked else { return };
        let Some(room) = self.rooms.get_mut(&root) else { return };
        room.listen = Listen::Granted;
        self.outputs.extend(room.topics.iter().cloned().map(SessionOutput::Subscribed));
    }

    fn on_refused(&mut self, asked: Option<Asked>, error: &str) {
        let what = match asked {
            Some(Asked::SignIn) => "the token",
            Some(Asked::Listen { root }) => {
                if let Some(room) = self.rooms.get_mut(&root) {
                    room.listen = Listen::Refused;
                }
                "listening to a room"
            }
            Some(Asked::Announce { root }) => {
                let pause = REFUSED_PAUSE;
                self.outputs.push_back(SessionOutput::HoldAnnounces { root, pause });
                "announcing a room"
            }
            Some(Asked::Send) => "a signal to a peer",
            Some(Asked::Tidy) | None => "a request",
        };
        self.refusal(format!("the database refuses {what}: {error}"));
    }

    fn on_revoked(&mut self, path: &str) {
        let is_of = |root: &&Topic| self.base.within(root, path, &Value::Null).is_some();
        let roots: Vec<Topic> = self.rooms.keys().filter(is_of).cloned().collect();
        for root in roots {
            if let Some(room) = self.rooms.get_mut(&root) {
                room.listen = Listen::Refused;
            }
            let pause = REFUSED_PAUSE;
            self.outputs.push_back(SessionOutput::HoldAnnounces { root, pause });
            self.refusal("the database lets us listen to a room no more".to_owned());
        }
    }

    fn on_changed(&mut self, path: &str, value: &Value, leaves_left: &mut usize) {
        let mut read = Vec::new();
        for (root, room) in &self.rooms {
            let Some((path, value)) = self.base.within(root, path, value) else { continue };
            let new = self.told.change(root, room.own.as_ref(), &path, value, *leaves_left);
            *leaves_left -= new.len();
            for leaf in new {
                let topic = if leaf.is_signal() {
                    let keys: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
                    read.push(self.base.path(root, &keys));
                    room.own.as_ref().unwrap_or(root)
                } else {
                    root
                };
                let topic = topic.clone();
                self.outputs.push_back(SessionOutput::Message { topic, body: leaf.body });
            }
        }
        read.iter().for_each(|path| self.remove(path));
    }

    fn refusal(&mut self, text: String) {
        self.outputs.push_back(SessionOutput::Refusal(text));
    }

    fn malformed(&mut self, why: &'static str) {
        self.outputs.push_back(SessionOutput::Malformed(why));
    }

    fn unix_millis(&self, now: Time) -> u64 {
        let unix = self.clock.unix + now.since(self.clock.now);
        u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Redirect {
    /// Notes where to go; false if that happens too often.
    fn follow(&mut self, url: RelayUrl, now: Time) -> bool {
        if self.last_at.is_none_or(|last| now.since(last) > REDIRECT_WINDOW) {
            self.in_a_row = 0;
        }
        self.last_at = Some(now);
        let is_followed = self.in_a_row < REDIRECTS_MAX;
        if is_followed {
            self.in_a_row += 1;
            self.url = Some(url);
        }
        is_followed
    }
}

impl Room {
    fn new() -> Self {
        Room { listen: Listen::Asked, topics: Vec::new(), own: None, presence: None }
    }
}

/// The same database at another host, which may have a port; nothing if that is no host.
fn at_host(url: &RelayUrl, host: &str) -> Option<RelayUrl> {
    let database = Url::parse(url.as_str()).ok()?;
    let text = format!("{}://{host}{}", database.scheme(), &database[url::Position::BeforePath..]);
    let moved = Url::parse(&text).ok()?;
    let has_same_rest = moved[url::Position::BeforePath..] == database[url::Position::BeforePath..];
    let is_bare = moved.username().is_empty() && moved.password().is_none();
    if has_same_rest && is_bare { RelayUrl::web_socket(&text).ok() } else { None }
}

impl RelaySession for FirebaseSession {
    fn target(&self) -> LinkTarget {
        let url = self.redirect.url.as_ref().unwrap_or(&self.url).clone();
        LinkTarget::WebSocket { url, protocol: None }
    }

    fn handle_input(&mut self, input: SessionInput<'_>, now: Time) {
        match input {
            SessionInput::Opened => self.on_opened(now),
            SessionInput::Closed => self.on_closed(),
            SessionInput::WallClock(clock) => self.clock = clock,
            SessionInput::Frame(frame) => self.on_frame(frame, now),
            SessionInput::Subscribe(subscription) => self.subscribe(&subscription),
            SessionInput::Unsubscribe(subscription) => self.unsubscribe(&subscription),
            SessionInput::Publish(publication) => self.publish(&publication, now),
            SessionInput::Rest { root } => self.rest(root),
            // Only strategies that say so trade offers.
            SessionInput::Offer(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Greeting { give_up, .. } if *give_up <= now => {
                let why = "the database does not say hello";
                self.phase = Phase::Down;
                self.outputs.push_back(SessionOutput::Fail(why.to_owned()));
            }
            Phase::Ready { keep_alive_at, .. } if *keep_alive_at <= now => {
                *keep_alive_at = now + KEEP_ALIVE_INTERVAL;
                let frame = LinkFrame::Text(KEEP_ALIVE.to_owned());
                self.outputs.push_back(SessionOutput::Send(frame));
            }
            Phase::Down | Phase::Greeting { .. } | Phase::Ready { .. } | Phase::Moving => {}
        }
    }

    fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        match self.phase {
            Phase::Greeting { give_up, .. } => Some(Deadline::new(give_up, "await a hello")),
            Phase::Ready { keep_alive_at, .. } => {
                Some(Deadline::new(keep_alive_at, "keep a database's connection"))
            }
            Phase::Down | Phase::Moving => None,
        }
    }
}

#[cfg(test)]
mod tests;
