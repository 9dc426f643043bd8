//! Sends single messages: those of workflows, and transactional ones.
//!
//! Trigger: queue message, [`channels::SendMessage`]. Effects: SES, eSMS or push services, one call for each address, claimed in the send
//! ledger first. A redelivered message finds its outcome in the ledger. A message that must wait is put back
//! with a delay and its slot. A mail that is days late, or of an archived workflow, is recorded as failed and not
//! sent.

mod handler;

use accounts::RecentWorkspaces;
use channels::push::{self, PushChannel, PushSettings, Reach};
use channels::rate::SendRate;
use channels::sms::{self, ReportAddress, SmsChannel, SmsSettings};
use channels::{EmailChannel, Ledger, SendMachine};
use cloud::{Counters, Hosts, Timers};
use contacts::Profiles;
use content::tokens::TokenKey;
use forms::OptIns;
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use workflows::WorkflowStore;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let base_url = setup.text("PUBLIC_BASE_URL");
    let reports = ReportAddress::new(base_url, token_key.clone());
    let email = EmailChannel::over(resources, base_url, token_key.clone());
    let (hosts, secret) = (setup.text("PROVIDERS_URL"), setup.secret("SOURCES_SECRET"));
    if !Hosts::is_pattern(hosts) {
        let message = "https://* or an address of this machine with *";
        resources.refuse("PROVIDERS_URL", message);
    }
    let settings = SmsSettings::over(resources, secret);
    let hosts = Hosts::new(hosts);
    let client = sms::Client::new(resources, &hosts, settings);
    let reach = Reach {
        hosts: &hosts,
        loopback: setup.text("WEBHOOK_LOOPBACK"),
        base_url,
    };
    let settings = PushSettings::over(resources, secret);
    let notes = PushChannel::over(resources, reach, settings, token_key);
    let messenger = handler::Messenger {
        contacts: Profiles::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        email: handler::Route {
            machine: SendMachine::over(resources, email),
            rate: SendRate::of::<EmailChannel>(resources, setup.number("EMAIL_SEND_RATE")),
        },
        sms: handler::Route {
            machine: SendMachine::over(resources, SmsChannel::new(client, reports)),
            rate: SendRate::of::<SmsChannel>(resources, sms::PER_SECOND),
        },
        push: handler::Route {
            machine: SendMachine::over(resources, notes),
            rate: SendRate::of::<PushChannel>(resources, push::PER_SECOND),
        },
        queue: resources.queue_of(),
        ledger: Ledger::over(resources),
        workflows: WorkflowStore::over(resources),
        timers: Timers::over(resources),
        counters: Counters::over(resources),
        opt_ins: OptIns::over(resources),
    };
    Function::sqs(setup, Order::Any { concurrency: 10 }, move |record| {
        let messenger = messenger.clone();
        async move { handler::handle(&messenger, &record).await }
    })
}
