//! Turns the requests that webhooks queued, and the forms that `form-submit` queued, into contacts and timeline events.
//!
//! Trigger: queue ingest, [`sources::Inbound`]. Effects: the contact, and an event on its timeline. A second run
//! finds the contact by its identities and the event by its key; a form without a time keeps that of its first
//! arrival. A request that holds an id only sends a message to `source-sync`. A body that cannot be read is kept at its
//! source, where its owner sees and replays it. The requests of a batch are counted once for each source.

mod goods;
mod handler;
mod opt_in;
mod request;
mod signup;

use std::sync::Arc;

use accounts::Senders;
use channels::MailStore;
use cloud::{Timers, Window};
use commerce::{Carts, Orders, Products};
use contacts::Contacts;
use forms::{LinkKey, OptIns};
use lambda::{ConfigError, Function, Setup};
use sources::{Activity, FailedRequests};

/// Messages that are handled concurrently.
const AT_ONCE: usize = 10;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let intake = Arc::new(handler::Intake {
        contacts: Contacts::over(resources),
        orders: Orders::over(resources).counting(resources),
        goods: goods::Goods {
            products: Products::over(resources),
            carts: Carts::over(resources),
            timers: Timers::over(resources),
        },
        failed: FailedRequests::over(resources),
        window: Window::over(resources),
        files: resources.bucket("Raw"),
        fetches: resources.queue_of(),
        opt_in: opt_in::OptInDesk {
            requests: OptIns::over(resources),
            senders: Senders::over(resources),
            mails: MailStore::over(resources),
            timers: Timers::over(resources),
            queue: resources.queue_of(),
            link_key: LinkKey::new(setup.secret("TRACKING_SECRET")),
            base_url: setup.text("PUBLIC_BASE_URL").trim_end_matches('/').into(),
        },
    });
    let activity = Activity::over(resources);
    let each = move |record| {
        let intake = intake.clone();
        async move { handler::handle(&intake, &record).await }
    };
    let count = move |done| {
        let activity = activity.clone();
        async move {
            handler::count(&activity, done).await;
            Ok(())
        }
    };
    Function::sqs_gathered(setup, AT_ONCE, each, handler::source_of, count)
}
