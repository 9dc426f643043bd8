//! Every file under `events/` with a fault at each AWS call of its function. After the invoker's repetitions, and once
//! nothing moves any more, the state must be the state of the run without a fault.
//!
//! A new file under `events/` is covered without a new test. `MATRIX=all` tries every call with every fault, and
//! `MATRIX=<function>/<file>` does so for one file. Otherwise a seeded choice of calls is tried. This file holds no
//! knowledge of any function.

mod expected;
mod invoker;
mod picture;
mod plan;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::expected::Run;
use self::invoker::Ending;
use self::picture::Picture;
use self::plan::Plan;
use crate::fixtures::stage::Stage;
use crate::fixtures::{listed, prepared};
use crate::support::World;

/// The matrix runs in this number of processes.
const PARTS: usize = 4;
/// Both runs go on at this time after the event, when every repetition of the event is over.
const AFTERWARDS: Duration = Duration::from_hours(3);
/// Pauses after which all functions run again, as long as leases, visibility timeouts and leads.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_mins(20),
    Duration::from_hours(24),
];

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_the_same_state_1() {
    part(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_the_same_state_2() {
    part(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_the_same_state_3() {
    part(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_the_same_state_4() {
    part(3).await;
}

async fn part(number: usize) {
    // The back-off of the SDKs has its jitter from here.
    fastrand::seed(7);
    let wanted = wanted();
    let files = listed().into_iter().flat_map(|(function, files)| {
        let file = move |file| (function.clone(), file);
        files.into_iter().map(file)
    });
    let files = files.enumerate().filter(|(n, _)| n % PARTS == number);
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    let mut runs = 0;
    for (_, (function, file)) in files {
        let name = format!("{function}/{file}");
        if wanted.contains('/') && wanted != name {
            continue;
        }
        let scene = Scene::of(&function, &file).await;
        let (calm, calls) = scene.run(None).await;
        for plan in plan::chosen(&name, &calls, !wanted.is_empty()) {
            runs += 1;
            let ran = AssertUnwindSafe(scene.run(Some(plan))).catch_unwind();
            let Ok((faulty, _)) = ran.await else {
                wrong.push(format!("{name} {plan:?}: the run panicked"));
                continue;
            };
            let differences = faulty.differences(&calm);
            if differences.is_empty() {
                continue;
            }
            let run = Run {
                name: &name,
                call: calls.get(plan.at as usize).map_or("", String::as_str),
                plan,
                differences: &differences,
            };
            let left = run.unexplained(&mut met);
            if !left.is_empty() {
                let (call, left) = (run.call, left.join("\n    "));
                wrong.push(format!("{name} {plan:?} ({call}):\n    {left}"));
            }
        }
    }
    assert!(runs > 0 || wanted.contains('/'), "no file has a call");
    let count = wrong.len();
    let met = met.into_iter().collect::<Vec<_>>().join("\n- ");
    let wrong = wrong.join("\n");
    assert!(
        wrong.is_empty(),
        "{count} of {runs} runs:\n{wrong}\nexplained:\n- {met}"
    );
}

/// `all`, a file, or nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "the developer's choice, not configuration"
)]
fn wanted() -> String {
    std::env::var("MATRIX").unwrap_or_default()
}

/// A prepared stage with its event. Each run starts from it.
struct Scene {
    function: String,
    stage: Stage,
    event: Value,
    /// Text of everything there was before.
    known: BTreeSet<String>,
    now: Timestamp,
    folder: PathBuf,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Scene {
    async fn of(function: &str, file: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("matrix-{function}-{file}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let start = World::new().now();
        let world = World::in_folder(&folder.join("stage"), start, 7);
        let stage = Box::pin(Stage::within(world, function, file)).await;
        let mut event = Box::pin(prepared(&stage, function, file)).await;
        invoker::give_key(&mut event);
        let mut known = BTreeSet::new();
        picture::words(&event.to_string(), &mut known);
        for table in &stage.world.model.tables {
            for row in stage.world.dump(&table.logical_id).await {
                picture::words(&row.to_string(), &mut known);
            }
        }
        let now = stage.world.now();
        Self {
            function: function.to_owned(),
            stage,
            event,
            known,
            now,
            folder,
        }
    }

    /// The state after the event, and the calls that its function made in the first invocation.
    async fn run(&self, plan: Option<Plan>) -> (Picture, Vec<String>) {
        let folder = self.folder.join("run");
        let _ = std::fs::remove_dir_all(&folder);
        copy(&self.folder.join("stage"), &folder);
        let world = World::in_folder(&folder, self.now, 8);
        let mut stage = self.stage.restarted(world);
        let world = &stage.world;
        let (ending, calls) =
            invoker::deliver(world, &self.function, self.event.clone(), plan).await;
        let end = self.now.checked_add(AFTERWARDS).unwrap();
        world.advance(end.duration_since(world.now()).unsigned_abs());
        for pause in PAUSES {
            world.advance(pause);
            world.settle().await;
            world.invoke("due-timer", json!({})).await.unwrap();
            world.settle().await;
        }
        let mut picture = Picture::of(world, &self.known).await;
        if ending == Ending::GivenUp {
            picture.add("invoker", "given up".to_owned());
        }
        for post in stage.posts() {
            picture.add_post(&post, &self.known);
        }
        (picture, calls)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
