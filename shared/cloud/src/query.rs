//! Pages of one partition or one index.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Cursor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::item::{Item, PK, SK, from_item};
use crate::{Error, Table};

pub use kernel::page::Page;

/// A question to a table or index.
#[derive(Debug, Clone)]
pub struct Query {
    index: Option<String>,
    equals: Vec<(String, AttributeValue)>,
    range: Option<Range>,
    descending: bool,
    limit: Option<i32>,
    cursor: Option<Cursor>,
    consistent: bool,
}

#[derive(Debug, Clone)]
enum Range {
    BeginsWith(String, String),
    Between(String, String, String),
    After(String, String),
}

impl Query {
    /// All items of one partition, strongly consistent.
    pub fn partition(pk: impl Into<String>) -> Self {
        let mut query = Self::over(None);
        query.equals.push((PK.into(), AttributeValue::S(pk.into())));
        query.consistent = true;
        query
    }

    /// Items of an index; every hash attribute must be given with [`Query::with`].
    pub fn index(name: &str) -> Self {
        Self::over(Some(name.into()))
    }

    fn over(index: Option<String>) -> Self {
        let (equals, range, limit, cursor) = (Vec::new(), None, None, None);
        Self {
            index,
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

    /// The sort key begins with this.
    #[must_use]
    pub fn begins_with(mut self, prefix: impl Into<String>) -> Self {
        self.range = Some(Range::BeginsWith(SK.into(), prefix.into()));
        self
    }

    /// The sort key lies between these, both included.
    #[must_use]
    pub fn between(mut self, low: impl Into<String>, high: impl Into<String>) -> Self {
        self.range = Some(Range::Between(SK.into(), low.into(), high.into()));
        self
    }

    /// The sort key is greater than this.
    #[must_use]
    pub fn after(mut self, low: impl Into<String>) -> Self {
        self.range = Some(Range::After(SK.into(), low.into()));
        self
    }

    /// Highest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// At most this many rows a page.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = i32::try_from(rows).ok();
        self
    }

    /// Goes on where a page ended.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }
}

impl Table {
    /// One page. A cursor of another query is refused: it names a key outside the partition.
    pub async fn query<T: DeserializeOwned>(&self, query: Query) -> Result<Page<T>, Error> {
        let start = query.cursor.as_ref().map(decode_cursor).transpose()?;
        if let Some(start) = &start
            && query
                .equals
                .iter()
                .any(|(name, value)| start.get(name) != Some(value))
        {
            return Err(Error::Cursor("belongs to another list"));
        }
        let mut names = HashMap::new();
        let mut values = HashMap::new();
        let mut conditions = Vec::new();
        for (i, (name, value)) in query.equals.into_iter().enumerate() {
            names.insert(format!("#h{i}"), name);
            values.insert(format!(":h{i}"), value);
            conditions.push(format!("#h{i} = :h{i}"));
        }
        if let Some(range) = query.range {
            conditions.push(range_condition(range, &mut names, &mut values));
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
            .map_err(|error| Error::from_sdk("dynamodb", &error))?;
        let next = answer
            .last_evaluated_key
            .as_ref()
            .map(encode_cursor)
            .transpose()?;
        let items = answer.items.unwrap_or_default();
        let data = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
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

fn range_condition(
    range: Range,
    names: &mut HashMap<String, String>,
    values: &mut HashMap<String, AttributeValue>,
) -> String {
    let mut bind = |placeholder: &str, value: String| {
        values.insert(placeholder.to_owned(), AttributeValue::S(value));
    };
    let (name, condition) = match range {
        Range::BeginsWith(name, prefix) => {
            bind(":r0", prefix);
            (name, "begins_with(#r, :r0)")
        }
        Range::Between(name, low, high) => {
            bind(":r0", low);
            bind(":r1", high);
            (name, "#r BETWEEN :r0 AND :r1")
        }
        Range::After(name, low) => {
            bind(":r0", low);
            (name, "#r > :r0")
        }
    };
    names.insert("#r".into(), name);
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
}
