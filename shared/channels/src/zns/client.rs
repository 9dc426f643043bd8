//! The calls of Zalo: consent, renewal of tokens, and one call for one message. `sync.rs` reads the account and its templates.
//!
//! A refresh token is valid once. One worker renews under a lease, and the new pair is stored before it is used. A renewal begins
//! five hours before the old access token ends, so a renewal that was lost costs no message.

use std::time::Duration;

use bytes::Bytes;
use cloud::limiter::Slot;
use cloud::{Error, Hosts, Lease, Limiter, Resources, Web};
use http::Request;
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp, ToSpan};
use kernel::{Phone, TenantKey};
use serde_json::{Map, Value};

use super::account::{Oa, REFRESH_REFUSED, Status, Tokens, wait};
use super::codes::{self, Meaning};
use super::store::ZaloStore;
use super::wire::{self, App, BUSINESS, NoData, OAUTH, OPENAPI};
use crate::channel::Answer;

/// How long a renewal may take: the call's time-out and its writes.
const RENEWAL: Duration = Duration::from_secs(30);
/// How far calls may be ahead of half of the rate.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// The hour of Vietnam at which Zalo sends again.
const MORNING: i8 = 6;

/// Why a call has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The workspace has no such account.
    #[error("there is no such account")]
    Missing,
    /// The account must be connected again.
    #[error("the account must be connected again")]
    Expired,
    /// Zalo refused, with this code.
    #[error("Zalo refused: {0}")]
    Refused(i64),
    /// Zalo refused with a status, or gave another account than the one that was asked for.
    #[error("Zalo gave no usable answer")]
    Unusable,
    /// More calls than the account may make; try again after these seconds.
    #[error("too many calls")]
    Busy(u32),
    /// No answer.
    #[error("Zalo gave no answer")]
    NoAnswer,
    /// Our own store gave no answer.
    #[error(transparent)]
    Store(#[from] Error),
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The account.
    pub oa_id: &'a str,
    /// The template.
    pub template_id: &'a str,
    /// The receiver.
    pub phone: &'a Phone,
    /// The values of the template's parameters.
    pub data: &'a Map<String, Value>,
    /// Names the send in Zalo's receipt.
    pub tracking_id: &'a str,
}

/// An account whose token can be used.
struct Session {
    oa: Oa,
    tokens: Tokens,
}

/// Calls Zalo; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    web: Web,
    pub(super) hosts: Hosts,
    app: App,
    pub(super) store: ZaloStore,
    lease: Lease,
    limiter: Limiter,
}

impl Client {
    /// Over the tables Directory and Limits, and the client for systems outside of AWS.
    pub fn new(resources: &Resources, hosts: &Hosts, app: App, store: ZaloStore) -> Self {
        Self {
            web: resources.web(),
            hosts: hosts.clone(),
            app,
            store,
            lease: Lease::over(resources),
            limiter: Limiter::over(resources),
        }
    }

