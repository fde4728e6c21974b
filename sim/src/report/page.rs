//! The page as a whole.

use std::time::Duration;

use super::Report;
use super::counts;
use super::legend;
use super::markup::Markup;
use super::plots;
use super::quantiles::Quantiles;
use super::recording::{Recording, Sample};
use super::timeline;
use super::words::{self, Number, Took};

/// Writes it.
pub(super) fn write(report: &Report, took: Duration) -> String {
    let mut page = Markup::default();
    page.markup("<!DOCTYPE html>\n");
    page.element("html", &[("lang", &"en")], |page| {
        page.element("head", &[], |page| write_head(page, report));
        page.element("body", &[], |page| {
            page.element("main", &[], |page| {
                write_verdict(page, report, took);
                write_tiles(page, report);
                write_options(page, report);
                write_timeline(page, report);
                write_plots(page, &report.recording);
                counts::write(page, &report.recording);
                write_replay(page, report);
            });
        });
    });
    page.into_text()
}

fn write_head(page: &mut Markup, report: &Report) {
    page.empty("meta", &[("charset", &"utf-8")]);
    let content = "width=device-width, initial-scale=1";
    page.empty("meta", &[("name", &"viewport"), ("content", &content)]);
    page.words("title", &[], format_args!("tristero-sim {}", report.night));
    page.element("style", &[], |page| page.markup(STYLE));
}

fn write_verdict(page: &mut Markup, report: &Report, took: Duration) {
    let outcome = &report.outcome;
    page.element("h1", &[], |page| {
        let (class, verdict) = match outcome.failure {
            None => ("verdict passed", "passed"),
            Some(_) => ("verdict broken", "failed"),
        };
        page.words("span", &[("class", &class)], verdict);
        page.text(format_args!("A simulated night of Tristero: {}", report.night));
    });
    page.element("p", &[("class", &"quiet")], |page| {
        page.text(format_args!(
            "{} of virtual time in {} of real time; hash ",
            Took(outcome.lasted.max(report.recording.length())),
            Took(took),
        ));
        page.words("code", &[], format_args!("{:016x}", outcome.digest));
    });
    page.words("p", &[], INTRODUCTION);
    if let Some(failure) = &outcome.failure {
        page.element("div", &[("class", &"why")], |page| {
            page.element("p", &[], |page| {
                page.words("b", &[], format_args!("The check “{}” failed", failure.check));
                page.text(format_args!(" after {}:", Took(failure.at.since_epoch())));
            });
            page.words("p", &[], &failure.what);
        });
    }
}

/// The run in a few numbers.
fn write_tiles(page: &mut Markup, report: &Report) {
    page.element("div", &[("class", &"tiles")], |page| {
        for (value, what) in tiles(report) {
            page.element("div", &[("class", &"tile")], |page| {
                page.words("b", &[], value);
                page.words("span", &[], what);
            });
        }
    });
}

fn tiles(report: &Report) -> Vec<(String, String)> {
    let Report { recording, options, outcome, .. } = report;
    let came_later = (recording.processes.len() as u64).saturating_sub(options.peers.into());
    let peers = match came_later {
        0 => "peers".to_owned(),
        1 => "peers, and one that came in place of another".to_owned(),
        more => format!("peers, and {more} that came in place of others"),
    };
    let faults: u64 = recording.tally.faults.values().sum();
    let trouble = recording.healed.unwrap_or(recording.ended).since_epoch();
    let traffic = &recording.traffic;
    let arrived = [&traffic.messages, &traffic.transfers, &traffic.requests].map(|flow| &flow.took);
    let arrived = arrived.map(|took| took.len() as u64).into_iter().sum();
    let what = match faults {
        0 => "faults: a calm night".to_owned(),
        1 => format!("fault in {}", Took(trouble)),
        _ => format!("faults in {} of trouble", Took(trouble)),
    };
    let mut tiles = vec![(options.peers.to_string(), peers), (Number(faults).to_string(), what)];
    if let Some(met) = Quantiles::of(&recording.meetings) {
        let pairs = Number(recording.meetings.len() as u64);
        let what = format!("until one knew of another, in half of {pairs} cases");
        tiles.push((Took(met.p50).to_string(), what));
    }
    let mut what = "messages, transfers and requests came to their end".to_owned();
    if let Some(took) = Quantiles::of(&traffic.messages.took) {
        what = format!("{what}; half of the messages within {}", Took(took.p50));
    }
    tiles.push((Number(arrived).to_string(), what));
    if let Some(healed) = recording.healed {
        let since = Took(recording.ended.since(healed)).to_string();
        tiles.push(match outcome.failure {
            None => (since, "after healing, until nothing was missing".to_owned()),
            Some(_) => (since, "after healing, and then a check failed".to_owned()),
        });
    }
    tiles
}

