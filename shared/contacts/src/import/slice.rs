//! Parts of the stored rows: whole lines, and the groups of rows that share an identity. Pure.

use std::collections::HashMap;

use super::lines::Row;
use crate::model::Identity;

/// The rows of the whole lines at the beginning of `bytes`, at most `most`, and the bytes that they take. A line
/// that does not parse is our bug and ends the import.
pub fn rows(bytes: &[u8], most: usize) -> Result<(Vec<Row>, usize), serde_json::Error> {
    let mut rows = Vec::new();
    let mut taken = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if rows.len() == most || !line.ends_with(b"\n") {
            break;
        }
        rows.push(serde_json::from_slice(line)?);
        taken += line.len();
    }
    Ok((rows, taken))
}

/// Rows that share an identity, directly or through other rows, in one group and in order. They must not run
/// concurrently: the last row of the file must win.
pub fn groups(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut parents: Vec<usize> = (0..rows.len()).collect();
    let mut seen: HashMap<&Identity, usize> = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        for identity in &row.identities {
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

    fn row(line: u64, ids: &[&str]) -> Row {
        let identities = ids.iter().map(|id| Identity::own(*id)).collect();
        Row {
            line,
            identities,
            ..Row::default()
        }
    }

    #[test]
    fn only_whole_lines_are_taken() {
        let line = serde_json::to_string(&row(2, &["a"])).unwrap() + "\n";
        let text = line.repeat(3) + "{\"line\":";
        let (all, taken) = rows(text.as_bytes(), 10).unwrap();
        assert_eq!((all.len(), taken), (3, line.len() * 3));
        let (two, taken) = rows(text.as_bytes(), 2).unwrap();
        assert_eq!((two.len(), taken), (2, line.len() * 2));
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
