//! The calls to the provider: one call for one message, and the question for the balance.
//!
//! Nothing here repeats a call or claims a ledger row. The caller claims the row first, and names the send by its request id.

use cloud::{Error, Hosts, Resources, Web};
use kernel::{Phone, TenantKey};

use super::billing::MAX_UNITS;
use super::brandname::Brandname;
use super::esms::{self, Advertising, Balance, Keys, MAX_REQUEST_ID, MOST, Outgoing};
use super::segments::length;
use super::store::SmsSettings;
use crate::channel::Answer;

/// What a call sends, beside its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The composed text ([`Settings::compose`](super::brandname::Settings::compose)).
    pub text: &'a str,
    /// Names the call for 24 hours; follows from the ledger keys.
    pub request_id: &'a str,
    /// Where the provider reports what became of the messages.
    pub report_to: Option<&'a str>,
}

/// Calls eSMS; cheap to clone. Clones share the cache of accounts.
#[derive(Clone, Debug)]
pub struct Client {
    web: Web,
    host: String,
    settings: SmsSettings,
}

impl Client {
    /// Over the table Directory and the client for systems outside of AWS.
    pub fn new(resources: &Resources, hosts: &Hosts, settings: SmsSettings) -> Self {
        Self {
            web: resources.web(),
            host: hosts.at(esms::HOST),
            settings,
        }
    }

    /// The settings that it reads.
    pub fn settings(&self) -> &SmsSettings {
        &self.settings
    }

    /// Sends one message. An error means that our store gave no answer: the provider was not called.
    pub async fn call(
        &self,
        tenant: TenantKey,
        brandname: &Brandname,
        phone: &Phone,
        call: Call<'_>,
    ) -> Result<Answer, Error> {
        let keys = match self.may_call(tenant, brandname, call).await? {
            Ok(keys) => keys,
            Err(answer) => return Ok(answer),
        };
        let send = Outgoing {
            keys: &keys,
            brandname: &brandname.settings.name,
            kind: brandname.settings.kind,
            phone: phone.digits(),
            text: call.text,
            request_id: call.request_id,
            report_to: call.report_to,
        };
        let Some(request) = esms::send(&self.host, &send) else {
            return Err(Error::Shape(
                "an address of the provider that is none".into(),
            ));
        };
        Ok(esms::answer(&self.web.send(request).await, call.request_id))
    }

    /// Sends one advertising text to 30 to 5,000 numbers, by one call. Its answer names no number.
    pub async fn call_group(
        &self,
        tenant: TenantKey,
        brandname: &Brandname,
        phones: &[Phone],
        call: Call<'_>,
    ) -> Result<Answer, Error> {
        let keys = match self.may_call(tenant, brandname, call).await? {
            Ok(keys) => keys,
            Err(answer) => return Ok(answer),
        };
        if phones.len() > MOST {
            return Err(Error::Shape(format!("{} numbers", phones.len())));
        }
        let phones: Vec<&str> = phones.iter().map(Phone::digits).collect();
        let send = Advertising {
            keys: &keys,
            brandname: &brandname.settings.name,
            phones: &phones,
            text: call.text,
            request_id: call.request_id,
            report_to: call.report_to,
        };
        let Some(request) = esms::advertise(&self.host, &send) else {
            return Err(Error::Shape(
                "an address of the provider that is none".into(),
            ));
        };
        Ok(esms::answer(&self.web.send(request).await, call.request_id))
    }

    /// The keys of the account, or why nothing can be sent.
    async fn may_call(
        &self,
        tenant: TenantKey,
        brandname: &Brandname,
        Call {
            text, request_id, ..
        }: Call<'_>,
    ) -> Result<Result<Keys, Answer>, Error> {
        let refused = |code: &str| {
            let code = code.to_owned();
            Ok(Err(Answer::Refused { code }))
        };
        let stopped = |code: &str| {
            let code = code.to_owned();
            Ok(Err(Answer::Stopped { code }))
        };
        if request_id.is_empty() || request_id.len() > MAX_REQUEST_ID {
            return Err(Error::Shape(format!(
                "a request id of {} bytes",
                request_id.len()
            )));
        }
        if text.is_empty() || length(text).units > MAX_UNITS {
            return refused(if text.is_empty() { "empty" } else { "too_long" });
        }
        if !brandname.may_send(self.settings.clock().now()) {
            return stopped("not_approved");
        }
        match self.settings.recent_keys(tenant).await? {
            Some(keys) => Ok(Ok(keys)),
            None => stopped("no_account"),
        }
    }

    /// The balance of the account with these keys.
    pub async fn balance(&self, keys: &Keys) -> Balance {
        match esms::ask_balance(&self.host, keys) {
            Some(request) => esms::balance(&self.web.send(request).await),
            None => Balance::NoAnswer,
        }
    }
}
