//! A field of a change: absent keeps what is there, `null` clears it, a value replaces it (RFC 7396).

use serde::{Deserialize, Deserializer};

/// The change of one field that may be empty. Mark it `#[serde(default)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The field is absent.
    #[default]
    Keep,
    /// The field is `null`.
    Clear,
    /// The field has a value.
    Set(T),
}

impl<T> Patch<T> {
    /// The value of the field after the change.
    pub fn onto(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The new value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Change {
        #[serde(default)]
        name: Patch<String>,
    }

    #[test]
    fn absent_null_and_a_value_differ() {
        let name = |json: &str| {
            let change: Change = serde_json::from_str(json).unwrap();
            change.name.onto(Some("An".into()))
        };
        assert_eq!(name("{}").as_deref(), Some("An"));
        assert_eq!(name(r#"{"name": null}"#), None);
        assert_eq!(name(r#"{"name": "Bình"}"#).as_deref(), Some("Bình"));
    }
}
