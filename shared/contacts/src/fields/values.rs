//! Values of custom fields of orders, products and conversations. Pure.
//!
//! A contact's values follow the rules of the contact instead: they have sources, and they may be unique.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Definitions, Flaw};

/// Longest values of one thing together, as JSON.
pub const MAX_VALUES_BYTES: usize = 10_000;

/// The values of a thing by the key of their field.
pub type Values = BTreeMap<String, Value>;

/// The values would be longer than [`MAX_VALUES_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the values have at most {MAX_VALUES_BYTES} bytes together")]
pub struct TooLong;

impl Definitions {
    /// Brings given values into their stored form. Beside them stand the flaws, with their places in a body that has the
    /// values in `custom`. Null clears a value; the value may have outlived its field.
    pub fn judge(&self, given: Values) -> (Values, Vec<Flaw>) {
        let (mut stored, mut flaws) = (Values::new(), Vec::new());
        for (name, value) in given {
            let pointer = || format!("/custom/{}", name.replace('~', "~0").replace('/', "~1"));
            match self.get(&name) {
                Some(field) => match self.check(&name, &value) {
                    Ok(value) => drop(stored.insert(field.key.clone(), value)),
                    Err(fault) => flaws.push((pointer(), fault.message)),
                },
                None if value.is_null() => drop(stored.insert(name, value)),
                None => flaws.push((pointer(), "no such field is defined".to_owned())),
            }
        }
        (stored, flaws)
    }
}

/// Changes the values by stored ones: null clears, absent ones stay. Nothing is changed if they would be too long.
pub fn change_values(values: &mut Values, change: &Values) -> Result<(), TooLong> {
    let mut next = values.clone();
    for (name, value) in change {
        if value.is_null() {
            next.remove(name);
        } else {
            next.insert(name.clone(), value.clone());
        }
    }
    let bytes = serde_json::to_string(&next).map_or(usize::MAX, |text| text.len());
    if !change.is_empty() && bytes > MAX_VALUES_BYTES {
        return Err(TooLong);
    }
    *values = next;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(json: Value) -> Values {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn null_clears_a_value_and_absent_ones_stay() {
        let mut all = values(json!({ "a": 1, "b": 2 }));
        let change = values(json!({ "a": null, "c": 3 }));
        assert_eq!(change_values(&mut all, &change), Ok(()));
        assert_eq!(all, values(json!({ "b": 2, "c": 3 })));
    }

    #[test]
    fn values_that_are_too_long_change_nothing() {
        let mut all = values(json!({ "a": 1 }));
        let change = values(json!({ "b": "x".repeat(MAX_VALUES_BYTES) }));
        assert_eq!(change_values(&mut all, &change), Err(TooLong));
        assert_eq!(all, values(json!({ "a": 1 })));
    }
}
