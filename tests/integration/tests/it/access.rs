//! Permissions: every operation, by every role and every scope, through the functions themselves.

mod roles;
mod tenants;

use access::Operation;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use kernel::access::People;
use kernel::{ChatRole, Grant, Role, Scope};
use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

const WORKSPACE: &str = "ws_00000000001";
const ROLES: [Role; 4] = [
    Role::Viewer,
    Role::Contributor,
    Role::AccountManager,
    Role::AccountAdmin,
];
const CHAT_ROLES: [Option<ChatRole>; 3] =
    [None, Some(ChatRole::Agent), Some(ChatRole::Administrator)];

/// Function, method and path of an operation. A missing operation is a compile error.
#[expect(clippy::too_many_lines, reason = "one line an operation")]
fn place(operation: Operation) -> (&'static str, &'static str, &'static str) {
    use Operation as O;
    match operation {
        O::Logout => ("api-accounts", "POST", "/v1/auth/logout"),
        O::ChangePassword => ("api-accounts", "POST", "/v1/auth/password"),
        O::ShowMe => ("api-accounts", "GET", "/v1/me"),
        O::UpdateMe => ("api-accounts", "PATCH", "/v1/me"),
        O::ListWorkspaceMembers => ("api-accounts", "GET", "/v1/members"),
        O::ListUsers => ("api-accounts", "GET", "/v1/users"),
        O::ShowUser => ("api-accounts", "GET", "/v1/users/usr_00000000009"),
        O::UpdateUser => ("api-accounts", "PATCH", "/v1/users/usr_00000000009"),
        O::ResetSecondFactor => (
            "api-accounts",
            "POST",
            "/v1/users/usr_00000000009/second-factor/reset",
        ),
        O::EnrolSecondFactor => ("api-accounts", "POST", "/v1/auth/totp"),
        O::ConfirmSecondFactor => ("api-accounts", "POST", "/v1/auth/totp/confirm"),
        O::DisableSecondFactor => ("api-accounts", "POST", "/v1/auth/totp/disable"),
        O::RenewRecoveryCodes => ("api-accounts", "POST", "/v1/auth/totp/recovery-codes"),
        O::ListInvitations => ("api-accounts", "GET", "/v1/invitations"),
        O::CreateInvitation => ("api-accounts", "POST", "/v1/invitations"),
        O::ShowInvitation => ("api-accounts", "GET", "/v1/invitations/inv_00000000009"),
        O::ResendInvitation => (
            "api-accounts",
            "POST",
            "/v1/invitations/inv_00000000009/resend",
        ),
        O::RevokeInvitation => (
            "api-accounts",
            "POST",
            "/v1/invitations/inv_00000000009/revoke",
        ),
        O::ShowOnboarding => ("api-accounts", "GET", "/v1/onboarding"),
        O::DismissOnboarding => ("api-accounts", "POST", "/v1/onboarding/dismiss"),
        O::ListWorkspaces => ("api-accounts", "GET", "/v1/workspaces"),
        O::CreateWorkspace => ("api-accounts", "POST", "/v1/workspaces"),
        O::ShowWorkspace => ("api-accounts", "GET", "/v1/workspaces/ws_00000000009"),
        O::UpdateWorkspace => ("api-accounts", "PATCH", "/v1/workspaces/ws_00000000009"),
        O::ArchiveWorkspace => (
            "api-accounts",
            "POST",
            "/v1/workspaces/ws_00000000009/archive",
        ),
        O::RestoreWorkspace => (
            "api-accounts",
            "POST",
            "/v1/workspaces/ws_00000000009/restore",
        ),
        O::ListAuditLog => ("api-accounts", "GET", "/v1/audit-log"),
        O::ListApiKeys => ("api-accounts", "GET", "/v1/api-keys"),
        O::CreateApiKey => ("api-accounts", "POST", "/v1/api-keys"),
        O::RevokeApiKey => ("api-accounts", "DELETE", "/v1/api-keys/key_00000000009"),
        O::TakeOverApiKey => (
            "api-accounts",
            "POST",
            "/v1/api-keys/key_00000000009/take-over",
        ),
        O::ListSenders => ("api-accounts", "GET", "/v1/senders"),
        O::CreateSender => ("api-accounts", "POST", "/v1/senders"),
        O::ShowSender => ("api-accounts", "GET", "/v1/senders/snd_00000000009"),
        O::ConfirmSender => (
            "api-accounts",
            "POST",
            "/v1/senders/snd_00000000009/confirm",
        ),
        O::RemoveSender => ("api-accounts", "DELETE", "/v1/senders/snd_00000000009"),
        O::SearchContacts => ("api-contacts", "GET", "/v1/contacts?query=an"),
        O::SaveContact => ("api-contacts", "POST", "/v1/contacts"),
        O::ShowContact => ("api-contacts", "GET", "/v1/contacts/con_00000000009"),
        O::UpdateContact => ("api-contacts", "PATCH", "/v1/contacts/con_00000000009"),
        O::AddContactTags => ("api-contacts", "POST", "/v1/contacts/con_00000000009/tags"),
        O::RemoveContactTag => (
            "api-contacts",
            "DELETE",
            "/v1/contacts/con_00000000009/tags/VIP",
        ),
        O::RemoveContactFromList => (
            "api-contacts",
            "DELETE",
            "/v1/contacts/con_00000000009/lists/lst_00000000009",
        ),
        O::ListDuplicates => ("api-contacts", "GET", "/v1/contacts/duplicates"),
        O::ConfirmIdentity => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/identities/confirm",
        ),
        O::EraseContact => ("api-contacts", "DELETE", "/v1/contacts/con_00000000009"),
        O::ArchiveContact => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/archive",
        ),
        O::RestoreContact => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/restore",
        ),
        O::ListTimeline => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/timeline",
        ),
        O::ListContactSegments => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/segments",
        ),
        O::ListContactEnrollments => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/enrollments",
        ),
        O::ShowConsent => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/consent",
        ),
        O::RecordConsent => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/consent",
        ),
        O::SuppressContact => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/suppress",
        ),
        O::UnsuppressContact => (
            "api-contacts",
            "POST",
            "/v1/contacts/con_00000000009/unsuppress",
        ),
        O::AddContactToList => ("api-contacts", "POST", "/v1/contacts/con_00000000009/lists"),
        O::ListLists => ("api-contacts", "GET", "/v1/lists"),
        O::CreateList => ("api-contacts", "POST", "/v1/lists"),
        O::ShowList => ("api-contacts", "GET", "/v1/lists/lst_00000000009"),
        O::UpdateList => ("api-contacts", "PATCH", "/v1/lists/lst_00000000009"),
        O::RemoveList => ("api-contacts", "DELETE", "/v1/lists/lst_00000000009"),
        O::ListTags => ("api-contacts", "GET", "/v1/tags"),
        O::CreateTag => ("api-contacts", "POST", "/v1/tags"),
        O::ShowTag => ("api-contacts", "GET", "/v1/tags/VIP"),
        O::UpdateTag => ("api-contacts", "PATCH", "/v1/tags/VIP"),
        O::RenameTag => ("api-contacts", "POST", "/v1/tags/VIP/rename"),
        O::RemoveTag => ("api-contacts", "DELETE", "/v1/tags/VIP"),
        O::ListBulkJobs => ("api-contacts", "GET", "/v1/contacts/bulk"),
        O::StartBulkJob => ("api-contacts", "POST", "/v1/contacts/bulk"),
        O::CancelBulkJob => (
            "api-contacts",
            "POST",
            "/v1/contacts/bulk/blk_00000000009/cancel",
        ),
        O::ShowBulkJob => ("api-contacts", "GET", "/v1/contacts/bulk/blk_00000000009"),
        O::ListMembers => ("api-contacts", "GET", "/v1/lists/lst_00000000009/contacts"),
        O::ListDevices => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/devices",
        ),
        O::SaveDevice => (
            "api-contacts",
            "PUT",
            "/v1/contacts/con_00000000009/devices",
        ),
        O::RemoveDevice => (
            "api-contacts",
            "DELETE",
            "/v1/contacts/con_00000000009/devices/0123456789abcdef",
        ),
        O::ListNotes => ("api-contacts", "GET", "/v1/contacts/con_00000000009/notes"),
        O::CreateNote => ("api-contacts", "POST", "/v1/contacts/con_00000000009/notes"),
        O::CreateContactFile => ("api-contacts", "POST", "/v1/contacts/con_00000000009/files"),
        O::SaveContactFile => (
            "api-contacts",
            "PUT",
            "/v1/contacts/con_00000000009/files/hop_dong",
        ),
        O::ShowContactFile => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/files/hop_dong",
        ),
        O::RemoveContactFile => (
            "api-contacts",
            "DELETE",
            "/v1/contacts/con_00000000009/files/hop_dong",
        ),
        O::UpdateNote => (
            "api-contacts",
            "PATCH",
            "/v1/contacts/con_00000000009/notes/not_00000000009",
        ),
        O::RemoveNote => (
            "api-contacts",
            "DELETE",
            "/v1/contacts/con_00000000009/notes/not_00000000009",
        ),
        O::ListFields => ("api-contacts", "GET", "/v1/fields"),
        O::CreateField => ("api-contacts", "POST", "/v1/fields"),
        O::ShowField => ("api-contacts", "GET", "/v1/fields/hang"),
        O::UpdateField => ("api-contacts", "PATCH", "/v1/fields/hang"),
        O::RemoveField => ("api-contacts", "DELETE", "/v1/fields/hang"),
        O::ListViews => ("api-contacts", "GET", "/v1/views"),
        O::CreateView => ("api-contacts", "POST", "/v1/views"),
        O::ShowView => ("api-contacts", "GET", "/v1/views/viw_00000000009"),
        O::UpdateView => ("api-contacts", "PUT", "/v1/views/viw_00000000009"),
        O::RemoveView => ("api-contacts", "DELETE", "/v1/views/viw_00000000009"),
        O::StartImport => ("api-contacts", "POST", "/v1/imports"),
        O::ShowScoring => ("api-contacts", "GET", "/v1/scoring"),
        O::ChangeScoring => ("api-contacts", "PUT", "/v1/scoring"),
        O::ShowContactScore => ("api-contacts", "GET", "/v1/contacts/con_00000000009/score"),
        O::ListImports => ("api-contacts", "GET", "/v1/imports"),
        O::UndoImport => ("api-contacts", "POST", "/v1/imports/imp_00000000009/undo"),
        O::ShowImportSample => ("api-contacts", "GET", "/v1/imports/sample"),
        O::ShowImport => ("api-contacts", "GET", "/v1/imports/imp_00000000009"),
        O::ChangeImport => ("api-contacts", "PUT", "/v1/imports/imp_00000000009"),
        O::PreviewImport => ("api-contacts", "GET", "/v1/imports/imp_00000000009/preview"),
        O::BeginImport => ("api-contacts", "POST", "/v1/imports/imp_00000000009/start"),
        O::StartExport => ("api-contacts", "POST", "/v1/exports"),
        O::ListExports => ("api-contacts", "GET", "/v1/exports"),
        O::ShowExport => ("api-contacts", "GET", "/v1/exports/exp_00000000009"),
        O::ListPrivacyRequests => ("api-privacy", "GET", "/v1/privacy-requests"),
        O::CreatePrivacyRequest => ("api-privacy", "POST", "/v1/privacy-requests"),
        O::ShowPrivacyRequest => ("api-privacy", "GET", "/v1/privacy-requests/prq_00000000009"),
        O::UpdatePrivacyRequest => (
            "api-privacy",
            "PATCH",
            "/v1/privacy-requests/prq_00000000009",
        ),
        O::ExtendPrivacyRequest => (
            "api-privacy",
            "POST",
            "/v1/privacy-requests/prq_00000000009/extend",
        ),
        O::RunPrivacyRequest => (
            "api-privacy",
            "POST",
            "/v1/privacy-requests/prq_00000000009/run",
        ),
        O::ClosePrivacyRequest => (
            "api-privacy",
            "POST",
            "/v1/privacy-requests/prq_00000000009/close",
        ),
        O::ShowComplianceRegister => ("api-privacy", "GET", "/v1/compliance/register"),
        O::ListSources => ("api-sources", "GET", "/v1/sources"),
        O::CreateSource => ("api-sources", "POST", "/v1/sources"),
        O::ShowSource => ("api-sources", "GET", "/v1/sources/src_00000000009"),
        O::ShowTracking => ("api-sources", "GET", "/v1/tracking"),
        O::ShowSourceActivity => ("api-sources", "GET", "/v1/sources/src_00000000009/activity"),
        O::UpdateSource => ("api-sources", "PATCH", "/v1/sources/src_00000000009"),
        O::ReplaceSourceSecret => ("api-sources", "PUT", "/v1/sources/src_00000000009/secret"),
        O::SaveSourceCredentials => (
            "api-sources",
            "PUT",
            "/v1/sources/src_00000000009/credentials",
        ),
        O::AuthorizeSource => (
            "api-sources",
            "POST",
            "/v1/sources/src_00000000009/authorize",
        ),
        O::ShowSourceSync => ("api-sources", "GET", "/v1/sources/src_00000000009/sync"),
        O::StartSourceSync => ("api-sources", "POST", "/v1/sources/src_00000000009/sync"),
        O::DisconnectSource => (
            "api-sources",
            "POST",
            "/v1/sources/src_00000000009/disconnect",
        ),
        O::RemoveSource => ("api-sources", "DELETE", "/v1/sources/src_00000000009"),
        O::ListWebhooks => ("api-sources", "GET", "/v1/webhooks"),
        O::CreateWebhook => ("api-sources", "POST", "/v1/webhooks"),
        O::ShowWebhook => ("api-sources", "GET", "/v1/webhooks/whk_00000000009"),
        O::UpdateWebhook => ("api-sources", "PATCH", "/v1/webhooks/whk_00000000009"),
        O::RemoveWebhook => ("api-sources", "DELETE", "/v1/webhooks/whk_00000000009"),
        O::RotateWebhookSecret => ("api-sources", "POST", "/v1/webhooks/whk_00000000009/secret"),
        O::TestWebhook => ("api-sources", "POST", "/v1/webhooks/whk_00000000009/test"),
        O::ListWebhookDeliveries => (
            "api-sources",
            "GET",
            "/v1/webhooks/whk_00000000009/deliveries",
        ),
        O::ShowWebhookDelivery => (
            "api-sources",
            "GET",
            "/v1/webhooks/whk_00000000009/deliveries/evt_1772413260000_0123456789abcdef0123456789abcdef",
        ),
        O::RedeliverWebhookDelivery => (
            "api-sources",
            "POST",
            "/v1/webhooks/whk_00000000009/deliveries/evt_1772413260000_0123456789abcdef0123456789abcdef/redeliver",
        ),
        O::RedeliverFailedWebhookDeliveries => (
            "api-sources",
            "POST",
            "/v1/webhooks/whk_00000000009/redeliver",
        ),
        O::ListFailedRequests => (
            "api-sources",
            "GET",
            "/v1/sources/src_00000000009/failed-requests",
        ),
        O::ShowFailedRequest => (
            "api-sources",
            "GET",
            "/v1/sources/src_00000000009/failed-requests/1772413260000-7cf4b3ea3b7fb829169af19d641905eb",
        ),
        O::ReplayFailedRequest => (
            "api-sources",
            "POST",
            "/v1/sources/src_00000000009/failed-requests/1772413260000-7cf4b3ea3b7fb829169af19d641905eb/replay",
        ),
        O::ReplayFailedRequests => (
            "api-sources",
            "POST",
            "/v1/sources/src_00000000009/failed-requests/replay",
        ),
        O::RemoveFailedRequest => (
            "api-sources",
            "DELETE",
            "/v1/sources/src_00000000009/failed-requests/1772413260000-7cf4b3ea3b7fb829169af19d641905eb",
        ),
        O::ListWorkflows => ("api-workflows", "GET", "/v1/workflows"),
        O::CreateWorkflow => ("api-workflows", "POST", "/v1/workflows"),
        O::ShowWorkflow => ("api-workflows", "GET", "/v1/workflows/wfl_00000000009"),
        O::ActivateWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/activate",
        ),
        O::PauseWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/pause",
        ),
        O::ArchiveWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/archive",
        ),
        O::ShowWorkflowReport => (
            "api-workflows",
            "GET",
            "/v1/workflows/wfl_00000000009/report",
        ),
        O::ListForms => ("api-forms", "GET", "/v1/forms"),
        O::CreateForm => ("api-forms", "POST", "/v1/forms"),
        O::ShowForm => ("api-forms", "GET", "/v1/forms/frm_00000000009"),
        O::ReplaceForm => ("api-forms", "PUT", "/v1/forms/frm_00000000009"),
        O::RemoveForm => ("api-forms", "DELETE", "/v1/forms/frm_00000000009"),
        O::PublishForm => ("api-forms", "POST", "/v1/forms/frm_00000000009/publish"),
        O::PauseForm => ("api-forms", "POST", "/v1/forms/frm_00000000009/pause"),
        O::ArchiveForm => ("api-forms", "POST", "/v1/forms/frm_00000000009/archive"),
        O::DuplicateForm => ("api-forms", "POST", "/v1/forms/frm_00000000009/duplicate"),
        O::ShowFormQr => ("api-forms", "GET", "/v1/forms/frm_00000000009/qr"),
        O::ShowFormReport => ("api-forms", "GET", "/v1/forms/frm_00000000009/report"),
        O::ProtectForm => ("api-forms", "PUT", "/v1/forms/frm_00000000009/turnstile"),
        O::UnprotectForm => ("api-forms", "DELETE", "/v1/forms/frm_00000000009/turnstile"),
        O::ShowFormCode => ("api-forms", "GET", "/v1/forms/frm_00000000009/code"),
        O::MergeContacts => ("api-contacts", "POST", "/v1/contacts/con_0000000000a/merge"),
        O::ListOrders => ("api-commerce", "GET", "/v1/orders"),
        O::ShowOrderTotals => ("api-commerce", "GET", "/v1/orders/totals"),
        O::CreateOrder => ("api-commerce", "POST", "/v1/orders"),
        O::ShowOrder => ("api-commerce", "GET", "/v1/orders/ord_00000000009"),
        O::UpdateOrder => ("api-commerce", "PATCH", "/v1/orders/ord_00000000009"),
        O::CancelOrder => ("api-commerce", "POST", "/v1/orders/ord_00000000009/cancel"),
        O::ChangeOrders => ("api-commerce", "POST", "/v1/orders/bulk"),
        O::ListProducts => ("api-commerce", "GET", "/v1/products"),
        O::CreateProduct => ("api-commerce", "POST", "/v1/products"),
        O::ShowProduct => ("api-commerce", "GET", "/v1/products/prd_00000000009"),
        O::UpdateProduct => ("api-commerce", "PATCH", "/v1/products/prd_00000000009"),
        O::ShowSmsChannel => ("api-channels", "GET", "/v1/channels/sms"),
        O::ConnectSmsChannel => ("api-channels", "PUT", "/v1/channels/sms"),
        O::DisconnectSmsChannel => ("api-channels", "DELETE", "/v1/channels/sms"),
        O::ShowSmsBalance => ("api-channels", "GET", "/v1/channels/sms/balance"),
        O::PreviewSms => ("api-channels", "POST", "/v1/channels/sms/preview"),
        O::ShowPushChannel => ("api-channels", "GET", "/v1/channels/push"),
        O::SetWebPush => ("api-channels", "PUT", "/v1/channels/push/web"),
        O::RemoveWebPush => ("api-channels", "DELETE", "/v1/channels/push/web"),
        O::ConnectFcm => ("api-channels", "PUT", "/v1/channels/push/fcm"),
        O::DisconnectFcm => ("api-channels", "DELETE", "/v1/channels/push/fcm"),
        O::ListSmsBrandnames => ("api-channels", "GET", "/v1/channels/sms/brandnames"),
        O::CreateSmsBrandname => ("api-channels", "POST", "/v1/channels/sms/brandnames"),
        O::ShowSmsBrandname => (
            "api-channels",
            "GET",
            "/v1/channels/sms/brandnames/brn_00000000009",
        ),
        O::UpdateSmsBrandname => (
            "api-channels",
            "PUT",
            "/v1/channels/sms/brandnames/brn_00000000009",
        ),
        O::RemoveSmsBrandname => (
            "api-channels",
            "DELETE",
            "/v1/channels/sms/brandnames/brn_00000000009",
        ),
        O::ChangeDoNotAdvertise => ("api-channels", "POST", "/v1/channels/sms/do-not-advertise"),
        O::LookUpDoNotAdvertise => (
            "api-channels",
            "POST",
            "/v1/channels/sms/do-not-advertise/lookup",
        ),
        O::ListSmsTemplates => ("api-channels", "GET", "/v1/channels/sms/templates"),
        O::CreateSmsTemplate => ("api-channels", "POST", "/v1/channels/sms/templates"),
        O::ShowSmsTemplate => (
            "api-channels",
            "GET",
            "/v1/channels/sms/templates/smt_00000000009",
        ),
        O::UpdateSmsTemplate => (
            "api-channels",
            "PUT",
            "/v1/channels/sms/templates/smt_00000000009",
        ),
        O::ListZaloOas => ("api-channels", "GET", "/v1/channels/zalo"),
        O::AuthorizeZaloOa => ("api-channels", "POST", "/v1/channels/zalo/authorize"),
        O::ShowZaloOa => (
            "api-channels",
            "GET",
            "/v1/channels/zalo/3400000000000000009",
        ),
        O::UpdateZaloOa => (
            "api-channels",
            "PUT",
            "/v1/channels/zalo/3400000000000000009",
        ),
        O::DisconnectZaloOa => (
            "api-channels",
            "DELETE",
            "/v1/channels/zalo/3400000000000000009",
        ),
        O::SyncZaloOa => (
            "api-channels",
            "POST",
            "/v1/channels/zalo/3400000000000000009/sync",
        ),
        O::ListZnsTemplates => (
            "api-channels",
            "GET",
            "/v1/channels/zalo/3400000000000000009/templates",
        ),
        O::ShowZnsTemplate => (
            "api-channels",
            "GET",
            "/v1/channels/zalo/3400000000000000009/templates/207320",
        ),
        O::RemoveSmsTemplate => (
            "api-channels",
            "DELETE",
            "/v1/channels/sms/templates/smt_00000000009",
        ),
        O::ListSegments => ("api-segments", "GET", "/v1/segments"),
        O::CreateSegment => ("api-segments", "POST", "/v1/segments"),
        O::PreviewSegment => ("api-segments", "POST", "/v1/segments/preview"),
        O::CreateOfferedSegments => ("api-segments", "POST", "/v1/segments/offered"),
        O::ShowSegment => ("api-segments", "GET", "/v1/segments/seg_00000000009"),
        O::UpdateSegment => ("api-segments", "PATCH", "/v1/segments/seg_00000000009"),
        O::RemoveSegment => ("api-segments", "DELETE", "/v1/segments/seg_00000000009"),
        O::ListSegmentMembers => (
            "api-segments",
            "GET",
            "/v1/segments/seg_00000000009/members",
        ),
        O::UpdateSegmentMembers => (
            "api-segments",
            "POST",
            "/v1/segments/seg_00000000009/members",
        ),
        O::ListCampaigns => ("api-campaigns", "GET", "/v1/campaigns"),
        O::CreateCampaign => ("api-campaigns", "POST", "/v1/campaigns"),
        O::ShowCampaign => ("api-campaigns", "GET", "/v1/campaigns/cmp_00000000009"),
        O::UpdateCampaign => ("api-campaigns", "PATCH", "/v1/campaigns/cmp_00000000009"),
        O::DeleteCampaign => ("api-campaigns", "DELETE", "/v1/campaigns/cmp_00000000009"),
        O::CopyCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/copy",
        ),
        O::EstimateCampaign => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/estimate",
        ),
        O::CheckCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/check",
        ),
        O::PreviewCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/preview",
        ),
        O::TestCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/test",
        ),
        O::RequestCampaignApproval => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/approval",
        ),
        O::WithdrawCampaignApproval => (
            "api-campaigns",
            "DELETE",
            "/v1/campaigns/cmp_00000000009/approval",
        ),
        O::ApproveCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/approve",
        ),
        O::RejectCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/reject",
        ),
        O::UnscheduleCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/unschedule",
        ),
        O::SendCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/send",
        ),
        O::PauseCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/pause",
        ),
        O::ResumeCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/resume",
        ),
        O::ConfirmCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/confirm",
        ),
        O::CancelCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/cancel",
        ),
        O::ChooseCampaignWinner => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/winner",
        ),
        O::ListCampaignHours => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/report/hours",
        ),
        O::ListCampaignLinks => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/links",
        ),
        O::ListReceivers => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/receivers",
        ),
        O::DownloadReceivers => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/receivers/file",
        ),
        O::ListSentMessages => ("api-campaigns", "GET", "/v1/messages"),
        O::ShowSentMessage => (
            "api-campaigns",
            "GET",
            "/v1/messages/cmp_00000000009.con_00000000009.email.0",
        ),
        O::ShowCampaignReport => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/report",
        ),
        O::ListConversations => ("api-chat", "GET", "/v1/conversations"),
        O::ShowConversation => ("api-chat", "GET", "/v1/conversations/cnv_00000000009"),
        O::UpdateConversation => ("api-chat", "PATCH", "/v1/conversations/cnv_00000000009"),
        O::ListMessages => (
            "api-chat",
            "GET",
            "/v1/conversations/cnv_00000000009/messages",
        ),
        O::WriteMessage => (
            "api-chat",
            "POST",
            "/v1/conversations/cnv_00000000009/messages",
        ),
        O::SetConversationStatus => (
            "api-chat",
            "POST",
            "/v1/conversations/cnv_00000000009/status",
        ),
        O::MuteConversation => ("api-chat", "POST", "/v1/conversations/cnv_00000000009/mute"),
        O::ListInboxes => ("api-chat", "GET", "/v1/inboxes"),
        O::CreateInbox => ("api-chat", "POST", "/v1/inboxes"),
    }
}

