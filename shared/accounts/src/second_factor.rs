//! The second factor: time-based codes (RFC 6238: SHA-1, 6 digits, 30 s, one step of skew), and recovery codes for a
//! lost phone. Each code is valid once.

use cloud::{Error, Resources};
use kernel::{Entropy, Seal, secret};
use totp_rs::{Builder, Secret, Totp};

use crate::factor::Factor;
use crate::password;
use crate::users::{User, UserStatus, Users};

/// Name that authenticator apps show.
const ISSUER: &str = "Tanigo";
/// Codes for a lost phone.
const RECOVERY_CODES: usize = 10;
/// How often a change is tried again after a concurrent change of the user's row.
const ATTEMPTS: u32 = 3;

/// The secret and its URL, for an authenticator app.
#[derive(Clone)]
pub struct Enrolment {
    /// Base32, for typing.
    pub secret: String,
    /// `otpauth://totp/…`, for a QR code.
    pub url: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment")
    }
}

/// The outcome of drawing a secret.
#[derive(Debug)]
pub enum Enrolled {
    /// It was drawn.
    Drawn(Enrolment),
    /// There is already a second factor.
    Before,
    /// The password is not the user's.
    WrongPassword,
}

impl User {
    /// Whether signing in needs a code.
    pub fn needs_code(&self) -> bool {
        self.factor.as_ref().is_some_and(|factor| factor.confirmed)
    }
}

/// The second factors of all users.
#[derive(Clone, Debug)]
pub struct SecondFactors {
    users: Users,
    seal: Seal,
}

impl SecondFactors {
    /// Over the table Directory; secrets are sealed with `seal`.
    pub fn over(resources: &Resources, seal: Seal) -> Self {
        let users = Users::over(resources);
        Self { users, seal }
    }

    /// Draws a secret, if the password is right. It takes effect once a code has confirmed it.
    pub async fn enrol(&self, mut user: User, password: &str) -> Result<Enrolled, Error> {
        if user.needs_code() {
            return Ok(Enrolled::Before);
        }
        if !password::verify(password, Some(&user.password)) {
            return Ok(Enrolled::WrongPassword);
        }
        let entropy = self.users.entropy();
        let bytes = entropy.bytes::<20>();
        let owner = user.id.to_string();
        let sealed = self.seal.close(entropy, &owner, &bytes);
        let totp = totp(&bytes, user.email.as_str())?;
        let shape = |error: totp_rs::TotpError| Error::Shape(error.to_string());
        let enrolment = Enrolment {
            secret: Secret::from(bytes.to_vec()).to_base32(),
            url: totp.to_url().map_err(shape)?,
        };
        user.factor = Some(Factor {
            sealed: sealed.ok_or_else(|| Error::Shape("the secret was not sealed".into()))?,
            confirmed: false,
            last_step: 0,
            recovery: Vec::new(),
        });
        self.users.replace(&mut user).await?;
        Ok(Enrolled::Drawn(enrolment))
    }

    /// Confirms the drawn secret by a code and ends the user's sessions, which were opened without it. Returns the
    /// recovery codes, which are never shown again; `None` for a wrong code.
    pub async fn confirm(&self, mut user: User, code: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(step) = self.step_of(&user, code)? else {
            return Ok(None);
        };
        let Some(factor) = user.factor.as_mut().filter(|factor| !factor.confirmed) else {
            return Ok(None);
        };
        let codes = recovery_codes(self.users.entropy());
        factor.confirmed = true;
        factor.last_step = step;
        factor.recovery = codes.iter().map(|code| secret::hash(code)).collect();
        user.epoch += 1;
        self.users.replace(&mut user).await?;
        Ok(Some(codes))
    }

    /// Uses a code of the app or a recovery code, once each. If two sign-ins use one code concurrently, the row's
    /// version lets one of them pass. A concurrent change that ends the user's sessions, such as another password,
    /// ends this sign-in too.
    pub async fn take(&self, mut user: User, code: &str) -> Result<Option<User>, Error> {
        for _ in 0..ATTEMPTS {
            if !self.spend(&mut user, code)? {
                return Ok(None);
            }
            match self.users.replace(&mut user).await {
                Ok(()) => return Ok(Some(user)),
                Err(Error::Conflict) => {
                    let fresh = self.users.get(user.account, user.id).await?;
                    let fresh = fresh.filter(|fresh| {
                        fresh.epoch == user.epoch && fresh.status == UserStatus::Active
                    });
                    let Some(fresh) = fresh else {
                        return Ok(None);
                    };
                    user = fresh;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Replaces all recovery codes, if the password is right. `None`: the password is wrong, or there is no
    /// second factor.
    pub async fn renew_recovery(
        &self,
        mut user: User,
        password: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let fits = password::verify(password, Some(&user.password));
        let factor = user.factor.as_mut().filter(|factor| factor.confirmed);
        let Some(factor) = factor.filter(|_| fits) else {
            return Ok(None);
        };
        let codes = recovery_codes(self.users.entropy());
        factor.recovery = codes.iter().map(|code| secret::hash(code)).collect();
        self.users.replace(&mut user).await?;
        Ok(Some(codes))
    }

    /// Removes a user's second factor and ends all the user's sessions. For an admin who knows that the user lost
    /// it. May be repeated.
    pub async fn reset(&self, mut user: User) -> Result<User, Error> {
        if user.factor.take().is_some() {
            user.epoch += 1;
            self.users.replace(&mut user).await?;
        }
        Ok(user)
    }

    /// Removes the second factor, if both proofs are right, and ends all sessions.
    pub async fn disable(&self, mut user: User, password: &str, code: &str) -> Result<bool, Error> {
        if !password::verify(password, Some(&user.password)) || !self.spend(&mut user, code)? {
            return Ok(false);
        }
        user.factor = None;
        user.epoch += 1;
        self.users.replace(&mut user).await?;
        Ok(true)
    }

    /// Marks a code as used in `user`, which is not stored yet. False: the code is wrong or was used before.
    fn spend(&self, user: &mut User, code: &str) -> Result<bool, Error> {
        let step = self.step_of(user, code)?;
        let Some(factor) = user.factor.as_mut().filter(|factor| factor.confirmed) else {
            return Ok(false);
        };
        if let Some(step) = step {
            factor.last_step = step;
            return Ok(true);
        }
        // Hashes of 80 random bits: the time of the comparison reveals nothing useful.
        let hash = secret::hash(&code.trim().to_lowercase());
        let before = factor.recovery.len();
        factor.recovery.retain(|stored| *stored != hash);
        Ok(factor.recovery.len() < before)
    }

    /// The step of a right code that is newer than the last one.
    fn step_of(&self, user: &User, code: &str) -> Result<Option<u64>, Error> {
        let Some(factor) = &user.factor else {
            return Ok(None);
        };
        let secret = self.seal.open(&user.id.to_string(), &factor.sealed);
        let secret = secret.ok_or_else(|| Error::Shape("the secret cannot be unsealed".into()))?;
        let totp = totp(&secret, user.email.as_str())?;
        let now = self.users.clock().now().as_second();
        let step = totp.check(code.trim(), u64::try_from(now).unwrap_or_default());
        Ok(step.filter(|&step| step > factor.last_step))
    }
}

fn totp(secret: &[u8], account: &str) -> Result<Totp, Error> {
    let built = Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build();
    built.map_err(|error| Error::Shape(error.to_string()))
}

fn recovery_codes(entropy: &Entropy) -> Vec<String> {
    let code = |_| hex::encode(entropy.bytes::<10>());
    (0..RECOVERY_CODES).map(code).collect()
}
