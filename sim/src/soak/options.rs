//! What a run is like: drawn from its seed, and said before anything happens.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tristero_proto::ice::{IceConfig, IceServer, IceServerKind, IceUrl};
use tristero_proto::{IDLE_TTL, Rng, Seed};

use super::record::Place;
use crate::hostile::Malice;
use crate::network::{Conditions, Loss, Nat, Network, Realm};
use crate::relays::Verdicts;

/// What a run is like. Some things are left out of each, so that each is about something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Peers that are there at the beginning; others come in place of those that crash.
    pub(crate) peers: u32,
    /// How many of them are in JavaScript.
    pub(crate) js_peers: u32,
    /// Rooms that they choose from.
    pub(crate) rooms: u32,
    /// What runs on each relay.
    pub(crate) relays: Vec<ServiceKind>,
    pub(crate) conditions: Conditions,
    /// How long everything goes wrong.
    pub(crate) trouble_lasts: Duration,
    /// How long applications wait between two things that they do, on average.
    pub(crate) act_interval: Duration,
    /// How long it takes until something goes wrong, on average.
    pub(crate) fault_interval: Duration,
    /// What may go wrong.
    pub(crate) faults: Vec<FaultKind>,
    /// How many of a hundred joins are passive, and how many come with a wrong password.
    pub(crate) passive_percent: u32,
    pub(crate) wrong_password_percent: u32,
    pub(crate) has_password: bool,
    /// The largest message, in bytes.
    pub(crate) message_bytes_max: u32,
    /// How far wall clocks are off, in milliseconds.
    pub(crate) clock_skew_millis: u32,
    /// The networks that some peers are in, behind NATs.
    pub(crate) homes: Vec<Home>,
    /// How many of a hundred peers are at home, and how many have IPv6 too.
    pub(crate) at_home_percent: u32,
    pub(crate) ipv6_percent: u32,
    /// How long NATs keep a mapping that nobody uses.
    pub(crate) mapping_timeout: Duration,
    /// How much hostile peers spoil of what they send.
    pub(crate) malice: Malice,
    /// Whether applications decide in every other room who comes in.
    pub(crate) has_handshakes: bool,
    /// How long a connection is kept that no room uses.
    pub(crate) idle_ttl: Duration,
    /// How many addresses a machine that roams has had until it stays at one.
    pub(crate) roams_at_once: u32,
    /// The servers that help all to connect.
    pub(crate) servers: Servers,
}

/// Servers that help to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Servers {
    None,
    Stun,
    StunAndTurn,
}

impl Servers {
    /// Those of one night in five.
    fn draw(rng: &mut Rng) -> Self {
        match rng.below(10) {
            0 => Servers::Stun,
            1 => Servers::StunAndTurn,
            _ => Servers::None,
        }
    }

    /// Adds them to a network: what rooms are told of them, and where they are.
    pub(crate) fn add_to(self, network: &mut Network) -> (IceConfig, Vec<SocketAddr>) {
        let (username, credential) = ("everyone", "knows it");
        let server = |kind, at: SocketAddr| {
            IceServer::new(IceUrl { kind, host: at.ip().to_string(), port: at.port() })
        };
        let (mut servers, mut addresses) = (Vec::new(), Vec::new());
        if self >= Servers::Stun {
            addresses.push(network.add_stun_server());
            servers.push(server(IceServerKind::Stun, addresses[0]));
        }
        if self == Servers::StunAndTurn {
            let at = network.add_turn_server(username, credential);
            let turn = server(IceServerKind::TurnUdp, at);
            servers.push(turn.with_credentials(username, credential));
            addresses.push(at);
        }
        (IceConfig::none().with_servers(servers), addresses)
    }
}

/// A network behind a NAT, by the name of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Home {
    FullCone,
    AddressRestricted,
    PortRestricted,
    Symmetric,
    /// Behind two, of which one is the provider's.
    Customer,
}

impl Home {
    const ALL: [Home; 5] = [
        Home::FullCone,
        Home::AddressRestricted,
        Home::PortRestricted,
        Home::Symmetric,
        Home::Customer,
    ];

    /// Adds it to a network.
    pub(crate) fn add_to(self, network: &mut Network, mapping_timeout: Duration) -> Realm {
        let nat = match self {
            Home::FullCone => Nat::full_cone(),
            Home::AddressRestricted => Nat::address_restricted().with_random_ports(),
            Home::PortRestricted => Nat::port_restricted(),
            Home::Symmetric => Nat::symmetric(),
            Home::Customer => {
                let carrier = Nat::carrier_grade().with_mapping_timeout(mapping_timeout);
                Nat::port_restricted().behind(network.add_nat(carrier))
            }
        };
        Realm::Behind(network.add_nat(nat.with_mapping_timeout(mapping_timeout)))
    }
}

