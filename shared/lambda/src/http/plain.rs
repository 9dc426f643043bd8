//! Plain wording for a parser's errors, for clients of the API. Pure; knows no request.

/// A parser's error in the form of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    /// The field of the object at the error's place, if the error names one.
    pub field: Option<String>,
    /// The flaw, in plain words.
    pub message: String,
}

impl Plain {
    /// Adds the field to the place of its object, unless the place already names the field.
    pub fn at(&self, mut pointer: String) -> String {
        if let Some(field) = &self.field {
            let own = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
            if !pointer.ends_with(&own) {
                pointer.push_str(&own);
            }
        }
        pointer
    }
}

/// Translates an error's text; the text of one of our own types stays as it is.
pub(super) fn plain(error: &str) -> Plain {
    // The pointer names the place, so "at line 1 column 2" is not needed.
    let error = error.split(" at line ").next().unwrap_or(error);
    let names: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    let first = names.first().copied().unwrap_or_default();
    let rest = names.get(1..).unwrap_or_default().join(", ");
    let (field, message) = if error.starts_with("missing field `") {
        (Some(first), "is missing".to_owned())
    } else if error.starts_with("duplicate field `") {
        (Some(first), "is given twice".to_owned())
    } else if error.starts_with("unknown field `") {
        let known = if rest.is_empty() { "no field" } else { &rest };
        (Some(first), format!("is not known; known here: {known}"))
    } else if error.starts_with("unknown variant `") {
        (None, format!("{first} is not one of: {rest}"))
    } else if let Some((found, wanted)) = parts(error, "invalid type: ") {
        (
            None,
            format!("must be {}, not {}", expected(wanted), kind(found)),
        )
    } else if let Some((_, wanted)) = parts(error, "invalid value: ") {
        (None, format!("must be {}", expected(wanted)))
    } else if error.starts_with("invalid length ") && error.contains("expected struct ") {
        (None, "must be an object, not a list".to_owned())
    } else if is_about_time(error) {
        let message = "must be a date or time as the reference shows it";
        (None, message.to_owned())
    } else {
        (None, error.to_owned())
    };
    Plain {
        field: field.map(str::to_owned),
        message,
    }
}

/// `invalid type: integer `1`, expected a string`: the found and the expected type.
fn parts<'a>(error: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    error.strip_prefix(start)?.rsplit_once(", expected ")
}

fn kind(found: &str) -> &str {
    let kinds = [
        ("integer", "a number"),
        ("floating point", "a fraction"),
        ("string", "a text"),
        ("boolean", "true or false"),
        ("map", "an object"),
        ("sequence", "a list"),
        ("unit", "null"),
    ];
    let known = kinds.iter().find(|(name, _)| found.starts_with(name));
    known.map_or(found, |(_, kind)| kind)
}

fn expected(wanted: &str) -> String {
    let kinds: &[(&str, &str)] = &[
        ("a string", "a text"),
        ("string", "a text"),
        ("a borrowed string", "a text"),
        ("a boolean", "true or false"),
        ("a sequence", "a list"),
        ("a map", "an object"),
        ("u8", "a whole number from 0 to 255"),
        ("u16", "a whole number from 0 to 65,535"),
        ("u32", "a whole number of 0 or more"),
        ("u64", "a whole number of 0 or more"),
        ("usize", "a whole number of 0 or more"),
        ("i32", "a whole number"),
        ("i64", "a whole number"),
        ("f64", "a number"),
    ];
    if let Some((_, kind)) = kinds.iter().find(|(name, _)| *name == wanted) {
        return (*kind).to_owned();
    }
    let is_object = ["struct ", "internally tagged enum ", "tuple struct "]
        .iter()
        .any(|start| wanted.starts_with(start));
    match wanted {
        _ if is_object => "an object".to_owned(),
        _ if wanted.contains("enum ") => "one of the values in the reference".to_owned(),
        _ => wanted.to_owned(),
    }
}

/// The parser of dates describes each of its steps.
fn is_about_time(error: &str) -> bool {
    [
        "failed to parse",
        "but found end of input",
        "parsed value '",
    ]
    .iter()
    .any(|words| error.contains(words))
        || (error.contains("expected") && error.contains(" digit "))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Order {
        name: String,
        status: Option<Status>,
        count: Option<u32>,
        paid: Option<bool>,
        lines: Option<Vec<String>>,
        at: Option<jiff::Timestamp>,
        from: Option<jiff::civil::Time>,
        email: Option<kernel::EmailAddress>,
        parent: Option<Box<Order>>,
        list_id: Option<kernel::ListId>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Open,
        Closed,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    fn of<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> (Option<String>, String) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        let Plain { field, message } = plain(&error);
        for word in [
            "variant", "struct", "invalid", "integer", "sequence", " map", "`", "u32",
        ] {
            assert!(!message.contains(word), "{json}: {message}");
        }
        (field, message)
    }

    #[test]
    fn a_field_is_named_that_is_missing_or_not_known() {
        let (field, message) = of::<Order>("{}");
        assert_eq!((field.as_deref(), &*message), (Some("name"), "is missing"));
        let (field, message) = of::<Order>(r#"{"nme":"a"}"#);
        assert_eq!(field.as_deref(), Some("nme"));
        assert!(
            message.starts_with("is not known; known here: name, status, "),
            "{message}"
        );
        let (_, message) = of::<Nothing>(r#"{"a":1}"#);
        assert_eq!(message, "is not known; known here: no field");
    }

    #[test]
    fn a_value_of_another_kind_is_refused_in_plain_words() {
        for (json, message) in [
            (r#"{"name":1}"#, "must be a text, not a number"),
            (r#"{"name":null}"#, "must be a text, not null"),
            (r#"{"name":{}}"#, "must be a text, not an object"),
            (
                r#"{"count":"1"}"#,
                "must be a whole number of 0 or more, not a text",
            ),
            (r#"{"count":-1}"#, "must be a whole number of 0 or more"),
            (
                r#"{"count":1.5}"#,
                "must be a whole number of 0 or more, not a fraction",
            ),
            (r#"{"paid":"yes"}"#, "must be true or false, not a text"),
            (r#"{"lines":"a"}"#, "must be a list, not a text"),
            (r#"{"parent":[]}"#, "must be an object, not a list"),
            (r#"{"parent":"a"}"#, "must be an object, not a text"),
            (r#"{"status":"all"}"#, "all is not one of: open, closed"),
            (
                r#"{"at":"2026-13-01"}"#,
                "must be a date or time as the reference shows it",
            ),
            (
                r#"{"at":"noon"}"#,
                "must be a date or time as the reference shows it",
            ),
            (
                r#"{"from":"6"}"#,
                "must be a date or time as the reference shows it",
            ),
            (
                r#"{"list_id":"a"}"#,
                "expected an id like lst_ followed by 11 letters or digits",
            ),
            (
                r#"{"email":"a"}"#,
                "expected one email address such as ten@example.vn",
            ),
        ] {
            assert_eq!(of::<Order>(json).1, message, "{json}");
        }
    }

    #[test]
    fn the_place_is_the_fields_own() {
        let missing = plain("missing field `a/b`");
        assert_eq!(missing.at("/x".into()), "/x/a~1b");
        assert_eq!(missing.at("/x/a~1b".into()), "/x/a~1b");
        assert_eq!(plain("anything else").at("/x".into()), "/x");
    }
}
