//! Sending channels over HTTP: the account at the SMS provider, brandnames and templates; Zalo Official Accounts; the keys of push
//! notifications.
//!
//! Trigger: HTTP API routes `/v1/channels…`, behind the authorizer. Effects: rows of the directory table, each change after its
//! entry in the audit log. Keys of an account are proven at the provider, sealed, and never shown. No message is sent here.
//! Zalo sends a person back to `/w/zalo/connect`; the code of the consent is exchanged here.

mod account;
mod brandnames;
mod do_not_advertise;
mod handler;
mod push;
mod templates;
mod zalo;

use accounts::Audit;
use channels::Frequency;
use channels::push::{Fcm, PushSettings};
use channels::sms::{Client, SmsSettings};
use channels::zns::{self, App, ZaloStore};
use cloud::{Consents, Hosts};
use lambda::{ConfigError, Function, Setup, http};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let (hosts, secret) = (setup.text("PROVIDERS_URL"), setup.secret("SOURCES_SECRET"));
    if !Hosts::is_pattern(hosts) {
        resources.refuse(
            "PROVIDERS_URL",
            "https://* or an address of this machine with *",
        );
    }
    let settings = SmsSettings::over(resources, secret);
    let hosts = Hosts::new(hosts);
    let app = App::new(setup.text("ZALO_APP_ID"), setup.secret("ZALO_APP_SECRET"));
    let api = handler::Api {
        audit: Audit::over(resources),
        client: Client::new(resources, &hosts, settings.clone()),
        frequency: Frequency::over(resources),
        settings,
        zalo: zns::Client::new(resources, &hosts, app, ZaloStore::over(resources, secret)),
        consents: Consents::over(resources, "ZALO", "tngs"),
        base_url: setup.text("PUBLIC_BASE_URL").trim_end_matches('/').into(),
        push: PushSettings::over(resources, secret),
        fcm: Fcm::new(resources, &hosts),
    };
    let audit = api.audit.clone();
    let router = http::on_refusal(
        handler::routes().with_state(api.clone()).into(),
        move |grant, permission, ip| {
            let audit = audit.clone();
            async move { audit.note_forbidden(&grant, permission, &ip).await }
        },
    );
    Function::api_beside(setup, router, zalo::public().with_state(api).into())
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().merge(zalo::public()).into_openapi()
}