/// What a relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceKind {
    Ws,
    Nostr(Verdicts),
    Mqtt,
    Tracker,
}

impl ServiceKind {
    fn draw(rng: &mut Rng) -> Self {
        let verdicts = [Verdicts::First, Verdicts::Last, Verdicts::Silent][index(rng, 3)];
        let kinds = [
            ServiceKind::Ws,
            ServiceKind::Nostr(verdicts),
            ServiceKind::Mqtt,
            ServiceKind::Tracker,
        ];
        kinds[index(rng, kinds.len())]
    }
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FaultKind {
    /// Some hosts and the others don't hear each other.
    Partition,
    /// One host is not heard by another, and hears it.
    OneWay,
    /// What goes between two hosts takes seconds and is lost in part.
    Clog,
    /// A process ends, and comes back as somebody else.
    Crash,
    /// A process ends, and comes back with the id it had.
    Restart,
    /// A machine sleeps.
    Sleep,
    /// A machine moves to another address.
    Roam,
    /// A relay stops, and comes back knowing nothing.
    RelayCrash,
    /// The network changes for all.
    Weather,
    /// A NAT forgets its mappings.
    Rebind,
    /// A machine moves into another network.
    Move,
    /// Nothing passes a relay; then everything does.
    RelayStall,
    /// A relay loses messages, or passes them on twice, or late and out of order.
    RelayLossy,
    RelayDoubling,
    RelayReordering,
    /// Who is connected to a relay hears nothing more of it.
    RelayHalfOpen,
    /// A relay takes no new links.
    RelayRefusing,
    /// A relay takes only so much of each peer.
    RelayRateLimit,
    /// A relay repeats what was said long ago.
    RelayReplay,
    /// The operator of a relay is hostile.
    RelayHostile,
    /// A hostile peer comes, who knows the password.
    Intruder,
}

impl FaultKind {
    const OF_RELAYS: [FaultKind; 9] = [
        FaultKind::RelayStall,
        FaultKind::RelayLossy,
        FaultKind::RelayDoubling,
        FaultKind::RelayReordering,
        FaultKind::RelayHalfOpen,
        FaultKind::RelayRefusing,
        FaultKind::RelayRateLimit,
        FaultKind::RelayReplay,
        FaultKind::RelayHostile,
    ];
    const ALL: [FaultKind; 9] = [
        FaultKind::Partition,
        FaultKind::OneWay,
        FaultKind::Clog,
        FaultKind::Crash,
        FaultKind::Restart,
        FaultKind::Sleep,
        FaultKind::Roam,
        FaultKind::RelayCrash,
        FaultKind::Weather,
    ];

    /// What may go wrong where some peers are at home.
    const AT_HOME: [FaultKind; 2] = [FaultKind::Rebind, FaultKind::Move];
}

impl Options {
    /// The options of the run with this seed.
    pub(crate) fn draw(seed: &Seed) -> Self {
        let mut rng = seed.rng("options");
        let rng = &mut rng;
        let is_calm = rng.below(8) == 0;
        let mut faults: Vec<FaultKind> =
            FaultKind::ALL.into_iter().filter(|_| !is_calm && rng.below(2) == 0).collect();
        // Drawn apart, so that what is above is the same without them.
        let of_relays = &mut seed.rng("relays");
        let hurts_relays = !is_calm && of_relays.below(2) == 0;
        let mut is_drawn = |_: &FaultKind| hurts_relays && of_relays.below(3) == 0;
        faults.extend(FaultKind::OF_RELAYS.into_iter().filter(|kind| is_drawn(kind)));
        let options = Options {
            peers: number(rng, 2, 6),
            rooms: number(rng, 1, 3),
            relays: (0..number(rng, 1, 3)).map(|_| ServiceKind::draw(of_relays)).collect(),
            conditions: draw_conditions(rng),
            trouble_lasts: Duration::from_secs(number(rng, 30, 120).into()),
            act_interval: Duration::from_millis(number(rng, 100, 2_000).into()),
            fault_interval: Duration::from_millis(number(rng, 2_000, 15_000).into()),
            faults,
            passive_percent: [0, 0, 20, 50][index(rng, 4)],
            wrong_password_percent: [0, 0, 0, 15][index(rng, 4)],
            has_password: rng.below(2) == 0,
            message_bytes_max: [100, 20_000, 200_000, 1_000_000][index(rng, 4)],
            clock_skew_millis: [0, 0, 30_000][index(rng, 3)],
            has_handshakes: seed.rng("handshakes").below(3) == 0,
            idle_ttl: [IDLE_TTL, Duration::from_secs(20), Duration::from_secs(5)]
                [index(&mut seed.rng("idle"), 3)],
            roams_at_once: [1, 1, 1, 20][index(&mut seed.rng("roams"), 4)],
            servers: Servers::draw(&mut seed.rng("servers")),
            // The rest is drawn below.
            ..Options::quiet(ServiceKind::Ws)
        };
        let options = options.with_js(&mut seed.rng("js"));
        let options = options.with_homes(is_calm, &mut seed.rng("homes"));
        options.with_intruders(is_calm, &mut seed.rng("intruders"))
    }

