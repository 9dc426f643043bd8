//! Pages of one partition or one index.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Cursor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::item::{Item, Key, PK, SK};
use crate::{Error, Table};

pub use kernel::page::Page;

/// Longest sort key that DynamoDB accepts, in bytes.
const LONGEST_KEY: usize = 1024;

/// A query of a table or index.
#[derive(Debug, Clone)]
pub struct Query {
    index: Option<String>,
    sort: Vec<String>,
    equals: Vec<(String, AttributeValue)>,
    range: Option<Range>,
    descending: bool,
    limit: Option<i32>,
    cursor: Option<Cursor>,
    consistent: bool,
}

#[derive(Debug, Clone)]
enum Range {
    BeginsWith(String),
    Between(String, String),
    After(String),
}

impl Range {
    fn holds(&self, sk: &str) -> bool {
        match self {
            Self::BeginsWith(prefix) => sk.starts_with(prefix),
            Self::Between(low, high) => (low.as_str()..=high.as_str()).contains(&sk),
            Self::After(low) => sk > low.as_str(),
        }
    }
}

impl Query {
    /// All items of one partition, strongly consistent.
    pub fn partition(pk: impl Into<String>) -> Self {
        let mut query = Self::over(None, &[]);
        query.equals.push((PK.into(), AttributeValue::S(pk.into())));
        query.consistent = true;
        query
    }

    /// Items of an index, whose range attributes are `sort`; every hash attribute must be given with
    /// [`Query::with`].
    pub fn index(name: &str, sort: &[&str]) -> Self {
        Self::over(Some(name.into()), sort)
    }

    fn over(index: Option<String>, sort: &[&str]) -> Self {
        let (equals, range, limit, cursor) = (Vec::new(), None, None, None);
        Self {
            index,
            sort: sort.iter().map(|&name| name.to_owned()).collect(),
            equals,
            range,
            descending: false,
            limit,
            cursor,
            consistent: false,
        }
    }

    /// The key attribute has this text.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        self.equals
            .push((attribute.into(), AttributeValue::S(value.into())));
        self
    }

    /// The key attribute has this number.
    #[must_use]
    pub fn with_number(mut self, attribute: &str, value: u32) -> Self {
        self.equals
            .push((attribute.into(), AttributeValue::N(value.to_string())));
        self
    }

    /// The sort key begins with this text.
    #[must_use]
    pub fn begins_with(mut self, prefix: impl Into<String>) -> Self {
        self.range = Some(Range::BeginsWith(prefix.into()));
        self
    }

    /// The sort key is between these, both included.
    #[must_use]
    pub fn between(mut self, low: impl Into<String>, high: impl Into<String>) -> Self {
        self.range = Some(Range::Between(low.into(), high.into()));
        self
    }

    /// The sort key is greater than this.
    #[must_use]
    pub fn after(mut self, low: impl Into<String>) -> Self {
        self.range = Some(Range::After(low.into()));
        self
    }

    /// Highest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Eventually consistent, at half the price: for reads that no decision depends on.
    #[must_use]
    pub fn eventual(mut self) -> Self {
        self.consistent = false;
        self
    }

    /// At most this many rows a page.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = i32::try_from(rows).ok();
        self
    }

    /// Continues where a page ended.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }

    /// The attribute that the range is about: the first range attribute of the index, else the sort key.
    fn ranged(&self) -> &str {
        self.sort.first().map_or(SK, String::as_str)
    }

    /// The key that the cursor names. DynamoDB answers a key of another list with a validation error, which would
    /// look like our fault. So a key that is not a key of exactly this list is refused here.
    fn start(&self) -> Result<Option<Item>, Error> {
        let Some(start) = self.cursor.as_ref().map(decode_cursor).transpose()? else {
            return Ok(None);
        };
        let fixed = |name: &String| self.equals.iter().find(|(given, _)| given == name);
        let names: BTreeSet<&str> = self
            .equals
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(self.sort.iter().map(String::as_str))
            .chain([PK, SK])
            .collect();
        let is_ours = start.len() == names.len()
            && start.iter().all(|(name, value)| match fixed(name) {
                Some((_, expected)) => value == expected,
                None => names.contains(name.as_str()) && is_key_text(value),
            });
        let sk = start.get(self.ranged()).and_then(|sk| sk.as_s().ok());
        let is_within = match (&self.range, sk) {
            (Some(range), Some(sk)) => range.holds(sk),
            (range, _) => range.is_none(),
        };
        if is_ours && is_within {
            Ok(Some(start))
        } else {
            Err(Error::Cursor("belongs to another list"))
        }
    }
}

