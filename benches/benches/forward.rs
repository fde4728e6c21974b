//! What it costs a peer to send a stream of video on to many: processor time and memory.
//!
//! `cargo bench -p tristero-benches --bench forward`, with `--json` for programs.
//!
//! The peer that forwards is a process of its own, a new one for each number of receivers. The relay,
//! the sender and the receivers are this one. They are passive, so that nobody is connected to anyone
//! but the forwarder. Frames are not those of an encoder: their first bytes are what VP8 begins with,
//! the rest is zeros.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tristero_benches::{Process, raise_file_limit};
use tristero_relay::{Config as RelayConfig, Relay};
use tristero_tokio::{
    Codec, Config, IceConfig, LocalStream, LocalTrack, MediaFrame, MediaKind, MediaTime, Options,
    Room, RoomEvent, node,
};

/// What it costs a peer to send a stream of video on to many
#[derive(Debug, Parser)]
struct Arguments {
    /// How many receivers there are (repeatable)
    #[arg(long, value_name = "NUMBER", default_values_t = [1, 10, 50])]
    receivers: Vec<usize>,
    /// Measures for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u64,
    /// Lets what comes of joining and of beginning end for so long before
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    settle: u64,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// Is the forwarder, over this relay
    #[arg(long, value_name = "URL", hide = true)]
    forward_over: Option<String>,
    /// What `cargo bench` says to every program
    #[arg(long, hide = true)]
    bench: bool,
}

const ROOM: &str = "forward";
const FRAMES_PER_SECOND: u64 = 30;
/// With a key frame at the head of a second these are 1 Mbit: 20,000 + 29 × 3,621 bytes.
const KEY_FRAME_BYTES: usize = 20_000;
const FRAME_BYTES: usize = 3_621;
/// By then all are connected and have seen something, or never will.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    raise_file_limit();
    if let Some(relay) = &arguments.forward_over {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(be_forwarder(relay));
    }
    let measured = tokio::runtime::Runtime::new()?.block_on(async {
        let relay = Relay::bind(RelayConfig::new("127.0.0.1:0".parse()?)).await?;
        let url = relay.url();
        tokio::spawn(relay.run());
        let mut measured = Vec::new();
        for receivers in &arguments.receivers {
            measured.push(measure(&url, *receivers, &arguments).await?);
        }
        Ok::<_, anyhow::Error>(measured)
    })?;
    if arguments.json {
        let rows: Vec<Value> = measured.iter().map(Forwarded::to_json).collect();
        println!("{}", json!({ "seconds": arguments.seconds, "forwarded": rows }));
    } else {
        println!("video of 1 Mbit/s, 30 frames a second, for {} s", arguments.seconds);
        measured.iter().for_each(Forwarded::print);
    }
    Ok(())
}

/// What a forwarder took.
struct Forwarded {
    receivers: usize,
    time: Duration,
    cpu: Duration,
    alone: Memory,
    /// When all are there and nothing is sent.
    connected: Memory,
    forwarding: Memory,
    frames: u64,
    frames_expected: u64,
    /// From when the sender has added its stream until all have seen a frame of it.
    until_seen: Duration,
    /// How often the sender was asked for a key frame: before it was measured, and meanwhile.
    asked_before: u64,
    asked: u64,
}

/// What a process has of it, in KiB.
#[derive(Clone, Copy)]
struct Memory {
    resident: u64,
    own: u64,
}

impl Memory {
    fn of(process: &Process) -> Self {
        Memory { resident: process.resident_kib(), own: process.own_kib() }
    }

    /// How much more it is than it was, for each of so many, resident and its own.
    fn more_than(self, before: Memory, each: usize) -> (f64, f64) {
        let more = |now: u64, before: u64| now.saturating_sub(before) as f64 / each.max(1) as f64;
        (more(self.resident, before.resident), more(self.own, before.own))
    }
}

impl Forwarded {
    fn percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    fn percent_each(&self) -> f64 {
        self.percent() / self.receivers.max(1) as f64
    }

    fn print(&self) {
        let (resident, own) = self.forwarding.more_than(self.alone, self.receivers);
        let (connected, connected_own) = self.connected.more_than(self.alone, self.receivers);
        let Forwarded { receivers, frames, frames_expected, asked_before, asked, .. } = self;
        let (percent, all, seen) =
            (self.percent_each(), self.percent(), self.until_seen.as_secs_f64());
        println!("{receivers} receivers");
        println!("    {percent:.2} % of a core for each, {all:.1} % in all");
        println!("    {resident:.0} KiB for each, {own:.0} of them its own");
        println!("    {connected:.0} and {connected_own:.0} KiB before anything was sent");
        println!("    {frames} frames of {frames_expected}; all had seen one after {seen:.2} s");
        println!("    key frames asked for: {asked_before} at first, {asked} while measured");
    }

