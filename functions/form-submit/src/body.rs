//! The values of a submission's body.

use forms::{Given, MAX_PAIRS};
use lambda::http::{Code, Problem, Raw};
use serde_json::Value;

use crate::reply::Format;

/// The values of the body.
pub fn given(raw: &Raw, format: Format) -> Result<Given, Problem> {
    let pairs = match format {
        // A byte that is not UTF-8 becomes a replacement character; browsers send none.
        Format::Page => form_urlencoded::parse(&raw.body).into_owned().collect(),
        Format::Json => json_pairs(raw.json()?)?,
    };
    Given::of(pairs).ok_or_else(|| {
        Problem::new(Code::Unprocessable, "the form has too many values")
            .at("", format!("holds at most {MAX_PAIRS} values"))
    })
}

/// The values of a JSON object: texts, numbers, booleans, and lists of these.
fn json_pairs(body: serde_json::Map<String, Value>) -> Result<Vec<(String, String)>, Problem> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    };
    let (mut pairs, mut flaws) = (Vec::new(), lambda::http::Flaws::default());
    for (name, value) in body {
        let texts: Option<Vec<String>> = match &value {
            Value::Array(all) => all.iter().map(plain).collect(),
            one => plain(one).map(|text| vec![text]),
        };
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        match texts {
            Some(texts) => pairs.extend(texts.into_iter().map(|text| (name.clone(), text))),
            None => flaws.add(
                pointer,
                "must be a text, a number, true, false, or a list of these",
            ),
        }
    }
    flaws.refuse()?;
    Ok(pairs)
}
