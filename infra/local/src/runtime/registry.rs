//! Which crate stands behind a `Handler` of the template.
//!
//! The only place that names the function crates: a new function is a line here.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lambda::Setup;

use super::functions::{Code, Failure};

/// Builds the code of the function whose `Handler` is `handler`.
pub async fn code(handler: &str, setup: &Setup) -> Result<Code> {
    let function = match handler {
        "account-mailer" => account_mailer::function(setup).await,
        "api-accounts" => api_accounts::function(setup).await,
        "api-campaigns" => api_campaigns::function(setup).await,
        "api-chat" => api_chat::function(setup).await,
        "api-contacts" => api_contacts::function(setup).await,
        "api-sources" => api_sources::function(setup).await,
        "api-workflows" => api_workflows::function(setup).await,
        "authorizer" => authorizer::function(setup).await,
        "campaign-planner" => campaign_planner::function(setup).await,
        "campaign-sender-email" => campaign_sender_email::function(setup).await,
        "change-relay" => change_relay::function(setup).await,
        "chat-inbound" => chat_inbound::function(setup).await,
        "chat-notifier" => chat_notifier::function(setup).await,
        "chat-outbound" => chat_outbound::function(setup).await,
        "chat-socket" => chat_socket::function(setup).await,
        "chat-widget" => chat_widget::function(setup).await,
        "contact-import" => contact_import::function(setup).await,
        "delivery-status" => delivery_status::function(setup).await,
        "due-timer" => due_timer::function(setup).await,
        "ingest" => ingest::function(setup).await,
        "link-tracker" => link_tracker::function(setup).await,
        "message-sender" => message_sender::function(setup).await,
        "webhook-ladipage" => webhook_ladipage::function(setup).await,
        "workflow-step" => workflow_step::function(setup).await,
        "workflow-trigger" => workflow_trigger::function(setup).await,
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