    fn to_json(&self) -> Value {
        let (resident, own) = self.forwarding.more_than(self.alone, self.receivers);
        let (connected, connected_own) = self.connected.more_than(self.alone, self.receivers);
        json!({
            "receivers": self.receivers,
            "cpuPercent": self.percent(),
            "cpuPercentPerReceiver": self.percent_each(),
            "aloneResidentKiB": self.alone.resident,
            "aloneOwnKiB": self.alone.own,
            "connectedResidentKiBPerReceiver": connected,
            "connectedOwnKiBPerReceiver": connected_own,
            "residentKiBPerReceiver": resident,
            "ownKiBPerReceiver": own,
            "frames": self.frames,
            "framesExpected": self.frames_expected,
            "untilSeenMilliseconds": self.until_seen.as_secs_f64() * 1e3,
            "keyFramesAskedBefore": self.asked_before,
            "keyFramesAsked": self.asked,
        })
    }
}

async fn measure(relay: &str, receivers: usize, arguments: &Arguments) -> Result<Forwarded> {
    let settle = Duration::from_secs(arguments.settle);
    let mut forwarder = Forwarder::start(relay)?;
    let audience = (0..receivers).map(|_| Receiver::join(relay));
    let audience = audience.collect::<Result<Vec<Receiver>>>()?;
    let room = join(relay, ROOM, true)?;
    sleep(settle).await;
    let alone = Memory::of(&forwarder.process);
    forwarder.join()?;
    for room in audience.iter().map(|receiver| &receiver.room).chain([&room]) {
        met(room).await?;
    }
    sleep(settle).await;
    let connected = Memory::of(&forwarder.process);

    let mut camera = Camera::new();
    room.add_stream(&LocalStream::new([camera.track.clone()])).await?;
    let began = Instant::now();
    while !audience.iter().all(Receiver::sees) {
        ensure!(began.elapsed() < PATIENCE, "not all have seen something");
        camera.play(1, Part::Before).await?;
    }
    let until_seen = began.elapsed();
    camera.play(arguments.settle * FRAMES_PER_SECOND, Part::Before).await?;

    let (began, before, asked_before) = (Instant::now(), forwarder.process.cpu(), camera.asked);
    let frames = arguments.seconds * FRAMES_PER_SECOND;
    camera.play(frames, Part::Measured).await?;
    let (time, cpu) = (began.elapsed(), forwarder.process.cpu().saturating_sub(before));
    let forwarding = Memory::of(&forwarder.process);
    // The last ones are on their way.
    sleep(Duration::from_secs(1)).await;
    let measured = Forwarded {
        receivers,
        time,
        cpu,
        alone,
        connected,
        forwarding,
        frames: audience.iter().map(Receiver::measured).sum(),
        frames_expected: frames * receivers as u64,
        until_seen,
        asked_before,
        asked: camera.asked - asked_before,
    };
    room.node().shut_down().await;
    for receiver in audience {
        receiver.room.node().shut_down().await;
    }
    Ok(measured)
}

/// A node of its own in a room.
fn join(relay: &str, room: &str, is_passive: bool) -> Result<Room> {
    let node = node(Options { loopback: true, ..Options::default() })?;
    Ok(node.join(&config(relay).passive(is_passive), room)?)
}

fn config(relay: &str) -> Config {
    Config::new("bench").relay(relay).ice(IceConfig::none())
}

/// Waits until there is somebody, who is the forwarder.
async fn met(room: &Room) -> Result<()> {
    let mut events = room.events();
    let joined = async {
        while room.peers().is_empty() {
            events.recv().await.context("the room was left")?;
        }
        Ok(())
    };
    timeout(PATIENCE, joined).await.context("nobody came")?
}

/// Who receives the stream and counts its frames.
struct Receiver {
    room: Room,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    all: AtomicU64,
    measured: AtomicU64,
}

