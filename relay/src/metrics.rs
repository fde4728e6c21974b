//! `/metrics`: the relay's numbers in the text format of Prometheus, version 0.0.4.
//!
//! Each number is declared once, in `stats`, with the sentence that describes it there. Names are
//! those of `/health` with the prefix and the suffix that Prometheus asks for.
// spec: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

use std::fmt::Write as _;

use crate::Stats;

/// What the answer's `Content-Type` says.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes all numbers; `connections_max` is how many WebSockets may be open.
pub(crate) fn emit(stats: &Stats, connections_max: usize) -> String {
    let mut text = String::new();
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("build_info{{version=\"{version}\"}}");
    emit_one(&mut text, "gauge", "The relay's version.", "build_info", &build, 1);
    let gauges = [
        ("connections", "WebSockets open now.", stats.connections),
        ("connections_max", "WebSockets that may be open at once.", connections_max),
        ("topics", "Topics that have a subscriber now.", stats.topics),
    ];
    for (name, help, value) in gauges {
        emit_one(&mut text, "gauge", help, name, name, value as u64);
    }
    for (name, help, value) in stats.counters.each() {
        let name = format!("{name}_total");
        emit_one(&mut text, "counter", help, &name, &name, value);
    }
    text
}

fn emit_one(text: &mut String, kind: &str, help: &str, name: &str, sample: &str, value: u64) {
    let help = help.trim();
    writeln!(text, "# HELP {PREFIX}{name} {help}").expect("a string takes everything");
    writeln!(text, "# TYPE {PREFIX}{name} {kind}").expect("a string takes everything");
    writeln!(text, "{PREFIX}{sample} {value}").expect("a string takes everything");
}

const PREFIX: &str = "tristero_relay_";
