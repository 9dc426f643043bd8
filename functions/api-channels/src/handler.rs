//! The state of the operations, and the problems that they share.

use std::sync::Arc;

use accounts::Audit;
use channels::Frequency;
use channels::push::{Fcm, PushSettings};
use channels::sms::{Client, MAX_BRANDNAMES, MAX_TEMPLATES, Refused, SmsSettings};
use cloud::Consents;
use kernel::Needs;
use lambda::http::{ClientIp, Code, May, Problem};
use utoipa_axum::router::OpenApiRouter;

use crate::{account, brandnames, do_not_advertise, push, templates, zalo};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub audit: Audit,
    pub client: Client,
    pub frequency: Frequency,
    pub settings: SmsSettings,
    /// Calls of Zalo.
    pub zalo: channels::zns::Client,
    /// Waits for the consent of a person at Zalo.
    pub consents: Consents,
    /// The public address of the installation.
    pub base_url: Arc<str>,
    pub push: PushSettings,
    pub fcm: Fcm,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(account::routes())
        .merge(brandnames::routes())
        .merge(do_not_advertise::routes())
        .merge(templates::routes())
        .merge(zalo::routes())
        .merge(push::routes())
}

impl Api {
    /// Enters a change into the audit log, before it is made.
    pub async fn note<P: Needs>(
        &self,
        caller: &May<P>,
        id: impl std::fmt::Display,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let permission = caller.permission();
        let noted = self.audit.note(caller.grant(), permission, id, &ip.0);
        Ok(noted.await?)
    }
}

/// The problem of a row that is not written.
pub fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Full => {
            let detail = format!(
                "a workspace has at most {MAX_BRANDNAMES} brandnames and {MAX_TEMPLATES} templates"
            );
            Problem::new(Code::Conflict, detail)
        }
        Refused::NameTaken => {
            Problem::invalid("/name", "the workspace has this brandname for this kind")
        }
        Refused::FixedKind => Problem::invalid("/kind", "cannot change"),
        Refused::FixedBrandname => Problem::invalid("/brandname_id", "cannot change"),
        Refused::InUse => Problem::new(Code::Conflict, "templates name the brandname"),
        Refused::Missing => Problem::not_found("record"),
        Refused::NoBrandname => Problem::invalid("/brandname_id", "no such brandname"),
    }
}
