//! The faults of one invocation, chosen before it begins. Which plan a call belongs to is known by the task-local
//! variable, because several invocations may run at once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tanigo_local::aws::{Call, Fault, FaultHook, Reason};
use tokio::sync::Notify;

use crate::outage::{Outages, concerns};

/// A slow call takes less than this, milliseconds.
const SLOWEST_MS: u64 = 300;

tokio::task_local! {
    /// The plan of the invocation that makes the calls.
    static CURRENT: Arc<Running>;
}

/// A fault at the n-th AWS call of an invocation, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// The process is killed instead of the call.
    KillBefore(u64),
    /// The process is killed after the call was carried out.
    KillAfter(u64),
    /// The answer is lost; the client's own retry then runs.
    Lose(u64),
    /// The answers of this call and of its repetitions are lost.
    LoseAll(u64),
    /// The call is throttled once.
    Throttle(u64),
    /// This call and all later calls to the same table or queue are throttled.
    ThrottleAll(u64),
    /// The item of a write is in the way of another transaction, or its partition is too busy.
    Cancel(u64, Reason),
    /// Every transaction of the invocation is cancelled because of an item.
    CancelAll(Reason),
    /// Only a part of the batch is done.
    Partial(u64),
}

/// The faults of one invocation.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The faults.
    pub faults: Vec<Planned>,
    /// Calls to the rows of this workspace are throttled: a hot partition.
    pub tenant: Option<String>,
    /// Of a hundred calls, so many take their time, so that other work runs meanwhile.
    pub slow: u8,
}

impl Planned {
    /// Name of the kind, for the figures.
    fn kind(self) -> &'static str {
        match self {
            Self::KillBefore(_) => "killed before a call",
            Self::KillAfter(_) => "killed after a call",
            Self::Lose(_) | Self::LoseAll(_) => "answer lost",
            Self::Throttle(_) | Self::ThrottleAll(_) => "throttled",
            Self::Cancel(..) | Self::CancelAll(_) => "cancelled",
            Self::Partial(_) => "half of a batch",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            write!(f, " {fault:?}")?;
        }
        if let Some(tenant) = &self.tenant {
            write!(f, " {tenant} throttled")?;
        }
        Ok(())
    }
}

impl Plan {
    /// A plan of this seed: mostly none, sometimes one fault, seldom two.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let count = match rng.u8(0..20) {
            0..14 => 0,
            14..19 => 1,
            _ => 2,
        };
        let faults = (0..count).map(|_| {
            // Most functions make few calls.
            let most = rng.u64(1..24);
            let n = rng.u64(0..most);
            match rng.u8(0..14) {
                0 | 1 => Planned::KillBefore(n),
                2 | 3 => Planned::KillAfter(n),
                4 => Planned::Lose(n),
                5 => Planned::LoseAll(n),
                6 => Planned::Throttle(n),
                7 => Planned::ThrottleAll(n),
                8 => Planned::Cancel(n, Reason::ThrottlingError),
                9 => Planned::Cancel(n, Reason::ProvisionedThroughputExceeded),
                10 => Planned::Cancel(n, Reason::TransactionConflict),
                11 => Planned::CancelAll(Reason::ThrottlingError),
                12 => Planned::CancelAll(Reason::TransactionConflict),
                _ => Planned::Partial(n),
            }
        });
        Self {
            faults: faults.collect(),
            ..Self::default()
        }
    }
}

impl Plan {
    /// A kill at a late call, when some rows are written.
    pub fn late_kill(rng: &mut fastrand::Rng) -> Self {
        Self::of(Planned::KillAfter(rng.u64(3..28)))
    }

    /// A fault after which a client does not know whether its write was made.
    pub fn unclear(rng: &mut fastrand::Rng) -> Self {
        let n = rng.u64(1..10);
        Self::of(if rng.bool() {
            Planned::KillAfter(n)
        } else {
            Planned::LoseAll(n)
        })
    }

