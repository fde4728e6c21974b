//! What a page says in words.

use std::fmt;
use std::time::Duration;

use tristero_proto::PeerId;

use crate::hostile::Malice;
use crate::network::{Conditions, Loss};
use crate::relays::Verdicts;
use crate::soak::{Character, FaultKind, Home, Options, ServiceKind, Whom};

/// A time as people say it: in three digits, and a fitting unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took(pub(super) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            0.0..0.001 => write!(f, "{:.0} µs", seconds * 1e6),
            0.001..0.01 => write!(f, "{} ms", (seconds * 1e4).round() / 10.0),
            0.01..1.0 => write!(f, "{:.0} ms", seconds * 1e3),
            1.0..10.0 => write!(f, "{} s", (seconds * 10.0).round() / 10.0),
            10.0..120.0 => write!(f, "{seconds:.0} s"),
            _ => match (self.0.as_secs() / 60, self.0.as_secs() % 60) {
                (minutes, 0) => write!(f, "{minutes} min"),
                (minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
            },
        }
    }
}

/// A size as people say it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000 => write!(f, "{} B", self.0),
            1_000..1_000_000 => write!(f, "{} kB", self.0 / 1_000),
            _ => write!(f, "{}.{} MB", self.0 / 1_000_000, self.0 / 100_000 % 10),
        }
    }
}

/// A number with its thousands apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            small @ 0..1_000 => write!(f, "{small}"),
            large => write!(f, "{},{:03}", Number(large / 1_000), large % 1_000),
        }
    }
}

/// The beginning of an id: enough to tell it from others.
pub(super) fn short(id: &PeerId) -> String {
    id.as_str().chars().take(6).collect()
}

/// What is said of a process beside its number.
pub(super) fn character(character: Character) -> &'static str {
    match character {
        Character::Honest => "",
        Character::Js => ", in JavaScript",
        Character::Hostile => ", hostile",
    }
}

/// So many of something.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// What is listed, in a sentence.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// The options of a run, one sentence for each thing that they are about.
pub(super) fn options(options: &Options) -> Vec<(&'static str, String)> {
    let relays: Vec<String> = options.relays.iter().map(|kind| service(*kind)).collect();
    let mut peers = format!(
        "{} in {}; something is done every {} on average.",
        count(options.peers.into(), "peer", "peers"),
        count(options.rooms.into(), "room", "rooms"),
        Took(options.act_interval),
    );
    if options.passive_percent > 0 {
        peers += &format!(" Of a hundred joins {} are passive.", options.passive_percent);
    }
    if options.has_password {
        peers += " The rooms have a password";
        peers += &match options.wrong_password_percent {
            0 => ".".to_owned(),
            percent => format!(", which is wrong in {percent} of a hundred joins."),
        };
    }
    if options.clock_skew_millis > 0 {
        let skew = Duration::from_millis(options.clock_skew_millis.into());
        peers += &format!(" Wall clocks are off by up to {}.", Took(skew));
    }
    let messages = format!("Up to {}.", Bytes(options.message_bytes_max.into()));
    let mut lines = vec![
        ("Peers", peers),
        ("Messages", messages),
        ("Relays", format!("{}.", list(&relays))),
        ("Network", network(options.conditions)),
    ];
    if options.has_handshakes {
        let text = "In every other room applications decide who comes in.";
        lines.push(("Handshakes", text.to_owned()));
    }
    if options.malice != Malice::default() {
        lines.push(("Hostile peers", malice(options.malice)));
    }
    if !options.homes.is_empty() {
        lines.push(("NATs", homes(options)));
    }
    let trouble = match options.faults.as_slice() {
        [] => format!("Nothing goes wrong in {}.", Took(options.trouble_lasts)),
        faults => {
            let faults: Vec<String> = faults.iter().map(|kind| fault(*kind).to_owned()).collect();
            format!(
                "For {} something goes wrong every {} on average: {}.",
                Took(options.trouble_lasts),
                Took(options.fault_interval),
                list(&faults),
            )
        }
    };
    let patience = Took(options.liveness_max());
    let end = if options.faults.is_empty() { "nothing new is begun" } else { "all is healed" };
    let healing = format!(" Then {end}, and within {patience} all has to come right.");
    lines.push(("Trouble", trouble + &healing));
    lines
}

fn malice(malice: Malice) -> String {
    let Malice { frames, signals, messages, datagrams } = malice;
    format!(
        "Of what they send they spoil {frames} % of the frames to relays, {signals} % of the signals, \
         {messages} % of the messages and {datagrams} % of the datagrams.",
    )
}

