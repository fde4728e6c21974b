//! A peer of Tristero, by the public API.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};
use tristero_benches::{Usage, forget_peak, peak_kib, process_cpu};
use tristero_tokio::{
    Action, Config, IceConfig, Options, Payload, PeerId, RawAction, Room, RoomEvent,
    TransferAction, node, save, send_file,
};

use crate::{Arguments, note_idle, note_pings};

const PAYLOAD_BYTES: usize = 16 * 1024 * 1024;
/// A string that has 100 bytes as JSON.
const TEXT_BYTES: usize = 98;

/// A peer in the room, and what is said there.
struct Meeting {
    room: Room,
    peer: PeerId,
    bulk: RawAction,
    texts: Action<String>,
    /// The receiver has all of it.
    done: Action<u64>,
    files: TransferAction,
}

/// Measures, and prints what it has measured.
pub(crate) fn send(arguments: &Arguments) -> Result<()> {
    run(arguments, async |meeting| {
        let mut said = Map::new();
        said.insert("name".into(), "tristero".into());
        ping(meeting, arguments, &mut said).await?;
        note_idle(&mut said);
        send_a_file(meeting, arguments, &mut said).await?;
        send_bulk(meeting, arguments, &mut said).await?;
        send_texts(meeting, arguments, &mut said).await?;
        Ok(said)
    })
}

/// Receives, and prints what that cost.
pub(crate) fn receive(arguments: &Arguments) -> Result<()> {
    run(arguments, async |meeting| {
        let mut said = Map::new();
        note_idle(&mut said);
        save_a_file(meeting, arguments, &mut said).await?;
        let before = process_cpu();
        let mut received = 0;
        while received < arguments.bulk {
            let message = meeting.bulk.recv().await.context("the room was left")??;
            let Payload::Binary(bytes) = message.value else { continue };
            received += bytes.len() as u64;
        }
        meeting.done.send(received).await?;
        said.insert("bulkCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());
        let (mut count, mut before) = (0, None);
        while count < arguments.messages {
            let text = meeting.texts.recv().await.context("the room was left")??;
            ensure!(meeting.texts.dropped() == 0, "messages were dropped");
            ensure!(text.value.len() == TEXT_BYTES, "a message is another");
            before.get_or_insert_with(process_cpu);
            count += 1;
        }
        meeting.done.send(count).await?;
        let used = process_cpu() - before.unwrap_or_default();
        said.insert("messageCpuSeconds".into(), used.as_secs_f64().into());
        // The other is told by the same connection, and leaves when it has heard.
        let mut events = meeting.room.events();
        while !matches!(events.recv().await, None | Some(RoomEvent::PeerLeft { .. })) {}
        Ok(said)
    })
}

fn run(
    arguments: &Arguments,
    act: impl AsyncFnOnce(&mut Meeting) -> Result<Map<String, Value>>,
) -> Result<()> {
    let mut builder = if arguments.threads {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.worker_threads(2).enable_all().build()?.block_on(async {
        let config = Config::new("bench").relay(&arguments.relay).ice(IceConfig::none());
        let options = Options { loopback: true, ..Options::default() };
        let (node, began) = (node(options)?, Instant::now());
        let room = node.join(&config, "pair")?;
        let (bulk, texts, done) =
            (room.action("bulk")?, room.action("text")?, room.action("done")?);
        let files = room.transfer_action("file")?;
        let mut events = room.events();
        let peer = loop {
            let event = events.recv().await.context("the room was left")?;
            if let RoomEvent::PeerJoined { peer } = event {
                break peer;
            }
        };
        let join = began.elapsed();
        let mut meeting = Meeting { room, peer, bulk, texts, done, files };
        let mut said = act(&mut meeting).await?;
        said.insert("peakKiB".into(), peak_kib().into());
        said.insert("joinMs".into(), (join.as_secs_f64() * 1e3).into());
        println!("{}", Value::Object(said));
        meeting.room.node().shut_down().await;
        Ok(())
    })
}

async fn ping(
    meeting: &Meeting,
    arguments: &Arguments,
    said: &mut Map<String, Value>,
) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..arguments.pings {
        times.push(meeting.room.ping(&meeting.peer).await?);
    }
    note_pings(said, times);
    Ok(())
}

async fn send_a_file(
    meeting: &mut Meeting,
    arguments: &Arguments,
    said: &mut Map<String, Value>,
) -> Result<()> {
    if arguments.file == 0 {
        return Ok(());
    }
    let path = temporary("sent");
    File::create(&path)?.set_len(arguments.file)?;
    let (began, before) = (Instant::now(), Usage::now().resident_kib);
    forget_peak()?;
    send_file(&meeting.files, &path).await?;
    meeting.done.recv().await.context("the room was left")??;
    fs::remove_file(&path)?;
    said.insert("fileSeconds".into(), began.elapsed().as_secs_f64().into());
    said.insert("fileBytes".into(), arguments.file.into());
    said.insert("fileKiB".into(), peak_kib().saturating_sub(before).into());
    Ok(())
}

async fn save_a_file(
    meeting: &mut Meeting,
    arguments: &Arguments,
    said: &mut Map<String, Value>,
) -> Result<()> {
    if arguments.file == 0 {
        return Ok(());
    }
    let path = temporary("saved");
    let before = Usage::now().resident_kib;
    forget_peak()?;
    let incoming = meeting.files.recv().await.context("the room was left")?;
    let saved = save(incoming, &path).await?;
    said.insert("fileKiB".into(), peak_kib().saturating_sub(before).into());
    fs::remove_file(&path)?;
    meeting.done.send(saved).await?;
    Ok(())
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tristero-pair-{}-{name}", std::process::id()))
}

async fn send_bulk(
    meeting: &mut Meeting,
    arguments: &Arguments,
    said: &mut Map<String, Value>,
) -> Result<()> {
    let payload = bytes::Bytes::from(vec![7; PAYLOAD_BYTES]);
    let (began, before) = (Instant::now(), process_cpu());
    let mut left = arguments.bulk;
    while left > 0 {
        let part = payload.slice(..usize::try_from(left).unwrap_or(usize::MAX).min(PAYLOAD_BYTES));
        left -= part.len() as u64;
        meeting.bulk.send(part).await?;
    }
    let received = meeting.done.recv().await.context("the room was left")??;
    ensure!(received.value == arguments.bulk, "something was lost");
    said.insert("bulkBytes".into(), arguments.bulk.into());
    said.insert("bulkSeconds".into(), began.elapsed().as_secs_f64().into());
    said.insert("bulkCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());
    Ok(())
}

async fn send_texts(
    meeting: &mut Meeting,
    arguments: &Arguments,
    said: &mut Map<String, Value>,
) -> Result<()> {
    let text = "x".repeat(TEXT_BYTES);
    let (began, before) = (Instant::now(), process_cpu());
    for _ in 0..arguments.messages {
        meeting.texts.send(text.clone()).await?;
    }
    meeting.done.recv().await.context("the room was left")??;
    said.insert("messages".into(), arguments.messages.into());
    said.insert("messageSeconds".into(), began.elapsed().as_secs_f64().into());
    said.insert("messageCpuSeconds".into(), (process_cpu() - before).as_secs_f64().into());
    Ok(())
}
