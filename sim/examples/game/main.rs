//! Tests a small game in simulated networks that lose a fifth of all datagrams.
//!
//! The game is in `play.rs` and knows of no simulator. Its players come one after another, walk for
//! a while, and stand; then all boards have to be equal. There is a bug that can be switched on: who
//! is new believes what a third player says of somebody, though it has heard later news from them.
//! Where nothing is lost that hardly matters. This looks for a seed where boards stay different,
//! shows that the seed gives the same again, and that the right rule passes all of them.
//!
//! ```sh
//! cargo run --release -p tristero-sim --example game           # looks for the bug
//! cargo run --release -p tristero-sim --example game -- 17     # replays a seed
//! ```

mod play;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use play::{Board, Rule, SharedBoard, play};
use tristero::Config;
use tristero_sim::{Conditions, PeerOptions, World, WsService};

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// Equal for equal seeds.
    digest: u64,
    /// What each player thinks, if they do not agree.
    failure: Option<Vec<Board>>,
}

/// Plays one game, where so many of a hundred datagrams are lost.
fn run(seed: u64, rule: Rule, lost_percent: f32) -> Outcome {
    let mut world = World::new(seed);
    let conditions = Conditions::latency(Duration::from_millis(50));
    world.network().set_conditions(conditions.with_random_loss(lost_percent));
    let (_, relay) = world.add_relay(WsService::new());
    let config = Config::new("walkers").relays([relay]);

    let boards: Vec<SharedBoard> = (0..PLAYERS).map(|_| SharedBoard::default()).collect();
    for board in boards.clone() {
        let config = config.clone();
        world.add_app(PeerOptions::default(), async move |node, runtime| {
            let mut dice = fastrand::Rng::with_seed(runtime.seed("dice"));
            runtime.sleep(LAST_TO_COME.mul_f64(dice.f64())).await;
            let room = node.join(&config, "field").expect("the configuration is right");
            let steps = dice.usize(..STEPS_MAX);
            let walk = std::iter::repeat_with(move || (dice.i32(-1..=1), dice.i32(-1..=1)));
            let sleep = |duration| runtime.sleep(duration);
            play(room, sleep, walk.take(steps), board, rule).await.expect("the room is there");
        });
    }

    let look = || boards.iter().map(|board| board.lock().expect("nobody panics").clone());
    let do_agree = |_: &World| {
        look().all(|board| board.len() == boards.len()) && look().is_sorted_by(|a, b| a == b)
    };
    world.run_for(GAME_OVER);
    let failure = (!world.run_until(PATIENCE, do_agree)).then(|| look().collect());
    Outcome { digest: world.digest(), failure }
}

fn main() -> ExitCode {
    let result = match std::env::args().nth(1) {
        Some(seed) => replay(&seed),
        None => search(),
    };
    result.map_or_else(
        |why| {
            println!("{why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Plays the game of one seed by both rules, and shows the boards that are not equal.
fn replay(seed: &str) -> Result<(), String> {
    let seed = seed.parse().map_err(|_| "a seed is a number")?;
    for rule in [Rule::MoreSteps, Rule::LastHeard] {
        let Outcome { digest, failure } = run(seed, rule, LOST_PERCENT);
        println!("seed {seed}, {rule:?}, hash {digest:016x}");
        failure.iter().flatten().for_each(|board| println!("  {board:?}"));
    }
    Ok(())
}

/// Plays the games of one seed after another by the wrong rule until one fails, then all of them by
/// the right one.
fn search() -> Result<(), String> {
    let began = Instant::now();
    let does_fail = |seed: &u64, rule| run(*seed, rule, LOST_PERCENT).failure.is_some();
    let found = (0..SEEDS_MAX).find(|seed| does_fail(seed, Rule::LastHeard));
    let seed = found.ok_or_else(|| format!("no bug in {SEEDS_MAX} seeds"))?;
    println!(
        "seed {seed} shows the bug: found after {} seeds in {:.1?}",
        seed + 1,
        began.elapsed()
    );
    println!("replay it: cargo run --release -p tristero-sim --example game -- {seed}");
    if run(seed, Rule::LastHeard, LOST_PERCENT) != run(seed, Rule::LastHeard, LOST_PERCENT) {
        return Err("it is not the same in each run".to_owned());
    }
    let began = Instant::now();
    let seeds = 0..=seed.max(SEEDS_MIN);
    if let Some(seed) = seeds.clone().find(|seed| does_fail(seed, Rule::MoreSteps)) {
        return Err(format!("by the right rule seed {seed} fails, too"));
    }
    println!("the right rule passes {} seeds in {:.1?}", seeds.clone().count(), began.elapsed());
    let wrong = seeds.clone().filter(|seed| does_fail(seed, Rule::LastHeard)).count();
    let unlossy = |seed: &u64| run(*seed, Rule::LastHeard, 0.0).failure.is_some();
    println!("of these the wrong one fails {wrong}, and {} if nothing is lost", {
        seeds.filter(unlossy).count()
    });
    Ok(())
}

#[test]
fn the_right_rule_makes_all_boards_equal() {
    for seed in 0..5 {
        assert_eq!(run(seed, Rule::MoreSteps, LOST_PERCENT).failure, None, "seed {seed}");
    }
}

#[test]
fn the_bug_is_found_and_its_seed_replays() {
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let outcome = run(seed, Rule::LastHeard, LOST_PERCENT);
        outcome.failure.is_some().then_some((seed, outcome))
    });
    let (seed, outcome) = found.expect("one of so many seeds shows it");
    assert_eq!(run(seed, Rule::LastHeard, LOST_PERCENT), outcome);
    assert_eq!(run(seed, Rule::MoreSteps, LOST_PERCENT).failure, None);
}

const PLAYERS: usize = 4;

/// Everybody is there by then.
const LAST_TO_COME: Duration = Duration::from_secs(10);

/// Nobody walks longer than ten seconds, at a step with each tick.
const STEPS_MAX: usize = 200;

/// Everybody stands by then.
const GAME_OVER: Duration = Duration::from_secs(20);

/// What was sent last arrives within this time, even by a connection that has to be made anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fifth.
const LOST_PERCENT: f32 = 20.0;

/// The right rule is tried with so many seeds at least.
const SEEDS_MIN: u64 = 49;

/// So many runs are more than enough.
const SEEDS_MAX: u64 = 1_000;
