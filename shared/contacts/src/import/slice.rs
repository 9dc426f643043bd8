//! The groups of rows that share an identity. Pure.

use std::collections::HashMap;

use super::rows::Row;
use crate::model::Identity;

/// Rows that share an identity, directly or through other rows, in one group and in order. They must not run
/// concurrently: the last row of the file must win.
pub fn groups(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut parents: Vec<usize> = (0..rows.len()).collect();
    let mut seen: HashMap<&Identity, usize> = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        for identity in &row.contact.identities {
            if let Some(&other) = seen.get(identity) {
                let (a, b) = (root(&parents, i), root(&parents, other));
                parents[a.max(b)] = a.min(b);
            }
            seen.insert(identity, i);
        }
    }
    let roots: Vec<usize> = (0..rows.len()).map(|i| root(&parents, i)).collect();
    let mut groups: HashMap<usize, Vec<Row>> = HashMap::new();
    for (row, root) in rows.into_iter().zip(roots) {
        groups.entry(root).or_default().push(row);
    }
    let mut groups: Vec<Vec<Row>> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| group.first().map(|row| row.line));
    groups
}

fn root(parents: &[usize], mut at: usize) -> usize {
    while parents[at] != at {
        at = parents[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rows::Heard;
    use crate::model::Incoming;

    fn row(line: u64, ids: &[&str]) -> Row {
        let identities = ids.iter().map(|id| Identity::own(*id));
        let contact = Incoming {
            identities: identities.collect(),
            ..Incoming::default()
        };
        Row {
            line,
            contact,
            heard: Heard::default(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn rows_that_share_an_identity_stay_in_order() {
        let rows = vec![
            row(2, &["a"]),
            row(3, &["b", "c"]),
            row(4, &["d"]),
            row(5, &["a", "c"]),
        ];
        let groups = groups(rows);
        let lines: Vec<Vec<u64>> = groups
            .iter()
            .map(|group| group.iter().map(|row| row.line).collect())
            .collect();
        assert_eq!(lines, [vec![2, 3, 5], vec![4]]);
    }
}
