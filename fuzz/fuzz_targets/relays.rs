//! What happens to a session of each strategy.
#![no_main]

use tristero_fuzz::relays::{self, Step};

libfuzzer_sys::fuzz_target!(|input: (u8, Vec<Step>)| {
    let (choice, steps) = input;
    let strategies = relays::strategies();
    let (strategy, url) = &strategies[usize::from(choice) % strategies.len()];
    relays::run(&**strategy, url, &steps);
});
