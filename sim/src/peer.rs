//! A peer of the world: a node, an application with its node, or a model of Trystero in JavaScript,
//! and their machine.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tristero::{Parts, Unread};
use tristero_proto::{Clock, Deadline, Input, Node, NodeConfig, Output, PeerId, Seed, Time};
use tristero_str0m::Str0mEngine;

use crate::app::Process;
use crate::hostile::{FrameSpoiler, Malice, SimEngine};
use crate::js::JsPeer;
use crate::network::{Family, HostId, NatId, Realm};
use crate::null_dtls;

/// A node on the real engine.
pub type SimNode = Node<SimEngine>;

/// How a peer begins.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerOptions {
    /// What its node is told.
    pub config: NodeConfig,
    /// How far its wall clock is ahead of the right time, in milliseconds; behind it if negative.
    pub clock_skew_millis: i64,
    /// How much may wait until its application reads it, if it is one.
    pub unread: Unread,
    /// Where it is in the network.
    pub realm: Realm,
    /// Which addresses it has, in the order in which it gets them; IPv4 if there are none.
    pub families: Vec<Family>,
    /// How much it spoils of what it sends; nothing if it is honest.
    pub malice: Malice,
}

impl PeerOptions {
    /// The same, with this id.
    ///
    /// # Panics
    ///
    /// If it can't be a peer's id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.config.self_id = Some(PeerId::new(id).expect("a peer's id"));
        self
    }

    /// The same, with a wall clock that is ahead by so many milliseconds.
    #[must_use]
    pub fn with_clock_skew(self, millis: i64) -> Self {
        PeerOptions { clock_skew_millis: millis, ..self }
    }

    /// The same, with a private address behind a NAT.
    #[must_use]
    pub fn behind(self, nat: NatId) -> Self {
        self.within(Realm::Behind(nat))
    }

    /// The same, in this realm.
    #[must_use]
    pub fn within(self, realm: Realm) -> Self {
        PeerOptions { realm, ..self }
    }

    /// The same, as a hostile peer.
    #[must_use]
    pub fn with_malice(self, malice: Malice) -> Self {
        PeerOptions { malice, ..self }
    }

    /// The same, with addresses of these families.
    #[must_use]
    pub fn with_families(self, families: &[Family]) -> Self {
        PeerOptions { families: families.to_vec(), ..self }
    }
}

/// A peer of the world.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) host: HostId,
    pub(crate) realm: Realm,
    pub(crate) families: Vec<Family>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) state: PeerState,
    /// What spoils its frames, if it is hostile.
    spoiler: Option<FrameSpoiler>,
    /// The generator of the thread, as this peer finds it: str0m draws names from there.
    names: u64,
    /// When it wants to be woken, as the world has noted it.
    pub(crate) due: Option<Time>,
    /// How often in a row it wanted to be woken again at once.
    pub(crate) haste: u32,
}

/// How a peer is.
#[derive(Debug)]
pub(crate) enum PeerState {
    Running(Body),
    /// Its machine sleeps. Datagrams that come meanwhile are lost.
    Asleep(Body),
    /// Its process has ended without a goodbye.
    Crashed,
}

/// What a peer is.
#[derive(Debug)]
pub(crate) enum Body {
    /// A node, for others to do something to.
    Node(Box<SimNode>),
    /// An application, which does something to its node by itself.
    App(Box<Process>),
    /// Trystero in JavaScript, for others to do something to.
    Js(Box<JsPeer>),
}

impl Peer {
    pub(crate) fn new(
        options: PeerOptions,
        host: HostId,
        seed: &Seed,
        zero: Instant,
        clock: Clock,
        rtc: &tristero_str0m::Config,
        make: impl FnOnce(Parts<SimEngine>) -> Body,
    ) -> Self {
        let names = seed.rng("names that str0m draws").below(u64::MAX);
        let PeerOptions { config, clock_skew_millis, unread, realm, mut families, malice } =
            options;
        if families.is_empty() {
            families.push(Family::V4);
        }
        let mut peer = Peer {
            host,
            realm,
            families,
            addresses: Vec::new(),
            state: PeerState::Crashed,
            spoiler: (!malice.is_none()).then(|| FrameSpoiler::new(malice, seed.rng("frames"))),
            names,
            due: None,
            haste: 0,
        };
        let body = peer.with_names(|_| {
            let engine = Str0mEngine::with_config(rtc, &seed.fork("engine"), zero);
            make(Parts {
                config,
                engine: SimEngine::new(engine, malice, seed.rng("lies")),
                seed: seed.fork("node"),
                clock: Clock { unix: skewed(clock.unix, clock_skew_millis), ..clock },
                unread,
            })
        });
        peer.state = PeerState::Running(body);
        peer
    }

