//! What was measured of one relay, and the table of all.

use serde_json::{Value, json};

/// What was measured of one relay.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    /// Where each message has one receiver, and where it has many.
    pub(crate) fan_outs: Vec<FanOut>,
    /// What a connection that says nothing has of the relay's memory.
    pub(crate) idle_bytes: Option<f64>,
}

/// What it takes to deliver a message to so many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FanOut {
    pub(crate) receivers: usize,
    pub(crate) cpu_micros: f64,
    pub(crate) deliveries_per_second: f64,
    /// Of one core.
    pub(crate) cpu_percent: f64,
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
}

impl FanOut {
    /// The median of each figure over rounds, which have the same fan-outs.
    pub(crate) fn medians(rounds: &[Vec<Self>]) -> Vec<Self> {
        let first = rounds.first().map_or(&[][..], |fan_outs| fan_outs);
        let medians = first.iter().enumerate().map(|(index, fan_out)| {
            let of = |figure: fn(&FanOut) -> f64| {
                median(rounds.iter().map(|fan_outs| figure(&fan_outs[index])).collect())
            };
            FanOut {
                receivers: fan_out.receivers,
                cpu_micros: of(|fan_out| fan_out.cpu_micros),
                deliveries_per_second: of(|fan_out| fan_out.deliveries_per_second),
                cpu_percent: of(|fan_out| fan_out.cpu_percent),
                median_ms: of(|fan_out| fan_out.median_ms),
                p99_ms: of(|fan_out| fan_out.p99_ms),
            }
        });
        medians.collect()
    }
}

impl Figures {
    pub(crate) fn to_json(&self) -> Value {
        let fan_outs = self.fan_outs.iter().map(|fan_out| {
            json!({
                "receivers": fan_out.receivers,
                "cpuMicrosPerDelivery": fan_out.cpu_micros,
                "deliveriesPerSecond": fan_out.deliveries_per_second,
                "cpuPercent": fan_out.cpu_percent,
                "medianMs": fan_out.median_ms,
                "p99Ms": fan_out.p99_ms,
            })
        });
        json!({
            "name": self.name,
            "fanOuts": fan_outs.collect::<Vec<_>>(),
            "bytesPerIdleConnection": self.idle_bytes,
        })
    }
}

pub(crate) fn print(ours: &Figures, other: Option<&Figures>) {
    println!(
        "{:16} {:>9} {:>10} {:>14} {:>8} {:>10} {:>8}",
        "", "receivers", "CPU µs", "deliveries/s", "busy %", "median ms", "p99 ms"
    );
    for figures in [Some(ours), other].into_iter().flatten() {
        for fan_out in &figures.fan_outs {
            println!(
                "{:16} {:>9} {:>10.2} {:>14.0} {:>8.0} {:>10.3} {:>8.3}",
                figures.name,
                fan_out.receivers,
                fan_out.cpu_micros,
                fan_out.deliveries_per_second,
                fan_out.cpu_percent,
                fan_out.median_ms,
                fan_out.p99_ms,
            );
        }
        if let Some(bytes) = figures.idle_bytes {
            println!("{:16} {bytes:.0} bytes for each idle connection", figures.name);
        }
    }
    let Some(other) = other else { return };
    for (ours, other) in ours.fan_outs.iter().zip(&other.fan_outs) {
        println!(
            "ours / theirs    CPU per delivery to {}: {:.2}",
            ours.receivers,
            ours.cpu_micros / other.cpu_micros
        );
    }
    if let (Some(ours), Some(theirs)) = (ours.idle_bytes, other.idle_bytes) {
        println!("ours / theirs    memory: {:.2}", ours / theirs);
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
