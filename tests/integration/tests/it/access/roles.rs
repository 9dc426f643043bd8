//! The roles as the product describes them, written here by hand and not derived from the table.

use access::Operation;
use kernel::{ChatRole, Role};

/// Operations on people, workspaces and the log; only account admins may use them.
const OF_ADMINS: [Operation; 20] = [
    Operation::ListUsers,
    Operation::ShowUser,
    Operation::UpdateUser,
    Operation::ResetSecondFactor,
    Operation::ListInvitations,
    Operation::ShowInvitation,
    Operation::CreateInvitation,
    Operation::ResendInvitation,
    Operation::RevokeInvitation,
    Operation::CreateWorkspace,
    Operation::UpdateWorkspace,
    Operation::ArchiveWorkspace,
    Operation::RestoreWorkspace,
    Operation::ListAuditLog,
    Operation::UnsuppressContact,
    Operation::ConfirmCampaign,
    Operation::StartExport,
    Operation::ListExports,
    Operation::ShowExport,
    Operation::EraseContact,
];
/// Operations for the inbox's people only.
const INBOX: [Operation; 9] = [
    Operation::ListConversations,
    Operation::ShowConversation,
    Operation::ListMessages,
    Operation::WriteMessage,
    Operation::UpdateConversation,
    Operation::SetConversationStatus,
    Operation::MuteConversation,
    Operation::ListInboxes,
    Operation::CreateInbox,
];

fn may(role: Role, operation: Operation) -> bool {
    operation.people().include(role, None)
}

fn never(role: Role, operations: &[Operation]) {
    for &operation in operations {
        assert!(!may(role, operation), "{role:?} may {}", operation.id());
    }
}

fn always(role: Role, operations: &[Operation]) {
    for &operation in operations {
        assert!(may(role, operation), "{role:?} may not {}", operation.id());
    }
}

/// The roles in plain words, written by hand and not derived from the table.
#[test]
fn admins_managers_and_contributors_are_those_of_the_product() {
    use Operation as O;
    // "Everything."
    always(Role::AccountAdmin, O::ALL);
    // "Everything but users, workspaces and exporting contacts".
    for &operation in O::ALL {
        let closed = OF_ADMINS.contains(&operation) || INBOX.contains(&operation);
        let open = may(Role::AccountManager, operation);
        assert_eq!(open, !closed, "{}", operation.id());
    }
    // "See contacts; create and edit campaigns. Not: send campaigns, create workflows."
    let of_contributors = [
        O::SearchContacts,
        O::ShowContact,
        O::ListTimeline,
        O::ListLists,
        O::ListCampaigns,
        O::ShowCampaign,
        O::CreateCampaign,
        O::ShowCampaignReport,
        O::ShowWorkflowReport,
        O::ShowFormReport,
    ];
    always(Role::Contributor, &of_contributors);
    never(Role::Contributor, &OF_ADMINS);
    let closed = [
        O::SendCampaign,
        O::PauseCampaign,
        O::ResumeCampaign,
        O::CancelCampaign,
        O::ChooseCampaignWinner,
        O::CreateWorkflow,
        O::ActivateWorkflow,
        O::PauseWorkflow,
        O::ArchiveWorkflow,
        O::SaveContact,
        O::StartImport,
        O::BeginImport,
        O::UndoImport,
        O::StartExport,
        O::CreateApiKey,
    ];
    never(Role::Contributor, &closed);
}

#[test]
fn viewers_see_reports_and_the_inbox_has_its_own_people() {
    use Operation as O;
    // "See reports", and the operations of everybody who is signed in.
    let all = O::ALL.iter().copied();
    let of_viewers: Vec<_> = all.filter(|&one| may(Role::Viewer, one)).collect();
    let expected = [
        O::Logout,
        O::ChangePassword,
        O::ShowMe,
        O::UpdateMe,
        O::EnrolSecondFactor,
        O::ConfirmSecondFactor,
        O::DisableSecondFactor,
        O::RenewRecoveryCodes,
        O::ListWorkspaces,
        O::ShowWorkspace,
        O::ShowWorkflowReport,
        O::ShowFormReport,
        O::ShowCampaignReport,
    ];
    assert_eq!(of_viewers, expected);
    // Agents answer, administrators also set up. Only account admins have an inbox role through their account
    // role.
    never(Role::AccountManager, &INBOX);
    for operation in INBOX {
        let people = operation.people();
        assert!(people.include(Role::Viewer, Some(ChatRole::Administrator)));
        let answers = people.include(Role::Viewer, Some(ChatRole::Agent));
        assert_eq!(answers, operation != O::CreateInbox);
    }
}
