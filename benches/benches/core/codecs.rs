//! Bytes to values, and back.

use std::hint::black_box;

use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::{Criterion, Throughput};
use serde_json::json;
use tristero_proto::crypto::RoomToken;
use tristero_proto::wire::{
    ActionName, Chunk, Frame, OfferId, Payload, Signal, SignalBody, Tag, Transmission,
};
use tristero_proto::{PeerId, Rng, Seed};

pub(crate) fn bench(criterion: &mut Criterion) {
    frames(criterion);
    chunks(criterion);
    transmissions(criterion);
    signals(criterion);
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    let token = RoomToken::of_room("app", "room");
    for (name, length) in [("small", 100), ("full", Chunk::PAYLOAD_BYTES)] {
        let mut bytes = BytesMut::new();
        Frame::emit_room_header(&token, &mut bytes);
        chunk(length).emit(&mut bytes);
        let bytes = bytes.freeze();
        group.bench_function(format!("parse room {name}"), |bencher| {
            bencher.iter(|| Frame::parse(black_box(&bytes)));
        });
    }
    group.finish();
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk");
    for (name, length) in [("small", 100), ("full", Chunk::PAYLOAD_BYTES)] {
        let chunk = chunk(length);
        let mut out = BytesMut::with_capacity(2 * Chunk::PAYLOAD_BYTES);
        group.bench_function(format!("emit {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                black_box(&chunk).emit(&mut out);
                out.len()
            });
        });
        let bytes = out.split().freeze();
        group.bench_function(format!("parse {name}"), |bencher| {
            bencher.iter(|| Chunk::parse(black_box(&bytes)));
        });
    }
    group.finish();
}

/// A payload of 1 MiB, cut into chunks.
fn transmissions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transmission");
    let payload = Bytes::from(vec![7; 1 << 20]);
    let mut out = BytesMut::with_capacity(2 * Chunk::PAYLOAD_BYTES);
    group.bench_function("JSON of 100 bytes, with metadata", |bencher| {
        let value = json!({ "text": "x".repeat(85) });
        let metadata = json!({ "name": "note", "size": 100 });
        bencher.iter(|| {
            let payload = Payload::json(black_box(&value)).expect("it is JSON");
            let mut transmission = Transmission::new(action(), 7, payload, Some(&metadata));
            out.clear();
            loop {
                transmission.emit_next(&mut out);
                if transmission.advance() {
                    return out.len();
                }
            }
        });
    });
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("cut 1 MiB", |bencher| {
        bencher.iter(|| {
            let payload = Payload::Binary(payload.clone());
            let mut transmission = Transmission::new(action(), 7, payload, None);
            loop {
                out.clear();
                transmission.emit_next(&mut out);
                black_box(&out);
                if transmission.advance() {
                    return;
                }
            }
        });
    });
    group.finish();
}

fn signals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signal");
    let mut rng = Seed::from_number(1).rng("signals");
    for (name, signal) in [("announce", announce(&mut rng)), ("offer", offer(&mut rng))] {
        let text = signal.emit();
        group.bench_function(format!("emit {name}"), |bencher| {
            bencher.iter(|| black_box(&signal).emit());
        });
        group.bench_function(format!("parse {name}"), |bencher| {
            bencher.iter(|| Signal::parse(black_box(&text)));
        });
    }
    group.finish();
}

pub(crate) fn announce(rng: &mut Rng) -> Signal {
    Signal { from: PeerId::generate(rng), is_passive: false, body: SignalBody::Announce }
}

fn offer(rng: &mut Rng) -> Signal {
    let offer_id = OfferId::generate(rng);
    // A sealed description of data channels alone is about so long.
    let sealed = "c".repeat(1_200);
    let body = SignalBody::Offer { offer_id, sealed };
    Signal { from: PeerId::generate(rng), is_passive: false, body }
}

fn chunk(length: usize) -> Chunk {
    let mut payload = BytesMut::new();
    payload.put_bytes(7, length);
    let payload = payload.freeze();
    Chunk { action: action(), nonce: 7, tag: Tag(Tag::BINARY), progress: 255, payload }
}

fn action() -> ActionName {
    ActionName::new("bench").expect("it is short")
}
