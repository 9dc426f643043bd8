//! Attempts to guess a secret, or to send a mail to somebody else, and their limits.
//!
//! An attempt is counted before the check and given back if it was right, so that concurrent attempts cannot
//! pass the limit. Unknown addresses are counted and answered like known ones.
//!
//! A stranger must not lock a person out. So wrong passwords for an address count by the client's network. The limit
//! over all networks, which stops a botnet, does not hold in a network where the person has signed in before: NIST SP
//! 800-63B-4, 3.2.2, names both. A reset by mail proves the person from any network.

use std::time::Duration;

use kernel::{AccountId, EmailAddress, UserId, WorkspaceId};
use lambda::http::{ClientIp, Code, Problem};
use sha2::{Digest, Sha256};

use crate::api::Api;

const PERIOD: Duration = Duration::from_mins(15);
const DAY: Duration = Duration::from_hours(24);
/// Wrong passwords for an address from one network.
const FAILURES_OF_AN_ADDRESS: u32 = 10;
/// Wrong passwords for an address in a day, from all networks where the person has not signed in. NIST's bound is 100.
const FAILURES_FROM_ANYWHERE: u32 = 100;
/// How long a network is remembered after the person signed in there.
const KNOWN: Duration = Duration::from_hours(90 * 24);
const WRONG_PASSWORDS_OF_A_USER: u32 = 10;
const MAILS_TO_AN_ADDRESS: u32 = 3;
const FROM_AN_IP: u32 = 50;
/// Of a million, with one or two of them right: guessing them all takes decades.
const WRONG_CODES_A_DAY: u32 = 50;
const INVITATIONS_A_DAY: u32 = 5;
/// Invitation mails of an account in a day: a shop's whole staff, and too few for a spammer.
const INVITATIONS_OF_AN_ACCOUNT: u32 = 50;
const PROOFS_A_DAY: u32 = 20;
const PROOFS_OF_AN_ADDRESS: u32 = 5;

/// One attempt: what was counted.
pub struct Attempt(Vec<Limit>);

struct Limit {
    scope: String,
    period: Duration,
    most: u32,
}

impl Attempt {
    /// At signing in: a password or a code.
    pub async fn to_sign_in(
        api: &Api,
        email: &EmailAddress,
        ip: &ClientIp,
    ) -> Result<Self, Problem> {
        let here = Limit {
            scope: format!("SIGN-IN#{}", at_network(email, ip)),
            period: PERIOD,
            most: FAILURES_OF_AN_ADDRESS,
        };
        let anywhere = Limit {
            period: DAY,
            ..of_address("SIGN-IN", email, FAILURES_FROM_ANYWHERE)
        };
        let is_known = api.attempts.is_marked(&known(email, ip)).await?;
        let limits = [from_ip("SIGN-IN", ip), here];
        let anywhere = (!is_known).then_some(anywhere);
        Self::begin(api, limits.into_iter().chain(anywhere)).await
    }

    /// At the password or the code of a user who is signed in. Strangers cannot use up these attempts.
    pub async fn of_user(api: &Api, user: UserId) -> Result<Self, Problem> {
        let limit = Limit {
            scope: format!("PASSWORD#{user}"),
            period: PERIOD,
            most: WRONG_PASSWORDS_OF_A_USER,
        };
        Self::begin(api, [limit]).await
    }

    /// At a code of a user's second factor, whose password was right.
    pub async fn at_code(api: &Api, user: UserId) -> Result<Self, Problem> {
        let limit = Limit {
            scope: format!("CODE#{user}"),
            period: DAY,
            most: WRONG_CODES_A_DAY,
        };
        Self::begin(api, [limit]).await
    }

    /// At having a mail sent.
    pub async fn to_mail(api: &Api, email: &EmailAddress, ip: &ClientIp) -> Result<Self, Problem> {
        let address = of_address("RESET", email, MAILS_TO_AN_ADDRESS);
        Self::begin(api, [from_ip("RESET", ip), address]).await
    }

    /// At inviting somebody, first or again.
    pub async fn to_invite(
        api: &Api,
        account: AccountId,
        email: &EmailAddress,
    ) -> Result<Self, Problem> {
        let address = Limit {
            period: DAY,
            ..of_address(&format!("INVITE#{account}"), email, INVITATIONS_A_DAY)
        };
        let all = Limit {
            scope: format!("INVITES#{account}"),
            period: DAY,
            most: INVITATIONS_OF_AN_ACCOUNT,
        };
        Self::begin(api, [address, all]).await
    }

    /// At having a code mailed to an address that a workspace wants to send from.
    pub async fn to_prove(
        api: &Api,
        workspace: WorkspaceId,
        email: &EmailAddress,
    ) -> Result<Self, Problem> {
        let limits = [
            Limit {
                scope: format!("PROOFS#{workspace}"),
                period: DAY,
                most: PROOFS_A_DAY,
            },
            Limit {
                period: DAY,
                ..of_address("PROOF", email, PROOFS_OF_AN_ADDRESS)
            },
        ];
        Self::begin(api, limits).await
    }

    /// At a token of a mail, or of the set-up.
    pub async fn at_token(api: &Api, ip: &ClientIp) -> Result<Self, Problem> {
        Self::begin(api, [from_ip("TOKEN", ip)]).await
    }

    async fn begin(api: &Api, limits: impl IntoIterator<Item = Limit>) -> Result<Self, Problem> {
        let mut counted = Vec::new();
        for limit in limits {
            let usage = api.attempts.count(&limit.scope, limit.period, 1).await?;
            if usage.used > limit.most {
                lambda::metrics::incident("AttemptsThrottled", 1);
                let detail = "too many attempts; wait";
                let seconds = usage.resets_in.as_secs().max(1) as u32;
                return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
            }
            counted.push(limit);
        }
        Ok(Self(counted))
    }

    /// The attempt was right and does not count.
    pub async fn forgive(self, api: &Api) -> Result<(), Problem> {
        for limit in &self.0 {
            api.attempts.count(&limit.scope, limit.period, -1).await?;
        }
        Ok(())
    }
}

/// The person was proven from this network: strangers elsewhere no longer lock the person out here.
pub async fn remember(api: &Api, email: &EmailAddress, ip: &ClientIp) -> Result<(), Problem> {
    Ok(api.attempts.mark(&known(email, ip), KNOWN).await?)
}

fn known(email: &EmailAddress, ip: &ClientIp) -> String {
    format!("SIGNED-IN#{}", at_network(email, ip))
}

fn at_network(email: &EmailAddress, ip: &ClientIp) -> String {
    format!("{}#{}", hash(email), ip.network())
}

/// The hash keeps the address out of a key that shows up in logs of the table's requests.
fn hash(email: &EmailAddress) -> String {
    hex::encode(Sha256::digest(email.as_str()))
}

fn of_address(kind: &str, email: &EmailAddress, most: u32) -> Limit {
    Limit {
        scope: format!("{kind}#{}", hash(email)),
        period: PERIOD,
        most,
    }
}

fn from_ip(kind: &str, ip: &ClientIp) -> Limit {
    Limit {
        scope: format!("{kind}-FROM#{}", ip.network()),
        period: PERIOD,
        most: FROM_AN_IP,
    }
}
