//! One seed's simulation: its world, its randomness, the trace of its steps and the promises that were broken.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use kernel::Entropy;
use tanigo_local::aws::Reads;
use tests_world::World;

use crate::features::{self, Feature};
use crate::invoke::Process;
use crate::outage::Outages;
use crate::plan;
use crate::queues::Held;
use crate::shop::Shop;
use crate::streams::{Mapping, Recorded};
use crate::time::Time;

/// Steps of a seed before the calm.
const STEPS: u32 = 40;

thread_local! {
    /// The steps of this thread's seed; they outlive a panic.
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Takes the steps of this thread's seed.
pub fn take_trace() -> Vec<String> {
    TRACE.take()
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the promise.
    pub check: &'static str,
    /// The difference between what was promised and what was found.
    pub text: String,
}

/// The result of a seed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// One line a step.
    pub trace: Vec<String>,
    /// The broken promises.
    pub violations: Vec<Violation>,
    /// Faults that occurred, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// AWS calls of the functions.
    pub calls: u64,
    /// AWS calls by function.
    pub calls_of: BTreeMap<String, u64>,
    /// Processes that were started.
    pub processes: u64,
    /// Invocations.
    pub invocations: u64,
    /// Effects that were accepted from users, by feature.
    pub accepted: BTreeMap<&'static str, u64>,
}

/// A seed's simulation.
pub struct Sim {
    /// The seed.
    pub seed: u64,
    /// The services and the templates.
    pub world: World,
    /// The clock.
    pub time: Time,
    /// The shops.
    pub shops: Vec<Shop>,
    /// The actions of users, and their promises.
    pub features: Vec<Rc<dyn Feature>>,
    /// Outages under way.
    pub outages: Arc<Outages>,
    /// Whether faults may be planned.
    pub faulty: Cell<bool>,
    /// Of a hundred AWS calls, so many are slow.
    pub slow: Cell<u8>,
    /// The kinds of faults that each function met.
    pub hit: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
    pub(crate) rng: RefCell<fastrand::Rng>,
    pub(crate) processes: RefCell<BTreeMap<(String, u32), Process>>,
    pub(crate) mappings: RefCell<BTreeMap<(String, String), Mapping>>,
    pub(crate) recorded: RefCell<BTreeMap<String, Recorded>>,
    pub(crate) held: RefCell<Vec<Held>>,
    pub(crate) poison: RefCell<Vec<String>>,
    pub(crate) outcome: RefCell<Outcome>,
}

impl Sim {
    /// Whether something of this chance happens, in a hundred.
    pub fn percent(&self, chance: u32) -> bool {
        self.rng.borrow_mut().u32(0..100) < chance
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        self.rng.borrow_mut().usize(0..end.max(1))
    }

    /// A fresh seed for a part.
    pub fn draw(&self) -> u64 {
        self.rng.borrow_mut().u64(..)
    }

    /// A random shop.
    pub fn shop(&self) -> &Shop {
        &self.shops[self.below(self.shops.len())]
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.world.clock().now_ms()
    }

    /// Adds a line to the trace.
    pub fn note(&self, line: impl AsRef<str>) {
        let seconds = self.time.passed().as_millis();
        let (seconds, ms) = (seconds / 1000, seconds % 1000);
        let (hours, rest) = (seconds / 3600, seconds % 3600);
        let at = format!("{hours:>3}:{:02}:{:02}.{ms:03}", rest / 60, rest % 60);
        let line = format!("{at} {}", line.as_ref());
        TRACE.with_borrow_mut(|trace| trace.push(line));
    }

    /// Records a broken promise.
    pub fn broken(&self, check: &'static str, text: impl Into<String>) {
        let text = text.into();
        let violation = Violation { check, text };
        let mut outcome = self.outcome.borrow_mut();
        if !outcome.violations.contains(&violation) {
            outcome.violations.push(violation);
        }
    }

    /// Counts an accepted request of a user.
    pub fn accepted(&self, what: &'static str) {
        *self.outcome.borrow_mut().accepted.entry(what).or_default() += 1;
    }

    /// Lets time pass; nothing else runs meanwhile.
    pub async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
}

/// The marks of shops in a text, to follow one message through the trace.
pub fn marks(text: &str) -> String {
    let is_mark = |word: &&str| {
        let digits = word.strip_prefix('T').and_then(|rest| rest.split_once('-'));
        digits.is_some_and(|(shop, rest)| shop.parse::<u8>().is_ok() && rest.contains('-'))
    };
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let found: BTreeSet<&str> = words.filter(is_mark).collect();
    found.into_iter().map(|mark| format!(" {mark}")).collect()
}

/// Simulates a seed. Only inside a paused runtime.
pub async fn simulate(seed: u64) -> Outcome {
    fastrand::seed(seed);
    let time = Time::start();
    let outages = Arc::new(Outages::new(time));
    let world = World::on_clock(100_000, Entropy::seeded(seed), time.clock(0));
    world.aws.set_fault_hook(Some(plan::hook(outages.clone())));
    let mut sim = Sim {
        seed,
        world,
        time,
        shops: Vec::new(),
        features: features::all(),
        outages,
        faulty: Cell::new(false),
        slow: Cell::new(0),
        hit: RefCell::default(),
        rng: RefCell::new(fastrand::Rng::with_seed(seed)),
        processes: RefCell::default(),
        mappings: RefCell::default(),
        recorded: RefCell::default(),
        held: RefCell::default(),
        poison: RefCell::default(),
        outcome: RefCell::new(Outcome {
            seed,
            ..Outcome::default()
        }),
    };
    sim.map_streams();
    // The first sweep of a world looks for a week of timers.
    sim.world.swept().await;
    sim.shops = Shop::open_all(&sim).await;
    for feature in sim.features.clone() {
        feature.prepare(&sim).await;
    }
    sim.rest(0).await;
    sim.note("--- set up; faults begin");
    sim.faulty.set(true);
    if sim.percent(15) {
        let lag = std::time::Duration::from_millis(200 + sim.below(3_000) as u64);
        sim.note(format!("indexes lag by {} ms", lag.as_millis()));
        sim.world.aws.set_lag(Reads::Indexes, lag).expect("lag");
    }
    for _ in 0..STEPS {
        sim.step().await;
    }
    sim.note("--- calm: no more faults");
    sim.faulty.set(false);
    sim.outages.end();
    let none = std::time::Duration::ZERO;
    sim.world.aws.set_lag(Reads::Indexes, none).expect("no lag");
    for feature in sim.features.clone() {
        feature.calm(&sim).await;
    }
    sim.calm().await;
    sim.check_dead_letters().await;
    sim.check_whole().await;
    for feature in sim.features.clone() {
        feature.check(&sim).await;
    }
    let mut outcome = sim.outcome.take();
    outcome.trace = take_trace();
    outcome
}
