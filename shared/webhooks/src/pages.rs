//! Joins the ends of several lists to one page. Pure.

/// The first entries of a list, and whether the list has more.
pub(crate) struct End<T> {
    /// Entries, newest first.
    pub entries: Vec<T>,
    /// Whether there are more.
    pub goes_on: bool,
}

/// The newest entries of all lists, and whether there are more. No entry older than the oldest one that was read of a list
/// with more: that list may hold newer ones.
pub(crate) fn joined<T: Ord>(ends: Vec<End<T>>, limit: usize) -> (Vec<T>, bool) {
    let open = ends.iter().filter(|end| end.goes_on);
    let oldest = open.filter_map(|end| end.entries.iter().min()).max();
    let known = |entry: &T| oldest.is_none_or(|oldest| entry >= oldest);
    let all: usize = ends.iter().map(|end| end.entries.len()).sum();
    let some_go_on = oldest.is_some();
    let keep: Vec<Vec<bool>> = ends
        .iter()
        .map(|end| end.entries.iter().map(known).collect())
        .collect();
    let entries = ends.into_iter().zip(keep);
    let mut page: Vec<T> = entries
        .flat_map(|(end, keep)| end.entries.into_iter().zip(keep))
        .filter_map(|(entry, keep)| keep.then_some(entry))
        .collect();
    page.sort_unstable_by(|a, b| b.cmp(a));
    page.truncate(limit);
    let goes_on = some_go_on || page.len() < all;
    (page, goes_on)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Pages of any size give every entry once, newest first, however the entries lie in the lists.
        #[test]
        fn pages_are_the_whole_list_in_order(
            placed in proptest::collection::btree_map(0u32..9_999, 0usize..4, 0..60),
            limit in 1usize..9,
            most in 1usize..9,
        ) {
            let (mut read, mut before) = (Vec::new(), u32::MAX);
            loop {
                let ends = (0..4).map(|shard| {
                    let mut entries: Vec<u32> = placed
                        .iter()
                        .filter(|(number, of)| **of == shard && **number < before)
                        .map(|(number, _)| *number)
                        .collect();
                    entries.reverse();
                    let goes_on = entries.len() > most;
                    entries.truncate(most);
                    End { entries, goes_on }
                });
                let (page, goes_on) = joined(ends.collect(), limit);
                read.extend(page.iter().copied());
                if !goes_on {
                    break;
                }
                before = page.last().copied().unwrap_or(0);
            }
            let all: BTreeSet<u32> = placed.keys().copied().collect();
            let newest: Vec<u32> = all.into_iter().rev().collect();
            prop_assert_eq!(read, newest);
        }
    }
}
