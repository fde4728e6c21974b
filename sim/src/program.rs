//! The program of this crate; see its `--help`.
//!
//! It is in the library because runs are, and no part of what the library promises.

mod bench;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;
use crate::soak::{self, Look, Night, Outcome, Traced};

/// Soaks tristero in simulated bad nights, and replays what that found
#[derive(Debug, Parser)]
#[command(name = "tristero-sim", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs many seeds, on all cores, until one fails
    Soak(SoakArguments),
    /// Runs one seed, or a night that is written down
    Run(RunArguments),
    /// Runs one of them, and writes a page that shows what happened
    Report(ReportArguments),
    /// Connects a mesh, and says what that takes
    Bench(bench::BenchArguments),
}

#[derive(Debug, Args)]
struct SoakArguments {
    /// How many
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Goes on after a failure, and tells of all in the end
    #[arg(long)]
    keep_going: bool,
}

/// Which night
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The seed of a drawn night
    #[arg(long)]
    seed: Option<u64>,
    /// The name of a night that is written down
    #[arg(long, value_name = "NAME", value_parser = scenario_names())]
    scenario: Option<String>,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    which: Which,
    /// What to print of what happened
    #[arg(long, value_enum, default_value_t = LogChoice::Tail)]
    log: LogChoice,
    /// Prints what is logged too, by a filter such as `tristero_proto=debug`
    #[arg(long, value_name = "FILTER")]
    trace: Option<String>,
}

#[derive(Debug, Args)]
struct ReportArguments {
    #[command(flatten)]
    which: Which,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogChoice {
    /// Nothing
    None,
    /// The last lines, if it fails
    Tail,
    /// Everything
    Full,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    match Arguments::parse().task {
        Task::Soak(arguments) => soak(&arguments),
        Task::Run(arguments) => run(&arguments),
        Task::Report(arguments) => report(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    }
}

fn scenario_names() -> PossibleValuesParser {
    let known = Night::written().filter_map(|night| match night {
        Night::Written(scenario) => Some(PossibleValue::new(scenario.name).help(scenario.about)),
        Night::Drawn(_) => None,
    });
    PossibleValuesParser::new(known)
}

impl Which {
    fn night(&self) -> Night {
        let by_name = self.scenario.as_deref().and_then(Night::by_name);
        by_name.unwrap_or(Night::Drawn(self.seed.unwrap_or_default()))
    }
}

fn run(arguments: &RunArguments) -> ExitCode {
    let night = arguments.which.night();
    println!("{night}: {}", night.options());
    let keeps_log = arguments.log != LogChoice::None;
    let outcome = match &arguments.trace {
        None => run_night(night, keeps_log),
        Some(filter) => {
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(std::io::stdout().is_terminal())
                .without_time()
                .finish();
            let traced = Traced(subscriber.into());
            run_look(night, &Look { keeps_log, traced: Some(traced), hashes_bytes: true })
        }
    };
    let lines = match arguments.log {
        LogChoice::Tail if outcome.failure.is_some() => outcome.tail(),
        LogChoice::None | LogChoice::Tail => &[],
        LogChoice::Full => &outcome.log,
    };
    lines.iter().for_each(|line| println!("{line}"));
    println!("{:?} of virtual time, hash {:016x}", outcome.lasted, outcome.digest);
    tell(night, &outcome)
}

fn report(arguments: &ReportArguments) -> ExitCode {
    let (night, html) = (arguments.which.night(), &arguments.html);
    println!("{night}: {}", night.options());
    write_report(night, html).unwrap_or_else(|error| {
        eprintln!("error: can't write {}: {error}", html.display());
        ExitCode::FAILURE
    })
}

fn write_report(night: Night, html: &Path) -> io::Result<ExitCode> {
    // Before the run, since nobody wants to wait for one that goes nowhere.
    let mut file = File::create(html)?;
    let began = Instant::now();
    let look = Look { keeps_log: true, hashes_bytes: true, traced: None };
    let report = alone(night, || report::run(night, &look));
    let page = report.page(began.elapsed());
    file.write_all(page.as_bytes())?;
    let outcome = &report.outcome;
    println!("{:?} of virtual time, hash {:016x}", outcome.lasted, outcome.digest);
    println!("{}: {} kB", html.display(), page.len().div_ceil(1_000));
    Ok(tell(night, outcome))
}

fn tell(night: Night, outcome: &Outcome) -> ExitCode {
    let Some(failure) = &outcome.failure else { return ExitCode::SUCCESS };
    println!("{night} failed after {:?}: {}: {}", failure.at, failure.check, failure.what);
    println!("replay it: cargo run --release -p tristero-sim -- run {night}");
    ExitCode::FAILURE
}

fn soak(arguments: &SoakArguments) -> ExitCode {
    let began = Instant::now();
    let nights: Vec<Night> = Night::written().chain(seeds(arguments).map(Night::Drawn)).collect();
    let progress = progress_bar(nights.len() as u64);
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(night) = nights.get(number).filter(|_| !is_over.load(Ordering::Relaxed))
            else {
                return failures;
            };
            let mut outcome = run_night(*night, false);
            if number.is_multiple_of(REPEATED_EVERY) && outcome.failure.is_none() {
                outcome = repeat(*night, outcome);
            }
            progress.inc(1);
            if outcome.failure.is_some() {
                failures.push((number, outcome));
                is_over.fetch_or(!arguments.keep_going, Ordering::Relaxed);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, Into::into);
    let mut failures: Vec<(usize, Outcome)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("runs catch panics")).collect()
    });
    progress.finish_and_clear();
    failures.sort_by_key(|(number, _)| *number);
    let tried = next.into_inner().min(nights.len());
    let written = Night::written().count().min(tried);
    let drawn = tried - written;
    println!("{drawn} seeds and {written} scenarios in {:.1?}", began.elapsed());
    match failures.first() {
        None => ExitCode::SUCCESS,
        Some((number, outcome)) if !arguments.keep_going => {
            let night = nights[*number];
            println!("{}", night.options());
            let replayed = run_night(night, true);
            replayed.tail().iter().for_each(|line| println!("{line}"));
            tell(night, outcome)
        }
        Some(_) => {
            failures.iter().for_each(|(number, outcome)| _ = tell(nights[*number], outcome));
            println!("{} of {} failed", failures.len(), nights.len());
            ExitCode::FAILURE
        }
    }
}

