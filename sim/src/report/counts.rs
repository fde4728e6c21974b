//! What happened how often.

use super::markup::Markup;
use super::quantiles::Quantiles;
use super::recording::Recording;
use super::traffic::Flow;
use super::words::{self, Bytes, Number, Took};

/// Writes the tables.
pub(super) fn write(page: &mut Markup, recording: &Recording) {
    let traffic = &recording.traffic;
    let flows = [
        ("messages", &traffic.messages),
        ("transfers", &traffic.transfers),
        ("requests", &traffic.requests),
        ("pings", &traffic.pings),
    ];
    page.element("div", &[("class", &"wide")], |page| {
        page.element("table", &[], |page| {
            page.element("thead", &[], |page| {
                row(
                    page,
                    "th",
                    &["", "to peers", "came to their end", "size", "p50", "p95", "max"],
                );
            });
            page.element("tbody", &[], |page| {
                flows.iter().for_each(|(name, flow)| write_flow(page, name, flow));
            });
        });
    });
    let note = "What did not come to its end was under way when a peer crashed, left or was lost, \
                or was asked with a timeout.";
    page.words("p", &[("class", &"quiet")], note);
    page.words("h2", &[], "What happened how often");
    page.element("dl", &[], |page| {
        for (name, text) in events(recording) {
            page.words("dt", &[], name);
            page.words("dd", &[], text);
        }
    });
}

fn write_flow(page: &mut Markup, name: &str, flow: &Flow) {
    let (sent, ended) = (Number(flow.sent).to_string(), Number(flow.took.len() as u64).to_string());
    let size = if flow.bytes == 0 { String::new() } else { Bytes(flow.bytes).to_string() };
    let took = Quantiles::of(&flow.took).map(|took| [took.p50, took.p95, took.max]);
    let took = took.map(|took| took.map(|took| Took(took).to_string())).unwrap_or_default();
    let [p50, p95, max] = &took;
    row(page, "td", &[name, &sent, &ended, &size, p50, p95, max]);
}

fn row(page: &mut Markup, cell: &str, texts: &[&str]) {
    page.element("tr", &[], |page| texts.iter().for_each(|text| page.words(cell, &[], text)));
}

fn events(recording: &Recording) -> Vec<(&'static str, String)> {
    let tally = &recording.tally;
    let rooms = format!("joined {}, left {}", times(tally.joins), times(tally.leaves));
    let members = format!(
        "told of a new one {}; then that it said goodbye {}, that it was lost {}",
        times(tally.met),
        times(tally.said_goodbye),
        times(tally.lost),
    );
    let failed = format!(
        "met and not let in, as with another password, {}; cut for what it did {}",
        times(tally.failed_joins),
        times(tally.cut),
    );
    let faults: Vec<String> = tally
        .faults
        .iter()
        .map(|(kind, count)| format!("{} {}", words::fault(*kind), times(*count)))
        .collect();
    vec![
        ("Rooms", rooms),
        ("Members", members),
        ("Strangers", failed),
        ("Links to relays", format!("made {}", times(tally.links))),
        ("Faults", words::list(&faults)),
    ]
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        other => format!("{} times", Number(other)),
    }
}
