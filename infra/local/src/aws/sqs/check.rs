//! Checks of names, sizes, characters and delays, and of parameters of the wrong queue type.

use sha2::{Digest as _, Sha256};

use super::super::fault::ApiError;
use super::engine::Outgoing;
use super::message::{self, MessageAttribute, MessageAttributes};
use super::settings::Settings;

/// Largest message and largest batch: text and attributes together, bytes.
pub(super) const LARGEST_MESSAGE: u32 = 1024 * 1024;
/// Longest delay, seconds.
pub(super) const LONGEST_DELAY: u32 = 900;
/// Longest visibility time-out, seconds.
pub(super) const LONGEST_VISIBILITY: u32 = 12 * 3600;
/// Longest wait of a receive, seconds.
pub(super) const LONGEST_WAIT: u32 = 20;
/// Most attributes of a message.
const MOST_ATTRIBUTES: usize = 10;
/// Longest name of a message attribute, and longest type.
const LONGEST_NAME: usize = 256;
/// Longest group and deduplication id.
const LONGEST_ID: usize = 128;

/// A parameter has a value that SQS refuses.
pub(super) fn invalid(text: String) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", text)
}

/// A parameter is absent.
pub(super) fn missing(name: &str) -> ApiError {
    let text = format!("The request must contain the parameter {name}.");
    ApiError::new(400, "MissingParameter", text)
}

/// Refuses a name that the new queue may not have.
pub(super) fn queue_name(name: &str, fifo: bool) -> Result<(), ApiError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let fits = |stem: &str| !stem.is_empty() && name.len() <= 80 && stem.chars().all(good);
    if fifo {
        let text = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
        let stem = name.strip_suffix(".fifo");
        return stem
            .is_some_and(fits)
            .then_some(())
            .ok_or_else(|| invalid(text.to_owned()));
    }
    let text =
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    fits(name)
        .then_some(())
        .ok_or_else(|| invalid(text.to_owned()))
}

/// Refuses a message that SQS refuses; returns the deduplication id of a FIFO message.
pub(super) fn outgoing(settings: &Settings, out: &Outgoing) -> Result<Option<String>, ApiError> {
    if out.body.is_empty() {
        return Err(missing("MessageBody"));
    }
    let largest = settings.largest;
    if out.body.len() + message::attributes_size(&out.attributes) > largest as usize {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
        )));
    }
    attributes(&out.attributes)?;
    let values = out.attributes.values();
    let values = values.filter_map(|attribute| attribute.string_value.as_deref());
    let mut characters = out.body.chars().chain(values.flat_map(str::chars));
    if !characters.all(allowed) {
        let text = "Invalid characters found.";
        return Err(ApiError::new(400, "InvalidMessageContents", text));
    }
    delay(settings, out.delay)?;
    id("MessageGroupId", out.group.as_deref())?;
    id("MessageDeduplicationId", out.dedup.as_deref())?;
    if !settings.fifo {
        if out.dedup.is_some() {
            return Err(invalid("The request includes a parameter that is not valid for this queue type: MessageDeduplicationId.".to_owned()));
        }
        return Ok(None);
    }
    if out.group.is_none() {
        return Err(missing("MessageGroupId"));
    }
    match &out.dedup {
        Some(dedup) => Ok(Some(dedup.clone())),
        None if settings.content_based_deduplication => {
            Ok(Some(hex::encode(Sha256::digest(&out.body))))
        }
        None => Err(invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly".to_owned())),
    }
}

fn delay(settings: &Settings, delay: Option<u32>) -> Result<(), ApiError> {
    let Some(delay) = delay else { return Ok(()) };
    let reason = if delay > LONGEST_DELAY {
        format!("DelaySeconds must be >= 0 and <= {LONGEST_DELAY}.")
    } else if settings.fifo {
        "The request include parameter that is not valid for this queue type.".to_owned()
    } else {
        return Ok(());
    };
    Err(invalid(format!(
        "Value {delay} for parameter DelaySeconds is invalid. Reason: {reason}"
    )))
}

/// Refuses a group or deduplication id of a wrong length or with a space or letter beyond ASCII.
fn id(name: &str, value: Option<&str>) -> Result<(), ApiError> {
    let fine = |id: &str| {
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let Some(value) = value.filter(|id| !fine(id)) else {
        return Ok(());
    };
    Err(invalid(format!(
        "Value {value} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and punctuation characters. 1 to {LONGEST_ID} in length."
    )))
}

fn attributes(attributes: &MessageAttributes) -> Result<(), ApiError> {
    let count = attributes.len();
    if count > MOST_ATTRIBUTES {
        return Err(invalid(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [{MOST_ATTRIBUTES}]."
        )));
    }
    attributes
        .iter()
        .try_for_each(|(name, value)| attribute(name, value))
}

fn attribute(name: &str, value: &MessageAttribute) -> Result<(), ApiError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let lower = name.to_ascii_lowercase();
    let reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let length = (1..=LONGEST_NAME).contains(&name.len());
    if reserved || dots || !length || !name.chars().all(good) {
        return Err(invalid(format!(
            "The message attribute name '{name}' is invalid."
        )));
    }
    let kind = value.data_type.as_str();
    let (base, _) = kind.split_once('.').unwrap_or((kind, ""));
    let given = match base {
        "String" | "Number" => value.string_value.as_deref(),
        "Binary" => value.binary_value.as_deref(),
        _ => {
            return Err(invalid(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
    };
    if kind.len() > LONGEST_NAME {
        return Err(invalid(format!(
            "The type of the message attribute '{name}' is too long."
        )));
    }
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Err(invalid(format!(
            "The message attribute '{name}' must contain a non-empty message attribute value for message attribute type '{kind}'."
        )));
    };
    if base == "Number" && !is_number(given) {
        return Err(invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    text.chars().all(plain) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Refuses any other system attribute than the trace header that a sender may set.
pub(super) fn system_attributes(attributes: &MessageAttributes) -> Result<(), ApiError> {
    let fine = |(name, value): (&String, &MessageAttribute)| {
        name == "AWSTraceHeader" && value.data_type == "String" && value.string_value.is_some()
    };
    match attributes.iter().find(|entry| !fine(*entry)) {
        None => Ok(()),
        Some((name, _)) => Err(invalid(format!(
            "Message system attribute name '{name}' is invalid. Reason: the supported one is AWSTraceHeader, of type String."
        ))),
    }
}

/// Characters that SQS takes.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Refuses a visibility time-out that is too long.
pub(super) fn visibility(seconds: u32) -> Result<(), ApiError> {
    if seconds <= LONGEST_VISIBILITY {
        return Ok(());
    }
    Err(invalid(format!(
        "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and {LONGEST_VISIBILITY}."
    )))
}

/// Refuses a visibility timeout that ends more than 12 hours after the receive.
pub(super) fn total_visibility(seconds: u32, total_ms: i64) -> Result<(), ApiError> {
    if total_ms <= i64::from(LONGEST_VISIBILITY) * 1000 {
        return Ok(());
    }
    Err(invalid(format!(
        "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [{LONGEST_VISIBILITY} seconds]."
    )))
}

/// Refuses a wait that is too long.
pub(super) fn wait(seconds: u32) -> Result<u32, ApiError> {
    if seconds <= LONGEST_WAIT {
        return Ok(seconds);
    }
    Err(invalid(format!(
        "Value {seconds} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= {LONGEST_WAIT}, if provided."
    )))
}
