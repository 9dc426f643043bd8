//! The calls to the provider: one call for one message, and the question for the balance.
//!
//! Nothing here repeats a call or claims a ledger row. The caller claims the row first, and names the send by its request id.

use cloud::{Error, Hosts, Resources, Web};
use kernel::{Phone, TenantKey};

use super::billing::MAX_UNITS;
use super::brandname::Brandname;
use super::esms::{self, Balance, Keys, MAX_REQUEST_ID, Outgoing};
use super::segments::length;
use super::store::SmsSettings;
use crate::channel::Answer;

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

    /// Sends one message: `text` is composed ([`Settings::compose`](super::brandname::Settings::compose)), and `request_id`
    /// follows from the ledger key. An error means that our store gave no answer: the provider was not called.
    pub async fn call(
        &self,
        tenant: TenantKey,
        brandname: &Brandname,
        phone: &Phone,
        text: &str,
        request_id: &str,
    ) -> Result<Answer, Error> {
        let refused = |code: &str| Answer::Refused {
            code: code.to_owned(),
        };
        let stopped = |code: &str| Answer::Stopped {
            code: code.to_owned(),
        };
        if request_id.is_empty() || request_id.len() > MAX_REQUEST_ID {
            return Err(Error::Shape(format!(
                "a request id of {} bytes",
                request_id.len()
            )));
        }
        if text.is_empty() || length(text).units > MAX_UNITS {
            return Ok(refused(if text.is_empty() { "empty" } else { "too_long" }));
        }
        if !brandname.may_send(self.settings.clock().now()) {
            return Ok(stopped("not_approved"));
        }
        let Some(keys) = self.settings.recent_keys(tenant).await? else {
            return Ok(stopped("no_account"));
        };
        let send = Outgoing {
            keys: &keys,
            brandname: &brandname.settings.name,
            kind: brandname.settings.kind,
            phone: phone.digits(),
            text,
            request_id,
        };
        let Some(request) = esms::send(&self.host, &send) else {
            return Err(Error::Shape(
                "an address of the provider that is none".into(),
            ));
        };
        Ok(esms::answer(&self.web.send(request).await, request_id))
    }

    /// The balance of the account with these keys.
    pub async fn balance(&self, keys: &Keys) -> Balance {
        match esms::ask_balance(&self.host, keys) {
            Some(request) => esms::balance(&self.web.send(request).await),
            None => Balance::NoAnswer,
        }
    }
}