    /// Does something to its node, if it is awake.
    ///
    /// # Panics
    ///
    /// If it is no node.
    pub(crate) fn with<T>(&mut self, act: impl FnOnce(&mut SimNode) -> T) -> Option<T> {
        self.with_body(|body| match body {
            Body::Node(node) => act(node),
            Body::App(_) => panic!("the node of an application is the application's own"),
            Body::Js(_) => panic!("JavaScript has no node"),
        })
    }

    /// Does something to Trystero in JavaScript, if it is awake.
    ///
    /// # Panics
    ///
    /// If it is something else.
    pub(crate) fn with_js<T>(&mut self, act: impl FnOnce(&mut JsPeer) -> T) -> Option<T> {
        self.with_body(|body| match body {
            Body::Js(js) => act(js),
            Body::Node(_) | Body::App(_) => panic!("this peer is not in JavaScript"),
        })
    }

    /// Ends its process.
    pub(crate) fn crash(&mut self) {
        // What an application lets go may call its node.
        self.with_names(|peer| peer.state = PeerState::Crashed);
    }

    pub(crate) fn handle_input(&mut self, input: Input<'_>, now: Time) {
        self.with_body(|body| match body {
            Body::Node(node) => node.handle_input(input, now),
            Body::App(process) => process.handle_input(input),
            Body::Js(js) => js.handle_input(input, now),
        });
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        self.with_body(|body| match body {
            Body::Node(node) => node.handle_timeout(now),
            Body::App(process) => process.handle_timeout(now),
            Body::Js(js) => js.handle_timeout(now),
        });
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        let output = self.with_body(|body| match body {
            Body::Node(node) => node.poll_output(),
            Body::App(process) => process.poll_output(),
            Body::Js(js) => js.poll_output(),
        });
        match (output.flatten(), &mut self.spoiler) {
            (Some(Output::SendLink { link, frame }), Some(spoiler)) => {
                Some(Output::SendLink { link, frame: spoiler.spoil(frame) })
            }
            (output, _) => output,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match &self.state {
            PeerState::Running(Body::Node(node)) => node.poll_timeout(),
            PeerState::Running(Body::App(process)) => process.poll_timeout(),
            PeerState::Running(Body::Js(js)) => js.poll_timeout(),
            PeerState::Asleep(_) | PeerState::Crashed => None,
        }
    }

    /// Whether it is awake.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, PeerState::Running(_))
    }

    /// Its id; `None` once it has crashed.
    pub(crate) fn self_id(&self) -> Option<&PeerId> {
        self.body().map(|body| match body {
            Body::Node(node) => node.self_id(),
            Body::App(process) => process.self_id(),
            Body::Js(js) => js.self_id(),
        })
    }

    /// Its node, asleep or not; `None` once it has crashed, or if it is none.
    pub(crate) fn node(&self) -> Option<&SimNode> {
        self.body().and_then(|body| match body {
            Body::Node(node) => Some(&**node),
            Body::App(_) | Body::Js(_) => None,
        })
    }

    /// Trystero in JavaScript, asleep or not; `None` once it has crashed, or if it is something else.
    pub(crate) fn js(&self) -> Option<&JsPeer> {
        self.body().and_then(|body| match body {
            Body::Js(js) => Some(&**js),
            Body::Node(_) | Body::App(_) => None,
        })
    }

    fn body(&self) -> Option<&Body> {
        match &self.state {
            PeerState::Running(body) | PeerState::Asleep(body) => Some(body),
            PeerState::Crashed => None,
        }
    }

    /// Does something to what it is, if it is awake.
    fn with_body<T>(&mut self, act: impl FnOnce(&mut Body) -> T) -> Option<T> {
        self.with_names(|peer| match &mut peer.state {
            PeerState::Running(body) => Some(act(body)),
            PeerState::Asleep(_) | PeerState::Crashed => None,
        })
    }

    /// Does something while the generator of the thread is the peer's own, so that no other world on
    /// the thread, nor another peer, shifts what it draws.
    fn with_names<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let others = fastrand::get_seed();
        fastrand::seed(self.names);
        let result = act(self);
        self.names = fastrand::get_seed();
        fastrand::seed(others);
        result
    }
}

/// What engines of the world have in common.
pub(crate) fn rtc_config() -> tristero_str0m::Config {
    let mut rtc = tristero_str0m::Config::default();
    rtc.crypto = null_dtls::crypto_provider();
    rtc
}

fn skewed(unix: Duration, millis: i64) -> Duration {
    let skew = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { unix.saturating_sub(skew) } else { unix + skew }
}
