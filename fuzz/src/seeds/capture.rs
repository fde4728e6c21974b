//! A capture: what was sent, one row of JSON each.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tristero_proto::signaling::LinkFrame;

pub(super) struct Capture(Vec<Value>);

/// Where the captures are in this checkout.
pub fn wire_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto-core/tests/wire")
}

/// The captures in a folder, by name.
pub(super) fn folder(wire: &Path, name: &str) -> Vec<Capture> {
    let entries = std::fs::read_dir(wire.join(name)).expect("the captures are there");
    let paths = entries.map(|entry| entry.expect("a folder can be read").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no captures");
    paths.iter().map(|path| Capture::read(path)).collect()
}

impl Capture {
    fn read(path: &Path) -> Self {
        let lines = std::fs::read_to_string(path).expect("a capture can be read");
        let row = |line| serde_json::from_str(line).expect("a row is JSON");
        Capture(lines.lines().map(row).collect())
    }

    /// What a service sent to its clients.
    pub(super) fn frames(&self) -> Vec<LinkFrame> {
        let rows = self.0.iter().filter(|row| row["dir"] != "c2s");
        rows.filter_map(|row| {
            let text = row["text"].as_str().map(|text| LinkFrame::Text(text.to_owned()));
            text.or_else(|| row["bin"].as_str().map(|hex| LinkFrame::Binary(bytes(hex))))
        })
        .collect()
    }

    /// What went over a data channel, but for what is too long to be in the capture.
    pub(super) fn messages(&self) -> Vec<Bytes> {
        let rows = self.0.iter().filter(|row| row["dir"] == "send" && row["truncated"] != true);
        rows.filter_map(|row| row["hex"].as_str()).map(bytes).collect()
    }
}

fn bytes(hex: &str) -> Bytes {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    hex.as_bytes().chunks_exact(2).map(|two| pair(two).expect("it is hexadecimal")).collect()
}
