//! The links of the timeline: for every two peers, when they knew each other.

use tristero_proto::Time;

use super::bands::ROOM_COLOURS;
use super::drawing::{Area, Drawing};
use super::recording::{Recording, Stay};
use super::seats::Seat;
use crate::soak::{Options, Place};

/// How two peers are in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    /// Each is a member for the other.
    Mutual,
    /// One is a member for the other.
    OneSided,
    /// They are both there, and neither is.
    Missing,
}

/// For how long it was so.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Time,
    until: Time,
    bond: Bond,
}

/// Draws them.
pub(super) fn draw(
    drawing: &mut Drawing,
    recording: &Recording,
    options: &Options,
    seats: &[Seat],
) {
    drawing.part("Who knows whom");
    let (mut drawn, mut hidden) = (0, 0);
    for (number, a) in seats.iter().enumerate() {
        for b in &seats[number + 1..] {
            let bonds: Vec<(Place, Vec<Stretch>)> = (0..options.rooms)
                .map(|place| (place, bonds(recording, a, b, place)))
                .filter(|(_, bonds)| !bonds.is_empty())
                .collect();
            if bonds.is_empty() {
                continue;
            }
            if drawn >= PAIRS_MAX {
                hidden += 1;
                continue;
            }
            drawn += 1;
            draw_pair(drawing, options, (a, b), &bonds);
        }
    }
    if hidden > 0 {
        drawing.top += 12.0;
        drawing.name("small", drawing.top - 4.0, format!("{hidden} more not shown"));
    }
}

fn draw_pair(
    drawing: &mut Drawing,
    options: &Options,
    (a, b): (&Seat, &Seat),
    bonds: &[(Place, Vec<Stretch>)],
) {
    let height = f64::from(options.rooms) * ROOM_HEIGHT;
    let first = |seat: &Seat| seat.0.first().map(|who| who.number()).unwrap_or_default();
    drawing.name("line", drawing.top + height / 2.0 + 4.0, format!("{} – {}", first(a), first(b)));
    for (place, bonds) in bonds {
        let top = drawing.top + f64::from(*place) * ROOM_HEIGHT;
        for Stretch { from, until, bond } in bonds {
            let (kind, what) = match bond {
                Bond::Mutual => ("mutual", "know each other"),
                Bond::OneSided => ("one-sided", "only one knows the other"),
                Bond::Missing => ("missing", "both there, not met"),
            };
            let (left, right) = (drawing.scale.x(*from), drawing.scale.x(*until));
            let area = Area { left, right, top, height: ROOM_HEIGHT - 1.0 };
            let class = format!("{kind} room{}", place % ROOM_COLOURS);
            let (from, until) =
                (from.since_epoch().as_secs_f64(), until.since_epoch().as_secs_f64());
            let title = format!(
                "{} and {} in room {place}: {what}, {from:.1} s to {until:.1} s",
                a.name(),
                b.name(),
            );
            drawing.bar(&class, area, title);
        }
    }
    drawing.top += height.max(PAIR_HEIGHT_MIN) + 4.0;
}

/// How two are in a room, from when until when.
fn bonds(recording: &Recording, a: &Seat, b: &Seat, place: Place) -> Vec<Stretch> {
    let (of_a, of_b) = (stays(recording, a, place), stays(recording, b, place));
    let mut moments: Vec<Time> = Vec::new();
    for stay in of_a.iter().chain(&of_b) {
        let spans = stay.met.iter().map(|member| member.span).chain([stay.span]);
        moments.extend(spans.flat_map(|span| [span.from, span.end(recording.ended)]));
    }
    moments.sort_unstable();
    moments.dedup();
    let knows = |stays: &[&Stay], other: &Seat, at: Time| {
        stays.iter().any(|stay| other.0.iter().any(|who| stay.has_met(*who, at)))
    };
    let mut bonds: Vec<Stretch> = Vec::new();
    for pair in moments.windows(2) {
        let (at, end) = (pair[0], pair[1]);
        let together = of_a
            .iter()
            .filter(|a| a.span.contains(at))
            .any(|a| of_b.iter().any(|b| b.span.contains(at) && a.manner.goes_with(b.manner)));
        let bond = match (knows(&of_a, b, at), knows(&of_b, a, at)) {
            (true, true) => Bond::Mutual,
            (true, false) | (false, true) => Bond::OneSided,
            (false, false) if together => Bond::Missing,
            (false, false) => continue,
        };
        match bonds.last_mut() {
            Some(last) if last.until == at && last.bond == bond => last.until = end,
            Some(_) | None => bonds.push(Stretch { from: at, until: end, bond }),
        }
    }
    bonds
}

/// The stays in a room.
fn stays<'a>(recording: &'a Recording, seat: &'a Seat, place: Place) -> Vec<&'a Stay> {
    let stays = seat.stays(recording).map(|(_, stay)| stay);
    stays.filter(|stay| stay.place == place).collect()
}

const ROOM_HEIGHT: f64 = 5.0;
const PAIR_HEIGHT_MIN: f64 = 9.0;

/// All pairs of eight.
const PAIRS_MAX: usize = 28;
