//! Attempts at what can be guessed, or mailed to somebody else: counted for the address and for where
//! they come from.
//!
//! They are counted before anything is looked at and given back when they were right, so that many at
//! once cannot pass the limit. Unknown addresses are counted and answered like known ones.

use std::time::Duration;

use kernel::EmailAddress;
use lambda::http::{ClientIp, Code, Problem};
use sha2::{Digest, Sha256};

use crate::handler::Api;

const PERIOD: Duration = Duration::from_mins(15);
const FAILURES_OF_AN_ADDRESS: u32 = 10;
const MAILS_TO_AN_ADDRESS: u32 = 3;
const FROM_AN_IP: u32 = 50;

/// One attempt.
pub struct Attempt(Vec<String>);

impl Attempt {
    /// At signing in: a password or a code.
    pub async fn to_sign_in(
        api: &Api,
        email: &EmailAddress,
        ip: &ClientIp,
    ) -> Result<Self, Problem> {
        let address = of_address("SIGN-IN", email, FAILURES_OF_AN_ADDRESS);
        Self::begin(api, [address, from_ip("SIGN-IN", ip)]).await
    }

    /// At having a mail sent.
    pub async fn to_mail(api: &Api, email: &EmailAddress, ip: &ClientIp) -> Result<Self, Problem> {
        let address = of_address("RESET", email, MAILS_TO_AN_ADDRESS);
        Self::begin(api, [address, from_ip("RESET", ip)]).await
    }

    /// At a token of a mail, or of the set-up.
    pub async fn at_token(api: &Api, ip: &ClientIp) -> Result<Self, Problem> {
        Self::begin(api, [from_ip("TOKEN", ip)]).await
    }

    async fn begin(
        api: &Api,
        limits: impl IntoIterator<Item = (String, u32)>,
    ) -> Result<Self, Problem> {
        let mut counted = Vec::new();
        for (scope, most) in limits {
            let usage = api.attempts.count(&scope, PERIOD, 1).await?;
            if usage.used > most {
                lambda::metrics::count("AttemptsThrottled", 1);
                let detail = "too many attempts; wait";
                let seconds = usage.resets_in.as_secs().max(1) as u32;
                return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
            }
            counted.push(scope);
        }
        Ok(Self(counted))
    }

    /// It was right and does not count.
    pub async fn forgive(self, api: &Api) -> Result<(), Problem> {
        for scope in &self.0 {
            api.attempts.count(scope, PERIOD, -1).await?;
        }
        Ok(())
    }
}

/// The hash keeps the address out of a key that shows up in logs of the table's requests.
fn of_address(kind: &str, email: &EmailAddress, most: u32) -> (String, u32) {
    let address = hex::encode(Sha256::digest(email.as_str()));
    (format!("{kind}#{address}"), most)
}

fn from_ip(kind: &str, ip: &ClientIp) -> (String, u32) {
    (format!("{kind}-FROM#{}", ip.0), FROM_AN_IP)
}
