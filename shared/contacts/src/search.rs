//! Search by the beginning of a name's word, an email address, a phone number or the shop's own id.
//!
//! A search walks *ranges* one after another: partitions of names, one of identities, or, without a query, the
//! shards of the whole workspace. A contact may have several rows (each word of a name, an old name that is not
//! deleted yet). The contact is shown for its first row only, as computed from its profile. So no page repeats a
//! contact, and outdated rows are skipped.
//!
//! Cost of a page of 25: half a read unit for each profile and each range that was walked. Two words, an address or a
//! number walk three ranges at most. One word walks the letters of the word after it until the page is full: among many
//! contacts that is the first letter or two, among few at most 27. More contacts never make a page dearer.

use std::collections::HashMap;

use cloud::{Error, Query};
use kernel::text::fold;
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::Deserialize;

use crate::model::{Contact, Identity};
use crate::profiles::Profiles;
use crate::{SHARDS, keys, names};

/// Reads for one page. A page may be shorter than its limit; its `next` is the place to continue.
const MAX_READS: usize = 40;

/// Bytes of a sort key. No stored key begins with a longer text, and DynamoDB refuses such a query.
const MAX_KEY: usize = 1024;

/// A part of the searched rows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Range {
    /// Names with a word that begins with this text, folded; the next word begins with this letter.
    Names(String, char),
    /// Identities of a kind that begin with this text.
    Identities(&'static str, String),
    /// The shop's own id, whole.
    External(String),
    /// A shard of the workspace.
    Shard(u32),
}

#[derive(Deserialize)]
struct Row {
    sk: String,
    contact: Option<ContactId>,
}

