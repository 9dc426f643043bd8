//! The permissions: one table of every operation of the API, by role and by scope.
//!
//! The operation's name is its `operationId` in docs/openapi.json. Tests compare the two and print the table as
//! docs/access.md. The crate holds the table only. `kernel::Grant` holds the rights of a credential, and
//! `lambda::http::May` checks them.

use kernel::Grant;
use kernel::access::{ChatRole, People, Permission, Role, Scope};

macro_rules! operations {
    ($($operation:ident = $id:literal: $people:expr, $key:expr;)*) => {
        /// An operation that needs a credential.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "docs/openapi.json describes each under its id")]
        pub enum Operation { $($operation,)* }

        impl Operation {
            /// All operations, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$operation,)*];

            /// The operation's row of the table.
            pub const fn permission(self) -> Permission {
                match self {
                    $(Self::$operation => Permission { id: $id, people: $people, scope: $key },)*
                }
            }
        }

        impl ::core::convert::From<Operation> for Permission {
            fn from(operation: Operation) -> Self {
                operation.permission()
            }
        }

        /// A type for each operation: `May<op::SaveContact>` is a caller who may save contacts.
        pub mod op {
            use kernel::access::{Needs, Permission};

            $(
                #[doc = concat!("The operation `", $id, "`.")]
                #[derive(Debug, Clone, Copy)]
                pub struct $operation;

                impl Needs for $operation {
                    const PERMISSION: Permission = super::Operation::$operation.permission();
                }
            )*
        }
    };
}

impl Operation {
    /// The `operationId`.
    pub fn id(self) -> &'static str {
        self.permission().id
    }

    /// The people who may do it.
    pub fn people(self) -> People {
        self.permission().people
    }

    /// The scope that a key needs; `None`: no key may do it.
    pub fn scope(self) -> Option<Scope> {
        self.permission().scope
    }
}

/// Whether `maker` may do everything that a key with these scopes may do. Only then may `maker` make such a key.
pub fn may_give(maker: &Grant, scopes: &[Scope]) -> bool {
    Operation::ALL.iter().all(|&operation| {
        let needed = operation.scope();
        let opens = |scope: &Scope| needed.is_some_and(|needed| scope.includes(needed));
        !scopes.iter().any(opens) || maker.may(operation)
    })
}

use ChatRole::{Administrator, Agent};
use People::{Chat, From, SignedIn};
use Role::{AccountAdmin, AccountManager, Contributor, Viewer};
use Scope::{Admin, Read, Write};