    /// The accounts that it reads.
    pub fn store(&self) -> &ZaloStore {
        &self.store
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The page where an administrator of an account gives consent; `None`: the installation has no app at Zalo.
    pub fn consent(&self, redirect: &str, state: &str) -> Option<String> {
        let host = self.hosts.at(OAUTH);
        self.app
            .is_set()
            .then(|| self.app.consent(&host, redirect, state))
    }

    async fn data(&self, request: Option<Request<Bytes>>) -> Result<Value, NoData> {
        let request = request.ok_or(NoData::Status(400))?;
        wire::read(&self.web.send(request).await)
    }

    /// Exchanges the code of a consent, and stores the account. An account that the workspace has gets the new tokens.
    pub async fn connect(&self, tenant: TenantKey, code: &str) -> Result<Oa, Fault> {
        let request = self.app.exchange(&self.hosts.at(OAUTH), code);
        let answer = self.data(request).await.map_err(fault)?;
        let (tokens, until) = wire::tokens(&answer, self.now()).ok_or(Fault::Unusable)?;
        let url = format!("{}/v2.0/oa/getoa", self.hosts.at(OPENAPI));
        let told = self.data(wire::get(&url, &tokens.access)).await;
        let (oa_id, facts) = wire::facts(&told.map_err(fault)?).ok_or(Fault::Unusable)?;
        let pair = (&tokens, until);
        Ok(self.store.connect(tenant, &oa_id, &facts, pair).await?)
    }

    /// Reserves calls of the account. Half of a minute's calls may go at once, and the rest comes back at half of the rate: so no minute
    /// has more calls than the package allows.
    pub(super) async fn reserve(&self, oa: &Oa, calls: u32) -> Result<(), Fault> {
        let rate = f64::from(oa.api_rate_per_minute) / 120.0;
        let scope = format!("zalo#{}", oa.oa_id);
        match self.limiter.reserve(&scope, calls, rate).await? {
            Slot::At(at) => {
                let ahead = at.duration_since(self.now());
                let length = SignedDuration::from_secs_f64(f64::from(calls) / rate);
                // An idle account may always call: a rate of one a minute is a rate.
                if !ahead.is_positive() || ahead + length <= AHEAD {
                    return Ok(());
                }
                Err(Fault::Busy(seconds(ahead.unsigned_abs())))
            }
            Slot::Full(wait) => Err(Fault::Busy(seconds(wait))),
        }
    }

    /// Makes a reading call of the account.
    pub(super) async fn ask(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        url: &str,
    ) -> Result<Value, Fault> {
        let build = |access: &str| wire::get(url, access);
        match self.call(tenant, oa_id, build).await? {
            Ok(value) => Ok(value),
            Err(error) => {
                if let NoData::Code(code) = &error
                    && codes::meaning(*code) == Meaning::Busy
                    && let Some(oa) = self.store.account(tenant, oa_id).await?
                {
                    self.store.slow_down(tenant, &oa).await?;
                }
                Err(fault(error))
            }
        }
    }

    /// Makes a call with the token of the account, and once more with a new token if Zalo refuses the old one. Codes about the
    /// account change its state. An error means that Zalo was not called.
    async fn call(
        &self,
        tenant: TenantKey,
        oa_id: &str,
        build: impl Fn(&str) -> Option<Request<Bytes>>,
    ) -> Result<Result<Value, NoData>, Fault> {
        let mut session = self.session(tenant, oa_id).await?;
        let mut answer = self.data(build(&session.tokens.access)).await;
        let is_token = |answer: &Result<Value, NoData>| matches!(answer, Err(NoData::Code(code)) if codes::meaning(*code) == Meaning::Token);
        if is_token(&answer) {
            session = self.renew(tenant, session.oa, true).await?;
            answer = self.data(build(&session.tokens.access)).await;
        }
        if let Err(NoData::Code(code)) = &answer {
            let problem = code.to_string();
            let oa = &session.oa;
            match codes::meaning(*code) {
                Meaning::Token => {
                    self.store
                        .fail(tenant, oa, Status::Expired, &problem)
                        .await?;
                }
                Meaning::Package => {
                    let status = Status::PackageRequired;
                    self.store.fail(tenant, oa, status, &problem).await?;
                }
                _ => {}
            }
        }
        Ok(answer)
    }

    /// The account with a token that is taken.
    async fn session(&self, tenant: TenantKey, oa_id: &str) -> Result<Session, Fault> {
        let oa = self.store.recent_account(tenant, oa_id).await?;
        let oa = oa.ok_or(Fault::Missing)?;
        // Zalo refused a renewal: the old token serves to its end, and a person connects the account.
        let is_refused = oa.problem.as_deref() == Some(REFRESH_REFUSED) && oa.is_valid(self.now());
        let is_due = oa.is_stale(self.now()) && !is_refused;
        if is_due || oa.status == Status::Expired {
            return self.renew(tenant, oa, false).await;
        }
        self.opened(tenant, oa)
    }

    fn opened(&self, tenant: TenantKey, oa: Oa) -> Result<Session, Fault> {
        let tokens = self.store.tokens(tenant, &oa).ok_or(Fault::Expired)?;
        Ok(Session { oa, tokens })
    }

    /// Renews the tokens under a lease. While another worker renews, or Zalo gives no answer, the old token is used as long as it
    /// is valid; `is_refused` says that it is not.
    async fn renew(&self, tenant: TenantKey, read: Oa, is_refused: bool) -> Result<Session, Fault> {
        let name = format!("ZALO#{}", read.oa_id);
        let work = self.renewed(tenant, &read, is_refused);
        // Boxed: the lease, the call and the write are one large future.
        let hold = self.lease.hold(tenant, &name, RENEWAL, work);
        let renewed = Box::pin(hold).await?;
        let why = match renewed {
            Some(Ok(oa)) => return self.opened(tenant, oa),
            Some(Err(Fault::Store(error))) => return Err(error.into()),
            Some(Err(Fault::Missing)) => return Err(Fault::Missing),
            Some(Err(fault)) => fault,
            None => Fault::Busy(2),
        };
        if !is_refused && read.is_valid(self.now()) {
            tracing::warn!(error = %why, "the old token of Zalo is used");
            return self.opened(tenant, read);
        }
        Err(why)
    }

    /// One renewal. A pair that another worker or a person has stored meanwhile is taken.
    async fn renewed(&self, tenant: TenantKey, read: &Oa, is_refused: bool) -> Result<Oa, Fault> {
        let oa = self.store.account(tenant, &read.oa_id).await?;
        let oa = oa.ok_or(Fault::Missing)?;
        if oa.version != read.version {
            return Ok(oa);
        }
        if oa.status == Status::Expired || oa.problem.as_deref() == Some(REFRESH_REFUSED) {
            // The refresh token was refused before: only a person can help.
            self.expire(tenant, &oa, is_refused).await?;
            return Err(Fault::Expired);
        }
        let tokens = self.store.tokens(tenant, &oa).ok_or(Fault::Expired)?;
        let request = self.app.renewal(&self.hosts.at(OAUTH), &tokens.refresh);
        let now = self.now();
        match self.data(request).await {
            Ok(answer) => {
                let (tokens, until) = wire::tokens(&answer, now).ok_or(Fault::Unusable)?;
                let stored = self.store.renewed(tenant, &oa, (&tokens, until)).await?;
                // Changed meanwhile: the next try reads the new row.
                stored.ok_or(Fault::Busy(1))
            }
            Err(NoData::Code(code)) if codes::meaning(code) != Meaning::Busy => {
                tracing::error!(code, "Zalo refused to renew the tokens of an account");
                self.expire(tenant, &oa, is_refused).await?;
                Err(Fault::Expired)
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Notes a refused renewal: the account works as long as its old token does.
    async fn expire(&self, tenant: TenantKey, oa: &Oa, is_refused: bool) -> Result<(), Error> {
        let status = if !is_refused && oa.is_valid(self.now()) {
            oa.status
        } else {
            Status::Expired
        };
        self.store.fail(tenant, oa, status, REFRESH_REFUSED).await
    }

    /// Sends one message whose ledger row is claimed. A code of Zalo says that nothing was sent, so a call with a refused token is
    /// made once more with a new one.
    pub async fn send(&self, tenant: TenantKey, message: &Outgoing<'_>) -> Answer {
        let host = self.hosts.at(BUSINESS);
        let (phone, template) = (message.phone.digits(), message.template_id);
        let build = |access: &str| {
            wire::send(
                &host,
                access,
                (phone, template),
                message.data,
                message.tracking_id,
            )
        };
        let stopped = |code: &str| Answer::Stopped {
            code: code.to_owned(),
        };
        let answer = match self.call(tenant, message.oa_id, build).await {
            Ok(answer) => answer,
            Err(Fault::Missing) => return stopped("no_account"),
            Err(Fault::Expired) => return stopped("expired"),
            Err(Fault::Refused(code)) => return stopped(&code.to_string()),
            Err(Fault::Unusable) => return stopped("refresh_unusable"),
            Err(fault @ (Fault::Busy(_) | Fault::NoAnswer | Fault::Store(_))) => {
                tracing::warn!(error = %fault, "a ZNS was not sent yet");
                return Answer::Throttled;
            }
        };
        match answer {
            Ok(value) => match wire::text(&value["data"]["msg_id"]) {
                Some(id) => Answer::Accepted { id },
                None => Answer::NoAnswer,
            },
            Err(NoData::Busy) => Answer::Throttled,
            Err(NoData::NoAnswer) => Answer::NoAnswer,
            Err(NoData::Status(status)) => stopped(&format!("http_{status}")),
            Err(NoData::Code(code)) => self.refused(tenant, message, code).await,
        }
    }

    /// The answer of a code. Codes that hold until an hour are noted, so that no further message is tried before.
    async fn refused(&self, tenant: TenantKey, message: &Outgoing<'_>, code: i64) -> Answer {
        let now = self.now();
        let of_template = (message.oa_id, Some(message.template_id));
        let (place, until) = match codes::meaning(code) {
            Meaning::Night => ((message.oa_id, None), morning(now)),
            Meaning::DayOfAccount => ((message.oa_id, None), midnight(now)),
            Meaning::DayOfTemplate => (of_template, midnight(now)),
            _ => return codes::answer(code, 1),
        };
        if let Err(error) = self.store.quiet(tenant, place, until).await {
            tracing::warn!(%error, "the hour of Zalo's next messages was not noted");
        }
        codes::answer(code, wait(until, now))
    }
}

fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX)
}

fn fault(error: NoData) -> Fault {
    match error {
        NoData::Code(code) if codes::meaning(code) == Meaning::Busy => Fault::Busy(60),
        NoData::Code(code) => Fault::Refused(code),
        NoData::Busy => Fault::Busy(60),
        NoData::Status(_) => Fault::Unusable,
        NoData::NoAnswer => Fault::NoAnswer,
    }
}

/// The next hour of Vietnam, after `now`.
fn next_hour(now: Timestamp, hour: i8) -> Timestamp {
    let local = now.to_zoned(TimeZone::fixed(offset(7)));
    let at = local.date().at(hour, 0, 0, 0);
    let at = if local.datetime() < at {
        at
    } else {
        at.saturating_add(1.day())
    };
    let zoned = at.to_zoned(TimeZone::fixed(offset(7)));
    zoned.map_or(now, |zoned| zoned.timestamp())
}

/// The next 06:00 of Vietnam.
fn morning(now: Timestamp) -> Timestamp {
    next_hour(now, MORNING)
}

/// The next midnight of Vietnam.
fn midnight(now: Timestamp) -> Timestamp {
    next_hour(now, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_vietnam() {
        for (now, at_six, at_midnight) in [
            // 23:30 of Vietnam.
            (
                "2026-03-02T16:30:00Z",
                "2026-03-02T23:00:00Z",
                "2026-03-02T17:00:00Z",
            ),
            // 05:00 of Vietnam.
            (
                "2026-03-01T22:00:00Z",
                "2026-03-01T23:00:00Z",
                "2026-03-02T17:00:00Z",
            ),
            // 06:00 of Vietnam.
            (
                "2026-03-01T23:00:00Z",
                "2026-03-02T23:00:00Z",
                "2026-03-02T17:00:00Z",
            ),
        ] {
            let now: Timestamp = now.parse().unwrap();
            assert_eq!(morning(now), at_six.parse().unwrap(), "{now}");
            assert_eq!(midnight(now), at_midnight.parse().unwrap(), "{now}");
        }
    }
}
