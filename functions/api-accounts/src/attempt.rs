//! Attempts to guess a secret, or to send a mail to somebody else. Attempts are counted by the client's IP
//! address and by the email address.
//!
//! An attempt is counted before the check and given back if it was right, so that concurrent attempts cannot
//! pass the limit. Unknown addresses are counted and answered like known ones. The IP address is counted
//! first: a client that is stopped there cannot lock other people's email addresses.

use std::net::IpAddr;
use std::time::Duration;

use kernel::{AccountId, EmailAddress, UserId, WorkspaceId};
use lambda::http::{ClientIp, Code, Problem};
use sha2::{Digest, Sha256};

use crate::api::Api;

const PERIOD: Duration = Duration::from_mins(15);
const DAY: Duration = Duration::from_hours(24);
const FAILURES_OF_AN_ADDRESS: u32 = 10;
const MAILS_TO_AN_ADDRESS: u32 = 3;
const FROM_AN_IP: u32 = 50;
/// Of a million, with one or two of them right: guessing them all takes decades.
const WRONG_CODES_A_DAY: u32 = 50;
const INVITATIONS_A_DAY: u32 = 5;
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
        let address = of_address("SIGN-IN", email, FAILURES_OF_AN_ADDRESS);
        Self::begin(api, [from_ip("SIGN-IN", ip), address]).await
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
        let limit = Limit {
            period: DAY,
            ..of_address(&format!("INVITE#{account}"), email, INVITATIONS_A_DAY)
        };
        Self::begin(api, [limit]).await
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

/// The hash keeps the address out of a key that shows up in logs of the table's requests.
fn of_address(kind: &str, email: &EmailAddress, most: u32) -> Limit {
    let address = hex::encode(Sha256::digest(email.as_str()));
    Limit {
        scope: format!("{kind}#{address}"),
        period: PERIOD,
        most,
    }
}

fn from_ip(kind: &str, ip: &ClientIp) -> Limit {
    Limit {
        scope: format!("{kind}-FROM#{}", network(&ip.0)),
        period: PERIOD,
        most: FROM_AN_IP,
    }
}

/// A client with one IPv6 address has 2^64 of them, so the network is counted.
fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_ipv6_network_is_one() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
    }
}
