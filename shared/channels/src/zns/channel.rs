//! The channel of ZNS: the values of a template for each contact, by an Official Account. A text message takes the place of a ZNS that
//! Zalo refused for this person.
//!
//! The send machine has claimed the send. The text message has a ledger row of its own, so it is sent once.

use std::sync::Arc;

use cloud::{Error, Resources};
use contacts::Channel;
use content::template::{Scope, Template as Liquid};
use futures::FutureExt;
use jiff::Timestamp;
use kernel::{Phone, TenantKey};
use serde_json::{Map, Value};

use super::account::{Oa, Status, wait};
use super::client::{Client, Outgoing};
use super::codes;
use super::template::{Tag, Template};
use crate::channel::{Answer, NotReady, Recipient, Replaced, SendChannel};
use crate::consent::phone_of;
use crate::email::Letterhead;
use crate::ledger::LedgerKey;
use crate::machine::{Delivery, SendMachine};
use crate::send::{Class, Content, Terms};
use crate::sms::{PreparedText, SmsChannel};
use crate::tracking_id::{FALLBACK_STEP, TrackingKey};

/// Messages a second of the installation's app: Zalo takes 4,000 calls a minute of an app.
pub const PER_SECOND: f64 = 60.0;

/// Sends ZNS; cheap to clone.
#[derive(Clone, Debug)]
pub struct ZnsChannel {
    client: Client,
    tracking: TrackingKey,
    texts: SendMachine<SmsChannel>,
}

/// A template with the texts of its parameters.
#[derive(Debug)]
pub struct PreparedZns {
    oa_id: String,
    template: Template,
    params: Vec<(String, Liquid)>,
    terms: Terms,
    fallback: Option<Arc<PreparedText>>,
}

/// A finished message.
#[derive(Debug)]
pub struct OutgoingZns {
    tenant: TenantKey,
    oa_id: String,
    template_id: String,
    phone: Phone,
    data: Map<String, Value>,
    tracking_id: String,
}

impl ZnsChannel {
    /// Over the client of Zalo and the tables of the send machine. Messages in place of a refused one go by `texts`.
    pub fn over(
        resources: &Resources,
        client: Client,
        tracking: TrackingKey,
        texts: SmsChannel,
    ) -> Self {
        Self {
            client,
            tracking,
            texts: SendMachine::over(resources, texts),
        }
    }
}

/// The class of the messages of a template. Only promotion is marketing; Zalo reviews the tag.
pub(super) fn class_of(template: &Template) -> Class {
    match template.tag {
        Some(Tag::Promotion) | None => Class::Marketing,
        Some(Tag::Otp | Tag::Transaction | Tag::CustomerCare) => Class::Transactional,
    }
}

/// Seconds until Zalo takes messages of the account and the template again. A queue's longest delay at most.
fn quiet(oa: &Oa, template: &Template, now: Timestamp) -> Option<u16> {
    let until = [oa.quiet_until, template.quiet_until];
    let until = until.into_iter().flatten().filter(|until| *until > now);
    let until = until.max().filter(|_| oa.status == Status::Active)?;
    Some(wait(until, now))
}

impl SendChannel for ZnsChannel {
    const CHANNEL: Channel = Channel::Zalo;
    const HOLDS: bool = true;
    type Prepared = PreparedZns;
    type Composed = OutgoingZns;

    /// The app of the installation calls for all workspaces.
    fn account(_: TenantKey) -> String {
        "zaloapp".to_owned()
    }