impl Receiver {
    fn join(relay: &str) -> Result<Self> {
        let room = join(relay, ROOM, true)?;
        let (mut streams, counts) = (room.peer_streams(), Arc::<Counts>::default());
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            let mut stream = streams.recv().await?.stream;
            let mut track = stream.take(MediaKind::Video)?;
            while let Some(frame) = track.recv().await {
                counted.all.fetch_add(1, Ordering::Relaxed);
                let is_measured = Part::of(&frame) == Part::Measured;
                counted.measured.fetch_add(u64::from(is_measured), Ordering::Relaxed);
            }
            Some(())
        });
        Ok(Receiver { room, counts })
    }

    fn sees(&self) -> bool {
        self.counts.all.load(Ordering::Relaxed) > 0
    }

    fn measured(&self) -> u64 {
        self.counts.measured.load(Ordering::Relaxed)
    }
}

/// Which part of the stream a frame is of; its last byte says so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Before = 0,
    Measured = 1,
}

impl Part {
    fn of(frame: &MediaFrame) -> Self {
        if frame.bytes.last() == Some(&1) { Part::Measured } else { Part::Before }
    }
}

/// What stands in for a camera and an encoder.
struct Camera {
    track: LocalTrack,
    ticks: Interval,
    began: Instant,
    frames: u64,
    /// How often a key frame was asked for.
    asked: u64,
}

impl Camera {
    fn new() -> Self {
        let mut ticks = interval(Duration::from_secs(1) / 30);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let track = LocalTrack::of(Codec::Vp8);
        Camera { track, ticks, began: Instant::now(), frames: 0, asked: 0 }
    }

    /// Writes so many frames, each when it is due.
    async fn play(&mut self, frames: u64, part: Part) -> Result<()> {
        for _ in 0..frames {
            self.ticks.tick().await;
            let is_wanted = self.track.take_key_frame_wanted();
            self.asked += u64::from(is_wanted);
            let is_key = is_wanted || self.frames.is_multiple_of(FRAMES_PER_SECOND);
            self.frames += 1;
            self.track.write(&frame(is_key, part, self.began.elapsed()))?;
        }
        Ok(())
    }
}

/// A frame that looks like one of VP8 to those who do not decode it.
fn frame(is_key: bool, part: Part, at: Duration) -> MediaFrame {
    // spec: RFC 6386, section 9.1: the frame tag, and with a key frame a start code and the size.
    let (head, length): (&[u8], _) = if is_key {
        (&[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01], KEY_FRAME_BYTES)
    } else {
        (&[0x11, 0x02, 0x00], FRAME_BYTES)
    };
    let mut bytes = vec![0; length];
    bytes[..head.len()].copy_from_slice(head);
    bytes[length - 1] = part as u8;
    let time = MediaTime::of(Codec::Vp8, at);
    MediaFrame { codec: Codec::Vp8, time, is_key, is_contiguous: true, bytes: bytes.into() }
}

/// The process of the forwarder.
struct Forwarder {
    child: Child,
    process: Process,
}

impl Forwarder {
    fn start(relay: &str) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--forward-over", relay]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the forwarder does not start")?;
        let process = Process::with_id(child.id());
        let stdout = child.stdout.take().context("it is piped")?;
        let forwarder = Forwarder { child, process };
        let read = BufReader::new(stdout).read_line(&mut String::new())?;
        ensure!(read > 0, "the forwarder does not run");
        Ok(forwarder)
    }

    /// Lets it join the room. Passive members wait for somebody who does.
    fn join(&mut self) -> Result<()> {
        Ok(writeln!(self.child.stdin.as_mut().context("it is piped")?)?)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Joins when it is told to and sends each stream on to all others who are there, for as long as somebody holds the input open.
async fn be_forwarder(relay: &str) -> Result<()> {
    let (told, told_to_join) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::stdin().read_line(&mut String::new());
        let _ = told.send(());
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    // A room where nobody is, so that what a node and its relay take is there before.
    let alone = join(relay, "alone", false)?;
    writeln!(io::stdout(), "waiting")?;
    told_to_join.await?;
    let room = alone.node().join(&config(relay), ROOM)?;
    let (mut events, mut streams) = (room.events(), room.peer_streams());
    let mut forwarded = Vec::new();
    loop {
        tokio::select! {
            Some(arrived) = streams.recv() => {
                let from = arrived.stream.tracks.first().context("a stream has tracks")?;
                let track = LocalTrack::any(from.kind());
                let stream = LocalStream::new([track.clone()]);
                let mut others = room.peers();
                others.remove(&arrived.peer);
                room.add_stream(&stream).to_all(others.keys()).detach()?;
                forwarded.push((track.relay(from)?, stream));
            }
            // Who leaves has seen enough.
            Some(event) = events.recv() => if matches!(event, RoomEvent::PeerLeft { .. }) {
                forwarded.clear();
            },
            else => return Ok(()),
        }
    }
}