    fn of(fault: Planned) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

/// A plan in use.
pub struct Running {
    plan: Plan,
    state: Mutex<State>,
    /// Signals that the process is dead.
    pub dead: Notify,
}

#[derive(Default)]
struct State {
    calls: u64,
    injected: BTreeMap<&'static str, u64>,
    /// Operation and place whose answers are lost or throttled from here on.
    lost: Option<(String, String)>,
    throttled: Option<String>,
    rng: fastrand::Rng,
}

impl Running {
    /// Begins an invocation with this plan.
    pub fn new(plan: Plan, seed: u64) -> Arc<Self> {
        let state = State {
            rng: fastrand::Rng::with_seed(seed),
            ..State::default()
        };
        Arc::new(Self {
            plan,
            state: Mutex::new(state),
            dead: Notify::new(),
        })
    }

    /// AWS calls so far, and the faults that occurred, by kind.
    pub fn counts(&self) -> (u64, BTreeMap<&'static str, u64>) {
        let state = self.state.lock().unwrap();
        (state.calls, state.injected.clone())
    }

    fn count(&self, kind: &'static str) {
        let mut state = self.state.lock().unwrap();
        *state.injected.entry(kind).or_default() += 1;
    }

    /// Runs the work under this plan.
    pub async fn scope<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), work).await
    }

    fn decide(&self, call: &Call) -> Fault {
        let mut state = self.state.lock().unwrap();
        let n = state.calls;
        state.calls += 1;
        let place = &call.table_or_queue;
        let (mut fault, mut kind) = (Fault::None, "");
        if state
            .lost
            .as_ref()
            .is_some_and(|(o, p)| *o == call.operation && p == place)
        {
            (fault, kind) = (Fault::TimeoutAfterCommit, "answer lost");
        }
        if state.throttled.as_ref() == Some(place) {
            (fault, kind) = (Fault::Throttle, "throttled");
        }
        if self
            .plan
            .tenant
            .as_ref()
            .is_some_and(|tenant| concerns(call, tenant))
        {
            (fault, kind) = (Fault::Throttle, "rows of a tenant throttled");
        }
        for planned in &self.plan.faults {
            fault = match *planned {
                Planned::KillBefore(at) if n >= at => Fault::HangBefore,
                Planned::KillAfter(at) if n > at => Fault::HangBefore,
                Planned::KillAfter(at) if n == at => Fault::HangAfter,
                Planned::Lose(at) if n == at => Fault::TimeoutAfterCommit,
                Planned::LoseAll(at) if n == at => {
                    state.lost = Some((call.operation.clone(), place.clone()));
                    Fault::TimeoutAfterCommit
                }
                Planned::Throttle(at) if n == at => Fault::Throttle,
                Planned::ThrottleAll(at) if n == at => {
                    state.throttled = Some(place.clone());
                    Fault::Throttle
                }
                Planned::Cancel(at, reason) if n == at => Fault::Cancel(reason),
                Planned::CancelAll(reason) if call.operation.starts_with("Transact") => {
                    Fault::Cancel(reason)
                }
                Planned::Partial(at) if n == at => Fault::Partial,
                _ => continue,
            };
            kind = planned.kind();
        }
        if fault != Fault::None {
            *state.injected.entry(kind).or_default() += 1;
        } else if state.rng.u8(0..100) < self.plan.slow {
            fault = Fault::Delay(state.rng.u64(0..SLOWEST_MS));
        }
        if matches!(fault, Fault::HangBefore | Fault::HangAfter) {
            self.dead.notify_one();
        }
        fault
    }
}

/// The hook of a world: outages first, then the plan of the invocation. Calls of the simulation itself have no fault.
pub fn hook(outages: Arc<Outages>) -> FaultHook {
    Arc::new(move |call| {
        CURRENT
            .try_with(|running| {
                let fault = running.decide(call);
                if matches!(fault, Fault::HangBefore | Fault::HangAfter) {
                    return fault;
                }
                if outages.concern(call) {
                    running.count("outage");
                    return Fault::Throttle;
                }
                fault
            })
            .unwrap_or(Fault::None)
    })
}
