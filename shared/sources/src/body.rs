//! The bodies of forms, as pairs of a field's name and its text.

use serde_json::Value;

use crate::submission::ParseError;

/// Forms have a dozen fields; a thousand is an attack.
pub const MAX_FIELDS: usize = 200;

/// Reads a body by its content type.
pub async fn pairs(content_type: &str, body: &str) -> Result<Vec<(String, String)>, ParseError> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let pairs: Vec<(String, String)> = match essence.as_str() {
        "application/x-www-form-urlencoded" => form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .take(MAX_FIELDS + 1)
            .collect(),
        "multipart/form-data" => multipart(content_type, body).await?,
        // Some relays send JSON as text, and some without a content type.
        "application/json" | "text/plain" | "text/json" | "" => json(body)?,
        _ => return Err(ParseError::ContentType(essence)),
    };
    if pairs.len() > MAX_FIELDS {
        return Err(ParseError::TooManyFields(MAX_FIELDS));
    }
    Ok(pairs)
}

fn json(body: &str) -> Result<Vec<(String, String)>, ParseError> {
    // Serde's own message may quote the body.
    let syntax = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        ParseError::Syntax(format!("not JSON at line {line} column {column}"))
    };
    let value: Value = serde_json::from_str(body).map_err(syntax)?;
    let Value::Object(object) = value else {
        return Err(ParseError::Syntax("expected a JSON object".into()));
    };
    let mut pairs = Vec::new();
    for (name, value) in object {
        match value {
            Value::Array(inner) => pairs.extend(inner.iter().filter_map(named_pair)),
            other => pairs.extend(text(&other).map(|text| (name, text))),
        }
    }
    Ok(pairs)
}

/// `{"name": "...", "value": "..."}` of `form_data` and `tracking_form`.
fn named_pair(pair: &Value) -> Option<(String, String)> {
    Some((
        pair.get("name")?.as_str()?.to_owned(),
        text(pair.get("value")?)?,
    ))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

async fn multipart(content_type: &str, body: &str) -> Result<Vec<(String, String)>, ParseError> {
    let syntax = |error: multer::Error| ParseError::Syntax(error.to_string());
    let boundary = multer::parse_boundary(content_type).map_err(syntax)?;
    let bytes = bytes::Bytes::copy_from_slice(body.as_bytes());
    let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let mut pairs = Vec::new();
    while let Some(field) = form.next_field().await.map_err(syntax)? {
        // Uploaded files are ignored.
        let name = field
            .name()
            .filter(|_| field.file_name().is_none())
            .map(str::to_owned);
        let value = field.text().await.map_err(syntax)?;
        pairs.extend(name.map(|name| (name, value)));
        if pairs.len() > MAX_FIELDS {
            break;
        }
    }
    Ok(pairs)
}