/// A value that DynamoDB accepts as a part of a key.
fn is_key_text(value: &AttributeValue) -> bool {
    value
        .as_s()
        .is_ok_and(|text| (1..=LONGEST_KEY).contains(&text.len()))
}

impl Table {
    /// One page. A cursor of another query is refused.
    pub async fn query<T: DeserializeOwned>(&self, query: Query) -> Result<Page<T>, Error> {
        let Page { data, next } = self.items(query).await?;
        let data = data.into_iter().map(|item| self.read("Query", item));
        let data = data.collect::<Result<_, _>>()?;
        Ok(Page { data, next })
    }

    /// The keys of one page.
    pub async fn keys(&self, query: Query) -> Result<Vec<Key>, Error> {
        let page = self.items(query).await?;
        page.data.iter().map(Key::of).collect()
    }

    /// One page of items as they are stored, for callers that must skip an unreadable item.
    pub(crate) async fn items(&self, query: Query) -> Result<Page<Item>, Error> {
        let start = query.start()?;
        let ranged = query.ranged().to_owned();
        let mut names = HashMap::new();
        let mut values = HashMap::new();
        let mut conditions = Vec::new();
        for (i, (name, value)) in query.equals.into_iter().enumerate() {
            names.insert(format!("#h{i}"), name);
            values.insert(format!(":h{i}"), value);
            conditions.push(format!("#h{i} = :h{i}"));
        }
        if let Some(range) = query.range {
            conditions.push(range_condition(range, &mut values));
            names.insert("#r".into(), ranged);
        }
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(query.index)
            .key_condition_expression(conditions.join(" AND "))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(!query.descending)
            .set_limit(query.limit)
            .set_exclusive_start_key(start)
            .consistent_read(query.consistent)
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("Query"), &error))?;
        let next = answer
            .last_evaluated_key
            .as_ref()
            .map(encode_cursor)
            .transpose()?;
        let data = answer.items.unwrap_or_default();
        Ok(Page { data, next })
    }

    /// Every row of a query, page after page. Only for partitions that are bounded by design.
    pub async fn query_all<T: DeserializeOwned>(&self, query: Query) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.query(query.clone().cursor(cursor)).await?;
            rows.extend(page.data);
            if page.next.is_none() {
                return Ok(rows);
            }
            cursor = page.next;
        }
    }
}

fn range_condition(range: Range, values: &mut HashMap<String, AttributeValue>) -> String {
    let mut bind = |placeholder: &str, value: String| {
        values.insert(placeholder.to_owned(), AttributeValue::S(value));
    };
    let condition = match range {
        Range::BeginsWith(prefix) => {
            bind(":r0", prefix);
            "begins_with(#r, :r0)"
        }
        Range::Between(low, high) => {
            bind(":r0", low);
            bind(":r1", high);
            "#r BETWEEN :r0 AND :r1"
        }
        Range::After(low) => {
            bind(":r0", low);
            "#r > :r0"
        }
    };
    condition.into()
}

/// Keys hold texts and numbers only; the cursor is their JSON, so that any client can carry it.
#[derive(Serialize, serde::Deserialize)]
#[serde(untagged)]
enum KeyPart {
    Text(String),
    Number { n: String },
}

