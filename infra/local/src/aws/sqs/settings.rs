//! The attributes of a queue: which a caller may set, within which bounds, and how they are shown.
//!
//! This file knows no other queue: [`super::admin`] checks whether a dead-letter queue exists.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::fault::ApiError;
use super::check::{LARGEST_MESSAGE, LONGEST_DELAY, LONGEST_VISIBILITY, LONGEST_WAIT};
use crate::template::model;

/// Shortest and longest time that a message is kept, seconds.
const RETENTION: RangeInclusive<u32> = 60..=1_209_600;
/// Smallest size that a queue may set as its largest message, bytes.
const SMALLEST_LIMIT: u32 = 1024;
/// Receives before a message is dead-lettered.
const RECEIVE_COUNTS: RangeInclusive<u64> = 1..=1000;
/// The attribute for the scope of a FIFO queue's rate limit, and its value for a limit of each group.
const THROUGHPUT: &str = "FifoThroughputLimit";
const BY_GROUP: &str = "perMessageGroupId";

/// The attributes of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Physical name.
    pub name: String,
    /// FIFO queue.
    pub fifo: bool,
    /// Deduplicates by a digest of the body (FIFO only).
    pub content_based_deduplication: bool,
    /// A deduplication id counts within its message group, else in the whole queue (FIFO only).
    pub deduplicates_by_group: bool,
    /// Seconds.
    pub visibility_timeout: u32,
    /// Seconds.
    pub delay: u32,
    /// Seconds.
    pub retention: u32,
    /// How long a receive that names no wait time waits for a message, seconds.
    pub wait: u32,
    /// Largest message, bytes.
    pub largest: u32,
    /// Dead-letter queue and the receive count that moves a message there.
    pub redrive: Option<(String, u32)>,
    /// Encryption, policies and rate limits, which change nothing here and are shown as they were set.
    pub others: BTreeMap<String, String>,
}

