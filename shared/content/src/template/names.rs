//! The variables that a template defines.

use std::collections::BTreeSet;

use super::chain::Path;
use super::scan::{Kind, Piece};

/// The names a template defines itself.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// All of them.
    pub local: BTreeSet<String>,
    /// The variables that only `capture` fills.
    pub captured: BTreeSet<String>,
}

impl Names {
    /// Finds them.
    pub fn collect(pieces: &[Piece<'_>]) -> Names {
        let mut names = Names::default();
        names.local.insert("forloop".to_owned());
        let mut assigned = BTreeSet::new();
        for piece in pieces {
            let Kind::Tag { name, rest } = piece.kind else {
                continue;
            };
            let target = rest
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
                .next()
                .unwrap_or("")
                .to_owned();
            match name {
                "capture" => {
                    names.captured.insert(target);
                }
                "assign" | "for" | "increment" | "decrement" => {
                    assigned.insert(target);
                }
                _ => {}
            }
        }
        names.captured.retain(|name| !assigned.contains(name));
        names.local.extend(names.captured.iter().cloned());
        names.local.extend(assigned);
        names
    }

    /// A path into a value that the template made: a missing step would be an error in Liquid.
    pub fn is_strict(&self, path: &Path) -> bool {
        !path.is_bare && self.local.contains(&path.root)
    }
}