    /// One room at one relay, on a good network: nobody is there and nothing goes wrong.
    pub(crate) fn quiet(relay: ServiceKind) -> Self {
        Options {
            peers: 0,
            js_peers: 0,
            rooms: 1,
            relays: vec![relay],
            conditions: Conditions::latency(Duration::from_millis(20)),
            trouble_lasts: Duration::ZERO,
            act_interval: Duration::ZERO,
            fault_interval: Duration::ZERO,
            faults: Vec::new(),
            passive_percent: 0,
            wrong_password_percent: 0,
            has_password: false,
            message_bytes_max: 0,
            clock_skew_millis: 0,
            homes: Vec::new(),
            at_home_percent: 0,
            ipv6_percent: 0,
            mapping_timeout: Duration::ZERO,
            malice: Malice::default(),
            has_handshakes: false,
            idle_ttl: IDLE_TTL,
            roams_at_once: 1,
            servers: Servers::None,
        }
    }

    /// The same, in one of four runs with one or two peers in JavaScript, next to one of ours. The
    /// model of those has no handshake of its application.
    fn with_js(mut self, rng: &mut Rng) -> Self {
        if rng.below(4) == 0 {
            self.js_peers = number(rng, 1, 2).min(self.peers - 1);
            self.has_handshakes &= self.js_peers == 0;
        }
        self
    }

    /// The same, in a quarter of the nights with hostile peers.
    fn with_intruders(mut self, is_calm: bool, rng: &mut Rng) -> Self {
        if !is_calm && rng.below(4) == 0 {
            // Each layer by itself: who spoils much on one is not let in to the next.
            let mut percent = || [0, 2, 10, 50][index(rng, 4)];
            self.malice = Malice {
                frames: percent(),
                signals: percent(),
                messages: percent(),
                datagrams: percent(),
            };
            if self.malice.is_none() {
                self.malice = Malice::everywhere(2);
            }
            self.faults.push(FaultKind::Intruder);
        }
        self
    }

    /// Whether applications decide who comes into a room.
    pub(crate) fn has_handshake(&self, place: Place) -> bool {
        self.has_handshakes && place.is_multiple_of(2)
    }

