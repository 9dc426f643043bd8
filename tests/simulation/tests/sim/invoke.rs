//! Processes of functions, and one invocation under its plan of faults, stopped at its time-out as Lambda does.

use std::time::Duration;

use kernel::Entropy;
use lambda::Invocation;
use serde_json::Value;
use tanigo_local::runtime::functions::Code;
use tanigo_local::runtime::registry;

use crate::plan::{Plan, Running};
use crate::sim::Sim;

/// Processes of one function that run side by side, each with its own memory and clock.
const PROCESSES: usize = 2;
/// Of a hundred requests that their client repeats, so many have no definite answer at first.
const UNCLEAR: u32 = 25;
/// A process's clock differs by at most this, milliseconds.
const SKEW_MS: i64 = 2_000;

/// A warm process.
#[derive(Clone)]
pub struct Process {
    code: Code,
    skew_ms: i64,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It answered.
    Answer(Value),
    /// It failed as a whole.
    Failed(String),
    /// The process was killed.
    Killed,
    /// Lambda stopped it at its time-out.
    TimedOut,
}

/// The answer of an HTTP function as a client sees it; status 0: no answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u64,
    /// JSON body, or null.
    pub body: Value,
}

impl Reply {
    /// A status of 2xx.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether a client repeats the request: no answer, 5xx, too many requests, or still in progress.
    pub fn wants_repeat(&self) -> bool {
        self.status == 0
            || self.status >= 500
            || self.status == 429
            || self.body["code"] == "in_progress"
    }

    /// A text of the body.
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }
}

impl Sim {
    /// The plan of the next invocation.
    pub fn plan(&self) -> Plan {
        if !self.faulty.get() {
            return Plan::default();
        }
        let mut plan = Plan::draw(&mut self.rng.borrow_mut());
        plan.slow = self.slow.get();
        if self.percent(4) {
            plan.tenant = Some(self.shop().tenant.to_string());
        }
        plan
    }

    /// Invokes a function with the next plan.
    pub async fn invoke(&self, handler: &str, event: Value) -> Ended {
        let plan = self.plan();
        self.invoke_with(handler, event, plan).await.0
    }

    /// Invokes a function with this plan. Also gives the number of its AWS calls.
    pub async fn invoke_with(&self, handler: &str, event: Value, plan: Plan) -> (Ended, u64) {
        let (number, process) = self.process(handler);
        let spec = self.world.spec(handler);
        let limit = Duration::from_secs(u64::from(spec.timeout));
        let request = {
            let mut outcome = self.outcome.borrow_mut();
            outcome.invocations += 1;
            outcome.invocations
        };
        let invocation = Invocation {
            request_id: format!("request-{request}"),
            function_name: handler.to_owned(),
            deadline_ms: self.now_ms() + process.skew_ms + i64::from(spec.timeout) * 1000,
            trace: None,
        };
        let running = Running::new(plan.clone(), self.draw());
        let work = tokio::time::timeout(limit, running.scope((process.code)(event, invocation)));
        let ended = tokio::select! {
            biased;
            result = work => match result {
                Ok(Ok(answer)) => Ended::Answer(answer),
                Ok(Err(failure)) => Ended::Failed(failure.to_string()),
                Err(_) => Ended::TimedOut,
            },
            // The service ran the hanging call before its future was pending, or will never run the call.
            () = async { running.dead.notified().await; tokio::task::yield_now().await } => Ended::Killed,
        };
        if matches!(ended, Ended::Killed | Ended::TimedOut) {
            // The next invocation there finds a cold process.
            let key = (handler.to_owned(), number);
            self.processes.borrow_mut().remove(&key);
        }
        let (calls, injected) = running.counts();
        if !injected.is_empty() || !matches!(ended, Ended::Answer(_)) {
            let mut hit = self.hit.borrow_mut();
            let kinds = hit.entry(handler.to_owned()).or_default();
            kinds.extend(injected.keys());
        }
        let mut outcome = self.outcome.borrow_mut();
        outcome.calls += calls;
        *outcome.calls_of.entry(handler.to_owned()).or_default() += calls;
        let faults: u64 = injected.values().sum();
        for (kind, count) in injected {
            *outcome.faults.entry(kind).or_default() += count;
        }
        drop(outcome);
        self.trace_invocation(handler, &plan, calls, faults, &ended);
        (ended, calls)
    }