impl Settings {
    /// AWS defaults.
    pub fn standard(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            fifo: is_fifo_name(name),
            content_based_deduplication: false,
            deduplicates_by_group: false,
            visibility_timeout: 30,
            delay: 0,
            retention: 4 * 24 * 3600,
            wait: 0,
            largest: LARGEST_MESSAGE,
            redrive: None,
            others: BTreeMap::new(),
        }
    }

    /// The attributes that a template declares.
    pub fn declared(queue: &model::Queue) -> Self {
        let others = [
            (THROUGHPUT, &queue.throughput_limit),
            ("Policy", &queue.policy),
        ];
        let others = others.into_iter();
        let others = others.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        Self {
            fifo: queue.fifo,
            content_based_deduplication: queue.content_based_deduplication,
            deduplicates_by_group: queue.deduplicates_by_group,
            visibility_timeout: queue.visibility_timeout,
            delay: queue.delay,
            retention: queue.retention,
            wait: queue.wait,
            largest: queue.largest.unwrap_or(LARGEST_MESSAGE),
            redrive: queue.redrive.clone(),
            others: others.collect(),
            ..Self::standard(&queue.name)
        }
    }

    /// Sets the attributes of a request. `prefix` begins the ARN of each queue of the account.
    pub fn apply(&mut self, attributes: &Map<String, Value>, prefix: &str) -> Result<(), ApiError> {
        for (name, value) in attributes {
            let text = value.as_str().ok_or_else(|| wrong(name))?;
            self.set(name, text, prefix)?;
        }
        let by_group = self
            .others
            .get(THROUGHPUT)
            .is_some_and(|limit| limit == BY_GROUP);
        if by_group && !self.deduplicates_by_group {
            return Err(wrong(THROUGHPUT));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, text: &str, prefix: &str) -> Result<(), ApiError> {
        let number = |range| number(name, text, range);
        match name {
            "VisibilityTimeout" => self.visibility_timeout = number(0..=LONGEST_VISIBILITY)?,
            "DelaySeconds" => self.delay = number(0..=LONGEST_DELAY)?,
            "MessageRetentionPeriod" => self.retention = number(RETENTION)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(0..=LONGEST_WAIT)?,
            "MaximumMessageSize" => self.largest = number(SMALLEST_LIMIT..=LARGEST_MESSAGE)?,
            "RedrivePolicy" => self.redrive = redrive(text, prefix)?,
            "FifoQueue" if self.fifo && text == "true" => {}
            "ContentBasedDeduplication" if self.fifo => {
                self.content_based_deduplication = choice(name, text, ["false", "true"])?;
            }
            "DeduplicationScope" if self.fifo => {
                self.deduplicates_by_group = choice(name, text, ["queue", "messageGroup"])?;
            }
            THROUGHPUT if self.fifo => {
                choice(name, text, ["perQueue", BY_GROUP])?;
                self.keep(name, text);
            }
            "Policy" | "RedriveAllowPolicy" | "KmsMasterKeyId" => self.keep(name, text),
            "KmsDataKeyReusePeriodSeconds" => {
                number(60..=86_400)?;
                self.keep(name, text);
            }
            "SqsManagedSseEnabled" => {
                choice(name, text, ["false", "true"])?;
                self.keep(name, text);
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// An empty text removes the attribute.
    fn keep(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            self.others.remove(name);
        } else {
            self.others.insert(name.to_owned(), text.to_owned());
        }
    }

    /// The attributes as `GetQueueAttributes` shows them. `prefix` begins the ARN of each queue of the account.
    pub fn shown(&self, prefix: &str) -> BTreeMap<String, String> {
        let mut shown = self.others.clone();
        let mut add = |name: &str, value: String| {
            shown.entry(name.to_owned()).or_insert(value);
        };
        add("VisibilityTimeout", self.visibility_timeout.to_string());
        add("DelaySeconds", self.delay.to_string());
        add("MessageRetentionPeriod", self.retention.to_string());
        add("ReceiveMessageWaitTimeSeconds", self.wait.to_string());
        add("MaximumMessageSize", self.largest.to_string());
        add("SqsManagedSseEnabled", "true".to_owned());
        if let Some((target, most)) = &self.redrive {
            let arn = format!("{prefix}{target}");
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": most});
            add("RedrivePolicy", policy.to_string());
        }
        if self.fifo {
            let by_group = self.deduplicates_by_group;
            let scope = if by_group { "messageGroup" } else { "queue" };
            let by_content = self.content_based_deduplication;
            add("FifoQueue", "true".to_owned());
            add("ContentBasedDeduplication", by_content.to_string());
            add("DeduplicationScope", scope.to_owned());
            add(THROUGHPUT, "perQueue".to_owned());
        }
        shown
    }
}

/// The name ends as the names of FIFO queues do.
pub(super) fn is_fifo_name(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "fifo")
}

/// The error for an attribute that SQS does not know, or not of this kind of queue.
pub(super) fn unknown(name: &str) -> ApiError {
    ApiError::new(
        400,
        "InvalidAttributeName",
        format!("Unknown Attribute {name}."),
    )
}

fn wrong(name: &str) -> ApiError {
    let text = format!("Invalid value for the parameter {name}.");
    ApiError::new(400, "InvalidAttributeValue", text)
}

fn number(name: &str, text: &str, range: RangeInclusive<u32>) -> Result<u32, ApiError> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| wrong(name))
}

/// True for the second of two values.
fn choice(name: &str, text: &str, [no, yes]: [&str; 2]) -> Result<bool, ApiError> {
    if text != no && text != yes {
        return Err(wrong(name));
    }
    Ok(text == yes)
}

/// Dead-letter queue and receive count of a redrive policy; an empty text removes the policy.
fn redrive(text: &str, prefix: &str) -> Result<Option<(String, u32)>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    if !policy.is_object() {
        return Err(wrong_policy(
            text,
            "Redrive policy is not a valid JSON map.",
        ));
    }
    let part = |name: &str| {
        let reason = format!("Redrive policy does not contain mandatory attribute: {name}.");
        policy.get(name).ok_or_else(|| wrong_policy(text, &reason))
    };
    let (target, most) = (part("deadLetterTargetArn")?, part("maxReceiveCount")?);
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok());
    let most = most.filter(|most| RECEIVE_COUNTS.contains(most));
    let most = most.and_then(|most| u32::try_from(most).ok());
    let reason =
        "Invalid value for maxReceiveCount, valid values are from 1 to 1000 both inclusive.";
    let most = most.ok_or_else(|| wrong_policy(text, reason))?;
    let target = target.as_str().and_then(|arn| arn.strip_prefix(prefix));
    let target = target.ok_or_else(|| no_target(text))?;
    Ok(Some((target.to_owned(), most)))
}

/// The error for a redrive policy whose dead-letter queue is not in the account.
pub(super) fn no_target(policy: &str) -> ApiError {
    wrong_policy(policy, "Dead letter target does not exist.")
}

/// The error for a redrive policy that SQS refuses.
pub(super) fn wrong_policy(policy: &str, reason: &str) -> ApiError {
    let text = format!("Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}");
    ApiError::new(400, "InvalidParameterValue", text)
}