fn network(conditions: Conditions) -> String {
    let mut parts = vec![format!("a datagram takes {}", Took(conditions.latency))];
    if conditions.jitter > Duration::ZERO {
        parts[0] += &format!(", give or take {}", Took(conditions.jitter));
    }
    match conditions.loss {
        Loss::None => parts.push("none is lost".to_owned()),
        Loss::Random { percent } => parts.push(format!("{percent:.1} % are lost")),
        Loss::Bursts { good, bad, percent } => {
            parts.push(format!("after {good:.0} good ones {percent:.0} % of {bad:.0} are lost"));
        }
        Loss::All => parts.push("all are lost".to_owned()),
    }
    if conditions.doubled_percent > 0.0 {
        parts.push(format!("{:.1} % arrive twice", conditions.doubled_percent));
    }
    if conditions.reordered_every > 0 {
        parts.push(format!("one in {} overtakes another", conditions.reordered_every));
    }
    if let Some((rate, _)) = conditions.rate {
        parts.push(format!("{} pass in a second", Bytes(rate)));
    }
    let mut text = format!("{}.", list(&parts));
    text[..1].make_ascii_uppercase();
    text
}

fn homes(options: &Options) -> String {
    let kinds: Vec<String> = options.homes.iter().map(|kind| home(*kind).to_owned()).collect();
    let mut text = format!(
        "{} % of the peers are behind one of these: {}. A mapping that nobody uses lasts {}.",
        options.at_home_percent,
        list(&kinds),
        Took(options.mapping_timeout),
    );
    if options.ipv6_percent > 0 {
        text += &format!(" {} % have IPv6 too.", options.ipv6_percent);
    }
    text
}

fn home(kind: Home) -> &'static str {
    match kind {
        Home::FullCone => "a full cone",
        Home::AddressRestricted => "an address-restricted NAT",
        Home::PortRestricted => "a port-restricted NAT",
        Home::Symmetric => "a symmetric NAT",
        Home::Customer => "a NAT behind the provider's",
    }
}

/// What a relay runs.
pub(super) fn service(kind: ServiceKind) -> String {
    let name = match kind {
        ServiceKind::Ws => "ws-relay",
        ServiceKind::Nostr(Verdicts::First) => "Nostr (confirms at once)",
        ServiceKind::Nostr(Verdicts::Last) => "Nostr (confirms late)",
        ServiceKind::Nostr(Verdicts::Silent) => "Nostr (never confirms)",
        ServiceKind::Mqtt => "MQTT",
        ServiceKind::Tracker => "tracker",
    };
    name.to_owned()
}

/// What goes wrong, in a few words.
pub(super) fn fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Partition => "partition",
        FaultKind::OneWay => "one-way cut",
        FaultKind::Clog => "clog",
        FaultKind::Crash => "crash",
        FaultKind::Restart => "restart",
        FaultKind::Sleep => "sleep",
        FaultKind::Roam => "new address",
        FaultKind::RelayCrash => "relay down",
        FaultKind::Weather => "new conditions",
        FaultKind::Rebind => "NAT forgets",
        FaultKind::Move => "other network",
        FaultKind::RelayStall => "relay stalls",
        FaultKind::RelayLossy => "relay loses",
        FaultKind::RelayDoubling => "relay doubles",
        FaultKind::RelayReordering => "relay reorders",
        FaultKind::RelayHalfOpen => "relay half-open",
        FaultKind::RelayRefusing => "relay refuses",
        FaultKind::RelayRateLimit => "relay limits",
        FaultKind::RelayReplay => "relay replays",
        FaultKind::RelayHostile => "hostile relay",
        FaultKind::Intruder => "hostile peer",
    }
}

/// Whom a fault is about.
pub(super) fn whom(whom: &Whom) -> String {
    match whom {
        Whom::All => "everyone".to_owned(),
        Whom::Peers(peers) if peers.is_empty() => "nobody".to_owned(),
        Whom::Peers(peers) => {
            let numbers: Vec<String> = peers.iter().map(|who| who.number().to_string()).collect();
            let noun = if peers.len() == 1 { "peer" } else { "peers" };
            format!("{noun} {}", list(&numbers))
        }
        Whom::Behind(_) => "all behind one NAT".to_owned(),
        Whom::Relay(relay) => format!("relay {}", relay.number() + 1),
    }
}
