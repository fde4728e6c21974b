//! A voice room: everybody hears everybody, browsers too. Wear headphones, for nothing here takes the
//! echo out. In the folder of this example, once for each who speaks:
//!
//! ```sh
//! cargo run --release -- --relay ws://127.0.0.1:8080
//! ```
//!
//! `sound.rs` has the microphone and the speaker; here is what a room has to do with them.

mod sound;

use anyhow::Context as _;
use clap::Parser;
use opus::{Application, Channels, Decoder, Encoder};
use tokio::sync::mpsc;
use tristero_tokio::{
    Codec, Config, LocalStream, LocalTrack, MediaConfig, MediaFrame, MediaTime, RemoteTrack, Room,
    join,
};

use sound::{RATE, Voices};

/// Speaks and listens in a room; Ctrl-C leaves.
#[derive(Parser)]
struct Arguments {
    /// The room
    #[arg(default_value = "voices")]
    room: String,
    /// Where to meet
    #[arg(long, default_value = "ws://127.0.0.1:8080")]
    relay: String,
    /// Has no microphone
    #[arg(long)]
    listen: bool,
}

/// An encoder makes a frame of so much, 20 ms.
const FRAME_SAMPLES: usize = 960;
/// The most that a packet of Opus has (RFC 6716, section 3.4), with one frame of it.
const PACKET_BYTES_MAX: usize = 1_276;
/// The most that a packet decodes to, 120 ms.
const DECODED_SAMPLES_MAX: usize = 5_760;
/// Blocks of the microphone that may wait for the encoder; more are lost.
const BLOCKS_MAX: usize = 32;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { room, relay, listen } = Arguments::parse();
    let voices = Voices::default();
    // Sound goes on as long as these are there.
    let _speaker = sound::play(voices.clone()).context("there is no speaker")?;
    let (blocks, recorded) = mpsc::channel(BLOCKS_MAX);
    let _microphone = match listen {
        true => None,
        false => Some(sound::record(blocks).context("there is no microphone; see --listen")?),
    };
    let media = MediaConfig { codecs: vec![Codec::Opus], ..MediaConfig::default() };
    let room = join(&Config::new("tristero-example-voices").relay(relay).media(media), &room)?;
    println!("in {room:?}");
    let result = tokio::select! {
        result = speak(&room, recorded), if !listen => result,
        () = hear(&room, &voices) => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    };
    room.leave().await;
    result
}

/// Sends what is recorded to everyone who is there or comes.
async fn speak(room: &Room, mut recorded: mpsc::Receiver<Vec<f32>>) -> anyhow::Result<()> {
    let track = LocalTrack::of(Codec::Opus);
    room.add_stream(&LocalStream::new([track.clone()])).detach()?;
    let mut encoder = Encoder::new(RATE, Channels::Mono, Application::Voip)?;
    let (mut waiting, mut sent) = (Vec::new(), 0);
    while let Some(block) = recorded.recv().await {
        waiting.extend(block);
        let whole = waiting.len() - waiting.len() % FRAME_SAMPLES;
        for samples in waiting.drain(..whole).as_slice().chunks_exact(FRAME_SAMPLES) {
            let bytes = encoder.encode_vec_float(samples, PACKET_BYTES_MAX)?.into();
            let (codec, time) = (Codec::Opus, MediaTime::new(sent, RATE));
            track.write(&MediaFrame { codec, time, is_key: true, is_contiguous: true, bytes })?;
            sent += FRAME_SAMPLES as u64;
        }
    }
    anyhow::bail!("the microphone is gone")
}

/// Plays what the others send.
async fn hear(room: &Room, voices: &Voices) {
    let (mut streams, mut tracks) = (room.peer_streams(), room.peer_tracks());
    loop {
        let arrived: Vec<RemoteTrack> = tokio::select! {
            Some(arrived) = streams.recv() => arrived.stream.tracks,
            Some(arrived) = tracks.recv() => vec![arrived.track],
            else => return,
        };
        for track in arrived {
            println!("{} speaks", track.peer());
            tokio::spawn(decode(track, voices.clone()));
        }
    }
}

async fn decode(mut track: RemoteTrack, voices: Voices) -> Result<(), opus::Error> {
    let mut decoder = Decoder::new(RATE, Channels::Mono)?;
    let mut decoded = vec![0.0; DECODED_SAMPLES_MAX];
    while let Some(frame) = track.recv().await {
        // Peers are not trusted: a packet that can't be decoded is as one that did not come.
        if let Ok(samples) = decoder.decode_float(&frame.bytes, &mut decoded, false) {
            voices.hear(track.id(), &decoded[..samples]);
        }
    }
    voices.end(track.id());
    Ok(())
}
