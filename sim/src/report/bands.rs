//! The bands of the timeline: one for each peer and those that came in its place.

use std::fmt::Write;

use tristero_proto::Time;

use super::drawing::{Area, Drawing, Px, text_width};
use super::recording::{Recording, Span, Stay};
use super::seats::Seat;
use super::timeline::{is_of_network, title};
use super::words::{self, Took};
use crate::soak::{Options, VisitId, Whom};
use crate::world::Who;

/// Draws them.
pub(super) fn draw(
    drawing: &mut Drawing,
    recording: &Recording,
    options: &Options,
    seats: &[Seat],
) {
    drawing.part("Peers");
    let busiest = seats.iter().flat_map(|seat| &seat.0).flat_map(|who| {
        let process = &recording.processes[who];
        [&process.sent, &process.arrived].map(|times| buckets(drawing, times))
    });
    let most = busiest.flat_map(|buckets| buckets.into_iter().map(|(_, count)| count)).max();
    for seat in seats.iter().take(BANDS_MAX) {
        let band = Band { recording, options, seat, top: drawing.top, most: most.unwrap_or(1) };
        band.draw(drawing);
        drawing.top += band.height() + 6.0;
    }
    let hidden = seats.len().saturating_sub(BANDS_MAX);
    if hidden > 0 {
        drawing.top += 12.0;
        drawing.name("small", drawing.top - 4.0, format!("{hidden} more not shown"));
    }
}

/// One band.
#[derive(Debug)]
struct Band<'a> {
    recording: &'a Recording,
    options: &'a Options,
    seat: &'a Seat,
    top: f64,
    /// What the highest mark of a message stands for.
    most: u32,
}

