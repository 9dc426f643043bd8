//! EventBridge event patterns, which Lambda event filters also use.
//!
//! Understands exact values, `prefix`, `suffix`, `exists`, `anything-but`, `equals-ignore-case`
//! and `numeric`. An unknown operator matches nothing, so that a wrong rule is noticed.

use serde_json::Value;

/// Whether `event` matches `pattern`.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let Value::Object(fields) = pattern else {
        return false;
    };
    fields.iter().all(|(name, wanted)| {
        let actual = event.get(name);
        match wanted {
            Value::Array(choices) => choices.iter().any(|choice| any_value(choice, actual)),
            Value::Object(_) => actual.is_some_and(|actual| matches(wanted, actual)),
            _ => false,
        }
    })
}

/// An array in the event matches if one of its values does.
fn any_value(choice: &Value, actual: Option<&Value>) -> bool {
    match actual {
        Some(Value::Array(values)) if !is_exists(choice) => {
            values.iter().any(|value| one_value(choice, Some(value)))
        }
        _ => one_value(choice, actual),
    }
}

fn is_exists(choice: &Value) -> bool {
    choice.get("exists").is_some()
}

fn one_value(choice: &Value, actual: Option<&Value>) -> bool {
    let Value::Object(operator) = choice else {
        return actual == Some(choice);
    };
    let Some((name, operand)) = operator.iter().next() else {
        return false;
    };
    // Only leaves exist: a pattern never tests whether an object exists.
    if name == "exists" {
        let there = actual.is_some_and(|value| !value.is_object());
        return operand.as_bool() == Some(there);
    }
    let Some(actual) = actual else {
        return false;
    };
    match name.as_str() {
        "prefix" => texts(actual, operand).is_some_and(|(text, part)| text.starts_with(part)),
        "suffix" => texts(actual, operand).is_some_and(|(text, part)| text.ends_with(part)),
        "equals-ignore-case" => texts(actual, operand)
            .is_some_and(|(text, other)| text.to_lowercase() == other.to_lowercase()),
        "anything-but" => match operand {
            Value::Array(values) => !values.contains(actual),
            Value::Object(_) => !one_value(operand, Some(actual)),
            value => value != actual,
        },
        "numeric" => actual
            .as_f64()
            .is_some_and(|number| numeric(operand, number)),
        _ => false,
    }
}

fn texts<'a>(actual: &'a Value, operand: &'a Value) -> Option<(&'a str, &'a str)> {
    Some((actual.as_str()?, operand.as_str()?))
}

/// `[">", 0, "<=", 5]`.
fn numeric(tests: &Value, number: f64) -> bool {
    let Some(tests) = tests.as_array() else {
        return false;
    };
    !tests.is_empty()
        && tests.chunks(2).all(|test| {
            let (Some(operator), Some(bound)) = (
                test.first().and_then(Value::as_str),
                test.get(1).and_then(Value::as_f64),
            ) else {
                return false;
            };
            match operator {
                "=" => (number - bound).abs() < f64::EPSILON,
                ">" => number > bound,
                ">=" => number >= bound,
                "<" => number < bound,
                "<=" => number <= bound,
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_as_eventbridge_does() {
        let event = json!({"source": "aws.ses", "detail": {"n": 3, "tags": {"a": ["x", "y"]}}});
        let yes = [
            json!({"source": ["aws.ses"]}),
            json!({"source": ["other", {"prefix": "aws."}], "detail": {"n": [{"numeric": [">", 0, "<=", 3]}]}}),
            json!({"detail": {"tags": {"a": ["y"]}}}),
            json!({"detail": {"tags": {"b": [{"exists": false}]}}}),
            json!({"detail": {"tags": {"a": [{"exists": true}]}}}),
            json!({"detail": {"n": [{"anything-but": [1, 2]}]}}),
        ];
        let no = [
            json!({"source": ["aws.s3"]}),
            json!({"source": "aws.ses"}),
            json!({"detail": {"tags": [{"exists": true}]}}),
            json!({"detail": {"n": [{"wildcard": "*"}]}}),
            json!({"detail": {"missing": [{"anything-but": "x"}]}}),
        ];
        assert!(yes.iter().all(|pattern| matches(pattern, &event)));
        assert!(!no.iter().any(|pattern| matches(pattern, &event)));
    }
}
