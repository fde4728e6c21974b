//! What it costs to be in a room where nobody says anything: processor time and wake-ups of one peer
//! that is connected to twenty.
//!
//! `cargo bench -p tristero-benches --bench idle -- --seconds 60`
//!
//! The twenty and the relay are in a process of their own, so that this one is the measured peer and
//! nothing else: first on tokio, as users run it, then on the loop of `tristero-examples`, which can
//! also say what it was woken for. Beside them stands how often the protocols below ask for it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{collections::BTreeMap, env, io, process, thread};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};
use tristero_examples::{Place, Swarm, Traffic, Usage, Wake, addresses};
use tristero_proto::{Event, RoomConfig};
use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{Config, IceConfig, Options, RoomEvent, node};

/// What it costs to be in a room where nobody says anything
#[derive(Debug, Parser)]
struct Arguments {
    /// Measures for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// Lets what comes of joining end for so long before
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    settle: u64,
    /// How many others are in the room
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    peers: usize,
    /// Lets the others be passive, so that they have no connections to each other
    #[arg(long)]
    star: bool,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// Is the others
    #[arg(long, hide = true)]
    others: bool,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

const ROOM: &str = "idle";
const APP: &str = "bench";
/// The others come one after another, so that all fill the 2.5 s between two ICE checks: checks of
/// those that came at once would come at once, and wake nobody as often.
const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.others {
        return be_others(&arguments);
    }
    let measure = |how: Measure| {
        let others = Others::start(&arguments)?;
        how(&others.relay, &arguments)
    };
    let measured = [("tokio", measure(measure_tokio)?), ("mio", measure(measure_mio)?)];
    let needs = Needs::of(arguments.peers, &measured[1].1);
    if arguments.json {
        let runtimes = measured.into_iter().map(|(name, idle)| (name.to_owned(), idle.to_json()));
        let runtimes: Value = runtimes.collect();
        println!(
            "{}",
            json!({ "peers": arguments.peers, "needs": needs.to_json(), "runtimes": runtimes })
        );
    } else {
        println!("one room, {} connected peers, {} s", arguments.peers, arguments.seconds);
        measured.iter().for_each(|(name, idle)| idle.print(name));
        needs.print();
    }
    Ok(())
}

/// Measures a peer of a relay.
type Measure = fn(&str, &Arguments) -> Result<Idle>;

/// What a peer took while nothing happened.
struct Idle {
    time: Duration,
    cpu: Duration,
    wakes: u64,
    resident_kib: u64,
    /// What it had before it was in the room.
    resident_before_kib: u64,
    /// What it was woken for, by name, where that is known.
    causes: BTreeMap<&'static str, u64>,
}

impl Idle {
    fn cpu_percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    fn per_minute(&self, count: u64) -> f64 {
        count as f64 * 60.0 / self.time.as_secs_f64()
    }

    fn print(&self, name: &str) {
        println!(
            "{name:6} {:.3} % of one core, {:.0} wake-ups a minute, {:.1} MiB, of which {:.1} MiB before",
            self.cpu_percent(),
            self.per_minute(self.wakes),
            self.resident_kib as f64 / 1024.0,
            self.resident_before_kib as f64 / 1024.0,
        );
        for (cause, count) in &self.causes {
            println!("       {:8.0} a minute: {cause}", self.per_minute(*count));
        }
    }

    fn to_json(&self) -> Value {
        let rate = |(cause, count): (&&str, &u64)| ((*cause).to_owned(), self.per_minute(*count));
        json!({
            "cpuPercent": self.cpu_percent(),
            "wakeUpsPerMinute": self.per_minute(self.wakes),
            "residentKiB": self.resident_kib,
            "residentBeforeKiB": self.resident_before_kib,
            "causesPerMinute": self.causes.iter().map(rate).collect::<BTreeMap<_, _>>(),
        })
    }
}

fn measure_tokio(relay: &str, arguments: &Arguments) -> Result<Idle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wakes = || runtime.metrics().worker_park_count(0);
    runtime.block_on(async {
        let config = Config::new(APP).relay(relay).ice(IceConfig::none());
        let node = node(Options { loopback: true, ..Options::default() })?;
        let resident_before_kib = Usage::now().resident_kib;
        let room = node.join(&config, ROOM)?;
        let mut events = room.events();
        let mut met = 0;
        while met < arguments.peers {
            let event = events.recv().await.context("the room was left")?;
            met += usize::from(matches!(event, RoomEvent::PeerJoined { .. }));
        }
        tokio::time::sleep(Duration::from_secs(arguments.settle)).await;
        let (began, before, woken) = (Instant::now(), Usage::now(), wakes());
        tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
        let (after, wakes) = (Usage::now(), wakes() - woken);
        let idle = Idle {
            time: began.elapsed(),
            cpu: after.cpu.saturating_sub(before.cpu),
            wakes,
            resident_kib: after.resident_kib,
            resident_before_kib,
            causes: BTreeMap::new(),
        };
        room.node().shut_down().await;
        Ok(idle)
    })
}