impl Band<'_> {
    fn height(&self) -> f64 {
        self.links_top() - self.top + to_f64(self.options.relays.len()) * LINK_HEIGHT + 3.0
    }

    fn rooms_top(&self) -> f64 {
        self.top + HEAD_HEIGHT
    }

    fn messages_top(&self) -> f64 {
        self.rooms_top() + f64::from(self.options.rooms) * ROOM_HEIGHT
    }

    fn links_top(&self) -> f64 {
        self.messages_top() + MESSAGES_HEIGHT
    }

    fn draw(&self, drawing: &mut Drawing) {
        let first = self.seat.0.first().map(|who| who.number()).unwrap_or_default();
        drawing.name("line", self.top + 11.0, format!("peer {first}"));
        let others: Vec<String> =
            self.seat.0.iter().skip(1).map(|who| who.number().to_string()).collect();
        if !others.is_empty() {
            let mut text = format!("then {}", others.join(", "));
            if text.chars().count() > NAME_LETTERS_MAX {
                text = format!("then {} others", others.len());
            }
            drawing.name("small", self.top + 24.0, text);
        }
        for (place, who) in self.seat.0.iter().enumerate() {
            self.draw_process(drawing, *who, self.seat.0.get(place + 1).copied());
        }
        for (visit, stay) in self.seat.stays(self.recording) {
            self.draw_stay(drawing, visit, stay);
        }
    }

    fn area(&self, drawing: &Drawing, from: Time, until: Time) -> Area {
        let (left, right) = (drawing.scale.x(from), drawing.scale.x(until));
        Area { left, right, top: self.top, height: self.height() }
    }

    fn draw_process(&self, drawing: &mut Drawing, who: Who, next: Option<Who>) {
        let (recording, process) = (self.recording, &self.recording.processes[&who]);
        let life = self.area(drawing, process.life.from, process.life.end(recording.ended));
        let number = who.number();
        let title =
            format!("peer {number}{}, id {}", words::character(process.character), process.id);
        drawing.bar("life", life, &title);
        self.draw_faults(drawing, who);
        for sleep in &process.sleeps {
            let area = self.area(drawing, sleep.from, sleep.end(recording.ended));
            drawing.bar(
                "asleep",
                area,
                format!("peer {number} asleep, {}", told(*sleep, recording)),
            );
        }
        if let Some(crashed) = process.life.until {
            let until = next.map(|next| recording.processes[&next].life.from);
            let area = self.area(drawing, crashed, until.unwrap_or(recording.ended));
            let gone = Took(crashed.since_epoch());
            drawing.bar("gone", area, format!("peer {number} crashed at {gone}"));
            drawing.text("crash-text", area.left + 2.0, self.top + 10.0, "✕");
        }
        let name = format!(
            "{number} · {}{}",
            words::short(&process.id),
            words::character(process.character)
        );
        if life.right - life.left > text_width(&name) {
            drawing.text("head", life.left + 3.0, self.top + 10.0, name);
        }
        self.draw_messages(drawing, who);
        self.draw_links(drawing, who);
    }

    /// Shades the time in which something is wrong with the network of this peer.
    fn draw_faults(&self, drawing: &mut Drawing, who: Who) {
        let concerned = self.recording.faults.iter().filter(|fault| match &fault.whom {
            Whom::Peers(peers) => peers.contains(&who) && is_of_network(fault.kind),
            Whom::All | Whom::Behind(_) | Whom::Relay(_) => false,
        });
        let life = self.recording.processes[&who].life;
        for fault in concerned {
            let until = fault.until.min(life.end(self.recording.ended));
            if until > fault.from {
                let area = self.area(drawing, fault.from, until);
                drawing.bar("shade", area, title(fault));
            }
        }
    }

    /// A stay in a room: pale where nobody else is there, or is known yet, and the fuller the more
    /// of those who are there are known.
    fn draw_stay(&self, drawing: &mut Drawing, visit: VisitId, stay: &Stay) {
        let recording = self.recording;
        let top = self.rooms_top() + f64::from(stay.place) * ROOM_HEIGHT;
        let room = format!("room{}", stay.place % ROOM_COLOURS);
        let area = Area {
            top,
            height: ROOM_HEIGHT - 2.0,
            ..self.area(drawing, stay.span.from, stay.span.end(recording.ended))
        };
        let manner = match (stay.manner.is_password_right, stay.manner.passive) {
            (false, _) => "stay stranger",
            (true, true) => "stay passive",
            (true, false) => "stay",
        };
        drawing.bar(&format!("{manner} {room}"), area, self.title(visit, stay));
        let others: Vec<(VisitId, &Stay)> = recording
            .stays
            .iter()
            .map(|(other, theirs)| (*other, theirs))
            .filter(|(other, theirs)| {
                other.who != visit.who
                    && theirs.place == stay.place
                    && theirs.manner.goes_with(stay.manner)
            })
            .collect();
        let mut moments: Vec<Time> = vec![stay.span.from, stay.span.end(recording.ended)];
        let spans = others.iter().map(|(_, theirs)| theirs.span);
        let spans = spans.chain(stay.met.iter().map(|member| member.span));
        moments.extend(spans.flat_map(|span| [span.from, span.end(recording.ended)]));
        moments.retain(|at| *at >= stay.span.from && *at <= stay.span.end(recording.ended));
        moments.sort_unstable();
        moments.dedup();
        let mut full: Vec<(Time, Time, f64)> = Vec::new();
        for pair in moments.windows(2) {
            let (at, end) = (pair[0], pair[1]);
            let here = others.iter().filter(|(_, theirs)| theirs.span.contains(at)).count();
            let met = others
                .iter()
                .filter(|(other, theirs)| theirs.span.contains(at) && stay.has_met(other.who, at));
            let share = to_f64(met.count()) / to_f64(here.max(1));
            match full.last_mut() {
                Some((_, until, last)) if *until == at && (*last - share).abs() < 0.001 => {
                    *until = end;
                }
                _ => full.push((at, end, share)),
            }
        }
        for (from, until, share) in full.into_iter().filter(|(_, _, share)| *share > 0.0) {
            let height = area.height * share;
            let (left, right) = (drawing.scale.x(from), drawing.scale.x(until));
            let part = Area { left, right, top: top + area.height - height, height };
            drawing.bar(&format!("met {room}"), part, "");
        }
    }

    fn title(&self, visit: VisitId, stay: &Stay) -> String {
        let mut title = format!(
            "peer {} in room {}, {}",
            visit.who.number(),
            stay.place,
            told(stay.span, self.recording),
        );
        if stay.manner.passive {
            title += ", passive";
        }
        if !stay.manner.is_password_right {
            title += ", with the wrong password";
        }
        let met: Vec<String> = stay
            .met
            .iter()
            .take(MET_MAX)
            .map(|met| format!("{} {}", met.who.number(), told(met.span, self.recording)))
            .collect();
        if !met.is_empty() {
            title += &format!("\nmet {}", met.join("\nmet "));
        }
        title
    }

    /// What was sent, upwards, and what arrived, downwards.
    fn draw_messages(&self, drawing: &mut Drawing, who: Who) {
        let process = &self.recording.processes[&who];
        let middle = self.messages_top() + MESSAGES_HEIGHT / 2.0;
        for (class, times, way) in
            [("sent", &process.sent, -1.0), ("arrived", &process.arrived, 1.0)]
        {
            let mut path = String::new();
            for (x, count) in buckets(drawing, times) {
                let height = (f64::from(count) / f64::from(self.most)).sqrt();
                let height = (MESSAGES_HEIGHT / 2.0 - 1.0) * height * way;
                write!(path, "M{} {}v{}", Px(x), Px(middle), Px(height))
                    .expect("a String takes everything");
            }
            if !path.is_empty() {
                let title = format!("peer {}: {} {class}", who.number(), times.len());
                drawing.path(class, &path, title);
            }
        }
    }

    fn draw_links(&self, drawing: &mut Drawing, who: Who) {
        for (relay, spans) in &self.recording.processes[&who].links {
            let top = self.links_top() + to_f64(*relay) * LINK_HEIGHT;
            for span in spans {
                let of_band = self.area(drawing, span.from, span.end(self.recording.ended));
                let area = Area { top, height: LINK_HEIGHT - 1.0, ..of_band };
                let told = told(*span, self.recording);
                drawing.bar("link", area, format!("a link to relay {}, {told}", relay + 1));
            }
        }
    }
}