    fn trace_invocation(
        &self,
        handler: &str,
        plan: &Plan,
        calls: u64,
        injected: u64,
        ended: &Ended,
    ) {
        let mut line = format!("    {handler} {calls} calls");
        if injected > 0 {
            line += &format!(",{plan}");
        }
        match ended {
            Ended::Answer(answer) => {
                if let Some(status) = answer["statusCode"].as_u64() {
                    line += &format!(" -> {status}");
                } else if let Some(failed) = answer["batchItemFailures"].as_array() {
                    line += &format!(" -> {} failed", failed.len());
                }
            }
            Ended::Failed(text) => line += &format!(" -> failed: {text}"),
            Ended::Killed => line += " -> killed",
            Ended::TimedOut => line += " -> timed out",
        }
        self.note(line);
    }

    /// A random process of the function, and its number; started if it is cold.
    fn process(&self, handler: &str) -> (u32, Process) {
        let n = if self.faulty.get() {
            self.below(PROCESSES)
        } else {
            0
        };
        let n = n as u32;
        let key = (handler.to_owned(), n);
        if let Some(process) = self.processes.borrow().get(&key) {
            return (n, process.clone());
        }
        let seed = self.draw();
        let skew_ms = if self.faulty.get() {
            self.rng.borrow_mut().i64(-SKEW_MS..=SKEW_MS)
        } else {
            0
        };
        let process = self.start(handler, skew_ms, Entropy::seeded(seed));
        self.processes.borrow_mut().insert(key, process.clone());
        (n, process)
    }

    /// A process with this clock and randomness.
    pub fn start(&self, handler: &str, skew_ms: i64, entropy: Entropy) -> Process {
        self.outcome.borrow_mut().processes += 1;
        let clock = self.time.clock(skew_ms);
        let setup = self.world.setup_with(handler, clock, entropy);
        let code = registry::code(handler, &setup).expect("function");
        Process { code, skew_ms }
    }

    /// Uses this process as the only one of its function, until processes are forgotten.
    pub fn install(&self, handler: &str, process: Process) {
        let key = (handler.to_owned(), 0);
        self.processes.borrow_mut().insert(key, process);
    }

    /// Ends all warm processes.
    pub fn forget_processes(&self) {
        self.processes.borrow_mut().clear();
    }

    /// Sends a request to an HTTP function.
    pub async fn ask(&self, handler: &str, event: Value) -> Reply {
        let plan = self.plan();
        self.ask_with(handler, event, plan).await
    }

    /// Sends a request that its client will repeat. Its answer is lost more often than others.
    pub async fn ask_to_repeat(&self, handler: &str, event: Value) -> Reply {
        let plan = if self.faulty.get() && self.percent(UNCLEAR) {
            Plan::unclear(&mut self.rng.borrow_mut())
        } else {
            self.plan()
        };
        self.ask_with(handler, event, plan).await
    }

    async fn ask_with(&self, handler: &str, event: Value, plan: Plan) -> Reply {
        match self.invoke_with(handler, event, plan).await.0 {
            Ended::Answer(answer) => Reply {
                status: answer["statusCode"].as_u64().unwrap_or_default(),
                body: serde_json::from_str(answer["body"].as_str().unwrap_or("null"))
                    .unwrap_or(Value::Null),
            },
            Ended::Failed(_) | Ended::Killed | Ended::TimedOut => Reply {
                status: 0,
                body: Value::Null,
            },
        }
    }
}
