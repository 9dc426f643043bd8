//! The lists that Haravan and Sapo Web share: pages by `since_id`, objects under the name of their kind.

use bytes::Bytes;
use serde_json::Value;

use crate::api::{ApiError, Asked, Object, Page, Told, query};
use crate::json;

/// Objects of a page: the most that Haravan gives.
const PAGE: usize = 50;

/// Path and query of a page. `changed` is the name of the filter by the time of the last change.
pub fn path(asked: &Asked<'_>, changed: &'static str) -> String {
    let mut pairs = vec![
        ("limit", PAGE.to_string()),
        ("since_id", asked.cursor.unwrap_or("0").to_owned()),
        ("order", "id asc".to_owned()),
    ];
    if asked.object == Object::Orders {
        pairs.push(("status", "any".to_owned()));
    }
    if let Some(since) = asked.since {
        pairs.push((changed, since.to_string()));
    }
    format!("{}.json?{}", asked.object.name(), query(&pairs))
}

/// Path and query of the number of all objects.
pub fn count(asked: &Asked<'_>, changed: &'static str) -> String {
    let mut pairs = Vec::new();
    if asked.object == Object::Orders {
        pairs.push(("status", "any".to_owned()));
    }
    if let Some(since) = asked.since {
        pairs.push((changed, since.to_string()));
    }
    format!("{}/count.json?{}", asked.object.name(), query(&pairs))
}

/// Reads a page. The next one begins after the greatest id.
pub fn page(asked: &Asked<'_>, value: &Value) -> Result<Page, ApiError> {
    let list = value.get(asked.object.name()).and_then(Value::as_array);
    let objects = list
        .ok_or_else(|| ApiError::Unexpected("no list".into()))?
        .clone();
    let ids = objects
        .iter()
        .filter_map(|one| json::text_at(one, "id")?.parse::<u64>().ok());
    let last = ids.max().filter(|_| objects.len() >= PAGE);
    Ok(Page {
        next: last.map(|id| id.to_string()),
        objects,
        total: None,
    })
}

/// A request for each object, as a webhook of `…/update`.
pub fn told(
    object: Object,
    objects: &[Value],
    topic: &'static str,
    shop: (&'static str, &str),
) -> Vec<Told> {
    let act = if object == Object::Orders {
        "updated"
    } else {
        "update"
    };
    let one = |value: &Value| {
        let headers = vec![
            (topic, format!("{}/{act}", object.name())),
            (shop.0, shop.1.to_owned()),
        ];
        (headers, value.to_string())
    };
    objects.iter().map(one).collect()
}

/// No body.
pub fn nothing() -> Bytes {
    Bytes::new()
}
