//! The timeline: what went wrong, the relays, the peers and who knew whom.

use std::time::Duration;

use tristero_proto::Time;

use super::bands;
use super::drawing::{Area, Drawing, Px, Scale, text_width};
use super::markup::Markup;
use super::pairs;
use super::recording::{Fault, Recording};
use super::seats::seats;
use super::words::{self, Took};
use crate::soak::{Failure, FaultKind, Options, Whom};

/// Draws it.
pub(super) fn draw(recording: &Recording, options: &Options, failure: Option<&Failure>) -> Markup {
    let seats = seats(recording, usize::try_from(options.peers).unwrap_or(usize::MAX));
    let scale = Scale::new(recording.healed, recording.ended);
    let mut lines = Drawing::new(scale);
    lines.top = AXIS_HEIGHT;
    draw_faults(&mut lines, recording);
    for (number, kind) in options.relays.iter().take(RELAYS_MAX).enumerate() {
        draw_relay(&mut lines, recording, number, &words::service(*kind));
    }
    bands::draw(&mut lines, recording, options, &seats);
    pairs::draw(&mut lines, recording, options, &seats);
    // What is behind the lines comes before them, and is as high as they are.
    let mut drawing = Drawing::new(scale);
    draw_axis(&mut drawing);
    draw_phases(&mut drawing, recording, lines.top);
    drawing.append(lines);
    draw_ends(&mut drawing, recording, failure);
    drawing.into_markup(&format!(
        "Timeline of {}: {} and {}",
        Took(recording.length()),
        words::count(recording.processes.len() as u64, "process", "processes"),
        words::count(recording.faults.len() as u64, "fault", "faults"),
    ))
}

fn draw_axis(drawing: &mut Drawing) {
    let scale = drawing.scale;
    drawing.name("axis", AXIS_HEIGHT - 6.0, "virtual time");
    for second in scale.ticks() {
        let x = scale.x(Time::ZERO + Duration::from_secs_f64(second));
        // The last number would be cut off.
        if x + TICK_TEXT_WIDTH <= scale.width {
            drawing.text("axis", x + 3.0, AXIS_HEIGHT - 6.0, format!("{second} s"));
        }
    }
}

/// The time of trouble and the time after it, behind everything.
fn draw_phases(drawing: &mut Drawing, recording: &Recording, bottom: f64) {
    let scale = drawing.scale;
    let healed = recording.healed.unwrap_or(recording.ended);
    let (top, height) = (AXIS_HEIGHT, bottom - AXIS_HEIGHT);
    let (begin, middle, end) = (0.0, scale.x(healed), scale.width);
    if !recording.faults.is_empty() {
        drawing.bar("trouble", Area { left: begin, right: middle, top, height }, "");
    }
    if recording.healed.is_some() {
        drawing.bar("calm", Area { left: middle, right: end, top, height }, "");
    }
    for second in scale.ticks() {
        let left = scale.x(Time::ZERO + Duration::from_secs_f64(second));
        drawing.bar("tick", Area { left, right: left, top: top - 4.0, height: height + 4.0 }, "");
    }
}

/// The moments of healing and of failure, above everything.
fn draw_ends(drawing: &mut Drawing, recording: &Recording, failure: Option<&Failure>) {
    let (class, phase, end) = if recording.faults.is_empty() {
        ("healed-text", "nothing goes wrong", "nothing new is begun")
    } else {
        ("trouble-text", "time of trouble", "all is healed")
    };
    drawing.text(class, 3.0, 12.0, phase);
    if let Some(healed) = recording.healed {
        let haste = drawing.scale.haste();
        let text = if haste > HASTE_SAID {
            format!("{end}; from here time is {haste:.0} times as fast")
        } else {
            end.to_owned()
        };
        draw_end(drawing, "healed", healed, &text, 12.0);
    }
    if let Some(failure) = failure {
        draw_end(drawing, "failed", failure.at, &format!("failed: {}", failure.check), 28.0);
    }
}

fn draw_end(drawing: &mut Drawing, class: &str, at: Time, text: &str, baseline: f64) {
    let scale = drawing.scale;
    let x = scale.x(at).min(scale.width - 2.0);
    let path = format!("M{} 0V{}", Px(x), Px(drawing.top));
    drawing.path(class, &path, format_args!("{text} at {}", Took(at.since_epoch())));
    // These letters are larger, and bold.
    let width = text_width(text) * 1.25;
    let is_late = x + width + 8.0 > scale.width;
    let x = if is_late { x - width - 4.0 } else { x + 4.0 };
    drawing.text(&format!("{class}-text"), x, baseline, text);
}

fn draw_faults(drawing: &mut Drawing, recording: &Recording) {
    drawing.part("What goes wrong");
    if recording.faults.is_empty() {
        drawing.name("small", drawing.top + 11.0, "nothing");
        drawing.top += LANE_HEIGHT;
        return;
    }
    let elsewhere = |fault: &&Fault| !matches!(fault.whom, Whom::Relay(_));
    let faults = || recording.faults.iter().filter(elsewhere);
    draw_lanes(drawing, "network", faults().filter(|fault| is_of_network(fault.kind)));
    draw_lanes(drawing, "machines", faults().filter(|fault| !is_of_network(fault.kind)));
}

