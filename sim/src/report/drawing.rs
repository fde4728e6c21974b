//! The drawing of a timeline: its scale, its marks, and the names of its lines beside it.

use std::fmt::{self, Display};

use tristero_proto::Time;

use super::markup::Markup;

/// Where a time is.
///
/// The time after healing has a share of the width at most: where a run waits in vain for what is
/// missing there is much of it, and nothing to see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    before: Stretch,
    after: Stretch,
    pub(super) width: f64,
}

/// A part of a scale, in seconds and in pixels.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: f64,
    until: f64,
    left: f64,
    right: f64,
}

impl Stretch {
    fn x(self, second: f64) -> f64 {
        self.left + (second - self.from) * self.pixels_per_second()
    }

    fn pixels_per_second(self) -> f64 {
        (self.right - self.left) / (self.until - self.from).max(f64::EPSILON)
    }

    /// Round moments that are not too near each other.
    fn ticks(self) -> impl Iterator<Item = f64> {
        let fits = |step: &&f64| **step * self.pixels_per_second() >= TICK_WIDTH_MIN;
        // A part of no width has no tick but its first.
        let least = (TICK_WIDTH_MIN / self.pixels_per_second()).min(f64::from(u32::MAX));
        let of_long = (least / TICK_STEP_LONG).ceil() * TICK_STEP_LONG;
        let step = TICK_STEPS.iter().find(fits).copied().unwrap_or(of_long);
        let times = (0..).map(move |number| f64::from(number) * step);
        times.skip_while(move |at| *at < self.from).take_while(move |at| *at <= self.until)
    }
}

impl Scale {
    /// One on which a run fits that was healed and ended then.
    pub(super) fn new(healed: Option<Time>, end: Time) -> Self {
        let seconds = |at: Time| at.since_epoch().as_secs_f64();
        let end = seconds(end).max(1.0);
        let healed = healed.map_or(end, seconds).clamp(1.0, end);
        let width = (healed * PIXELS_PER_SECOND).clamp(WIDTH_MIN, WIDTH_MAX);
        let middle = width * (healed / end).max(1.0 - AFTER_SHARE_MAX);
        Scale {
            before: Stretch { from: 0.0, until: healed, left: 0.0, right: middle },
            after: Stretch { from: healed, until: end, left: middle, right: width },
            width,
        }
    }

    pub(super) fn x(self, at: Time) -> f64 {
        let second = at.since_epoch().as_secs_f64();
        let part = if second <= self.before.until { self.before } else { self.after };
        part.x(second).min(self.width)
    }

    /// Moments for numbers on an axis, in seconds, and round ones.
    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        let last = self.before.ticks().last().unwrap_or_default();
        let is_apart = move |at: &f64| self.after.x(*at) - self.before.x(last) >= TICK_WIDTH_MIN;
        self.before.ticks().chain(self.after.ticks().filter(is_apart))
    }

    /// How much faster time passes after healing.
    pub(super) fn haste(self) -> f64 {
        if self.after.right - self.after.left < 1.0 {
            return 1.0;
        }
        self.before.pixels_per_second() / self.after.pixels_per_second()
    }
}

/// A coordinate, to a tenth of a pixel: a finer one can't be seen and would be longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Px(pub(super) f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        write!(f, "{tenths}")
    }
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// A timeline as far as it is drawn.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) scale: Scale,
    /// Where the next line begins.
    pub(super) top: f64,
    names: Markup,
    marks: Markup,
}

impl Drawing {
    pub(super) fn new(scale: Scale) -> Self {
        Drawing { scale, top: 0.0, names: Markup::default(), marks: Markup::default() }
    }

    /// Writes the name of a line beside it.
    pub(super) fn name(&mut self, class: &str, baseline: f64, text: impl Display) {
        let attributes: [(&str, &dyn Display); 3] =
            [("class", &class), ("x", &"0"), ("y", &Px(baseline))];
        self.names.words("text", &attributes, text);
    }

    /// Draws a rectangle, which says what it is where a pointer rests on it.
    pub(super) fn bar(&mut self, class: &str, area: Area, title: impl Display) {
        let width = Px((area.right - area.left).max(BAR_WIDTH_MIN));
        let attributes: [(&str, &dyn Display); 5] = [
            ("class", &class),
            ("x", &Px(area.left)),
            ("y", &Px(area.top)),
            ("width", &width),
            ("height", &Px(area.height)),
        ];
        let title = title.to_string();
        if title.is_empty() {
            self.marks.empty("rect", &attributes);
        } else {
            self.marks.element("rect", &attributes, |rect| rect.words("title", &[], title));
        }
    }

    /// Draws along a path.
    pub(super) fn path(&mut self, class: &str, path: &str, title: impl Display) {
        let attributes: [(&str, &dyn Display); 2] = [("class", &class), ("d", &path)];
        self.marks.element("path", &attributes, |marks| marks.words("title", &[], title));
    }

