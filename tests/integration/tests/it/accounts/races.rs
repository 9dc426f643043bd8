//! Two requests at once, and requests after a crash: one request runs completely between any two calls of the
//! other.

use std::time::Duration;

use accounts::{
    Accounts, Claimed, Invitations, NewInvitation, NewUser, Reserved, UserChange, UserChanged,
    UserStatus, Users, WorkspaceSettings, Workspaces,
};
use kernel::{AccountId, ChatRole, Limit, Origin, Patch, Role, UserId};

use super::office::PASSWORD;
use crate::support::World;

/// More calls than any of these functions makes.
const MOST: u64 = 30;

struct Team {
    world: World,
    users: Users,
    account: AccountId,
}

impl Team {
    async fn new() -> Self {
        let world = World::new();
        let resources = world.resources();
        let account = Accounts::over(&resources).create("Công ty").await;
        Self {
            account: account.unwrap(),
            users: Users::over(&resources),
            world,
        }
    }

    async fn join(&self, email: &str, role: Role) -> UserId {
        let made = self.users.create(self.account, new(email, role)).await;
        made.unwrap().unwrap()
    }

    async fn admins(&self) -> Vec<UserId> {
        let page = self.users.page(self.account, Limit::default(), None).await;
        let users = page.unwrap().data.into_iter();
        let admins = users
            .filter(|user| user.role == Role::AccountAdmin && user.status == UserStatus::Active);
        admins.map(|user| user.id).collect()
    }

    async fn change(&self, id: UserId, change: &UserChange) -> bool {
        let changed = self.users.change(self.account, id, change).await;
        matches!(changed, Ok(UserChanged::Yes(_)))
    }
}

fn new(email: &str, role: Role) -> NewUser {
    NewUser {
        email: email.parse().unwrap(),
        name: "Một người".into(),
        role,
        chat_role: None,
        workspaces: Vec::new(),
        password: PASSWORD.into(),
    }
}

fn to(role: Role) -> UserChange {
    UserChange {
        role: Some(role),
        ..UserChange::default()
    }
}

