//! Writes `template.yaml`, `infra/messaging.yaml` and `infra/observability.yaml` from the facts of each function
//! and queue, and checks that the files in the repository are the same.
//!
//! [`facts`] reads the declarations, [`text`] fills in the patterns of `infra/template`; the other modules each
//! write one part. The generator checks no rule: the rules of this crate read the generated files.

mod facts;
mod function;
mod messaging;
mod observability;
mod role;
mod text;

use self::facts::{Function, Group, Queue};
use self::function::{Settings, blocks};
use self::text::fill;
use crate::assert_none;
use crate::template::project;

/// Head of each written file.
const HEAD: &str = "\
# This file is generated, and checked in so that it can be read, reviewed and deployed as it is:
#   - facts: functions/<name>/function.yaml and infra/queues.yaml; texts: infra/template/.
#   - `UPDATE_DOCS=1 cargo test -p tests-infra` writes it, and a test compares it.
#   - To eject: delete tests/infra/src/generate, infra/template and the facts; from then on edit this file.
";

/// The files with their texts.
fn written() -> Vec<(&'static str, String)> {
    let (functions, queues, settings) = (Function::all(), Queue::all(), Settings::read());
    let group = |group| blocks(group, &functions, &settings);
    let head = ("how this file is made", HEAD);
    let root = [
        head,
        (
            "what alarms watch",
            &observability::arguments(&queues, &functions),
        ),
        ("functions: intake", &group(Group::Intake)),
        ("functions: api", &group(Group::Api)),
        ("functions: sockets", &group(Group::Sockets)),
        ("functions: workers", &group(Group::Workers)),
        ("functions: sources", &group(Group::Sources)),
    ];
    let messaging = [
        head,
        ("queues", &messaging::queues(&queues, &functions)),
        (
            "dead-letter queues",
            &messaging::dead_letter_queues(&queues),
        ),
        ("outputs", &messaging::outputs(&queues)),
    ];
    let observability = [
        head,
        (
            "parameters",
            &observability::parameters(&queues, &functions),
        ),
        ("dead letters", &observability::dead_letters(&queues)),
        ("ages", &observability::ages(&queues)),
        ("oldest message", &observability::oldest_message(&queues)),
        (
            "dead letters by queue",
            &observability::dead_letters_by_queue(&queues),
        ),
        ("errors", &observability::of_functions("Errors", &functions)),
    ];
    vec![
        ("template.yaml", fill("root.yaml", &root)),
        ("infra/messaging.yaml", fill("messaging.yaml", &messaging)),
        (
            "infra/observability.yaml",
            fill("observability.yaml", &observability),
        ),
    ]
}

#[test]
fn the_templates_follow_from_the_declarations() {
    for (file, text) in written() {
        let path = project().join(file);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let found = std::fs::read_to_string(&path).unwrap();
        let (found, wanted) = (found.lines(), text.lines());
        let differs = found
            .zip(wanted)
            .position(|(found, wanted)| found != wanted);
        assert!(
            differs.is_none() && std::fs::read_to_string(&path).unwrap() == text,
            "{file}, line {:?}: behind the declarations; write it by UPDATE_DOCS=1",
            differs.map(|line| line + 1)
        );
    }
}

/// A longer declaration describes two functions, or repeats a fact that belongs to a pattern.
#[test]
fn what_is_written_by_hand_stays_short() {
    let count = |file: &str| text::read(file).lines().count();
    let mut long = Vec::new();
    for Function { name, .. } in Function::all() {
        let lines = count(&format!("functions/{name}/function.yaml"));
        if lines > 40 {
            long.push(format!("functions/{name}/function.yaml: {lines} lines"));
        }
    }
    for file in ["root", "messaging", "observability", "settings"] {
        let file = format!("infra/template/{file}.yaml");
        let lines = count(&file);
        if lines > 360 {
            long.push(format!("{file}: {lines} lines"));
        }
    }
    assert_none("at most 40 lines a function, 360 a template", &long);
}