fn write_options(page: &mut Markup, report: &Report) {
    page.words("h2", &[], "What it was like");
    page.element("dl", &[("class", &"options")], |page| {
        for (name, text) in words::options(&report.options) {
            page.words("dt", &[], name);
            page.words("dd", &[], text);
        }
    });
}

fn write_timeline(page: &mut Markup, report: &Report) {
    let Report { recording, options, outcome, .. } = report;
    page.words("h2", &[], "What happened");
    legend::write(page, options);
    let timeline = timeline::draw(recording, options, outcome.failure.as_ref());
    page.markup(&timeline.into_text());
    let left_out = recording.left_out + recording.traffic.left_out;
    if left_out > 0 {
        let text = format_args!("{} marks were left out: there were too many.", Number(left_out));
        page.words("p", &[], text);
    }
    if recording.faults.is_empty() {
        return;
    }
    page.element("details", &[], |page| {
        let faults = words::count(recording.faults.len() as u64, "fault", "faults");
        page.words("summary", &[], format_args!("{faults}, one by one"));
        page.element("ol", &[], |page| {
            recording.faults.iter().for_each(|fault| page.words("li", &[], timeline::title(fault)));
        });
    });
}

fn write_plots(page: &mut Markup, recording: &Recording) {
    let traffic = &recording.traffic;
    let course = |of: fn(&Sample) -> usize| {
        let values: Vec<_> =
            recording.samples.iter().map(|sample| (sample.at, of(sample))).collect();
        plots::course(&values, recording.healed)
    };
    let plots = [
        ("Meeting: from both there until one knows", plots::durations(&recording.meetings)),
        ("Messages: from one to the other", plots::durations(&traffic.messages.took)),
        ("Transfers: from one to the other", plots::durations(&traffic.transfers.took)),
        ("Requests: there and back", plots::durations(&traffic.requests.took)),
        ("Connections of all peers, over time", course(|sample| sample.connections)),
        ("Waiting to be sent by all peers, over time", course(|sample| sample.queued)),
    ];
    page.words("h2", &[], "How long it took, and what it held");
    page.element("div", &[("class", &"plots")], |page| {
        for (name, plot) in plots.iter().filter_map(|(name, plot)| Some((name, plot.as_ref()?))) {
            page.element("figure", &[("class", &"plot")], |page| {
                page.element("figcaption", &[], |page| page.words("h3", &[], name));
                page.markup(plot);
            });
        }
    });
    if recording.meetings.is_empty() {
        return;
    }
    let note = "A bar counts what took so long, on a logarithmic scale; p50 is what half took at \
                most, p95 what 19 of 20 took. Whoever slept or was cut off had to wait, and that is in it.";
    page.words("p", &[("class", &"quiet")], note);
}

fn write_replay(page: &mut Markup, report: &Report) {
    page.words("h2", &[], "See it again");
    let command = format!("cargo run --release -p tristero-sim -- run {}", report.night);
    page.element("pre", &[], |page| page.words("code", &[], command));
    if report.outcome.failure.is_none() {
        return;
    }
    page.words("p", &[], "The end of the log:");
    page.element("pre", &[("class", &"log"), ("tabindex", &0)], |page| {
        let lines = report.outcome.tail().iter();
        lines.for_each(|line| page.text(format_args!("{line}\n")));
    });
}

const INTRODUCTION: &str = "Peers find each other over relays, connect directly and talk, in a \
    world that is simulated. For a while something may go wrong at any time. Then all is healed, \
    and everything has to come right.";

const STYLE: &str = include_str!("style.css");