fn seeds(arguments: &SoakArguments) -> Range<u64> {
    arguments.from..arguments.from.saturating_add(arguments.seeds)
}

/// Runs it once more, which has to give the same.
fn repeat(night: Night, first: Outcome) -> Outcome {
    let again = run_night(night, false);
    if again == first {
        return first;
    }
    let what = format!("two runs differ: {:016x} and {:016x}", first.digest, again.digest);
    let failure = soak::Failure { check: "determinism", at: Default::default(), what };
    Outcome { failure: Some(failure), ..again }
}

fn run_night(night: Night, keeps_log: bool) -> Outcome {
    run_look(night, &Look { keeps_log, hashes_bytes: true, traced: None })
}

fn run_look(night: Night, look: &Look) -> Outcome {
    alone(night, || soak::run(night, look))
}

/// Runs it on a thread of its own: generators that a thread keeps are new there.
fn alone<T: Send>(night: Night, run: impl FnOnce() -> T + Send) -> T {
    let run = || {
        ENTROPY.set(night.seed());
        run()
    };
    thread::scope(|scope| scope.spawn(run).join()).expect("runs catch panics")
}

fn progress_bar(length: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(length), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

thread_local! {
    static ENTROPY: Cell<u64> = const { Cell::new(1) };
}

/// Fills bytes from a stream that begins anew with each run of a thread: what this crate's program
/// has in place of the operating system's randomness.
pub fn fill_with_entropy(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        // SplitMix64, by Sebastiano Vigna.
        let state = ENTROPY.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        ENTROPY.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let drawn = (mixed ^ (mixed >> 31)).to_be_bytes();
        chunk.copy_from_slice(&drawn[..chunk.len()]);
    }
}

/// One run in so many is done twice, and has to give the same.
const REPEATED_EVERY: usize = 50;
