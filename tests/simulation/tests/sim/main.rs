//! A simulation of the whole product: users, customers and faults of AWS, in an order that follows from a seed.
//!
//! Each seed has its own world, on a paused clock. A scheduler chooses actions of users and deliveries of the services;
//! each invocation has a plan of faults. At the end no more faults occur, and the features check their promises. See
//! docs/simulation.md.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]
#![expect(
    clippy::format_push_string,
    reason = "a trace is written once, and read by a person"
)]

mod bounds;
mod calm;
mod features;
mod invoke;
mod outage;
mod plan;
mod queues;
mod run;
mod schedules;
mod shop;
mod sim;
mod steps;
mod streams;
mod time;
mod whole;

/// As in the local stack; the system's allocator takes a tenth of a seed's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds of a usual test run.
const SEEDS: u64 = 24;

#[test]
fn every_seed_keeps_the_promises() {
    let count = run::number("SEEDS").unwrap_or(SEEDS);
    let found = match run::number("SEED") {
        Some(seed) => run::all(seed..seed + run::number("SEEDS").unwrap_or(1)),
        None => run::all(1..count + 1),
    };
    println!("{}", found.summary());
    assert!(found.is_clean(), "{}", found.failures());
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    let seed = run::number("SEED").unwrap_or(7);
    let (first, second) = (run::one(seed), run::one(seed));
    for (one, other) in first.trace.iter().zip(&second.trace) {
        assert_eq!(one, other);
    }
    assert_eq!(first.trace.len(), second.trace.len());
}
