//! What SQS refuses: sizes, characters, delays, and parameters of the wrong queue type.

use kernel::hash;

use super::super::fault::ApiError;
use super::engine::Outgoing;
use super::message;
use super::queue::Settings;

/// Largest message and largest batch: text and attributes together.
pub(super) const LARGEST_MESSAGE: usize = 1024 * 1024;
/// Longest delay, seconds.
const LONGEST_DELAY: u32 = 900;
/// Longest visibility time-out, seconds.
const LONGEST_VISIBILITY: u32 = 12 * 3600;

/// Refuses what SQS refuses; returns the deduplication id of a FIFO message.
pub(super) fn outgoing(settings: &Settings, out: &Outgoing) -> Result<Option<String>, ApiError> {
    let invalid = |text: String| Err(ApiError::new(400, "InvalidParameterValue", text));
    let missing = |name: &str| {
        let text = format!("The request must contain the parameter {name}.");
        Err(ApiError::new(400, "MissingParameter", text))
    };
    if out.body.is_empty() {
        return missing("MessageBody");
    }
    if out.body.len() + message::attributes_size(&out.attributes) > LARGEST_MESSAGE {
        return invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {LARGEST_MESSAGE} bytes."
        ));
    }
    if out.attributes.len() > 10 {
        let count = out.attributes.len();
        return invalid(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [10]."
        ));
    }
    let values = out.attributes.values();
    let values = values.filter_map(|attribute| attribute.string_value.as_deref());
    if !out
        .body
        .chars()
        .chain(values.flat_map(str::chars))
        .all(allowed)
    {
        let text = "Invalid characters found.";
        return Err(ApiError::new(400, "InvalidMessageContents", text));
    }
    if let Some(delay) = out.delay {
        if delay > LONGEST_DELAY {
            return invalid(format!(
                "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= {LONGEST_DELAY}."
            ));
        }
        if settings.fifo {
            return invalid(format!(
                "Value {delay} for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."
            ));
        }
    }
    if !settings.fifo {
        if out.dedup.is_some() {
            return invalid("The request includes a parameter that is not valid for this queue type: MessageDeduplicationId.".to_owned());
        }
        return Ok(None);
    }
    if out.group.is_none() {
        return missing("MessageGroupId");
    }
    match &out.dedup {
        Some(dedup) => Ok(Some(dedup.clone())),
        None if settings.content_based_deduplication => Ok(Some(hash::name(&[&out.body]))),
        None => invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly".to_owned()),
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
    let text = format!(
        "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and {LONGEST_VISIBILITY}."
    );
    Err(ApiError::new(400, "InvalidParameterValue", text))
}
