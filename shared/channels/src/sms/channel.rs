//! The channel of text messages: a text for each contact, by the shop's brandname and eSMS.
//!
//! The send machine has claimed the send. The request id follows from the ledger key, so the provider recognises a repetition
//! within 24 hours.

use std::sync::Arc;

use contacts::Channel;
use content::template::{Scope, Template};
use kernel::{Phone, TenantKey};

use super::brandname::{Brandname, Kind};
use super::client::{Call, Client};
use super::esms::LEAST;
use super::report::ReportAddress;
use crate::channel::{Answer, Group, NotReady, Recipient, SendChannel};
use crate::consent::phone_of;
use crate::email::Letterhead;
use crate::gate::{Law, SMS_LAW};
use crate::send::{Class, Content, Terms};

/// Messages a second of one account. The provider documents no limit.
pub const PER_SECOND: f64 = 40.0;
/// Numbers of a usual call of advertising.
const USUAL: usize = 100;

/// Sends text messages; cheap to clone.
#[derive(Clone, Debug)]
pub struct SmsChannel {
    client: Client,
    reports: ReportAddress,
}

/// A text with its brandname.
#[derive(Debug)]
pub struct PreparedText {
    brandname: Brandname,
    template: Template,
    terms: Terms,
}

/// A finished text message.
#[derive(Debug)]
pub struct OutgoingText {
    tenant: TenantKey,
    brandname: Brandname,
    phone: Phone,
    text: String,
    request_id: String,
    /// Where the provider reports the message to, and the messages of its group.
    report_to: [Option<String>; 2],
}

impl SmsChannel {
    /// Over the client of the provider, and the address that it reports to.
    pub fn new(client: Client, reports: ReportAddress) -> Self {
        Self { client, reports }
    }
}

impl SendChannel for SmsChannel {
    const CHANNEL: Channel = Channel::Sms;
    const LAW: Option<Law> = Some(SMS_LAW);
    const GROUP: Option<Group> = Some(Group {
        least: LEAST,
        usual: USUAL,
    });
    type Prepared = PreparedText;
    type Composed = OutgoingText;

    /// Each workspace has its own account.
    fn account(tenant: TenantKey) -> String {
        format!("{tenant}#esms")
    }

    async fn prepare(
        &self,
        tenant: TenantKey,
        content: &Content,
        class: Class,
        letterhead: &Letterhead,
    ) -> Result<Arc<PreparedText>, NotReady> {
        let Content::Sms { brandname_id, text } = content else {
            return Err(NotReady::Missing("text_missing"));
        };
        let settings = self.client.settings();
        let found = settings.recent_brandname(tenant, *brandname_id).await?;
        let Some(brandname) = found else {
            let reason = "the workspace has removed the brandname";
            return Err(NotReady::Invalid("brandname_missing", reason.to_owned()));
        };
        if brandname.settings.kind != Kind::of(class) {
            let reason = "the brandname is registered for another kind of messages";
            return Err(NotReady::Invalid("brandname_kind", reason.to_owned()));
        }
        if class == Class::Marketing && is_personal(text) {
            let reason = "a call of the provider has one text for all numbers";
            return Err(NotReady::Invalid("text_personalised", reason.to_owned()));
        }
        let template = Template::parse(text);
        let template =
            template.map_err(|error| NotReady::Invalid("text_invalid", error.to_string()))?;
        Ok(Arc::new(PreparedText {
            brandname,
            template,
            terms: Terms {
                class,
                is_strict: !letterhead.takes_assumed,
            },
        }))
    }

    fn terms(ready: &PreparedText) -> Terms {
        ready.terms
    }

    fn compose(
        &self,
        recipient: &Recipient<'_>,
        ready: &PreparedText,
    ) -> Result<OutgoingText, String> {
        let phone = phone_of(recipient.contact).ok_or("no_address")?;
        let scope = Scope {
            data: &recipient.merge_data(),
            reserved: &[],
            now: &recipient.local_time(),
        };
        let text = ready.template.render(&scope);
        let text = text.map_err(|_| "template".to_owned())?;
        let (tenant, key) = (recipient.tenant, recipient.key);
        let (workspace, contact) = (tenant.to_string(), key.contact.to_string());
        Ok(OutgoingText {
            tenant,
            text: ready.brandname.settings.compose(&text),
            brandname: ready.brandname.clone(),
            phone: phone.clone(),
            report_to: [
                self.reports.of(tenant, key),
                self.reports.of_group(tenant, key),
            ],
            request_id: kernel::hash::name(&["sms", &workspace, &key.scope, &contact, &key.step]),
        })
    }

    async fn call(&self, message: OutgoingText) -> Answer {
        let OutgoingText {
            tenant,
            brandname,
            phone,
            text,
            request_id,
            report_to: [report_to, _],
        } = message;
        let call = Call {
            text: &text,
            request_id: &request_id,
            report_to: report_to.as_deref(),
        };
        let answer = self.client.call(tenant, &brandname, &phone, call).await;
        match answer {
            Ok(answer) => answer,
            // Our own store gave no answer, so the provider was not called.
            Err(error) => {
                tracing::warn!(%error, "a text message was not sent yet");
                Answer::Throttled
            }
        }
    }

    async fn call_group(&self, messages: Vec<OutgoingText>) -> Answer {
        let Some(first) = messages.first() else {
            return Answer::Throttled;
        };
        if messages.iter().any(|one| one.text != first.text) {
            let code = "text_personalised".to_owned();
            return Answer::Refused { code };
        }
        let phones: Vec<Phone> = messages.iter().map(|one| one.phone.clone()).collect();
        let names: Vec<&str> = messages.iter().map(|one| one.request_id.as_str()).collect();
        let request_id = kernel::hash::name(&names);
        let call = Call {
            text: &first.text,
            request_id: &request_id,
            report_to: first.report_to[1].as_deref(),
        };
        let sent = self
            .client
            .call_group(first.tenant, &first.brandname, &phones, call);
        match sent.await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "a group of text messages was not sent yet");
                Answer::Throttled
            }
        }
    }
}

/// Whether the source of a text has places to fill in.
pub fn is_personal(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}
