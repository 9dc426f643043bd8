//! The faults of a run: at which call of the function, and in which of its invocations.

use tanigo_local::aws::Fault;

/// Runs of each kind for a file, if not all are wanted.
const SAMPLES: u64 = 1;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The function is killed before the call.
    KillBefore,
    /// The function is killed after the call was carried out.
    KillAfter,
    /// The call is carried out; its answer is lost.
    LoseAnswerOnce,
    /// So it is with the call and all later calls of the invocation.
    LoseAllFrom,
    /// The call is throttled.
    ThrottleOnce,
    /// So are the call and all later calls of the invocation.
    ThrottleAllFrom,
    /// The function is killed after the call, and again in its next invocation.
    TwoKills,
}

const KINDS: [Kind; 7] = [
    Kind::KillBefore,
    Kind::KillAfter,
    Kind::LoseAnswerOnce,
    Kind::LoseAllFrom,
    Kind::ThrottleOnce,
    Kind::ThrottleAllFrom,
    Kind::TwoKills,
];

/// The faults of one run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub kind: Kind,
    /// Number of the call in the first invocation, from 0.
    pub at: u64,
    /// Number of the call after which the second invocation is killed.
    pub second: u64,
}

impl Plan {
    /// The fault of this call of this invocation, both from 0.
    pub fn fault(self, invocation: u32, call: u64) -> Fault {
        let killed_after = |at| match call {
            n if n == at => Fault::HangAfter,
            n if n > at => Fault::HangBefore,
            _ => Fault::None,
        };
        match (invocation, self.kind) {
            (0, Kind::KillBefore) if call >= self.at => Fault::HangBefore,
            (0, Kind::KillAfter | Kind::TwoKills) => killed_after(self.at),
            (1, Kind::TwoKills) => killed_after(self.second),
            (0, Kind::LoseAnswerOnce) if call == self.at => Fault::TimeoutAfterCommit,
            (0, Kind::LoseAllFrom) if call >= self.at => Fault::TimeoutAfterCommit,
            (0, Kind::ThrottleOnce) if call == self.at => Fault::Throttle,
            (0, Kind::ThrottleAllFrom) if call >= self.at => Fault::Throttle,
            _ => Fault::None,
        }
    }
}

/// The runs of a file whose function makes these calls: each call with each fault, or a seeded choice.
pub fn chosen(name: &str, calls: &[String], all: bool) -> Vec<Plan> {
    let count = calls.len() as u64;
    let seed = name.bytes().fold(7_u64, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plans = Vec::new();
    for kind in KINDS {
        let wanted: Vec<u64> = if all {
            (0..count).collect()
        } else {
            let samples = SAMPLES.min(count) as usize;
            random.choose_multiple(0..count, samples)
        };
        plans.extend(wanted.into_iter().map(|at| Plan {
            kind,
            at,
            second: random.u64(0..count),
        }));
    }
    plans
}
