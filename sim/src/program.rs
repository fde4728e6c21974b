//! The program of this crate; see its `--help`.
//!
//! It is in the library because runs are, and no part of what the library promises.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;
use crate::soak::{self, Look, Outcome, Traced};

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
    /// Runs one seed
    Run(RunArguments),
    /// Runs one seed, and writes a page that shows what happened
    Report(ReportArguments),
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

#[derive(Debug, Args)]
struct RunArguments {
    /// Which
    #[arg(long)]
    seed: u64,
    /// What to print of what happened
    #[arg(long, value_enum, default_value_t = LogChoice::Tail)]
    log: LogChoice,
    /// Prints what is logged too, by a filter such as `tristero_proto=debug`
    #[arg(long, value_name = "FILTER")]
    trace: Option<String>,
}

#[derive(Debug, Args)]
struct ReportArguments {
    /// Which
    #[arg(long)]
    seed: u64,
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
    }
}

fn run(arguments: &RunArguments) -> ExitCode {
    println!("seed {}: {}", arguments.seed, soak::options(arguments.seed));
    let keeps_log = arguments.log != LogChoice::None;
    let outcome = match &arguments.trace {
        None => run_seed(arguments.seed, keeps_log),
        Some(filter) => {
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_ansi(std::io::stdout().is_terminal())
                .without_time()
                .finish();
            let traced = Traced(subscriber.into());
            run_look(arguments.seed, &Look { keeps_log, traced: Some(traced), hashes_bytes: true })
        }
    };
    let skipped = match arguments.log {
        LogChoice::None => outcome.log.len(),
        LogChoice::Tail if outcome.failure.is_none() => outcome.log.len(),
        LogChoice::Tail => outcome.log.len().saturating_sub(TAIL_LINES),
        LogChoice::Full => 0,
    };
    outcome.log.iter().skip(skipped).for_each(|line| println!("{line}"));
    println!("{:?} of virtual time, hash {:016x}", outcome.lasted, outcome.digest);
    tell(arguments.seed, &outcome)
}

fn report(arguments: &ReportArguments) -> ExitCode {
    let ReportArguments { seed, html } = arguments;
    println!("seed {seed}: {}", soak::options(*seed));
    // Before the run, since nobody wants to wait for one that goes nowhere.
    if let Err(error) = File::create(html) {
        eprintln!("error: can't write {}: {error}", html.display());
        return ExitCode::FAILURE;
    }
    let began = Instant::now();
    let look = Look { keeps_log: true, hashes_bytes: true, traced: None };
    let report = alone(*seed, || report::run(*seed, &look));
    let page = report.page(began.elapsed());
    if let Err(error) = fs::write(html, &page) {
        eprintln!("error: can't write {}: {error}", html.display());
        return ExitCode::FAILURE;
    }
    let outcome = &report.outcome;
    println!("{:?} of virtual time, hash {:016x}", outcome.lasted, outcome.digest);
    println!("{}: {} kB", html.display(), page.len().div_ceil(1_000));
    tell(*seed, outcome)
}

fn tell(seed: u64, outcome: &Outcome) -> ExitCode {
    let Some(failure) = &outcome.failure else { return ExitCode::SUCCESS };
    println!("seed {seed} failed after {:?}: {}: {}", failure.at, failure.check, failure.what);
    println!("replay it: cargo run --release -p tristero-sim -- run --seed {seed}");
    ExitCode::FAILURE
}

fn soak(arguments: &SoakArguments) -> ExitCode {
    let began = Instant::now();
    let progress = progress_bar(arguments.seeds);
    let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= arguments.seeds || is_over.load(Ordering::Relaxed) {
                return failures;
            }
            let seed = arguments.from + number;
            let mut outcome = run_seed(seed, false);
            if number % REPEATED_EVERY == 0 && outcome.failure.is_none() {
                outcome = repeat(seed, outcome);
            }
            progress.inc(1);
            if outcome.failure.is_some() {
                failures.push((seed, outcome));
                is_over.fetch_or(!arguments.keep_going, Ordering::Relaxed);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, Into::into);
    let mut failures: Vec<(u64, Outcome)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("runs catch panics")).collect()
    });
    progress.finish_and_clear();
    failures.sort_by_key(|(seed, _)| *seed);
    println!("{} seeds in {:.1?}", arguments.seeds.min(next.into_inner()), began.elapsed());
    match failures.first() {
        None => ExitCode::SUCCESS,
        Some((seed, outcome)) if !arguments.keep_going => {
            println!("{}", soak::options(*seed));
            let replayed = run_seed(*seed, true);
            let skipped = replayed.log.len().saturating_sub(TAIL_LINES);
            replayed.log.iter().skip(skipped).for_each(|line| println!("{line}"));
            tell(*seed, outcome)
        }
        Some(_) => {
            failures.iter().for_each(|(seed, outcome)| _ = tell(*seed, outcome));
            println!("{} of {} failed", failures.len(), arguments.seeds);
            ExitCode::FAILURE
        }
    }
}

/// Runs it once more, which has to give the same.
fn repeat(seed: u64, first: Outcome) -> Outcome {
    let again = run_seed(seed, false);
    if again == first {
        return first;
    }
    let what = format!("two runs differ: {:016x} and {:016x}", first.digest, again.digest);
    let failure = soak::Failure { check: "determinism", at: Default::default(), what };
    Outcome { failure: Some(failure), ..again }
}

fn run_seed(seed: u64, keeps_log: bool) -> Outcome {
    run_look(seed, &Look { keeps_log, hashes_bytes: true, traced: None })
}

fn run_look(seed: u64, look: &Look) -> Outcome {
    alone(seed, || soak::run(seed, look))
}

/// Runs it on a thread of its own: generators that a thread keeps are new there.
fn alone<T: Send>(seed: u64, run: impl FnOnce() -> T + Send) -> T {
    let run = || {
        ENTROPY.set(seed);
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
const REPEATED_EVERY: u64 = 50;

/// So much is printed of a run that failed.
const TAIL_LINES: usize = 60;
