//! Plots: how long things took, and what was held over time.
//!
//! They are drawn by `plotters` in colours of its own kind. The style of the page finds those
//! colours and puts in their place what a light or a dark screen needs.

use std::error::Error;
use std::time::Duration;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::{Cartesian2d, LineSeries, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};
use tristero_proto::Time;

use super::quantiles::Quantiles;
use super::words::Took;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn Error>>;

/// How often what took how long, as SVG. Times are on a logarithmic scale: the fast ones take
/// milliseconds, and those that had to wait for the end of a fault half a minute.
pub(super) fn durations(took: &[Duration]) -> Option<String> {
    let quantiles = Quantiles::of(took)?;
    Some(svg(|canvas| draw_durations(canvas, took, quantiles)))
}

/// How much there was at which time, as SVG; `None` if there never was anything.
pub(super) fn course(values: &[(Time, usize)], healed: Option<Time>) -> Option<String> {
    let (last, _) = values.last()?;
    if values.iter().all(|(_, value)| *value == 0) {
        return None;
    }
    Some(svg(|canvas| draw_course(canvas, values, *last, healed)))
}

fn svg(draw: impl FnOnce(&Canvas<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    let canvas = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    draw(&canvas).expect("a String takes everything");
    drop(canvas);
    svg
}

fn draw_durations(canvas: &Canvas<'_>, took: &[Duration], quantiles: Quantiles) -> Drawn {
    let logs: Vec<f64> = took.iter().map(|took| log(*took)).collect();
    let most = log(quantiles.max).ceil();
    let least = logs.iter().copied().fold(most - 2.0, f64::min).floor();
    let mut bins = vec![0_u32; to_index((most - least) * BINS_PER_DECADE).max(1)];
    for log in &logs {
        let bin = to_index((log - least) * BINS_PER_DECADE).min(bins.len() - 1);
        bins[bin] += 1;
    }
    let highest = f64::from(bins.iter().copied().max().unwrap_or(1)).max(HEIGHT_MIN);
    // Above the bars is place for the names of the lines.
    let mut chart = frame(canvas, (least, most), highest * 1.25)?;
    let decades = to_index(most - least) + 1;
    mesh(&mut chart, decades, &|log| decade(*log))?;
    let bars = bins.iter().zip(0_u32..).map(|(count, bin)| {
        let left = least + f64::from(bin) / BINS_PER_DECADE;
        let right = left + 1.0 / BINS_PER_DECADE;
        let corners = [(left, 0.0), (right, f64::from(*count))];
        let mut bar = Rectangle::new(corners, FIRST.filled());
        bar.set_margin(0, 0, 1, 0);
        bar
    });
    chart.draw_series(bars)?;
    for (name, at, share) in [("p50", quantiles.p50, 1.24), ("p95", quantiles.p95, 1.12)] {
        let x = log(at);
        line(&mut chart, x, highest * share, INK)?;
        // At the right edge there is no place beside the line but on its left.
        let (side, gap) = match x < least + (most - least) * RIGHT_SIDE {
            true => (HPos::Left, LABEL_GAP),
            false => (HPos::Right, -LABEL_GAP),
        };
        let style = TextStyle::from(("sans-serif", FONT_SIZE).into_font()).color(&INK);
        let style = style.pos(Pos::new(side, VPos::Top));
        let label = format!("{name} {}", Took(at));
        let beside = x + (most - least) * gap;
        chart.draw_series([Text::new(label, (beside, highest * share), style)])?;
    }
    canvas.present()?;
    Ok(())
}

fn draw_course(
    canvas: &Canvas<'_>,
    values: &[(Time, usize)],
    last: Time,
    healed: Option<Time>,
) -> Drawn {
    let seconds = |at: Time| at.since_epoch().as_secs_f64();
    let points: Vec<(f64, f64)> = thinned(values)
        .map(|(at, value)| (seconds(at), u32::try_from(value).map_or(f64::MAX, f64::from)))
        .collect();
    let highest = points.iter().map(|(_, value)| *value).fold(HEIGHT_MIN, f64::max) * 1.1;
    let mut chart = frame(canvas, (0.0, seconds(last).max(1.0)), highest)?;
    mesh(&mut chart, 6, &|second| format!("{second:.0} s"))?;
    if let Some(healed) = healed {
        line(&mut chart, seconds(healed), highest, HEALED)?;
    }
    chart.draw_series(LineSeries::new(points, FIRST.stroke_width(2)))?;
    canvas.present()?;
    Ok(())
}

/// So few values that each has a place, and the greatest among those that shared one.
fn thinned(values: &[(Time, usize)]) -> impl Iterator<Item = (Time, usize)> {
    let per_point = values.len().div_ceil(POINTS_MAX).max(1);
    values.chunks(per_point).filter_map(|chunk| {
        let most = chunk.iter().map(|(_, value)| *value).max()?;
        chunk.first().map(|(at, _)| (*at, most))
    })
}

fn frame<'a, 'b>(
    canvas: &'a Canvas<'b>,
    (left, right): (f64, f64),
    highest: f64,
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    let mut chart = ChartBuilder::on(canvas);
    chart.margin(6).margin_right(22).x_label_area_size(24).y_label_area_size(40);
    Ok(chart.build_cartesian_2d(left..right, 0.0..highest)?)
}

fn mesh(chart: &mut Chart<'_, '_>, labels: usize, name: &dyn Fn(&f64) -> String) -> Drawn {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(labels)
        .y_labels(4)
        .x_label_formatter(&name)
        .y_label_formatter(&|count| format!("{count:.0}"))
        .label_style(("sans-serif", FONT_SIZE).into_font().color(&INK))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(GRID.mix(0.0))
        .draw()?;
    Ok(())
}

/// An upright line from the axis to a height.
fn line(chart: &mut Chart<'_, '_>, x: f64, height: f64, color: RGBColor) -> Drawn {
    chart.draw_series([PathElement::new(vec![(x, 0.0), (x, height)], color.stroke_width(1))])?;
    Ok(())
}

/// The name of a power of ten: never in minutes, in which it is none.
fn decade(log: f64) -> String {
    let seconds = 10_f64.powf(log);
    if seconds < 0.9 {
        Took(Duration::from_secs_f64(seconds)).to_string()
    } else {
        format!("{seconds:.0} s")
    }
}

/// What nobody can tell from nothing is as much as nothing.
fn log(took: Duration) -> f64 {
    took.max(SHORTEST).as_secs_f64().log10()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is small")]
fn to_index(number: f64) -> usize {
    number.max(0.0) as usize
}

/// Three of them are beside each other on a screen of 1,280 pixels.
const SIZE: (u32, u32) = (390, 210);

/// `plotters` takes what it calls a size for 1.24 times that of SVG: these are 11.
const FONT_SIZE: f64 = 13.6;

/// Between a line and its name, of the width of the plot.
const LABEL_GAP: f64 = 0.012;

/// From here on a name would not fit on the right of its line.
const RIGHT_SIDE: f64 = 0.8;

/// A bar is half as long again at its right end as at its left one.
const BINS_PER_DECADE: f64 = 6.0;

/// The simulated network takes a millisecond at least.
const SHORTEST: Duration = Duration::from_millis(1);

/// An axis has three whole numbers at least.
const HEIGHT_MIN: f64 = 3.0;

/// One for each pixel.
const POINTS_MAX: usize = 320;

/// The style of the page knows these: who changes one changes it there.
const INK: RGBColor = RGBColor(0x4A, 0x51, 0x5C);
const GRID: RGBColor = RGBColor(0xD8, 0xDB, 0xE0);
const FIRST: RGBColor = RGBColor(0x2F, 0x6F, 0xD0);
const HEALED: RGBColor = RGBColor(0x1A, 0x7F, 0x37);