    async fn prepare(
        &self,
        tenant: TenantKey,
        content: &Content,
        _: Class,
        letterhead: &Letterhead,
    ) -> Result<Arc<PreparedZns>, NotReady> {
        let Content::Zns(content) = content else {
            return Err(NotReady::Missing("template_missing"));
        };
        let invalid = |problem, reason: &str| NotReady::Invalid(problem, reason.to_owned());
        let blocked = |problem, reason: &str| NotReady::Blocked(problem, reason.to_owned());
        let (store, oa_id) = (self.client.store(), &content.oa_id);
        let oa = store.recent_account(tenant, oa_id).await?;
        let oa =
            oa.ok_or_else(|| invalid("oa_missing", "the workspace has disconnected the account"))?;
        let template = store
            .recent_template(tenant, oa_id, &content.template_id)
            .await?;
        let template = template
            .ok_or_else(|| blocked("template_missing", "the account has no such template"))?;
        if !template.is_usable() {
            let reason = "Zalo does not take the template now";
            return Err(blocked("template_disabled", reason));
        }
        let now = store.clock().now();
        if let Some(delay) = quiet(&oa, &template, now) {
            return Err(NotReady::Later(delay));
        }
        let mut params = Vec::with_capacity(content.params.len());
        for (name, text) in &content.params {
            let parsed = Liquid::parse(text);
            let parsed =
                parsed.map_err(|error| invalid("parameter_invalid", &error.to_string()))?;
            params.push((name.clone(), parsed));
        }
        let class = class_of(&template);
        let fallback = match &content.fallback {
            None => None,
            Some(text) => {
                let text = Content::Sms {
                    brandname_id: text.brandname_id,
                    text: text.text.clone(),
                };
                let texts = self.texts.channel();
                let prepared = texts.prepare(tenant, &text, class, letterhead).await;
                Some(prepared.map_err(|fault| match fault {
                    NotReady::Invalid(problem, reason) => NotReady::Blocked(problem, reason),
                    other => other,
                })?)
            }
        };
        Ok(Arc::new(PreparedZns {
            oa_id: oa_id.clone(),
            template,
            params,
            terms: Terms {
                class,
                is_strict: !letterhead.takes_assumed,
            },
            fallback,
        }))
    }

    async fn hold(&self, tenant: TenantKey, content: &Content) -> Result<Option<u16>, Error> {
        let Content::Zns(content) = content else {
            return Ok(None);
        };
        let (store, oa_id) = (self.client.store(), &content.oa_id);
        let oa = store.recent_account(tenant, oa_id).await?;
        let template = store.recent_template(tenant, oa_id, &content.template_id);
        let known = oa.zip(template.await?);
        Ok(known.and_then(|(oa, template)| quiet(&oa, &template, store.clock().now())))
    }

    fn terms(ready: &PreparedZns) -> Terms {
        ready.terms
    }

    fn compose(
        &self,
        recipient: &Recipient<'_>,
        ready: &PreparedZns,
    ) -> Result<OutgoingZns, String> {
        let phone = phone_of(recipient.contact).ok_or("no_address")?;
        let (merged, now) = (recipient.merge_data(), recipient.local_time());
        let scope = Scope {
            data: &merged,
            reserved: &[],
            now: &now,
        };
        let mut data = Map::new();
        for param in &ready.template.params {
            let text = ready.params.iter().find(|(name, _)| *name == param.name);
            let text = match text {
                Some((_, text)) => text.render(&scope).map_err(|_| "template".to_owned())?,
                None => String::new(),
            };
            if let Some(value) = param.value(&text)? {
                data.insert(param.name.clone(), Value::String(value));
            }
        }
        let tracking_id = self.tracking.name(recipient.tenant, recipient.key);
        Ok(OutgoingZns {
            tenant: recipient.tenant,
            oa_id: ready.oa_id.clone(),
            template_id: ready.template.template_id.clone(),
            phone: phone.clone(),
            data,
            tracking_id: tracking_id.ok_or("tracking_id")?,
        })
    }

    async fn call(&self, message: OutgoingZns) -> Answer {
        let outgoing = Outgoing {
            oa_id: &message.oa_id,
            template_id: &message.template_id,
            phone: &message.phone,
            data: &message.data,
            tracking_id: &message.tracking_id,
        };
        // Erased: the type of a chunk's future would be too deep for the compiler.
        self.client.send(message.tenant, &outgoing).boxed().await
    }

    /// Sends a text message if Zalo cannot reach this person. Its row is `sms#0#fb`.
    async fn replace(
        &self,
        ready: &PreparedZns,
        replaced: &Replaced<'_>,
    ) -> Result<Option<Delivery>, Error> {
        let Some(text) = &ready.fallback else {
            return Ok(None);
        };
        if !codes::falls_back(replaced.reason) {
            return Ok(None);
        }
        let key = LedgerKey {
            channel: Channel::Sms,
            step: FALLBACK_STEP.to_owned(),
            ..replaced.key.clone()
        };
        let (tenant, contact) = (replaced.tenant, replaced.contact);
        let (data, gate) = (replaced.data, replaced.gate);
        let sent = self.texts.deliver(tenant, &key, text, contact, data, gate);
        let sent = sent.boxed().await?;
        Ok(Some(match sent {
            Delivery::Stopped(code) => Delivery::Stopped(format!("sms_{code}")),
            sent => sent,
        }))
    }
}
