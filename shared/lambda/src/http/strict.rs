//! Checks of JSON before it is read into a type: no repeated name in an object, and no nesting that only an attacker
//! needs. Parsers read a repeated name differently, so a check in front of us could see another value (RFC 8259 4).

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 32;

/// Place and reason of a refusal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flaw {
    /// JSON pointer.
    pub pointer: String,
    /// The flaw.
    pub message: String,
}

/// Finds the first flaw. Text that is not JSON has none here: the parser reports that better.
pub(super) fn flaw(text: &str) -> Option<Flaw> {
    let mut flaw = None;
    let mut path = Vec::new();
    let value = Value {
        path: &mut path,
        flaw: &mut flaw,
    };
    let _ = value.deserialize(&mut serde_json::Deserializer::from_str(text));
    flaw
}

struct Value<'a> {
    path: &'a mut Vec<String>,
    flaw: &'a mut Option<Flaw>,
}

impl Value<'_> {
    fn refuse<E: Error>(&mut self, message: &str) -> E {
        let pointer = self.path.iter().flat_map(|part| ["/", part]).collect();
        let message = message.to_owned();
        *self.flaw = Some(Flaw { pointer, message });
        E::custom("refused")
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.path.len() >= MAX_DEPTH {
            return Err(self.refuse(&format!("nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn child(&mut self) -> Value<'_> {
        Value {
            path: self.path,
            flaw: self.flaw,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            self.path.push(name.replace('~', "~0").replace('/', "~1"));
            if !names.insert(name) {
                return Err(self.refuse("is given twice"));
            }
            map.next_value_seed(self.child())?;
            self.path.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.enter()?;
        for index in 0.. {
            self.path.push(index.to_string());
            if seq.next_element_seed(self.child())?.is_none() {
                break;
            }
            self.path.pop();
        }
        self.path.pop();
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            ".*".prop_map(Json::from),
        ];
        leaf.prop_recursive(8, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::btree_map(".*", inner, 0..6)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_we_write_ourselves_has_no_flaw(value in json()) {
            prop_assert_eq!(flaw(&value.to_string()), None);
        }
    }

    #[test]
    fn a_name_given_twice_is_found_wherever_it_is() {
        for (text, pointer) in [
            (r#"{"a":1,"a":2}"#, "/a"),
            (r#"{"a":1,"\u0061":2}"#, "/a"),
            (r#"{"x":[{"a/b":1},{"a/b":1,"a/b":1}]}"#, "/x/1/a~1b"),
        ] {
            assert_eq!(
                flaw(text).map(|flaw| flaw.pointer),
                Some(pointer.into()),
                "{text}"
            );
        }
        assert_eq!(flaw(r#"[{"a":1},{"a":1},[],[{}]]"#), None);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(flaw(&nested(MAX_DEPTH)), None);
        assert!(flaw(&nested(MAX_DEPTH + 1)).is_some());
        assert!(flaw(&nested(1_000_000)).is_some());
    }
}