/// A body of the right shape, so that the answer depends on the permission and not on the body.
#[expect(clippy::too_many_lines, reason = "one line an operation")]
fn body(operation: Operation) -> Option<Value> {
    use Operation as O;
    let nodes = json!({ "tag": { "type": "add_tag", "tags": ["mới"] } });
    let graph = json!({ "start": "tag", "nodes": nodes });
    Some(match operation {
        O::ChangePassword => json!({ "current": "x", "new": "y" }),
        O::UpdateMe => json!({ "name": "An" }),
        O::CreateWorkspace | O::ArchiveWorkspace | O::CreateList => json!({ "name": "Mới" }),
        O::UpdateUser
        | O::UpdateWorkspace
        | O::UpdateSource
        | O::ReplaceSourceSecret
        | O::UpdateWebhook
        | O::StartExport
        | O::ChangeImport
        | O::UpdatePrivacyRequest
        | O::UpdateSegment
        | O::UpdateSegmentMembers => {
            json!({})
        }
        O::CreatePrivacyRequest => json!({ "type": "access", "requester": "Trần Thị An" }),
        O::ExtendPrivacyRequest => json!({ "reason": "nhiều bên" }),
        O::ClosePrivacyRequest => json!({ "status": "refused", "outcome": "trùng" }),
        O::UpdateList | O::UpdateField | O::UpdateTag => json!({}),
        O::CreateTag | O::RenameTag => json!({ "name": "VIP" }),
        O::StartBulkJob => json!({
            "change": { "add_tags": ["VIP"] }, "selection": { "everybody": true },
        }),
        O::ChooseCampaignWinner => json!({ "variant": "b" }),
        O::UpdateContact => json!({ "company": "Gốm Chu Đậu" }),
        O::AddContactTags => json!({ "tags": ["vip"] }),
        O::SaveDevice => json!({ "token": "app-1", "platform": "android" }),
        O::CreateNote | O::UpdateNote => json!({ "text": "Gọi sau 17h" }),
        O::CreateContactFile => json!({ "field": "hop_dong" }),
        O::SaveContactFile => json!({ "file_id": "fil_00000000009", "name": "hop-dong.pdf" }),
        O::CreateField => json!({ "key": "hang", "label": "Hạng", "type": "text" }),
        O::CreateView | O::UpdateView => {
            json!({ "name": "VIP", "shared": true, "columns": [{ "field": "full_name" }] })
        }
        O::ChangeScoring => json!({ "rules": [] }),
        O::CreateForm | O::ReplaceForm => json!({
            "name": "Bản tin", "fields": [{ "key": "email", "required": true }],
        }),
        O::ProtectForm => json!({
            "site_key": "1x00000000000000000000AA",
            "secret_key": "1x0000000000000000000000000000000AA",
        }),
        O::MergeContacts => json!({ "contact_id": "con_0000000000b" }),
        O::CreateOrder => json!({
            "contact_id": "con_00000000009",
            "items": [{ "name": "Áo thun", "quantity": 1, "price": 285_000 }],
        }),
        O::UpdateOrder => json!({ "staff_note": "Gọi trước khi giao" }),
        O::CancelOrder => json!({ "reason": "Khách đổi ý" }),
        O::ChangeOrders => json!({ "order_ids": ["ord_00000000009"], "status": "confirmed" }),
        O::CreateProduct => json!({ "code": "AO-TR", "name": "Áo thun trắng", "price": 285_000 }),
        O::UpdateProduct => json!({ "price": 295_000 }),
        O::SaveSourceCredentials => json!({ "shop": "gom", "api_key": "x" }),
        O::StartSourceSync => json!({ "history": "all" }),
        O::ConnectSmsChannel => json!({
            "api_key": "shop", "secret_key": tanigo_local::providers::SECRET,
        }),
        O::ChangeDoNotAdvertise => json!({ "add": ["0912345678"] }),
        O::LookUpDoNotAdvertise => json!({ "numbers": ["0912345678"] }),
        O::UpdateZaloOa => json!({ "api_rate_per_minute": 100 }),
        O::SetWebPush => json!({
            "contact_email": "shop@example.vn", "prompt": { "delay_seconds": 5, "text": "Nhận tin khuyến mãi?" },
        }),
        O::ConnectFcm => json!({
            "service_account": tanigo_local::providers::Fcm::service_account(),
        }),
        O::PreviewSms => json!({ "text": "Đơn hàng của bạn" }),
        O::CreateSmsBrandname | O::UpdateSmsBrandname => json!({ "name": "ACME", "kind": "care" }),
        O::CreateSmsTemplate | O::UpdateSmsTemplate => json!({
            "name": "Xác nhận", "brandname_id": "brn_00000000009", "content": "ACME: Don hang {{ trigger.code }}",
        }),
        O::CreateSegment => json!({ "name": "VIP", "kind": "static" }),
        O::PreviewSegment => json!({ "conditions": {} }),
        // The answer depends on the caller's own rights too; a test below covers the scopes.
        O::CreateApiKey => json!({ "name": "k", "scopes": [] }),
        O::CreateSource => json!({ "name": "Landing", "provider": "ladipage" }),
        O::CreateWebhook => json!({
            "url": "http://127.0.0.1:8787/_local/receiver/shop", "events": ["contact.created"],
        }),
        O::RedeliverFailedWebhookDeliveries => json!({ "since": "2026-03-01T00:00:00Z" }),
        O::CreateSender => json!({ "email": "shop@example.vn", "name": "Shop" }),
        O::ConfirmSender => json!({ "code": "x" }),
        O::ConfirmIdentity | O::SaveContact => json!({ "email": "an@example.vn" }),
        O::RecordConsent => json!({
            "decision": "withdrawn", "method": "phone", "channels": ["email"],
        }),
        O::SuppressContact | O::UnsuppressContact => json!({ "channel": "email", "reason": "x" }),
        O::AddContactToList => json!({ "list_id": "lst_00000000009" }),
        O::EnrolSecondFactor | O::RenewRecoveryCodes => json!({ "password": "x" }),
        O::ConfirmSecondFactor => json!({ "code": "123456" }),
        O::DisableSecondFactor => json!({ "password": "x", "code": "123456" }),
        O::CreateInvitation => json!({
            "email": "an@example.vn", "role": "account_admin", "workspace_ids": [],
        }),
        O::StartImport => json!("email"),
        O::CreateWorkflow => {
            json!({ "name": "x", "trigger": { "type": "form.submitted" }, "graph": graph })
        }
        O::CreateCampaign => json!({
            "name": "Tết", "audience": { "include": { "list_ids": ["lst_00000000009"] } },
            "mail": {
                "sender": { "from_name": "Shop", "from_email": "shop@example.vn" },
                "subject": "Chào", "html": "<p>a</p>",
            },
        }),
        O::UpdateCampaign => json!({ "name": "Tết" }),
        O::TestCampaign => json!({ "emails": ["an@example.vn"] }),
        O::RequestCampaignApproval => json!({ "note": "Xem giúp" }),
        O::ApproveCampaign => json!({ "snapshot": "x" }),
        O::RejectCampaign => json!({ "reason": "Sai giá" }),
        O::WriteMessage => json!({ "content": "Chào" }),
        O::UpdateConversation => json!({ "custom": {} }),
        O::SetConversationStatus => json!({ "status": "resolved" }),
        O::MuteConversation => json!({ "muted": true }),
        O::CreateInbox => json!({ "name": "Website", "allowed_origins": [] }),
        _ => return None,
    })
}

