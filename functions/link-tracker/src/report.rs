//! Delivery reports of eSMS: a signed address names the send, or the group of sends of a call. The report goes to the queue
//! delivery-backlog; without an answer of the queue eSMS gets 503 and tries again.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use channels::consent::Address;
use channels::feedback::{Backlog, Receipt};
use channels::sms::report;
use channels::{Fact, LedgerKey};
use cloud::SendOptions;
use contacts::{Channel, Identity};
use content::tokens::{Token, TokenKind};
use kernel::{ContactId, Phone, TenantKey};
use lambda::metrics;

use crate::handler::Tracker;

/// Takes a report. A report that says nothing new of a send of ours is answered like any other, so that it is not repeated.
pub async fn take(
    State(tracker): State<Tracker>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> StatusCode {
    let Some((tenant, token)) = tracker.report_of(&token) else {
        return StatusCode::NOT_FOUND;
    };
    let query = query.unwrap_or_default();
    let fields: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let of = |name: &str| fields.get(name).map_or("", |value| value.as_ref());
    let fact = report::fact(of("SendStatus"), of("SendSuccess"), of("SendFailed"));
    let Some(fact) = fact else {
        metrics::count("ReportsWithoutNews", 1);
        return StatusCode::OK;
    };
    match tracker.note(tenant, &token, of("phonenumber"), fact).await {
        Ok(true) => StatusCode::OK,
        Ok(false) => {
            metrics::count("ReportsUnmatched", 1);
            StatusCode::OK
        }
        Err(error) => {
            tracing::warn!(%error, "a delivery report was not taken");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl Tracker {
    /// The workspace and the content of the token of a report.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the token is signed by us and names the workspace"
    )]
    fn report_of(&self, token: &str) -> Option<(TenantKey, Token)> {
        let token = Token::decode(token, &self.token_key).ok()?;
        let is_report = token.kind == TokenKind::Report && token.channel == Channel::Sms;
        let workspace = token.workspace.parse().ok().filter(|_| is_report)?;
        Some((TenantKey::authenticated(workspace), token))
    }

    /// Puts the report of a send on its queue; false if it is about no send.
    async fn note(
        &self,
        tenant: TenantKey,
        token: &Token,
        phone: &str,
        fact: Fact,
    ) -> Result<bool, cloud::Error> {
        let contact = match token.contact.parse() {
            Ok(contact) => Some(contact),
            Err(_) => self.member(tenant, &token.scope, phone).await?,
        };
        let Some(contact) = contact else {
            return Ok(false);
        };
        let receipt = Receipt {
            key: LedgerKey {
                scope: token.scope.clone(),
                contact,
                channel: token.channel,
                step: token.step.clone(),
            },
            fact,
            at: self.feedback.now(),
        };
        let message = Backlog::Receipts {
            receipts: vec![receipt],
        };
        let sent = self.reports.send(tenant, &message, SendOptions::default());
        sent.await.map(|()| true)
    }

    /// The contact that a campaign sent to at this number: that of a shared number, else its owner. Two read units.
    async fn member(
        &self,
        tenant: TenantKey,
        scope: &str,
        phone: &str,
    ) -> Result<Option<ContactId>, cloud::Error> {
        let Ok(phone) = phone.parse::<Phone>() else {
            return Ok(None);
        };
        let address = Address::Phone(phone.clone());
        let holder = self.ledger.holder(tenant, scope, Channel::Sms, &address);
        if let Some(contact) = holder.await? {
            return Ok(Some(contact));
        }
        self.profiles.owner(tenant, &Identity::Phone(phone)).await
    }
}