    pub(super) fn text(&mut self, class: &str, x: f64, baseline: f64, text: impl Display) {
        let attributes: [(&str, &dyn Display); 3] =
            [("class", &class), ("x", &Px(x)), ("y", &Px(baseline))];
        self.marks.words("text", &attributes, text);
    }

    /// Begins a part of several lines.
    pub(super) fn part(&mut self, name: &str) {
        self.top += PART_HEIGHT;
        self.name("part", self.top - 5.0, name);
    }

    /// Puts another of the same scale above this one.
    pub(super) fn append(&mut self, other: Drawing) {
        self.top = other.top;
        self.names.markup(&other.names.into_text());
        self.marks.markup(&other.marks.into_text());
    }

    /// The names and the marks: two texts of one height, of which the second may be scrolled.
    pub(super) fn into_markup(self, description: &str) -> Markup {
        let Drawing { scale, top, names, marks } = self;
        let mut page = Markup::default();
        let (height, width) = (Px(top), Px(scale.width));
        page.element("div", &[("class", &"timeline")], |page| {
            let size: [(&str, &dyn Display); 3] =
                [("class", &"names"), ("width", &NAMES_WIDTH), ("height", &height)];
            page.element("svg", &size, |svg| svg.markup(&names.into_text()));
            page.element("div", &[("class", &"scroll"), ("tabindex", &0)], |page| {
                let attributes: [(&str, &dyn Display); 4] = [
                    ("width", &width),
                    ("height", &height),
                    ("role", &"img"),
                    ("aria-label", &description),
                ];
                page.element("svg", &attributes, |svg| {
                    svg.markup(PATTERNS);
                    svg.markup(&marks.into_text());
                });
            });
        });
        page
    }
}

/// How wide a text is in the small letters of the timeline, about.
pub(super) fn text_width(text: &str) -> f64 {
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    f64::from(letters) * LETTER_WIDTH
}

/// What is hatched: machines that sleep, and processes that are gone.
const PATTERNS: &str = "<defs>\
    <pattern id=\"asleep\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
    patternTransform=\"rotate(45)\"><rect class=\"hatch\" width=\"2\" height=\"6\"/></pattern>\
    <pattern id=\"gone\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" \
    patternTransform=\"rotate(-45)\"><rect class=\"hatch-gone\" width=\"2\" height=\"4\"/></pattern>\
    </defs>";

/// What is left of a screen of 1,280 pixels beside the names.
const WIDTH_MIN: f64 = 1_050.0;

/// What comes after healing is as easily seen in this.
const AFTER_SHARE_MAX: f64 = 0.3;

/// Three screens, which can still be looked through.
const WIDTH_MAX: f64 = 3_200.0;

/// Two minutes on one screen.
const PIXELS_PER_SECOND: f64 = 8.0;

const NAMES_WIDTH: u32 = 136;
const PART_HEIGHT: f64 = 26.0;

/// What is narrower is not seen.
const BAR_WIDTH_MIN: f64 = 1.0;

/// Of letters 10.5 pixels high, in the widest of the usual fonts.
const LETTER_WIDTH: f64 = 5.9;

const TICK_WIDTH_MIN: f64 = 60.0;
/// What people count in.
const TICK_STEPS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];
/// Longer steps are so many of these.
const TICK_STEP_LONG: f64 = 300.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_long_wait_after_healing_leaves_its_place_to_the_trouble() {
        let scale = Scale::new(Some(Time::from_millis(60_000)), Time::from_millis(840_000));
        let (healed, end) = (Time::from_millis(60_000), Time::from_millis(840_000));
        assert!(scale.x(healed) >= scale.width * 0.69 && scale.haste() > 10.0);
        assert!((scale.x(end) - scale.width).abs() < 0.1);
        let even = Scale::new(Some(Time::from_millis(60_000)), Time::from_millis(65_000));
        assert!((even.haste() - 1.0).abs() < 0.01);
    }

    #[test]
    fn numbers_on_an_axis_have_place() {
        for (healed, end) in [(30, 31), (119, 124), (60, 840), (100, 100), (0, 0), (45, 3_600)] {
            let at = |seconds: u64| Time::from_millis(seconds * 1_000);
            let scale = Scale::new(Some(at(healed)), at(end));
            let places: Vec<f64> = scale
                .ticks()
                .map(|second| scale.x(Time::from_epoch(Duration::from_secs_f64(second))))
                .collect();
            assert!(!places.is_empty() && places.len() < 60, "{places:?}");
            let apart = places.windows(2).all(|pair| pair[1] - pair[0] >= TICK_WIDTH_MIN - 0.1);
            assert!(apart, "{healed} {end}: {places:?}");
        }
    }
}