/// Whether it is paths between machines that are bad, and not a machine or a relay.
pub(super) fn is_of_network(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Partition
        | FaultKind::OneWay
        | FaultKind::Clog
        | FaultKind::Weather
        | FaultKind::Rebind => true,
        FaultKind::Crash
        | FaultKind::Restart
        | FaultKind::Sleep
        | FaultKind::Roam
        | FaultKind::Move
        | FaultKind::RelayCrash
        | FaultKind::RelayStall
        | FaultKind::RelayLossy
        | FaultKind::RelayDoubling
        | FaultKind::RelayReordering
        | FaultKind::RelayHalfOpen
        | FaultKind::RelayRefusing
        | FaultKind::RelayRateLimit
        | FaultKind::RelayReplay
        | FaultKind::RelayHostile
        | FaultKind::Intruder => false,
    }
}

fn draw_relay(drawing: &mut Drawing, recording: &Recording, number: usize, service: &str) {
    let of_it = recording.faults.iter().filter(|fault| match fault.whom {
        Whom::Relay(relay) => relay.number() == number,
        Whom::All | Whom::Peers(_) | Whom::Behind(_) => false,
    });
    let name = service.split(" (").next().unwrap_or(service);
    draw_lanes(drawing, &format!("relay {}: {name}", number + 1), of_it);
}

/// Draws faults with their names, in as many lanes as it takes so that none hides another.
fn draw_lanes<'a>(drawing: &mut Drawing, name: &str, faults: impl Iterator<Item = &'a Fault>) {
    let scale = drawing.scale;
    let top = drawing.top;
    let (mut ends, mut hidden) = (vec![f64::MIN], 0);
    drawing.name("line", top + LANE_HEIGHT - 4.0, name);
    for fault in faults {
        let text = label(fault);
        let (left, right) = (scale.x(fault.from), scale.x(fault.until));
        let width = text_width(&text) + 6.0;
        let end = (left + width).max(right);
        // At the right edge the name is before its mark.
        let (begin, text_at) = match end > scale.width {
            true if right - left < width => (left - width, left - width + 2.0),
            true | false => (left, left + 4.0),
        };
        let free = ends.iter().position(|end| *end + 3.0 <= begin);
        let lane = match free {
            Some(lane) => lane,
            None if ends.len() < LANES_MAX => {
                ends.push(f64::MIN);
                ends.len() - 1
            }
            None => {
                hidden += 1;
                continue;
            }
        };
        ends[lane] = end.min(scale.width);
        let lane_top = top + f64::from(u32::try_from(lane).unwrap_or(0)) * LANE_HEIGHT;
        let area = Area { left, right: right.max(left + 2.0), top: lane_top, height: 13.0 };
        let is_moment = fault.until == fault.from;
        drawing.bar(if is_moment { "fault moment" } else { "fault" }, area, title(fault));
        drawing.text("fault-text", text_at, lane_top + 10.5, text);
    }
    let lanes = f64::from(u32::try_from(ends.len()).unwrap_or(0));
    drawing.top = top + lanes * LANE_HEIGHT + 4.0;
    if hidden > 0 {
        drawing.name("small", drawing.top - 4.0, format!("{hidden} more not shown"));
    }
}

/// What a fault is called on the drawing, and whom it is about.
fn label(fault: &Fault) -> String {
    let name = words::fault(fault.kind);
    let Whom::Peers(peers) = &fault.whom else { return name.to_owned() };
    let numbers: Vec<String> = peers.iter().map(|who| who.number().to_string()).collect();
    let joined = match fault.kind {
        FaultKind::OneWay => numbers.join(" → "),
        FaultKind::Clog => numbers.join(" – "),
        // Many may be on one side.
        _ if numbers.len() > 3 => return name.to_owned(),
        _ => numbers.join(", "),
    };
    format!("{name} {joined}")
}

/// All that is known of a fault.
pub(super) fn title(fault: &Fault) -> String {
    let (name, whom) = (words::fault(fault.kind), words::whom(&fault.whom));
    let from = fault.from.since_epoch().as_secs_f64();
    if fault.until == fault.from {
        return format!("{from:.1} s: {name}: {whom}");
    }
    let until = fault.until.since_epoch().as_secs_f64();
    format!("{from:.1} s to {until:.1} s: {name}: {whom}")
}

const AXIS_HEIGHT: f64 = 48.0;

/// Less is as good as the same.
const HASTE_SAID: f64 = 1.5;

const TICK_TEXT_WIDTH: f64 = 36.0;
const LANE_HEIGHT: f64 = 15.0;

/// More than any moment of the worst nights has going on.
const LANES_MAX: usize = 12;

/// More than any run has.
const RELAYS_MAX: usize = 8;
