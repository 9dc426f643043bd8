//! Vietnamese names: family name first, given name last. Also the forms of a name that the search uses. Pure.

use std::collections::BTreeSet;

use kernel::text::fold;

/// Words of a name from which a search may start.
const MAX_ROTATIONS: usize = 6;
/// Longest folded name that is indexed, in characters.
const MAX_INDEXED: usize = 80;

/// The given name and the part before it: `Trần Thị An` is (`An`, `Trần Thị`).
pub fn split(full: &str) -> (String, Option<String>) {
    let full = full.trim();
    match full.rsplit_once(char::is_whitespace) {
        Some((family, given)) => (given.to_owned(), Some(family.trim_end().to_owned())),
        None => (full.to_owned(), None),
    }
}

/// The whole name from its parts.
pub fn join(family: Option<&str>, given: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = [family, given].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The folded name, starting at each of its words. So a search by any word finds the name.
pub fn rotations(full: &str) -> BTreeSet<String> {
    let folded: String = fold(full)
        .replace('#', " ")
        .chars()
        .take(MAX_INDEXED)
        .collect();
    let words: Vec<&str> = folded.split_whitespace().collect();
    (0..words.len().min(MAX_ROTATIONS))
        .map(|start| {
            let (before, after) = words.split_at(start);
            [after, before].concat().join(" ")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn given_name_is_the_last_word() {
        assert_eq!(split("Trần Thị An"), ("An".into(), Some("Trần Thị".into())));
        assert_eq!(split(" An "), ("An".into(), None));
        assert_eq!(join(Some("Trần"), Some("An")).as_deref(), Some("Trần An"));
        assert_eq!(join(None, None), None);
    }

    #[test]
    fn every_word_begins_a_rotation() {
        let rotations: Vec<String> = rotations("Trần Thị Ánh").into_iter().collect();
        assert_eq!(rotations, ["anh tran thi", "thi anh tran", "tran thi anh"]);
    }

    #[test]
    fn a_separator_in_a_name_cannot_forge_a_key() {
        assert!(
            rotations("a#con_1")
                .iter()
                .all(|rotation| !rotation.contains('#'))
        );
        assert!(rotations("  ").is_empty());
    }

    proptest! {
        #[test]
        fn rotations_are_bounded(name in "\\PC{0,300}") {
            let rotations = rotations(&name);
            prop_assert!(rotations.len() <= MAX_ROTATIONS);
            prop_assert!(rotations.iter().all(|rotation| rotation.chars().count() <= MAX_INDEXED));
        }
    }
}
