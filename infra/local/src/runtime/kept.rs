//! Keeps the messages that the providers accepted in the outbox. It changes no answer of a provider.

use std::sync::Arc;

use kernel::Clock;
use serde_json::{Value, json};

use crate::aws::{Aws, Kind};
use crate::providers::Providers;

/// Text messages, messages of Zalo and notifications go to the outbox from now on.
pub fn keep(providers: &Providers, aws: &Aws, clock: &Clock) {
    let (aws, clock) = (aws.clone(), clock.clone());
    let keep = Arc::new(move |kind: Kind, to: &str, id: &str, payload: Value| {
        let kept = aws
            .outbox()
            .append_message(kind, clock.now_ms(), to, id, payload);
        if let Err(error) = kept {
            tracing::error!(%error, ?kind, "the outbox did not take a message");
        }
    });
    let sms = keep.clone();
    providers.esms().set_sink(Arc::new(move |one| {
        let payload =
            json!({ "from": one.brandname, "text": one.content, "request_id": one.request_id });
        sms(Kind::Sms, &one.phone, &one.id, payload);
    }));
    let zns = keep.clone();
    providers.zalo().set_sink(Arc::new(move |one| {
        let payload = json!({ "oa_id": one.oa_id, "template_id": one.template_id, "template_data": one.data,
            "tracking_id": one.tracking_id });
        zns(Kind::Zns, &one.phone, &one.id, payload);
    }));
    let browser = keep.clone();
    providers.browsers().set_sink(Arc::new(move |shown| {
        let to = format!("browser {}", shown.browser);
        browser(Kind::Push, &to, &shown.id, shown.payload.clone());
    }));
    providers.fcm().set_sink(Arc::new(move |note| {
        keep(Kind::Push, &note.token, &note.id, note.message.clone());
    }));
}