impl Profiles {
    /// Contacts with a word of the name, the email or the phone that begins with `query`, or whose external id is
    /// `query`. An empty query gives all contacts. Fewer than three characters find whole words of names only.
    pub async fn search(
        &self,
        tenant: TenantKey,
        query: &str,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Contact>, Error> {
        let ranges = ranges(query);
        let goes_on = cursor.is_some();
        let (mut at, mut inner) = resume(cursor)?;
        if goes_on && at >= ranges.len() {
            return Err(Error::Cursor("belongs to another list"));
        }
        let mut data = Vec::new();
        for _ in 0..MAX_READS {
            let left = limit.get() - data.len() as u32;
            let Some(range) = ranges.get(at).filter(|_| left > 0) else {
                break;
            };
            let question = question(tenant, range).limit(left).cursor(inner.take());
            let page = self.contacts.query::<Row>(question).await?;
            data.extend(self.shown(tenant, &ranges, at, page.data).await?);
            match page.next {
                Some(next) => inner = Some(next),
                None => at += 1,
            }
        }
        let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
        let next = (at < ranges.len()).then(|| Cursor(format!("{at}.{inner}")));
        Ok(Page { data, next })
    }

    /// The contacts of those rows that are the first row of their contact.
    async fn shown(
        &self,
        tenant: TenantKey,
        ranges: &[Range],
        at: usize,
        rows: Vec<Row>,
    ) -> Result<Vec<Contact>, Error> {
        let ids: Vec<ContactId> = rows.iter().filter_map(|row| row.contact).collect();
        let mut found: HashMap<ContactId, Contact> = self.glance(tenant, &ids).await?;
        let mut shown = Vec::new();
        for row in rows {
            let Some(contact) = row.contact.and_then(|id| found.remove(&id)) else {
                continue;
            };
            if first_row(ranges, &contact).is_some_and(|first| first == (at, row.sk.clone())) {
                shown.push(contact);
            } else {
                // Another row of this page may be the contact's first row.
                found.insert(contact.id, contact);
            }
        }
        Ok(shown)
    }
}

/// The partition to read for a query.
fn ranges(query: &str) -> Vec<Range> {
    let query = query.trim();
    let folded = fold(query).replace('#', " ").trim().to_owned();
    if folded.is_empty() {
        return (0..SHARDS).map(Range::Shard).collect();
    }
    let mut ranges = Vec::new();
    let phone_like = query
        .chars()
        .all(|c| c.is_ascii_digit() || "+ .-()".contains(c));
    if phone_like {
        let digits: String = query.chars().filter(char::is_ascii_digit).collect();
        let phones = phone_prefixes(&digits);
        ranges.extend(phones.map(|prefix| Range::Identities("phone", prefix)));
        ranges.push(Range::External(query.to_owned()));
    } else if folded.contains(' ') {
        // No address holds a space.
        ranges.extend(names_like(&folded));
        ranges.push(Range::External(query.to_owned()));
    } else {
        // The ranges of one query first: a word has a range of names for each letter that may follow.
        ranges.push(Range::External(query.to_owned()));
        ranges.push(Range::Identities("email", query.to_lowercase()));
        if !query.contains('@') {
            ranges.extend(names_like(&folded));
        }
    }
    let sensible = |prefix: &str, least| prefix.chars().count() >= least && prefix.len() <= MAX_KEY;
    ranges.retain(|range| match range {
        Range::Identities(_, prefix) => sensible(prefix, keys::HEAD),
        Range::Names(prefix, _) => sensible(prefix, 2),
        Range::External(id) => sensible(id, 1),
        Range::Shard(_) => true,
    });
    ranges
}

/// The partitions of the names that begin with this folded text: one as soon as the second word is begun.
fn names_like(prefix: &str) -> Vec<Range> {
    let range = |second| Range::Names(prefix.to_owned(), second);
    if prefix.contains(' ') {
        vec![range(keys::initial(prefix))]
    } else {
        keys::initials().map(range).collect()
    }
}

/// The stored forms of a number that begins with the typed digits: without trunk prefix or country code.
fn phone_prefixes(digits: &str) -> impl Iterator<Item = String> + use<> {
    let plain = digits.strip_prefix("0084").or(digits.strip_prefix('0'));
    let without_country = plain.is_none().then(|| digits.strip_prefix("84")).flatten();
    let plain = plain.unwrap_or(digits).to_owned();
    [Some(plain), without_country.map(str::to_owned)]
        .into_iter()
        .flatten()
}

fn question(tenant: TenantKey, range: &Range) -> Query {
    match range {
        Range::Names(prefix, second) => {
            let partition = keys::name_partition(tenant, prefix, *second);
            Query::partition(partition).begins_with(prefix).eventual()
        }
        Range::Identities(kind, prefix) => {
            let partition = keys::identity_partition(tenant, kind, prefix);
            Query::partition(partition).begins_with(prefix).eventual()
        }
        Range::External(id) => {
            let partition = keys::identity_partition(tenant, "external", id);
            Query::partition(partition).between(id, id).eventual()
        }
        Range::Shard(shard) => Query::index("ByShard", &["contact"])
            .with("tenant", tenant.to_string())
            .with_number("shard", *shard),
    }
}

/// The first row of a contact, by range and sort key.
fn first_row(ranges: &[Range], contact: &Contact) -> Option<(usize, String)> {
    let rows = ranges.iter().enumerate().filter_map(|(i, range)| {
        let row = match range {
            Range::Names(prefix, second) => {
                let name = contact.person.full_name.as_deref().unwrap_or_default();
                let rotations = names::rotations(name).into_iter();
                let matching = rotations.filter(|rotation| {
                    matches(rotation, prefix) && keys::initial(rotation) == *second
                });
                matching
                    .map(|rotation| format!("{rotation}#{}", contact.id))
                    .min()
            }
            Range::Identities(kind, prefix) => identity_row(contact, kind, prefix),
            Range::External(id) => {
                let own = crate::Identity::own(id.as_str());
                contact.owned().contains(&own).then(|| id.clone())
            }
            Range::Shard(shard) => {
                (crate::shard(contact.id) == *shard).then(|| keys::PROFILE.to_owned())
            }
        };
        row.map(|row| (i, row))
    });
    rows.min()
}

/// The first of the rows of that kind that begin with the prefix.
fn identity_row(contact: &Contact, kind: &str, prefix: &str) -> Option<String> {
    let is_meant = |identity: &Identity| {
        keys::kind(identity) == kind && matches(&keys::value(identity), prefix)
    };
    let own = contact.owned().into_iter().filter(is_meant);
    let beside = contact.beside().into_iter().filter(is_meant);
    let own = own.map(|identity| keys::value(&identity));
    let beside = beside.map(|identity| keys::beside_order(&keys::value(&identity), contact.id));
    own.chain(beside).min()
}

/// Whether a value begins with the prefix and is in the partition that the prefix names.
fn matches(value: &str, prefix: &str) -> bool {
    value.starts_with(prefix) && keys::head(value) == keys::head(prefix)
}

/// Where a page ended: the range, and the place in the range.
fn resume(cursor: Option<Cursor>) -> Result<(usize, Option<Cursor>), Error> {
    let Some(Cursor(text)) = cursor else {
        return Ok((0, None));
    };
    let damaged = || Error::Cursor("is damaged");
    let (at, inner) = text.split_once('.').ok_or_else(damaged)?;
    let at = at.parse().map_err(|_| damaged())?;
    let inner = Some(inner).filter(|inner| !inner.is_empty());
    Ok((at, inner.map(|inner| Cursor(inner.to_owned()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phones(query: &str) -> Vec<String> {
        let phones = ranges(query).into_iter().filter_map(|range| match range {
            Range::Identities("phone", prefix) => Some(prefix),
            _ => None,
        });
        phones.collect()
    }

    #[test]
    fn a_number_is_found_however_it_is_typed() {
        assert_eq!(phones("0912 345"), ["912345"]);
        assert_eq!(phones("+84912345"), ["84912345", "912345"]);
        assert_eq!(phones("0084 912.345"), ["912345"]);
        assert_eq!(phones("912345678"), ["912345678"]);
        assert!(phones("09").is_empty());
    }

    #[test]
    fn words_look_in_names_and_addresses() {
        assert_eq!(
            ranges("Trần T"),
            [
                Range::Names("tran t".into(), 't'),
                Range::External("Trần T".into()),
            ]
        );
        let of_one_word = ranges("An");
        assert_eq!(of_one_word[0], Range::External("An".into()));
        assert_eq!(of_one_word[1], Range::Names("an".into(), 'a'));
        assert_eq!(of_one_word.len(), 28);
        let of_three = ranges("Anh");
        assert_eq!(of_three[1], Range::Identities("email", "anh".into()));
        assert_eq!(ranges("  ").len(), SHARDS as usize);
        assert_eq!(ranges("a"), [Range::External("a".into())]);
        let of_names = |range: &Range| matches!(range, Range::Names(..));
        assert!(!ranges("an@ex").iter().any(of_names));
    }

    #[test]
    fn what_is_longer_than_a_key_is_not_asked_for() {
        assert!(ranges(&"😀".repeat(257)).is_empty());
        assert_eq!(ranges(&"😀".repeat(255)).len(), 29);
    }

    #[test]
    fn two_letters_are_a_whole_word() {
        assert!(matches("an tran", "an") && matches("an", "an"));
        assert!(!matches("anh tran", "an"));
        assert!(matches("anh tran", "anh"));
    }

    #[test]
    fn a_damaged_cursor_is_refused() {
        for bad in ["", "x.", "7"] {
            assert!(resume(Some(Cursor(bad.into()))).is_err(), "{bad}");
        }
        assert_eq!(resume(Some(Cursor("2.".into()))).unwrap(), (2, None));
    }
}