async fn status(world: &World, operation: Operation, grant: &Grant) -> u64 {
    let (function, method, path) = place(operation);
    let event = http_event(method, path, body(operation).as_ref(), Some(grant));
    let answer = world.invoke(function, event).await.unwrap();
    answer["statusCode"].as_u64().unwrap()
}

fn person(role: Role, chat_role: Option<ChatRole>) -> Grant {
    Grant {
        actor: "usr_00000000008".into(),
        role: Some(role),
        chat_role,
        ..grant_of(WORKSPACE.parse().unwrap(), "")
    }
}

#[tokio::test]
async fn every_role_and_scope_may_do_what_the_table_says_and_no_more() {
    let world = World::new();
    let mut wrong = Vec::new();
    for (n, &operation) in Operation::ALL.iter().enumerate() {
        // Each operation has its own caller and its own second, so that nobody reaches a limit on requests.
        world.advance(Duration::from_secs(1));
        let actor = format!("usr_{n:011}");
        let mut check = async |grant: Grant, allowed: bool, who: String| {
            let grant = Grant {
                actor: actor.clone(),
                ..grant
            };
            let status = status(&world, operation, &grant).await;
            if (status == 403) == allowed || status >= 500 {
                wrong.push(format!("{} by {who}: {status}", operation.id()));
            }
        };
        for role in ROLES {
            for chat in CHAT_ROLES {
                let allowed = operation.people().include(role, chat);
                check(person(role, chat), allowed, format!("{role:?} {chat:?}")).await;
            }
        }
        for scope in Scope::ALL {
            let grant = grant_of(WORKSPACE.parse().unwrap(), scope.name());
            let allowed = operation
                .scope()
                .is_some_and(|needed| scope.includes(needed));
            check(grant, allowed, scope.name().to_owned()).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A caller without the permission learns nothing about the request: no field names, no media type, no id.
#[tokio::test]
async fn the_permission_is_asked_before_the_request_is_read() {
    let world = World::new();
    let mut wrong = Vec::new();
    for (n, &operation) in Operation::ALL.iter().enumerate() {
        if operation.people() == People::SignedIn && operation.scope().is_none() {
            continue;
        }
        let (function, method, path) = place(operation);
        let grant = Grant {
            actor: format!("key_{n:011}"),
            ..grant_of(WORKSPACE.parse().unwrap(), "")
        };
        let requests = [
            (path.to_owned(), json!("{\"emial\":"), "application/json"),
            (path.to_owned(), json!("no json"), "text/plain"),
            (
                format!(
                    "{path}{}nonsense=1",
                    if path.contains('?') { '&' } else { '?' }
                ),
                json!(null),
                "",
            ),
            (
                path.replace("_00000000009", "_x"),
                json!("{}"),
                "application/json",
            ),
        ];
        for (path, body, content_type) in requests {
            let mut event = http_event(method, &path, None, Some(&grant));
            event["body"] = body;
            event["headers"]["content-type"] = json!(content_type);
            let answer = world.invoke(function, event).await.unwrap();
            if answer["statusCode"] != 403 {
                wrong.push(format!(
                    "{}: {path}: {}",
                    operation.id(),
                    answer["statusCode"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_id_that_is_not_ours_is_not_there() {
    let world = World::new();
    for &operation in Operation::ALL {
        let (_, _, path) = place(operation);
        if path.contains("_00000000009") {
            let grant = person(Role::AccountAdmin, None);
            assert_eq!(
                status(&world, operation, &grant).await,
                404,
                "{}",
                operation.id()
            );
        }
    }
}

#[tokio::test]
async fn without_a_workspace_only_the_account_is_open() {
    use kernel::NoWorkspace::{Archived, NotGiven, Unknown};
    let world = World::new();
    for (no_workspace, expected, in_account) in [
        (NotGiven, 400, 200),
        (Unknown, 404, 404),
        (Archived, 403, 200),
    ] {
        let grant = Grant {
            workspace: None,
            no_workspace: Some(no_workspace),
            ..person(Role::AccountAdmin, None)
        };
        assert_eq!(status(&world, Operation::ListLists, &grant).await, expected);
        assert_eq!(
            status(&world, Operation::ListUsers, &grant).await,
            in_account
        );
    }
}

/// A key never does what its maker may not: each maker, each set of scopes, each operation.
#[tokio::test]
async fn a_key_may_do_no_more_than_its_maker() {
    let world = World::new();
    let tenant = world.workspace().await;
    let mut made = Vec::new();
    let makers = ROLES.into_iter().flat_map(|role| {
        let name = move |chat: Option<ChatRole>| format!("{role:?} {chat:?}");
        CHAT_ROLES.map(|chat| (name(chat), person(role, chat)))
    });
    let keys = Scope::ALL.map(|scope| {
        (
            scope.name().to_owned(),
            grant_of(tenant.workspace(), scope.name()),
        )
    });
    for (who, maker) in makers.chain(keys) {
        for set in 1..16_usize {
            let scopes = Scope::ALL.into_iter().enumerate();
            let scopes: Vec<_> = scopes
                .filter(|(n, _)| set >> n & 1 == 1)
                .map(|(_, scope)| scope)
                .collect();
            let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
            let maker = Grant {
                workspace: Some(tenant.workspace()),
                ..maker.clone()
            };
            let body = json!({ "name": "k", "scopes": names });
            let event = http_event("POST", "/v1/api-keys", Some(&body), Some(&maker));
            let answer = world.invoke("api-accounts", event).await.unwrap();
            if answer["statusCode"] == 201 {
                let key = grant_of(tenant.workspace(), &names.join(" "));
                for &operation in Operation::ALL {
                    assert!(
                        !key.may(operation) || maker.may(operation),
                        "{who} gave {names:?}, which opens {}",
                        operation.id(),
                    );
                }
                made.push(format!("{who}: {}", names.join(" ")));
            } else {
                assert_eq!(answer["statusCode"], 403, "{who} {names:?}");
            }
        }
    }
    let count = |who: &str| made.iter().filter(|line| line.starts_with(who)).count();
    assert_eq!(count("AccountAdmin None"), 15, "everything");
    assert_eq!(
        count("AccountManager None"),
        1,
        "`track` alone, since `read` opens the inbox"
    );
    assert_eq!(
        count("AccountManager Some(Agent)"),
        7,
        "all without admin, which makes inboxes"
    );
    assert_eq!(count("AccountManager Some(Administrator)"), 15);
    assert_eq!(
        (count("admin"), count("write")),
        (15, 0),
        "a key with admin may make keys"
    );
    assert_eq!(count("Contributor") + count("Viewer"), 0);
}

/// docs/access.md shows every cell of the table. `UPDATE_DOCS=1` writes the file.
#[test]
fn the_document_shows_the_table() {
    let mut text = String::from(
        "# Permissions\n\nOne table decides every permission (`shared/access/src/lib.rs`). A test writes this page \
         from the table (`UPDATE_DOCS=1 cargo test`). A second test tries every cell. A third test compares the roles \
         with their description.\n\n\
         An account admin is also an administrator of the inbox. Other people, of any role, have access to the inbox \
         only if they were added to it.\n\n\
         A key has the permissions of its scope, and never more than the permissions of its maker. A key with `read` \
         also reads the inbox. So an account manager who was not added to the inbox can make no keys. The scope \
         `track` opens the doors of [tracking](tracking.md) only, which are in no row. No key can use operations on people or on several workspaces.\n\n\
         Viewers see reports only, and no lists. To show a viewer a report, send the link of the report: the link \
         holds the id.\n\n\
         | operation | viewer | contributor | account manager | account admin | inbox agent | inbox administrator \
         | key: track | read | write | admin |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let cell = |yes| if yes { " yes |" } else { " |" };
    for &operation in Operation::ALL {
        write!(text, "| `{}` |", operation.id()).unwrap();
        let people = operation.people();
        for role in ROLES {
            text += cell(people.include(role, None));
        }
        for chat in [ChatRole::Agent, ChatRole::Administrator] {
            text += cell(matches!(people, People::Chat(least) if chat >= least));
        }
        for scope in Scope::ALL {
            text += cell(
                operation
                    .scope()
                    .is_some_and(|needed| scope.includes(needed)),
            );
        }
        text.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == text,
        "docs/access.md is not the table"
    );
}