#[tokio::test]
async fn the_last_admin_stays_whatever_happens_at_once() {
    let harmless = UserChange {
        chat_role: Patch::Set(ChatRole::Agent),
        ..UserChange::default()
    };
    let promotion = to(Role::AccountAdmin);
    for (first, role) in [
        (&harmless, Role::AccountAdmin),
        (&promotion, Role::AccountAdmin),
        (&promotion, Role::Viewer),
    ] {
        for at in 0..MOST {
            let team = Team::new().await;
            let one = team.join("mot@example.vn", Role::AccountAdmin).await;
            let two = team.join("hai@example.vn", role).await;
            let demotion = to(Role::Viewer);
            let (.., reached) = team
                .world
                .interleave(at, team.change(two, first), team.change(two, &demotion))
                .await;
            // Removing all admins fails at the last admin.
            for id in [one, two, one] {
                team.change(id, &demotion).await;
            }
            assert_eq!(team.admins().await.len(), 1, "{first:?} at {at}");
            if reached.is_none() {
                assert!(at > 2, "only {at} calls were tried");
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_who_demote_each_other_leave_one_admin() {
    for at in 0..MOST {
        let team = Team::new().await;
        let one = team.join("mot@example.vn", Role::AccountAdmin).await;
        let two = team.join("hai@example.vn", Role::AccountAdmin).await;
        let demotion = to(Role::Viewer);
        let (a, b, reached) = team
            .world
            .interleave(at, team.change(one, &demotion), team.change(two, &demotion))
            .await;
        assert!(a ^ b, "at {at}");
        assert_eq!(team.admins().await.len(), 1, "at {at}");
        if reached.is_none() {
            break;
        }
    }
}

#[tokio::test]
async fn an_address_gets_one_user() {
    for at in 0..MOST {
        let team = Team::new().await;
        let make = || {
            let new = new("mot@example.vn", Role::AccountAdmin);
            team.users.create(team.account, new)
        };
        let (a, b, reached) = team.world.interleave(at, make(), make()).await;
        let made: Vec<_> = [a.unwrap(), b.unwrap()].into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "at {at}");
        let page = team.users.page(team.account, Limit::default(), None).await;
        let ids: Vec<_> = page.unwrap().data.iter().map(|user| user.id).collect();
        assert_eq!(ids, made, "at {at}");
        let found = team.users.find(&"mot@example.vn".parse().unwrap()).await;
        assert_eq!(found.unwrap().unwrap().id, made[0]);
        if reached.is_none() {
            assert!(at > 2);
            break;
        }
    }
}

#[tokio::test]
async fn an_address_that_a_dead_call_of_another_account_claimed_is_free_later() {
    let team = Team::new().await;
    let email = "mot@example.vn";
    // The request crashes after its claim: the login row exists, the user does not.
    let resources = team.world.resources();
    let other = Accounts::over(&resources).create("Khác").await.unwrap();
    let key = cloud::Key::new(format!("LOGIN#{email}"), "LOGIN");
    let claim = serde_json::json!({
        "account": other, "user": "usr_00000000001", "claimed_at": team.world.now(),
    });
    let directory = resources.table("Directory");
    directory.put(&key, &claim).await.unwrap();
    let make = || team.users.create(team.account, new(email, Role::Viewer));
    assert!(make().await.unwrap().is_none(), "it may live still");
    team.world.advance(Duration::from_mins(1));
    assert!(make().await.unwrap().is_some());
    let theirs = team.users.create(other, new(email, Role::Viewer)).await;
    assert!(theirs.unwrap().is_none());
}

#[tokio::test]
async fn two_accounts_that_take_up_a_dead_claim_at_once_make_one_user() {
    for at in 0..MOST {
        let team = Team::new().await;
        let email = "mot@example.vn";
        let resources = team.world.resources();
        let other = Accounts::over(&resources).create("Khác").await;
        let other = other.unwrap();
        let key = cloud::Key::new(format!("LOGIN#{email}"), "LOGIN");
        let claim = serde_json::json!({
            "account": team.account, "user": "usr_00000000001", "claimed_at": team.world.now(),
        });
        let directory = resources.table("Directory");
        directory.put(&key, &claim).await.unwrap();
        team.world.advance(Duration::from_mins(2));
        let make = |account| team.users.create(account, new(email, Role::Viewer));
        let (own, theirs, reached) = team
            .world
            .interleave(at, make(team.account), make(other))
            .await;
        assert!(
            own.unwrap().is_some() ^ theirs.unwrap().is_some(),
            "at {at}"
        );
        let mut users = 0;
        for account in [team.account, other] {
            let page = team.users.page(account, Limit::default(), None).await;
            users += page.unwrap().data.len();
        }
        assert_eq!(users, 1, "at {at}");
        if reached.is_none() {
            assert!(at > 2);
            break;
        }
    }
}

#[tokio::test]
async fn a_name_belongs_to_one_workspace() {
    for rename in [false, true] {
        for at in 0..MOST {
            let team = Team::new().await;
            let workspaces = Workspaces::over(&team.world.resources());
            let named =
                |name: &str| workspaces.create(team.account, WorkspaceSettings::named(name));
            let old = named("Cũ").await.unwrap().unwrap();
            let first = async {
                if rename {
                    let before = workspaces.get(old).await.unwrap().unwrap();
                    let (settings, status) = (WorkspaceSettings::named("Mới"), before.status);
                    let changed = workspaces.change(before, settings, status).await;
                    changed.unwrap().is_some()
                } else {
                    named("Mới").await.unwrap().is_some()
                }
            };
            let second = async { named("Mới").await.unwrap().is_some() };
            let (a, b, reached) = team.world.interleave(at, first, second).await;
            assert!(a ^ b, "at {at}");
            let page = workspaces.page(team.account, Limit::default(), None).await;
            let page = page.unwrap().data.into_iter();
            let names: Vec<_> = page.map(|one| one.settings.name).collect();
            let new = names.iter().filter(|name| *name == "Mới").count();
            assert_eq!(new, 1, "at {at}: {names:?}");
            if a && rename {
                assert!(named("Cũ").await.unwrap().is_some(), "the old name is free");
            }
            if reached.is_none() {
                assert!(at > 2);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_mail_that_is_asked_for_again_goes_out_while_the_first_is_given_back() {
    let team = Team::new().await;
    let invitations = Invitations::over(&team.world.resources());
    let email = "khach@example.vn".parse().unwrap();
    let origin = Origin::fresh(&team.world.clock(), &team.world.entropy);
    let reserved = invitations.reserve(team.account, &email, &origin);
    let Reserved::Free(id) = reserved.await.unwrap() else {
        panic!("a new address");
    };
    let new = NewInvitation {
        email,
        role: Role::Viewer,
        chat_role: None,
        workspaces: Vec::new(),
        invited_by: "usr_00000000001".into(),
    };
    let made = invitations.create(team.account, id, origin.at, new);
    let made = made.await.unwrap();
    let first = made.unwrap();
    let claimed = invitations.claim_mail(&first, 1).await.unwrap();
    let (_, claim) = claimed.mine().unwrap();
    let resent = invitations.resend(&first, "usr_00000000001").await.unwrap();
    // The worker of the second mail has read the invitation before the first mail is released.
    let second = resent.unwrap();
    invitations.release_mail(&first, &claim).await.unwrap();
    let stale = invitations.claim_mail(&second, 2).await.unwrap();
    assert!(matches!(stale, Claimed::Busy), "its message comes again");
    let read = invitations.get(team.account, id).await.unwrap();
    let second = read.unwrap();
    let claimed = invitations.claim_mail(&second, 2).await.unwrap();
    assert!(claimed.mine().is_some());
    // The mail is sent once.
    assert!(
        invitations
            .claim_mail(&second, 2)
            .await
            .unwrap()
            .mine()
            .is_none()
    );
}
