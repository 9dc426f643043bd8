//! The scheduler: what happens next, by weight.

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use jiff::SignedDuration;

use crate::outage::Place;
use crate::sim::Sim;

const HOUR_MS: u64 = 3_600_000;
/// Polls of a longer time that are close together while an outage is under way.
const OUTAGE_POLLS: u32 = 7;
/// Time between these polls: longer than the visibility time-out of most queues.
const OUTAGE_PAUSE_MS: u64 = 95_000;

/// The steps with their weights. Actions of features have their own weights besides.
const STEPS: &[(Step, u32)] = &[
    (Step::Deliver, 60),
    (Step::Relay, 24),
    (Step::Tick, 7),
    (Step::Advance, 16),
    (Step::Together, 12),
    (Step::Again, 3),
    (Step::Outage, 2),
    (Step::Disable, 1),
    (Step::Redrive, 1),
    (Step::Poison, 1),
    (Step::Sweep, 1),
    (Step::Cold, 2),
];

/// One kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Messages of a queue reach their function.
    Deliver,
    /// A page of a stream reaches its function.
    Relay,
    /// The schedules fire.
    Tick,
    /// Time passes.
    Advance,
    /// Two other steps run at once.
    Together,
    /// A batch is redelivered late.
    Again,
    /// A place fails for a while.
    Outage,
    /// A stream's mapping is disabled.
    Disable,
    /// Somebody redrives a dead-letter queue.
    Redrive,
    /// A message that nobody can read.
    Poison,
    /// Expired items are deleted.
    Sweep,
    /// All processes end.
    Cold,
}

impl Sim {
    /// Makes one step, with its deliveries.
    pub async fn step(&self) {
        self.one_step(true).await;
        self.observe_streams();
    }

    fn one_step(&self, may_pair: bool) -> LocalBoxFuture<'_, ()> {
        async move {
            let actions: u32 = self.actions().iter().map(|(_, _, weight)| weight).sum();
            let steps: u32 = STEPS.iter().map(|(_, weight)| weight).sum();
            let mut at = self.rng.borrow_mut().u32(0..actions + steps);
            for (feature, action, weight) in self.actions() {
                if at < weight {
                    self.note(format!("action {action}"));
                    let feature = self.features[feature].clone();
                    return feature.act(self, action).await;
                }
                at -= weight;
            }
            for (step, weight) in STEPS {
                if at < *weight {
                    return self.make(*step, may_pair).await;
                }
                at -= weight;
            }
        }
        .boxed_local()
    }

    fn actions(&self) -> Vec<(usize, &'static str, u32)> {
        let features = self.features.iter().enumerate();
        let all = features.flat_map(|(n, feature)| {
            feature
                .actions()
                .iter()
                .map(move |(name, weight)| (n, *name, *weight))
        });
        all.collect()
    }

    async fn make(&self, step: Step, may_pair: bool) {
        match step {
            Step::Deliver => {
                if !self.deliver_some().await {
                    self.advance().await;
                }
            }
            Step::Relay => {
                self.relay_some().await;
            }
            Step::Tick => self.tick().await,
            Step::Advance if may_pair => self.advance().await,
            Step::Together if may_pair => {
                self.note("together:");
                self.slow.set(50);
                futures::join!(self.one_step(false), self.one_step(false));
                self.slow.set(0);
            }
            Step::Again => self.deliver_again().await,
            Step::Outage => self.outage(),
            Step::Disable => self.disable().await,
            Step::Redrive => self.redrive_some(),
            Step::Poison => self.inject_poison(),
            Step::Sweep => {
                let swept = self.world.aws.sweep_expired().expect("sweep");
                self.note(format!("{swept} expired items deleted"));
            }
            Step::Cold => self.forget_processes(),
            Step::Advance | Step::Together => {}
        }
    }

    /// Lets time pass: mostly seconds, seldom hours.
    async fn advance(&self) {
        let ms = {
            let mut rng = self.rng.borrow_mut();
            match rng.u32(0..1000) {
                0..450 => rng.u64(1..3_000),
                450..750 => rng.u64(5_000..90_000),
                750..940 => rng.u64(90_000..700_000),
                940..992 => rng.u64(700_000..4 * HOUR_MS),
                _ => rng.u64(5 * HOUR_MS..27 * HOUR_MS),
            }
        };
        self.pass(ms).await;
    }

    /// Lets time pass. In a longer time the mappings poll and the schedules fire, as far as no outage prevents it.
    async fn pass(&self, ms: u64) {
        self.note(format!("{} s pass", ms / 1000));
        let usual = if ms > 2 * HOUR_MS {
            HOUR_MS
        } else {
            HOUR_MS / 6
        };
        let (mut left, mut close) = (ms, OUTAGE_POLLS);
        loop {
            // Mappings poll all the time; what fails meanwhile is received again and again.
            let pause = if close > 0 && self.outages.are_any() {
                close -= 1;
                OUTAGE_PAUSE_MS
            } else {
                usual
            };
            if left <= pause {
                break;
            }
            self.sleep_ms(pause).await;
            left -= pause;
            if pause == usual {
                self.tick().await;
            }
            for mapping in self.running_mappings() {
                self.relay(&mapping).await;
            }
            for source in self.sources() {
                self.deliver(&source).await;
            }
            self.observe_streams();
        }
        self.sleep_ms(left).await;
    }

    /// A stream's mapping is disabled for longer than the stream keeps its records.
    async fn disable(&self) {
        if self.percent(8) {
            self.disable_mapping(26 * HOUR_MS as i64);
            if self.percent(50) {
                self.pass(26 * HOUR_MS).await;
            }
        }
    }

    fn outage(&self) {
        let minutes = {
            let mut rng = self.rng.borrow_mut();
            match rng.u32(0..20) {
                0..12 => rng.i64(1..4),
                12..17 => rng.i64(6..60),
                _ => rng.i64(120..480),
            }
        };
        let model = &self.world.model;
        let kind = self.below(10);
        let place = match kind {
            0..3 => Place::Named(model.tables[self.below(model.tables.len())].name.clone()),
            3..6 => Place::Named(model.queues[self.below(model.queues.len())].name.clone()),
            6 => Place::Mail,
            _ => Place::Tenant(self.shop().tenant.to_string()),
        };
        self.note(format!("outage of {place:?} for {minutes} min"));
        self.outages
            .begin(place, SignedDuration::from_mins(minutes));
    }
}