/// How many there were in each few pixels, and where that is.
fn buckets(drawing: &Drawing, times: &[Time]) -> Vec<(f64, u32)> {
    let mut buckets: Vec<(f64, u32)> = Vec::new();
    for at in times {
        let x = (drawing.scale.x(*at) / BUCKET_WIDTH).floor() * BUCKET_WIDTH + 1.0;
        match buckets.last_mut() {
            Some((last, count)) if *last >= x => *count += 1,
            _ => buckets.push((x, 1)),
        }
    }
    buckets
}

/// From when until when something was.
pub(super) fn told(span: Span, recording: &Recording) -> String {
    let from = span.from.since_epoch().as_secs_f64();
    match span.until {
        Some(until) => format!("{from:.1} s to {:.1} s", until.since_epoch().as_secs_f64()),
        None => format!("from {from:.1} s to the end at {}", Took(recording.length())),
    }
}

fn to_f64(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The style has so many.
pub(super) const ROOM_COLOURS: u32 = 3;

const HEAD_HEIGHT: f64 = 14.0;
const ROOM_HEIGHT: f64 = 9.0;
const MESSAGES_HEIGHT: f64 = 20.0;
const LINK_HEIGHT: f64 = 3.0;
const BUCKET_WIDTH: f64 = 3.0;

/// So many letters fit beside a band.
const NAME_LETTERS_MAX: usize = 22;

/// What a pointer shows of those that were met. No screen has place for more.
const MET_MAX: usize = 12;

/// More than a soak has. Who has more peers than this sees no pattern in their bands.
const BANDS_MAX: usize = 16;
