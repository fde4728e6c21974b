//! Not committed: speaks to a browser.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tristero_proto::engine::*;
use tristero_proto::ice::IceConfig;
use tristero_proto::media::*;
use tristero_proto::wire::CandidateInit;
use tristero_proto::{ConnId, Seed, Time, TrackId};
use tristero_str0m::Str0mEngine;

fn main() {
    let host = std::env::args().nth(1).unwrap();
    let codecs: Vec<Codec> =
        std::env::args().skip(2).filter_map(|c| Codec::from_name(&c)).collect();
    let socket = UdpSocket::bind(format!("{host}:0")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let local = socket.local_addr().unwrap();
    let zero = Instant::now();
    let mut engine = Str0mEngine::new(&Seed::from_number(u64::from(std::process::id())), zero);
    let now = || Time::ZERO + zero.elapsed();
    engine.handle_input(EngineInput::AddressAdded(local), now());
    let (tx, rx) = mpsc::channel::<Value>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            tx.send(serde_json::from_str(&line.unwrap()).unwrap()).unwrap();
        }
        std::process::exit(0);
    });
    let conn = ConnId::from_number(1);
    let mut media = MediaConfig::default();
    if !codecs.is_empty() {
        media.codecs = codecs;
    }
    let options = ConnOptions {
        media: Arc::new(media),
        ..ConnOptions::new(true, Arc::new(IceConfig::none()))
    };
    let mut loops: BTreeMap<MediaKind, TrackId> = BTreeMap::new();
    let mut froms: BTreeMap<MediaKind, IncomingTrack> = BTreeMap::new();
    let mut kinds: BTreeMap<TrackId, MediaKind> = BTreeMap::new();
    let mut sent = 0u64;
    let mut unsent: BTreeMap<String, u64> = BTreeMap::new();
    let mut frames: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
    let mut buffer = [0; 4000];
    loop {
        while let Ok(command) = rx.try_recv() {
            let sdp = command["sdp"].as_str().unwrap_or_default();
            match command["c"].as_str().unwrap() {
                "offer" => engine.offer(conn, options.clone(), now()),
                "accept" => {
                    let r = engine.accept_answer(conn, sdp, now());
                    println!("{}", json!({"e":"accepted","error": r.err().map(|e| e.to_string())}));
                }
                "candidate" => engine.add_remote_candidate(
                    conn,
                    &CandidateInit { candidate: sdp.to_owned(), ..Default::default() },
                    now(),
                ),
                "renegotiate" => {
                    let r = engine.renegotiate(conn, sdp, now());
                    println!(
                        "{}",
                        match r {
                            Ok(sdp) => json!({"e":"answer","sdp":sdp}),
                            Err(e) => json!({"e":"answer","error":e.to_string()}),
                        }
                    );
                }
                "restart" => engine.propose(conn, &Proposal::Restart, now()),
                "rollback" => engine.roll_back(conn, now()),
                "propose" => {
                    let tracks: Vec<SentTrack> = command["tracks"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|t| {
                            let id = t["id"].as_u64().unwrap();
                            let kind = if t["kind"] == "audio" {
                                MediaKind::Audio
                            } else {
                                MediaKind::Video
                            };
                            kinds.insert(TrackId::from_number(id), kind);
                            SentTrack {
                                track: TrackId::from_number(id),
                                kind,
                                msid: Msid {
                                    stream: format!("s{}", t["stream"].as_u64().unwrap_or(id)),
                                    track: format!("t{id}"),
                                },
                                codecs: t["codecs"]
                                    .as_array()
                                    .into_iter()
                                    .flatten()
                                    .filter_map(|c| Codec::from_name(c.as_str().unwrap()))
                                    .collect(),
                            }
                        })
                        .collect();
                    engine.propose(conn, &Proposal::Tracks(tracks), now());
                }
                "loop" => {
                    loops.insert(
                        if command["kind"] == "audio" {
                            MediaKind::Audio
                        } else {
                            MediaKind::Video
                        },
                        TrackId::from_number(command["to"].as_u64().unwrap()),
                    );
                    for from in froms.values() {
                        engine.request_key_frame(conn, *from, now());
                    }
                }
                "stats" => println!(
                    "{}",
                    json!({"e":"stats","frames": frames.iter().map(|(k,v)| (k.to_string(), json!([v.0,v.1,v.2]))).collect::<serde_json::Map<_,_>>(), "sent": sent, "unsent": unsent, "info": format!("{:?}", engine.media_info(conn)), "counters": format!("{:?}", engine.counters())})
                ),
                other => panic!("{other}"),
            }
        }
        while let Some(output) = engine.poll_output() {
            match output {
                EngineOutput::Transmit(t) => {
                    let _ = socket.send_to(&t.bytes, t.path.remote);
                }
                EngineOutput::Event(event) => match event {
                    EngineEvent::Description { sdp, kind, .. } => println!(
                        "{}",
                        json!({"e":"description","kind":format!("{kind:?}"),"sdp":sdp})
                    ),
                    EngineEvent::Frame { track, frame, .. } => {
                        let entry = frames.entry(track.0).or_default();
                        entry.0 += 1;
                        entry.1 += u64::from(frame.is_key);
                        entry.2 += u64::from(!frame.is_contiguous);
                        let kind = frame.codec.kind();
                        if froms.get(&kind) == Some(&track)
                            && let Some(to) = loops.get(&kind)
                        {
                            match engine.send_frame(conn, *to, &frame, now()) {
                                MediaOutcome::Taken => sent += 1,
                                o => *unsent.entry(format!("{o:?}")).or_default() += 1,
                            }
                        }
                    }
                    EngineEvent::TrackBegan { track, kind, msid, .. } => {
                        froms.insert(kind, track);
                        println!(
                            "{}",
                            json!({"e":"began","track":track.0,"kind":kind.to_string(),"msid":format!("{msid:?}")})
                        );
                    }
                    EngineEvent::TrackEnded { track, .. } => {
                        println!("{}", json!({"e":"ended","track":track.0}))
                    }
                    EngineEvent::TrackAgreed { track, codecs, .. } => println!(
                        "{}",
                        json!({"e":"agreed","track":track.number(),"codecs":format!("{codecs:?}")})
                    ),
                    EngineEvent::KeyFrameWanted { track, .. } => {
                        println!("{}", json!({"e":"wanted","track":track.number()}));
                        if let Some(from) = kinds.get(&track).and_then(|k| froms.get(k)) {
                            engine.request_key_frame(conn, *from, now());
                        }
                    }
                    EngineEvent::Open { .. } => println!("{}", json!({"e":"open"})),
                    EngineEvent::Closed { reason, .. } => {
                        println!("{}", json!({"e":"closed","why":reason.to_string()}))
                    }
                    other => println!("{}", json!({"e":"other","what":format!("{other:?}")})),
                },
                EngineOutput::Network(_) => {}
            }
        }
        if let Ok((length, remote)) = socket.recv_from(&mut buffer) {
            let path = Path { local, remote };
            engine.handle_input(
                EngineInput::Datagram(Datagram { path, ecn: None, bytes: &buffer[..length] }),
                now(),
            );
        }
        if engine.poll_timeout().is_some_and(|due| due.at <= now()) {
            engine.handle_timeout(now());
        }
    }
}