    /// The same, half of the time with some peers behind NATs.
    fn with_homes(mut self, is_calm: bool, rng: &mut Rng) -> Self {
        let homes = number(rng, 0, 3).saturating_sub(1);
        self.homes = (0..homes).map(|_| Home::ALL[index(rng, Home::ALL.len())]).collect();
        if self.homes.is_empty() {
            return self;
        }
        self.at_home_percent = [30, 60, 90][index(rng, 3)];
        self.ipv6_percent = [0, 0, 50][index(rng, 3)];
        self.mapping_timeout = Duration::from_secs(number(rng, 20, 120).into());
        let faults = FaultKind::AT_HOME.into_iter().filter(|_| !is_calm && rng.below(2) == 0);
        self.faults.extend(faults);
        self
    }
}

impl Options {
    /// Everything comes right within this time after it was healed.
    ///
    /// The fastest relay counts, since all of them are healed. One is dialled again after 53 s at the
    /// latest, a heartbeat comes after 60 s, and a connection takes a while.
    pub(crate) fn liveness_max(&self) -> Duration {
        let of_relay = |kind: &ServiceKind| match kind {
            ServiceKind::Ws | ServiceKind::Mqtt => LIVENESS_MAX,
            // Announces that were refused twice in the time of trouble are held for another 120 s.
            ServiceKind::Nostr(_) if self.faults.contains(&FaultKind::RelayRateLimit) => {
                LIVENESS_MAX + Duration::from_secs(120)
            }
            ServiceKind::Nostr(_) => LIVENESS_MAX,
            ServiceKind::Tracker => LIVENESS_MAX + TRACKER_INTERVAL * TRACKER_ROUNDS,
        };
        let of_relays = self.relays.iter().map(of_relay);
        match self.js_peers {
            0 => of_relays.min().unwrap_or(LIVENESS_MAX),
            // It may have given up all relays but the slowest. What it lost it does not ask for, and
            // is not told that a relay is back, so one more heartbeat may pass.
            _ => of_relays.max().unwrap_or(LIVENESS_MAX) + HEARTBEAT,
        }
    }
}

/// A relay is dialled again after 53 s at the latest, a heartbeat comes after 60 s, and a connection
/// takes a while.
const LIVENESS_MAX: Duration = Duration::from_secs(180);

/// A room is announced so often.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A room is announced so often on a tracker.
const TRACKER_INTERVAL: Duration = Duration::from_secs(120);

/// An announce has three offers, and the tracker draws who gets them. Of six peers one gets none
/// with two chances in five, and of two peers each may be drawn by the other: that they miss each
/// other in all these rounds happens once in ten thousand times.
const TRACKER_ROUNDS: u32 = 5;

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { peers, rooms, relays, conditions, .. } = self;
        writeln!(f, "{peers} peers, {rooms} rooms, relays {relays:?}, {:?}", self.trouble_lasts)?;
        if self.js_peers > 0 {
            writeln!(f, "{} of them in JavaScript", self.js_peers)?;
        }
        writeln!(f, "network: {conditions:?}")?;
        if !self.homes.is_empty() {
            writeln!(
                f,
                "{} % at home: {:?}, mappings last {:?}, {} % with IPv6",
                self.at_home_percent, self.homes, self.mapping_timeout, self.ipv6_percent,
            )?;
        }
        if self.servers != Servers::None {
            writeln!(f, "servers: {:?}", self.servers)?;
        }
        writeln!(f, "faults every {:?}: {:?}", self.fault_interval, self.faults)?;
        if !self.malice.is_none() {
            writeln!(f, "hostile peers spoil so many of a hundred: {:?}", self.malice)?;
        }
        if self.has_handshakes {
            writeln!(f, "handshakes in every other room")?;
        }
        write!(
            f,
            "acts every {:?}, messages to {} bytes, password {}, {} % wrong, {} % passive, clocks \
             off by up to {} ms, idle connections kept for {:?}, {} moves at once",
            self.act_interval,
            self.message_bytes_max,
            if self.has_password { "yes" } else { "no" },
            self.wrong_password_percent,
            self.passive_percent,
            self.clock_skew_millis,
            self.idle_ttl,
            self.roams_at_once,
        )
    }
}

/// A network that is anything from a LAN to a bad night.
pub(crate) fn draw_conditions(rng: &mut Rng) -> Conditions {
    let millis = |millis: u32| Duration::from_millis(millis.into());
    let latency = number(rng, 1, 150);
    let mut conditions = Conditions::latency(millis(latency));
    if rng.below(2) == 0 {
        conditions = conditions.with_jitter(millis(number(rng, 0, latency)));
    }
    conditions = match rng.below(4) {
        0 => conditions.with_random_loss(percent(rng, 5)),
        1 => {
            let (good, bad) = (percent(rng, 400) + 50.0, percent(rng, 10) + 2.0);
            conditions.with_loss(Loss::Bursts { good, bad, percent: percent(rng, 80) })
        }
        _ => conditions,
    };
    if rng.below(4) == 0 {
        conditions = conditions.with_doubled(percent(rng, 5));
    }
    if rng.below(4) == 0 {
        conditions = conditions.with_reordered_every(number(rng, 5, 100));
    }
    if rng.below(4) == 0 {
        let rate = number(rng, 50_000, 2_000_000);
        conditions = conditions.with_rate(rate.into(), 64 * 1_024);
    }
    conditions
}

/// A number from `least` to `most`.
pub(crate) fn number(rng: &mut Rng, least: u32, most: u32) -> u32 {
    let span = u64::from(most - least) + 1;
    least + u32::try_from(rng.below(span)).expect("it is below a span of 32 bits")
}

/// A place in a list of so many.
pub(crate) fn index(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).expect("it is below a length")
}

/// From 0 to so many of a hundred.
fn percent(rng: &mut Rng, most: u16) -> f32 {
    let tenths = number(rng, 0, u32::from(most) * 10);
    f32::from(u16::try_from(tenths).expect("it is below 65,536")) / 10.0
}
