//! Runs seeds on all cores, each in its own runtime with paused time, and sums up what was found.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::sim::{Outcome, Violation, simulate, take_trace};

/// Seeds that a failure names.
const SEEDS_SHOWN: usize = 12;
/// Differences that a failure shows of its first seed.
const TEXTS_SHOWN: usize = 3;

/// Functions whose calls the figures tell.
const FUNCTIONS_SHOWN: usize = 12;

/// A number of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the choice of seeds, not a configuration of the product"
)]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Simulates one seed.
pub fn one(seed: u64) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("runtime").block_on(Box::pin(simulate(seed)))
}

/// The findings of all seeds.
#[derive(Default)]
pub struct Found {
    wanted: u64,
    seeds: u64,
    seconds: f64,
    faults: BTreeMap<&'static str, u64>,
    calls: u64,
    calls_of: BTreeMap<String, u64>,
    processes: u64,
    invocations: u64,
    accepted: BTreeMap<&'static str, u64>,
    /// By name of the promise: the seeds that broke it.
    broken: BTreeMap<&'static str, Vec<u64>>,
    /// The first outcome for each promise.
    first: BTreeMap<&'static str, Outcome>,
}

/// Simulates these seeds on all cores; with `SECONDS`, begins no seed after that time.
pub fn all(seeds: Range<u64>) -> Found {
    let begun = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Found::default());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late =
                        number("SECONDS").is_some_and(|most| begun.elapsed().as_secs() >= most);
                    if seed >= seeds.end || late {
                        return;
                    }
                    let outcome = std::panic::catch_unwind(|| one(seed));
                    let outcome = outcome.unwrap_or_else(|panic| Outcome::panicked(seed, &*panic));
                    found.lock().unwrap().add(&outcome);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.wanted = seeds.end - seeds.start;
    found.seconds = begun.elapsed().as_secs_f64();
    found
}

impl Outcome {
    fn panicked(seed: u64, panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let mut outcome = Self {
            seed,
            trace: take_trace(),
            ..Self::default()
        };
        outcome.violations.push(Violation {
            check: "panic",
            text: text.unwrap_or_default(),
        });
        outcome
    }
}

impl Found {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        for (kind, count) in &outcome.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.calls += outcome.calls;
        for (function, calls) in &outcome.calls_of {
            *self.calls_of.entry(function.clone()).or_default() += calls;
        }
        self.processes += outcome.processes;
        self.invocations += outcome.invocations;
        for (what, count) in &outcome.accepted {
            *self.accepted.entry(what).or_default() += count;
        }
        let mut checks: Vec<&'static str> = outcome.violations.iter().map(|v| v.check).collect();
        checks.sort_unstable();
        checks.dedup();
        for check in &checks {
            self.broken.entry(check).or_default().push(outcome.seed);
        }
        for check in checks {
            // The shortest story of the smallest seed is the best one to read.
            let known = self.first.get(check);
            if known.is_none_or(|known| outcome.seed < known.seed) {
                self.first.insert(check, outcome.clone());
            }
        }
    }

    /// Whether every seed was simulated, and every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty() && self.seeds == self.wanted
    }

    /// The figures, a line each.
    pub fn summary(&self) -> String {
        let broken = |word: &str| {
            let checks = self.broken.iter();
            let mine = checks.filter(|(check, _)| check.contains(word));
            mine.map(|(_, seeds)| seeds.len()).sum::<usize>()
        };
        let counts = |counts: &BTreeMap<&'static str, u64>| -> String {
            let parts = counts.iter().map(|(name, count)| format!("{count} {name}"));
            parts.collect::<Vec<_>>().join(", ")
        };
        let seeds = self.broken.iter();
        let seeds = seeds.map(|(check, seeds)| (*check, seeds.len() as u64));
        [
            format!(
                "{} of {} seeds in {:.1} s",
                self.seeds, self.wanted, self.seconds
            ),
            format!(
                "{} invocations in {} processes, {} AWS calls",
                self.invocations, self.processes, self.calls
            ),
            format!("most calls: {}", self.busiest()),
            format!(
                "faults: {} ({})",
                self.faults.values().sum::<u64>(),
                counts(&self.faults)
            ),
            format!("accepted: {}", counts(&self.accepted)),
            format!(
                "seeds with something lost: {}, doubled: {}",
                broken("lost"),
                broken("doubled")
            ),
            format!("seeds with a broken promise: {}", counts(&seeds.collect())),
        ]
        .join("\n")
    }

    /// The functions with the most AWS calls.
    fn busiest(&self) -> String {
        let mut calls: Vec<_> = self.calls_of.iter().collect();
        calls.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
        let shown = calls.iter().take(FUNCTIONS_SHOWN);
        let parts = shown.map(|(function, calls)| format!("{calls} {function}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// For each broken promise: its seeds, its differences, the file with the steps of its first seed, and the command
    /// that repeats them.
    pub fn failures(&self) -> String {
        let mut text = String::new();
        if self.seeds < self.wanted {
            text += &format!(
                "\n=== only {} of {} seeds were simulated in the time allowed\n",
                self.seeds, self.wanted
            );
        }
        for (check, seeds) in &self.broken {
            let Some(outcome) = self.first.get(check) else {
                continue;
            };
            let some = &seeds[..seeds.len().min(SEEDS_SHOWN)];
            text += &format!(
                "\n=== {check}: {} of {} seeds, e.g. {some:?}\n",
                seeds.len(),
                self.seeds
            );
            let mine = outcome.violations.iter().filter(|v| v.check == *check);
            for violation in mine.take(TEXTS_SHOWN) {
                text += &format!("{}\n", violation.text);
            }
            let file = write_trace(outcome);
            text += &format!("steps: {file}\n");
            let seed = outcome.seed;
            text += &format!("again: SEED={seed} cargo test --workspace --test sim every_seed\n");
        }
        text
    }
}

/// Writes the steps of a seed to a file, and gives its path.
fn write_trace(outcome: &Outcome) -> String {
    let folder = std::env::temp_dir().join("tanigo-simulation");
    let file = folder.join(format!("seed-{}.txt", outcome.seed));
    let mut lines = outcome.trace.clone();
    let broken = outcome.violations.iter();
    lines.extend(broken.map(|v| format!("broken: {}: {}", v.check, v.text)));
    let written =
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, lines.join("\n")));
    written.expect("a folder for temporary files");
    file.display().to_string()
}