operations! {
    // Accounts. Keys belong to one workspace, so operations on people or on several workspaces are closed to them.
    Logout = "logout": SignedIn, None;
    ChangePassword = "changePassword": SignedIn, None;
    ShowMe = "showMe": SignedIn, Some(Read);
    UpdateMe = "updateMe": SignedIn, None;
    ListWorkspaceMembers = "listWorkspaceMembers": From(Contributor), Some(Read);
    ListUsers = "listUsers": From(AccountAdmin), None;
    ShowUser = "showUser": From(AccountAdmin), None;
    UpdateUser = "updateUser": From(AccountAdmin), None;
    ResetSecondFactor = "resetSecondFactor": From(AccountAdmin), None;
    EnrolSecondFactor = "enrolSecondFactor": SignedIn, None;
    ConfirmSecondFactor = "confirmSecondFactor": SignedIn, None;
    DisableSecondFactor = "disableSecondFactor": SignedIn, None;
    RenewRecoveryCodes = "renewRecoveryCodes": SignedIn, None;
    ListInvitations = "listInvitations": From(AccountAdmin), None;
    ShowInvitation = "showInvitation": From(AccountAdmin), None;
    CreateInvitation = "createInvitation": From(AccountAdmin), None;
    ResendInvitation = "resendInvitation": From(AccountAdmin), None;
    RevokeInvitation = "revokeInvitation": From(AccountAdmin), None;
    ShowOnboarding = "showOnboarding": From(Contributor), Some(Read);
    DismissOnboarding = "dismissOnboarding": From(AccountManager), Some(Admin);
    ListWorkspaces = "listWorkspaces": SignedIn, None;
    CreateWorkspace = "createWorkspace": From(AccountAdmin), None;
    ShowWorkspace = "showWorkspace": SignedIn, None;
    UpdateWorkspace = "updateWorkspace": From(AccountAdmin), None;
    ArchiveWorkspace = "archiveWorkspace": From(AccountAdmin), None;
    RestoreWorkspace = "restoreWorkspace": From(AccountAdmin), None;
    ListAuditLog = "listAuditLog": From(AccountAdmin), None;
    ListApiKeys = "listApiKeys": From(AccountManager), Some(Admin);
    CreateApiKey = "createApiKey": From(AccountManager), Some(Admin);
    RevokeApiKey = "revokeApiKey": From(AccountManager), Some(Admin);
    // The new owner is a person.
    TakeOverApiKey = "takeOverApiKey": From(AccountManager), None;
    // The addresses that a workspace sends from.
    ListSenders = "listSenders": From(Contributor), Some(Read);
    ShowSender = "showSender": From(Contributor), Some(Read);
    CreateSender = "createSender": From(AccountManager), Some(Admin);
    ConfirmSender = "confirmSender": From(AccountManager), Some(Admin);
    RemoveSender = "removeSender": From(AccountManager), Some(Admin);
    // Requests of persons about their own data, and the register of what the workspace holds.
    ListPrivacyRequests = "listPrivacyRequests": From(AccountManager), Some(Admin);
    CreatePrivacyRequest = "createPrivacyRequest": From(AccountManager), Some(Admin);
    ShowPrivacyRequest = "showPrivacyRequest": From(AccountManager), Some(Admin);
    UpdatePrivacyRequest = "updatePrivacyRequest": From(AccountManager), Some(Admin);
    ExtendPrivacyRequest = "extendPrivacyRequest": From(AccountManager), Some(Admin);
    RunPrivacyRequest = "runPrivacyRequest": From(AccountManager), Some(Admin);
    ClosePrivacyRequest = "closePrivacyRequest": From(AccountManager), Some(Admin);
    ShowComplianceRegister = "showComplianceRegister": From(AccountManager), Some(Admin);
    // Contacts.
    SearchContacts = "searchContacts": From(Contributor), Some(Read);
    SaveContact = "saveContact": From(AccountManager), Some(Write);
    ShowContact = "showContact": From(Contributor), Some(Read);
    UpdateContact = "updateContact": From(AccountManager), Some(Write);
    AddContactTags = "addContactTags": From(AccountManager), Some(Write);
    RemoveContactTag = "removeContactTag": From(AccountManager), Some(Write);
    ListDuplicates = "listDuplicates": From(AccountManager), Some(Read);
    ConfirmIdentity = "confirmIdentity": From(AccountManager), Some(Write);
    ArchiveContact = "archiveContact": From(AccountManager), Some(Write);
    RestoreContact = "restoreContact": From(AccountManager), Some(Write);
    ListTimeline = "listTimeline": From(Contributor), Some(Read);
    ListContactSegments = "listContactSegments": From(Contributor), Some(Read);
    ListContactEnrollments = "listContactEnrollments": From(Contributor), Some(Read);
    ShowConsent = "showConsent": From(Contributor), Some(Read);
    RecordConsent = "recordConsent": From(AccountManager), Some(Write);
    SuppressContact = "suppressContact": From(AccountManager), Some(Write);
    // Ends a complaint or a block, so a person decides.
    UnsuppressContact = "unsuppressContact": From(AccountAdmin), None;
    AddContactToList = "addContactToList": From(AccountManager), Some(Write);
    RemoveContactFromList = "removeContactFromList": From(AccountManager), Some(Write);
    ListLists = "listLists": From(Contributor), Some(Read);
    CreateList = "createList": From(AccountManager), Some(Write);
    ShowList = "showList": From(Contributor), Some(Read);
    UpdateList = "updateList": From(AccountManager), Some(Write);
    ListMembers = "listMembers": From(Contributor), Some(Read);
    RemoveList = "removeList": From(AccountManager), Some(Write);
    ListTags = "listTags": From(Contributor), Some(Read);
    CreateTag = "createTag": From(AccountManager), Some(Write);
    ShowTag = "showTag": From(Contributor), Some(Read);
    UpdateTag = "updateTag": From(AccountManager), Some(Write);
    RenameTag = "renameTag": From(AccountManager), Some(Write);
    RemoveTag = "removeTag": From(AccountManager), Some(Write);
    ListBulkJobs = "listBulkJobs": From(AccountManager), Some(Read);
    // The erasure of many needs the right to erase one, too.
    StartBulkJob = "startBulkJob": From(AccountManager), Some(Write);
    CancelBulkJob = "cancelBulkJob": From(AccountManager), Some(Write);
    ShowBulkJob = "showBulkJob": From(AccountManager), Some(Read);
    ListDevices = "listDevices": From(Contributor), Some(Read);
    SaveDevice = "saveDevice": From(AccountManager), Some(Write);
    RemoveDevice = "removeDevice": From(AccountManager), Some(Write);
    ListNotes = "listNotes": From(Contributor), Some(Read);
    CreateNote = "createNote": From(AccountManager), Some(Write);
    UpdateNote = "updateNote": From(AccountManager), Some(Write);
    RemoveNote = "removeNote": From(AccountManager), Some(Write);
    CreateContactFile = "createContactFile": From(AccountManager), Some(Write);
    SaveContactFile = "saveContactFile": From(AccountManager), Some(Write);
    ShowContactFile = "showContactFile": From(Contributor), Some(Read);
    RemoveContactFile = "removeContactFile": From(AccountManager), Some(Write);
    // The definitions of custom fields hold for the whole workspace.
    ListFields = "listFields": From(Contributor), Some(Read);
    CreateField = "createField": From(AccountManager), Some(Admin);
    ShowField = "showField": From(Contributor), Some(Read);
    UpdateField = "updateField": From(AccountManager), Some(Admin);
    RemoveField = "removeField": From(AccountManager), Some(Admin);
    MergeContacts = "mergeContacts": From(AccountManager), Some(Write);
    // The rules of the lead score hold for the whole workspace.
    ShowScoring = "showScoring": From(Contributor), Some(Read);
    ChangeScoring = "changeScoring": From(AccountManager), Some(Admin);
    ShowContactScore = "showContactScore": From(Contributor), Some(Read);
    ListViews = "listViews": From(Contributor), Some(Read);
    CreateView = "createView": From(Contributor), Some(Write);
    ShowView = "showView": From(Contributor), Some(Read);
    UpdateView = "updateView": From(Contributor), Some(Write);
    RemoveView = "removeView": From(Contributor), Some(Write);
    StartImport = "startImport": From(AccountManager), Some(Write);
    ListImports = "listImports": From(AccountManager), Some(Read);
    ShowImportSample = "showImportSample": From(AccountManager), Some(Read);
    ShowImport = "showImport": From(AccountManager), Some(Read);
    ChangeImport = "changeImport": From(AccountManager), Some(Write);
    PreviewImport = "previewImport": From(AccountManager), Some(Read);
    BeginImport = "beginImport": From(AccountManager), Some(Write);
    UndoImport = "undoImport": From(AccountManager), Some(Write);
    // Exports hold the data of all contacts: a person of the account asks for them, never a key.
    StartExport = "startExport": From(AccountAdmin), None;
    ListExports = "listExports": From(AccountAdmin), None;
    ShowExport = "showExport": From(AccountAdmin), None;
    // It cannot be undone: a person of the account decides, never a key.
    EraseContact = "eraseContact": From(AccountAdmin), None;
    // Sources. Their settings and tokens belong to the workspace, like its API keys.
    ListSources = "listSources": From(AccountManager), Some(Read);
    CreateSource = "createSource": From(AccountManager), Some(Admin);
    ShowSource = "showSource": From(AccountManager), Some(Read);
    UpdateSource = "updateSource": From(AccountManager), Some(Admin);
    ShowSourceActivity = "showSourceActivity": From(AccountManager), Some(Read);
    // Calls of own systems.
    ShowTracking = "showTracking": From(AccountManager), Some(Read);
    ReplaceSourceSecret = "replaceSourceSecret": From(AccountManager), Some(Admin);
    SaveSourceCredentials = "saveSourceCredentials": From(AccountManager), Some(Admin);
    AuthorizeSource = "authorizeSource": From(AccountManager), Some(Admin);
    StartSourceSync = "startSourceSync": From(AccountManager), Some(Admin);
    ShowSourceSync = "showSourceSync": From(AccountManager), Some(Read);
    ListFailedRequests = "listFailedRequests": From(AccountManager), Some(Read);
    // A failed request holds what a person typed: reading one is noted.
    ShowFailedRequest = "showFailedRequest": From(AccountManager), Some(Admin);
    ReplayFailedRequest = "replayFailedRequest": From(AccountManager), Some(Write);
    ReplayFailedRequests = "replayFailedRequests": From(AccountManager), Some(Write);
    RemoveFailedRequest = "removeFailedRequest": From(AccountManager), Some(Admin);
    DisconnectSource = "disconnectSource": From(AccountManager), Some(Admin);
    RemoveSource = "removeSource": From(AccountManager), Some(Admin);
    // Webhooks. A body holds no person, but its address and secrets belong to the workspace.
    ListWebhooks = "listWebhooks": From(AccountManager), Some(Read);
    CreateWebhook = "createWebhook": From(AccountManager), Some(Admin);
    ShowWebhook = "showWebhook": From(AccountManager), Some(Read);
    UpdateWebhook = "updateWebhook": From(AccountManager), Some(Admin);
    RotateWebhookSecret = "rotateWebhookSecret": From(AccountManager), Some(Admin);
    TestWebhook = "testWebhook": From(AccountManager), Some(Admin);
    ListWebhookDeliveries = "listWebhookDeliveries": From(AccountManager), Some(Read);
    ShowWebhookDelivery = "showWebhookDelivery": From(AccountManager), Some(Read);
    RedeliverWebhookDelivery = "redeliverWebhookDelivery": From(AccountManager), Some(Admin);
    RedeliverFailedWebhookDeliveries = "redeliverFailedWebhookDeliveries": From(AccountManager), Some(Admin);
    RemoveWebhook = "removeWebhook": From(AccountManager), Some(Admin);
    // Workflows.
    ListWorkflows = "listWorkflows": From(AccountManager), Some(Read);
    CreateWorkflow = "createWorkflow": From(AccountManager), Some(Write);
    ShowWorkflow = "showWorkflow": From(AccountManager), Some(Read);
    ActivateWorkflow = "activateWorkflow": From(AccountManager), Some(Write);
    PauseWorkflow = "pauseWorkflow": From(AccountManager), Some(Write);
    ArchiveWorkflow = "archiveWorkflow": From(AccountManager), Some(Write);
    ShowWorkflowReport = "showWorkflowReport": From(Viewer), Some(Read);
    // Signup forms. A published form subscribes people, like a source.
    ListForms = "listForms": From(Contributor), Some(Read);
    CreateForm = "createForm": From(AccountManager), Some(Write);
    ShowForm = "showForm": From(Contributor), Some(Read);
    ReplaceForm = "replaceForm": From(AccountManager), Some(Write);
    PublishForm = "publishForm": From(AccountManager), Some(Write);
    PauseForm = "pauseForm": From(AccountManager), Some(Write);
    ArchiveForm = "archiveForm": From(AccountManager), Some(Write);
    DuplicateForm = "duplicateForm": From(AccountManager), Some(Write);
    ShowFormCode = "showFormCode": From(Contributor), Some(Read);
    ShowFormQr = "showFormQr": From(Contributor), Some(Read);
    ShowFormReport = "showFormReport": From(Viewer), Some(Read);
    ProtectForm = "protectForm": From(AccountManager), Some(Write);
    UnprotectForm = "unprotectForm": From(AccountManager), Some(Write);
    RemoveForm = "removeForm": From(AccountManager), Some(Write);

    // Segments.
    ListSegments = "listSegments": From(Contributor), Some(Read);
    CreateSegment = "createSegment": From(AccountManager), Some(Write);
    PreviewSegment = "previewSegment": From(Contributor), Some(Read);
    CreateOfferedSegments = "createOfferedSegments": From(AccountManager), Some(Write);
    ShowSegment = "showSegment": From(Contributor), Some(Read);
    UpdateSegment = "updateSegment": From(AccountManager), Some(Write);
    ListSegmentMembers = "listSegmentMembers": From(Contributor), Some(Read);
    UpdateSegmentMembers = "updateSegmentMembers": From(AccountManager), Some(Write);
    RemoveSegment = "removeSegment": From(AccountManager), Some(Write);
    // Orders.
    ListOrders = "listOrders": From(Contributor), Some(Read);
    ShowOrderTotals = "showOrderTotals": From(Contributor), Some(Read);
    CreateOrder = "createOrder": From(AccountManager), Some(Write);
    ShowOrder = "showOrder": From(Contributor), Some(Read);
    UpdateOrder = "updateOrder": From(AccountManager), Some(Write);
    CancelOrder = "cancelOrder": From(AccountManager), Some(Write);
    ChangeOrders = "changeOrders": From(AccountManager), Some(Write);
    // Products.
    ListProducts = "listProducts": From(Contributor), Some(Read);
    CreateProduct = "createProduct": From(AccountManager), Some(Write);
    ShowProduct = "showProduct": From(Contributor), Some(Read);
    UpdateProduct = "updateProduct": From(AccountManager), Some(Write);
    // Sending channels. The account and the brandnames belong to the workspace, like its senders.
    ShowSmsChannel = "showSmsChannel": From(Contributor), Some(Read);
    ConnectSmsChannel = "connectSmsChannel": From(AccountManager), Some(Admin);
    DisconnectSmsChannel = "disconnectSmsChannel": From(AccountManager), Some(Admin);
    ShowSmsBalance = "showSmsBalance": From(AccountManager), Some(Read);
    PreviewSms = "previewSms": From(Contributor), Some(Read);
    ListSmsBrandnames = "listSmsBrandnames": From(Contributor), Some(Read);
    CreateSmsBrandname = "createSmsBrandname": From(AccountManager), Some(Admin);
    ShowSmsBrandname = "showSmsBrandname": From(Contributor), Some(Read);
    UpdateSmsBrandname = "updateSmsBrandname": From(AccountManager), Some(Admin);
    RemoveSmsBrandname = "removeSmsBrandname": From(AccountManager), Some(Admin);
    ChangeDoNotAdvertise = "changeDoNotAdvertise": From(AccountManager), Some(Write);
    LookUpDoNotAdvertise = "lookUpDoNotAdvertise": From(Contributor), Some(Read);
    ListSmsTemplates = "listSmsTemplates": From(Contributor), Some(Read);
    CreateSmsTemplate = "createSmsTemplate": From(AccountManager), Some(Write);
    ShowSmsTemplate = "showSmsTemplate": From(Contributor), Some(Read);
    UpdateSmsTemplate = "updateSmsTemplate": From(AccountManager), Some(Write);
    RemoveSmsTemplate = "removeSmsTemplate": From(AccountManager), Some(Write);
    ListZaloOas = "listZaloOas": From(Contributor), Some(Read);
    AuthorizeZaloOa = "authorizeZaloOa": From(AccountManager), Some(Admin);
    ShowZaloOa = "showZaloOa": From(Contributor), Some(Read);
    UpdateZaloOa = "updateZaloOa": From(AccountManager), Some(Admin);
    DisconnectZaloOa = "disconnectZaloOa": From(AccountManager), Some(Admin);
    SyncZaloOa = "syncZaloOa": From(AccountManager), Some(Write);
    ListZnsTemplates = "listZnsTemplates": From(Contributor), Some(Read);
    ShowZnsTemplate = "showZnsTemplate": From(Contributor), Some(Read);
    ShowPushChannel = "showPushChannel": From(Contributor), Some(Read);
    SetWebPush = "setWebPush": From(AccountManager), Some(Admin);
    RemoveWebPush = "removeWebPush": From(AccountManager), Some(Admin);
    ConnectFcm = "connectFcm": From(AccountManager), Some(Admin);
    DisconnectFcm = "disconnectFcm": From(AccountManager), Some(Admin);
    // Campaigns.
    ListCampaigns = "listCampaigns": From(Contributor), Some(Read);
    CreateCampaign = "createCampaign": From(Contributor), Some(Write);
    ShowCampaign = "showCampaign": From(Contributor), Some(Read);
    UpdateCampaign = "updateCampaign": From(Contributor), Some(Write);
    DeleteCampaign = "deleteCampaign": From(AccountManager), Some(Write);
    CopyCampaign = "copyCampaign": From(Contributor), Some(Write);
    EstimateCampaign = "estimateCampaign": From(Contributor), Some(Read);
    CheckCampaign = "checkCampaign": From(Contributor), Some(Read);
    PreviewCampaign = "previewCampaign": From(Contributor), Some(Read);
    TestCampaign = "testCampaign": From(Contributor), Some(Write);
    RequestCampaignApproval = "requestCampaignApproval": From(Contributor), Some(Write);
    WithdrawCampaignApproval = "withdrawCampaignApproval": From(Contributor), Some(Write);
    // A decision is a person's.
    ApproveCampaign = "approveCampaign": From(AccountManager), None;
    RejectCampaign = "rejectCampaign": From(AccountManager), None;
    UnscheduleCampaign = "unscheduleCampaign": From(AccountManager), Some(Write);
    SendCampaign = "sendCampaign": From(AccountManager), Some(Write);
    PauseCampaign = "pauseCampaign": From(AccountManager), Some(Write);
    ResumeCampaign = "resumeCampaign": From(AccountManager), Some(Write);
    ConfirmCampaign = "confirmCampaign": From(AccountAdmin), None;
    CancelCampaign = "cancelCampaign": From(AccountManager), Some(Write);
    ChooseCampaignWinner = "chooseCampaignWinner": From(AccountManager), Some(Write);
    ShowCampaignReport = "showCampaignReport": From(Viewer), Some(Read);
    ListCampaignHours = "listCampaignHours": From(Viewer), Some(Read);
    ListCampaignLinks = "listCampaignLinks": From(Viewer), Some(Read);
    ListReceivers = "listReceivers": From(Contributor), Some(Read);
    // A file of all receivers: a person of the account asks for it, never a key.
    DownloadReceivers = "downloadReceivers": From(AccountAdmin), None;
    ListSentMessages = "listSentMessages": From(Contributor), Some(Read);
    ShowSentMessage = "showSentMessage": From(Contributor), Some(Read);
    // Chat.
    ListConversations = "listConversations": Chat(Agent), Some(Read);
    ShowConversation = "showConversation": Chat(Agent), Some(Read);
    ListMessages = "listMessages": Chat(Agent), Some(Read);
    WriteMessage = "writeMessage": Chat(Agent), Some(Write);
    UpdateConversation = "updateConversation": Chat(Agent), Some(Write);
    SetConversationStatus = "setConversationStatus": Chat(Agent), Some(Write);
    MuteConversation = "muteConversation": Chat(Agent), Some(Write);
    ListInboxes = "listInboxes": Chat(Agent), Some(Read);
    CreateInbox = "createInbox": Chat(Administrator), Some(Admin);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = Operation::ALL
            .iter()
            .map(|operation| operation.id())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Operation::ALL.len());
    }

    #[test]
    fn a_public_key_reads_nothing() {
        for operation in Operation::ALL {
            let needed = operation.scope();
            assert!(
                !needed.is_some_and(|needed| Scope::Track.includes(needed)),
                "{operation:?}"
            );
        }
    }

    #[test]
    fn a_manager_answers_chats_only_where_added() {
        let chat = Operation::WriteMessage.people();
        assert!(!chat.include(Role::AccountManager, None));
        assert!(chat.include(Role::Viewer, Some(ChatRole::Agent)));
        assert!(chat.include(Role::AccountAdmin, None));
        assert!(
            !Operation::CreateInbox
                .people()
                .include(Role::AccountManager, Some(ChatRole::Agent))
        );
    }
}
