//! No row that is written for each message is larger than a write unit.

use std::collections::{BTreeMap, BTreeSet};

use super::run::Run;

/// Bytes of one write unit.
const LARGEST: usize = 1_024;

/// Kinds of rows over the limit today: scenario, kind, and the change that will shrink it. A row that is large
/// and not listed fails the test; a listed row that fits also fails the test.
const EXPECTED: &[(&str, &str, &str)] = &[];

/// Fails where a row is over the limit, and where none of these tables was written.
pub fn check(scenario: &str, run: &Run, tables: &[&str]) {
    let kept = run.world.aws.kept(&run.world.model).unwrap();
    for table in tables {
        assert!(
            kept.iter().any(|row| row.table == *table),
            "no row of {table}"
        );
    }
    let sizes = kept
        .iter()
        .map(|row| (format!("{} {}", row.table, row.kind), row.largest));
    let sizes: BTreeMap<String, usize> = sizes.collect();
    let large = sizes.iter().filter(|(_, size)| **size > LARGEST);
    let large: BTreeSet<&str> = large.map(|(kind, _)| kind.as_str()).collect();
    let listed = EXPECTED.iter().filter(|(of, ..)| *of == scenario);
    let listed: BTreeSet<&str> = listed.map(|(_, kind, _)| *kind).collect();
    let new = large.difference(&listed);
    let new: Vec<String> = new
        .map(|kind| format!("{kind}: {} bytes", sizes[*kind]))
        .collect();
    assert!(
        new.is_empty(),
        "{scenario}, rows over a write unit:\n{}",
        new.join("\n")
    );
    let mended: Vec<_> = listed.difference(&large).collect();
    assert!(
        mended.is_empty(),
        "{scenario}: take off EXPECTED what fits: {mended:?}"
    );
}