fn encode_cursor(key: &Item) -> Result<Cursor, Error> {
    let parts = key
        .iter()
        .map(|(name, value)| match value {
            AttributeValue::S(text) => Ok((name, KeyPart::Text(text.clone()))),
            AttributeValue::N(number) => Ok((name, KeyPart::Number { n: number.clone() })),
            _ => Err(Error::Shape(format!(
                "key attribute {name} is neither text nor number"
            ))),
        })
        .collect::<Result<std::collections::BTreeMap<_, _>, _>>()?;
    let json = serde_json::to_vec(&parts).map_err(|error| Error::Shape(error.to_string()))?;
    Ok(Cursor(URL_SAFE_NO_PAD.encode(json)))
}

fn decode_cursor(cursor: &Cursor) -> Result<Item, Error> {
    let bytes = URL_SAFE_NO_PAD
        .decode(&cursor.0)
        .map_err(|_| Error::Cursor("is damaged"))?;
    let parts: HashMap<String, KeyPart> =
        serde_json::from_slice(&bytes).map_err(|_| Error::Cursor("is damaged"))?;
    let attribute = |part| match part {
        KeyPart::Text(text) => AttributeValue::S(text),
        KeyPart::Number { n } => AttributeValue::N(n),
    };
    Ok(parts
        .into_iter()
        .map(|(name, part)| (name, attribute(part)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_a_damaged_one_is_refused() {
        let key = Item::from([
            ("pk".into(), AttributeValue::S("ws_1#con".into())),
            ("shard".into(), AttributeValue::N("7".into())),
        ]);
        let cursor = encode_cursor(&key).unwrap();
        assert_eq!(decode_cursor(&cursor).unwrap(), key);
        for bad in ["", "!", "bm90IGpzb24"] {
            assert!(decode_cursor(&Cursor(bad.into())).is_err());
        }
    }

    fn cursor(parts: &[(&str, &str)]) -> Cursor {
        let text = |text: &&str| AttributeValue::S((*text).to_owned());
        let key = parts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)));
        encode_cursor(&key.collect()).unwrap()
    }

    #[test]
    fn a_cursor_is_a_key_of_its_list_or_nothing() {
        type Case<'a> = (Query, &'a [(&'a str, &'a str)], bool);
        let lists = || Query::partition("ws_1").begins_with("LIST#");
        let index = || Query::index("ByStatus", &["last"]).with("tenant", "ws_1");
        let late = || Query::partition("ws_1").between("B", "D");
        let long = "x".repeat(1025);
        let cases: &[Case<'_>] = &[
            (lists(), &[("pk", "ws_1"), ("sk", "LIST#7")], true),
            (lists(), &[("pk", "ws_1"), ("sk", "INBOX#7")], false),
            (lists(), &[("pk", "ws_2"), ("sk", "LIST#7")], false),
            (lists(), &[("pk", "ws_1")], false),
            (lists(), &[("sk", "LIST#7")], false),
            (lists(), &[], false),
            (
                lists(),
                &[("pk", "ws_1"), ("sk", "LIST#7"), ("x", "y")],
                false,
            ),
            (late(), &[("pk", "ws_1"), ("sk", "B")], true),
            (late(), &[("pk", "ws_1"), ("sk", "D")], true),
            (late(), &[("pk", "ws_1"), ("sk", "DA")], false),
            (
                Query::partition("ws_1"),
                &[("pk", "ws_1"), ("sk", "")],
                false,
            ),
            (
                Query::partition("ws_1"),
                &[("pk", "ws_1"), ("sk", &long)],
                false,
            ),
            (
                index(),
                &[("tenant", "ws_1"), ("last", "9"), ("pk", "a"), ("sk", "b")],
                true,
            ),
            (
                index(),
                &[("tenant", "ws_1"), ("pk", "a"), ("sk", "b")],
                false,
            ),
            (
                index(),
                &[("tenant", "ws_1"), ("other", "9"), ("pk", "a"), ("sk", "b")],
                false,
            ),
        ];
        for (query, parts, is_ours) in cases {
            let start = query.clone().cursor(Some(cursor(parts))).start();
            assert_eq!(start.is_ok(), *is_ours, "{parts:?}");
        }
    }
}
