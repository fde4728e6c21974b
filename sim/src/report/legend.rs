//! What the marks of the timeline mean.

use std::fmt::Display;

use super::bands::ROOM_COLOURS;
use super::markup::Markup;
use crate::soak::Options;

/// Writes it.
pub(super) fn write(page: &mut Markup, options: &Options) {
    page.element("ul", &[("class", &"legend")], |page| {
        for room in 0..options.rooms.min(ROOM_COLOURS) {
            let (stay, met) = (format!("stay room{room}"), format!("met room{room}"));
            let text = format!("in room {room}: the fuller, the more of the others are known");
            let text = if room == 0 { text } else { format!("room {room}") };
            entry(page, &text, |svg| {
                swatch(svg, &stay, 1, 22, 3);
                square(svg, &met, (8, 7), (7, 5));
                square(svg, &met, (15, 3), (8, 9));
            });
        }
        if options.passive_percent > 0 {
            entry(page, "passive there", |svg| swatch(svg, "stay passive room0", 1, 22, 3));
        }
        if options.has_password && options.wrong_password_percent > 0 {
            entry(page, "there with a wrong password", |svg| {
                swatch(svg, "stay stranger room0", 1, 22, 3);
            });
        }
        if !options.faults.is_empty() {
            write_faults(page);
        }
        entry(page, "sent (up), arrived (down)", |svg| {
            svg.empty("path", &[("class", &"sent"), ("d", &"M5 7v-6M9 7v-3M14 7v-5")]);
            svg.empty("path", &[("class", &"arrived"), ("d", &"M5 7v3M9 7v6M14 7v2")]);
        });
        entry(page, "a link to a relay", |svg| square(svg, "link", (1, 6), (22, 2)));
        entry(page, "know each other", |svg| square(svg, "mutual room0", (1, 5), (22, 5)));
        entry(page, "only one knows the other", |svg| {
            square(svg, "one-sided room0", (1, 5), (22, 5));
        });
        let not_met = match options.homes.as_slice() {
            [] => "both there, not met",
            [..] => "both there, not met (NATs may forbid it)",
        };
        entry(page, not_met, |svg| square(svg, "missing", (1, 5), (22, 4)));
    });
}

/// What the marks of what goes wrong mean.
fn write_faults(page: &mut Markup) {
    entry(page, "asleep", |svg| swatch(svg, "asleep", 1, 22, 1));
    entry(page, "crashed, and somebody comes in its place", |svg| {
        swatch(svg, "gone", 1, 22, 1);
        let at: [(&str, &dyn Display); 3] = [("class", &"crash-text"), ("x", &7), ("y", &12)];
        svg.words("text", &at, "✕");
    });
    entry(page, "something is wrong with its network or a relay", |svg| {
        swatch(svg, "fault", 1, 22, 2);
    });
    entry(page, "something changed at once", |svg| {
        square(svg, "fault moment", (10, 1), (2, 13));
    });
}

fn entry(page: &mut Markup, text: &str, draw: impl FnOnce(&mut Markup)) {
    page.element("li", &[], |page| {
        let attributes: [(&str, &dyn Display); 3] =
            [("width", &24), ("height", &15), ("aria-hidden", &"true")];
        page.element("svg", &attributes, draw);
        page.words("span", &[], text);
    });
}

/// A rectangle over the height of an entry but for a margin.
fn swatch(svg: &mut Markup, class: &str, x: u32, width: u32, margin: u32) {
    square(svg, class, (x, margin), (width, 15 - 2 * margin));
}

fn square(svg: &mut Markup, class: &str, (x, y): (u32, u32), (width, height): (u32, u32)) {
    let attributes: [(&str, &dyn Display); 5] =
        [("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
    svg.empty("rect", &attributes);
}
