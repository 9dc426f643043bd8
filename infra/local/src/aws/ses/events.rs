//! Provider events of mail, in the shape in which EventBridge delivers them.
//!
//! Recipients whose local part is `bounce`, `complaint` or `reject` (alone or before a `+`) get that outcome. Mail
//! to all other recipients is delivered, except to those on the suppression list. Events go to the queue of the
//! template's EventBridge rule whose pattern matches. As in AWS, only mail with a configuration set has events.

use std::sync::PoisonError;

use kernel::{clock, hash};
use serde_json::{Value, json};

use super::super::outbox::OutboxMessage;
use super::super::pattern;
use super::suppression::Reason;
use super::{Ses, bare};

/// Addresses of this domain are never suppressed, so that each test mail gets its outcome.
const SIMULATOR: &str = "@simulator.amazonses.com";

impl Ses {
    /// Plays back the events of mails that were accepted just before a crash.
    pub fn catch_up(&self) {
        for message in self.outbox.unreported() {
            self.report(&message);
        }
    }

    /// Puts the mail's provider events on the queues whose rules match.
    pub fn report(&self, message: &OutboxMessage) {
        if message.configuration_set.is_some() {
            for event in self.events(message) {
                self.publish(&event);
            }
        }
        if let Err(error) = self.outbox.reported(message.id) {
            tracing::error!(%error, "outbox index not written");
        }
    }

    fn publish(&self, event: &Value) {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        for rule in rules
            .iter()
            .filter(|rule| pattern::matches(&rule.pattern, event))
        {
            if let Err(error) = self.sqs.send(&rule.queue, event.to_string(), None) {
                tracing::error!(rule = rule.logical_id, %error, "event not delivered");
            }
        }
    }

    fn events(&self, message: &OutboxMessage) -> Vec<Value> {
        let set = message.configuration_set.as_deref().unwrap_or_default();
        let set = self.configuration_set(set);
        let reasons = set.map(|set| set.suppressed_reasons).unwrap_or_default();
        let reasons: Vec<_> = reasons.iter().filter_map(|name| Reason::of(name)).collect();
        let is_suppressed = |address: &&str| {
            let reason = self.suppression.reason(address);
            reason.is_some_and(|reason| reasons.contains(&reason))
        };
        let addresses = message.to.iter().map(|address| bare(address));
        let (suppressed, recipients): (Vec<_>, Vec<&str>) = addresses.partition(is_suppressed);
        let fated = |fate: &str| -> Vec<&str> {
            let is = |address: &&&str| fate_of(address) == Some(fate);
            recipients.iter().filter(is).copied().collect()
        };
        let (bounced, complained) = (fated("bounce"), fated("complaint"));
        if !fated("reject").is_empty() {
            let reject = json!({"reason": "Bad content"});
            return vec![self.event(message, "Email Rejected", "Reject", "reject", reject)];
        }
        let at = clock::sortable(self.clock.now());
        let mut events = vec![self.event(message, "Email Sent", "Send", "send", json!({}))];
        let delivered: Vec<_> = recipients.iter().filter(|r| !bounced.contains(r)).collect();
        if !delivered.is_empty() {
            let delivery = json!({
                "timestamp": at,
                "processingTimeMillis": 500,
                "recipients": delivered,
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "mta.example.com",
            });
            events.push(self.event(message, "Email Delivered", "Delivery", "delivery", delivery));
        }
        for (bounced, kind) in [
            (&bounced, "General"),
            (&suppressed, "OnAccountSuppressionList"),
        ] {
            if bounced.is_empty() {
                continue;
            }
            let recipient = |address: &&str| {
                json!({
                    "emailAddress": address,
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                })
            };
            let bounce = json!({
                "bounceType": "Permanent",
                "bounceSubType": kind,
                "bouncedRecipients": bounced.iter().map(recipient).collect::<Vec<_>>(),
                "timestamp": at,
                "feedbackId": format!("{}-bounce", message.provider_id),
                "reportingMTA": "dns; mta.example.com",
            });
            events.push(self.event(message, "Email Bounced", "Bounce", "bounce", bounce));
        }
        if !complained.is_empty() {
            let recipient = |address: &&str| json!({"emailAddress": address});
            let complaint = json!({
                "complainedRecipients": complained.iter().map(recipient).collect::<Vec<_>>(),
                "timestamp": at,
                "feedbackId": format!("{}-complaint", message.provider_id),
                "complaintSubType": null,
                "userAgent": "Local feedback loop",
                "complaintFeedbackType": "abuse",
                "arrivalDate": at,
            });
            let kind = "Email Complaint Received";
            events.push(self.event(message, kind, "Complaint", "complaint", complaint));
        }
        for (addresses, reason) in [(bounced, Reason::Bounce), (complained, Reason::Complaint)] {
            if reasons.contains(&reason) {
                self.suppress(&addresses, reason);
            }
        }
        events
    }

    /// Puts addresses on the suppression list, except those of the mailbox simulator.
    fn suppress(&self, addresses: &[&str], reason: Reason) {
        let now = self.clock.now_ms();
        for address in addresses
            .iter()
            .filter(|address| !address.ends_with(SIMULATOR))
        {
            if let Err(error) = self.suppression.add(address, reason, now) {
                tracing::error!(%error, "suppression list not written");
            }
        }
    }

    /// One event as EventBridge delivers it.
    fn event(
        &self,
        message: &OutboxMessage,
        detail_type: &str,
        event_type: &str,
        field: &str,
        value: Value,
    ) -> Value {
        let (region, account) = (&self.region, &self.account);
        let set = message.configuration_set.as_deref().unwrap_or_default();
        let at = jiff::Timestamp::from_millisecond(message.at).unwrap_or_default();
        let mut tags = json!({"ses:configuration-set": [set]});
        for (name, value) in &message.tags {
            tags[name] = json!([value]);
        }
        let domain = bare(&message.from).rsplit('@').next().unwrap_or_default();
        tags["ses:from-domain"] = json!([domain]);
        let mut detail = json!({
            "eventType": event_type,
            "mail": {
                "timestamp": clock::sortable(at),
                "messageId": message.provider_id,
                "source": message.from,
                "sourceArn": format!("arn:aws:ses:{region}:{account}:identity/{domain}"),
                "sendingAccountId": account,
                "destination": message.to,
                "headersTruncated": false,
                "headers": [{"name": "Subject", "value": message.subject}],
                "commonHeaders": {
                    "from": [message.from],
                    "to": message.to,
                    "messageId": message.provider_id,
                    "subject": message.subject,
                },
                "tags": tags,
            },
        });
        detail[field] = value;
        json!({
            "version": "0",
            "id": hash::name(&[&message.provider_id, event_type]),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": account,
            "time": clock::sortable(self.clock.now()),
            "region": region,
            "resources": [format!("arn:aws:ses:{region}:{account}:configuration-set/{set}")],
            "detail": detail,
        })
    }
}

/// The outcome that a simulator address asks for.
fn fate_of(address: &str) -> Option<&'static str> {
    let local = address.split(['@', '+']).next()?;
    ["bounce", "complaint", "reject"]
        .into_iter()
        .find(|fate| local.eq_ignore_ascii_case(fate))
}
