//! Maps each `Handler` of the template to its crate.
//!
//! The only place that names the function crates: a new function is a line here.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lambda::Setup;

use super::functions::{Code, Failure};

/// Builds the code of the function whose `Handler` is `handler`.
pub fn code(handler: &str, setup: &Setup) -> Result<Code> {
    let function = match handler {
        "account-mailer" => account_mailer::function(setup),
        "api-accounts" => api_accounts::function(setup),
        "api-campaigns" => api_campaigns::function(setup),
        "api-channels" => api_channels::function(setup),
        "api-chat" => api_chat::function(setup),
        "api-commerce" => api_commerce::function(setup),
        "api-contacts" => api_contacts::function(setup),
        "api-forms" => api_forms::function(setup),
        "api-privacy" => api_privacy::function(setup),
        "api-segments" => api_segments::function(setup),
        "api-sources" => api_sources::function(setup),
        "api-workflows" => api_workflows::function(setup),
        "authorizer" => authorizer::function(setup),
        "campaign-planner" => campaign_planner::function(setup),
        "segment-builder" => segment_builder::function(setup),
        "segment-updater" => segment_updater::function(setup),
        "campaign-sender-email" => campaign_sender_email::function(setup),
        "campaign-sender-sms" => campaign_sender_sms::function(setup),
        "campaign-sender-zns" => campaign_sender_zns::function(setup),
        "campaign-sender-push" => campaign_sender_push::function(setup),
        "change-relay" => change_relay::function(setup),
        "chat-inbound" => chat_inbound::function(setup),
        "chat-notifier" => chat_notifier::function(setup),
        "chat-outbound" => chat_outbound::function(setup),
        "chat-socket" => chat_socket::function(setup),
        "chat-widget" => chat_widget::function(setup),
        "contact-export" => contact_export::function(setup),
        "contact-bulk" => contact_bulk::function(setup),
        "contact-import" => contact_import::function(setup),
        "delivery-backlog" => delivery_backlog::function(setup),
        "delivery-status" => delivery_status::function(setup),
        "due-timer" => due_timer::function(setup),
        "form-submit" => form_submit::function(setup),
        "ingest" => ingest::function(setup),
        "link-tracker" => link_tracker::function(setup),
        "message-sender" => message_sender::function(setup),
        "source-sync" => source_sync::function(setup),
        "track-events" => track_events::function(setup),
        "track-writer" => track_writer::function(setup),
        "webhook-custom" => webhook_custom::function(setup),
        "webhook-dispatcher" => webhook_dispatcher::function(setup),
        "webhook-getfly" => webhook_getfly::function(setup),
        "webhook-haravan" => webhook_haravan::function(setup),
        "webhook-kiotviet" => webhook_kiotviet::function(setup),
        "webhook-ladipage" => webhook_ladipage::function(setup),
        "webhook-sapo" => webhook_sapo::function(setup),
        "webhook-shopee" => webhook_shopee::function(setup),
        "webhook-zalo" => webhook_zalo::function(setup),
        "workflow-step" => workflow_step::function(setup),
        "workflow-trigger" => workflow_trigger::function(setup),
        _ => bail!(
            "the template has a function with Handler {handler}, and the registry \
             (infra/local/src/runtime/registry.rs) has no crate for it"
        ),
    };
    let function = function.with_context(|| format!("function {handler}"))?;
    Ok(Arc::new(move |event, invocation| {
        let function = function.clone();
        Box::pin(async move {
            let result = function.invoke(event, invocation).await;
            result.map_err(|error| Failure {
                kind: error.error_type,
                message: error.message,
            })
        })
    }))
}