fn measure_mio(relay: &str, arguments: &Arguments) -> Result<Idle> {
    let (relay, app, room) = (relay.to_owned(), APP.to_owned(), ROOM.to_owned());
    let place = Place { relay, app, room, loopback: true, no_stun: true };
    // As many as tokio's.
    let mut addresses = addresses(false)?;
    addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]);
    let mut swarm = Swarm::bind(1, &addresses)?;
    let config = place.room(&place.room)?;
    let resident_before_kib = Usage::now().resident_kib;
    swarm.act(0, |peer, now| peer.act(|node| node.join(config, now)))?;
    meet(&mut swarm, arguments.peers)?;
    run(&mut swarm, Duration::from_secs(arguments.settle), |_| {})?;
    let (began, before, traffic) = (Instant::now(), Usage::now(), swarm.peers()[0].traffic());
    let (mut causes, mut wakes) = (BTreeMap::new(), 0);
    run(&mut swarm, Duration::from_secs(arguments.seconds), |wake| {
        wakes += 1;
        let cause = match wake {
            Wake::Socket => "woken by a socket",
            Wake::Due(why) => why,
            Wake::Bound => "woken by this program",
        };
        *causes.entry(cause).or_default() += 1;
    })?;
    let after = Usage::now();
    let Traffic { datagrams_sent, datagrams_received, frames_received, .. } =
        swarm.peers()[0].traffic();
    causes.insert("datagrams sent", datagrams_sent - traffic.datagrams_sent);
    causes.insert("datagrams received", datagrams_received - traffic.datagrams_received);
    causes.insert("messages of the relay", frames_received - traffic.frames_received);
    let cpu = after.cpu.saturating_sub(before.cpu);
    let (time, resident_kib) = (began.elapsed(), after.resident_kib);
    Ok(Idle { time, cpu, wakes, resident_kib, resident_before_kib, causes })
}

/// Runs a swarm until so many have joined, on all sides together.
fn meet(swarm: &mut Swarm, joins: usize) -> Result<()> {
    let mut joined = 0;
    while joined < joins {
        swarm.step(None)?;
        while let Some((_, event)) = swarm.poll_event() {
            joined += usize::from(matches!(event, Event::PeerJoined { .. }));
        }
    }
    Ok(())
}

/// Runs a swarm for so long, and says what it was woken for each time.
fn run(swarm: &mut Swarm, time: Duration, mut on_wake: impl FnMut(Wake)) -> Result<()> {
    let began = Instant::now();
    while let Some(left) = time.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
        on_wake(swarm.step(Some(left))?);
        while swarm.poll_event().is_some() {}
    }
    Ok(())
}

/// How often a minute the protocols below ask for something.
struct Needs {
    peers: u64,
    /// Paths to each peer that are alive: the one in use, and others that would do in its place.
    paths: u64,
}

impl Needs {
    /// Either side checks a path that is alive every 2.5 s (RFC 7675 has 5 s), and the other answers.
    const CHECKS: u64 = 24;
    /// A member announces itself once a minute, and hears as much of each of the others.
    const ANNOUNCES: u64 = 1;

    /// A check of either side, answered, is one datagram received for each on every path.
    fn of(peers: usize, measured: &Idle) -> Self {
        let peers = peers.try_into().unwrap_or(u64::MAX);
        let received = measured.causes.get("datagrams received").copied().unwrap_or_default();
        let of_one_path = 2 * Self::CHECKS * peers * measured.time.as_secs() / 60;
        let paths = (received + of_one_path / 2).checked_div(of_one_path).unwrap_or_default();
        Needs { peers, paths }
    }

    fn rows(&self) -> [(&'static str, u64); 6] {
        let Needs { peers, paths } = *self;
        let checks = Self::CHECKS * peers * paths;
        [
            ("ICE checks of ours that are due", checks),
            ("answers to them that come", checks),
            ("ICE checks of theirs that come", checks),
            ("looks whether a peer is silent: at each check of ours", 0),
            ("SCTP heartbeats: sctp-proto sends none", 0),
            ("announces, ours and theirs", (peers + 1) * Self::ANNOUNCES),
        ]
    }

    fn print(&self) {
        let rows = self.rows();
        let all: u64 = rows.iter().map(|(_, count)| count).sum();
        println!("needs  {all} a minute; live paths to each peer: {}", self.paths);
        for (what, count) in rows {
            println!("       {count:8} a minute: {what}");
        }
    }

    fn to_json(&self) -> Value {
        self.rows().into_iter().map(|(what, count)| (what.to_owned(), json!(count))).collect()
    }
}

/// The process that the relay and the others are in.
struct Others {
    child: Child,
    relay: String,
}

impl Others {
    fn start(arguments: &Arguments) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--others", "--peers", &arguments.peers.to_string()]);
        if arguments.star {
            command.arg("--star");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("it is piped")?;
        let mut relay = String::new();
        BufReader::new(stdout).read_line(&mut relay)?;
        Ok(Others { child, relay: relay.trim().to_owned() })
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a relay and the others, for as long as somebody holds the input open.
fn be_others(arguments: &Arguments) -> Result<()> {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new()?;
    let relay = runtime.block_on(Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)))?;
    let (url, app, room) = (relay.url(), APP.to_owned(), ROOM.to_owned());
    let place = Place { relay: url, app, room, loopback: true, no_stun: true };
    runtime.spawn(relay.run());
    let mut swarm = Swarm::bind(arguments.peers, &addresses(true)?)?;
    writeln!(io::stdout(), "{}", place.relay)?;
    for number in 0..arguments.peers {
        let config = RoomConfig { passive: arguments.star, ..place.room(&place.room)? };
        swarm.act(number, |peer, now| peer.act(|node| node.join(config, now)))?;
        run(&mut swarm, CHECK_INTERVAL / u32::try_from(arguments.peers)?, |_| {})?;
    }
    loop {
        swarm.step(None)?;
        while swarm.poll_event().is_some() {}
    }
}
