//! People who sign in. Passwords are kept as argon2id with its recommended parameters.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use cloud::{Created, Error, Table};
use jiff::Timestamp;
use kernel::{EmailAddress, TenantKey, UserId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// A user of one workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Address, unique over all workspaces.
    pub email: EmailAddress,
    /// Name shown to colleagues.
    pub name: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Login {
    workspace: kernel::WorkspaceId,
    user: UserId,
    password: String,
}

/// The users of all workspaces.
#[derive(Clone, Debug)]
pub struct Users {
    directory: Table,
}

impl Users {
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self { directory }
    }

    /// Makes a user who can sign in with this password; `None` if the address is taken. The login
    /// row is written last, so nobody can sign in to half a user.
    pub async fn create(
        &self,
        tenant: TenantKey,
        email: &EmailAddress,
        name: &str,
        password: &str,
    ) -> Result<Option<UserId>, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        let mut user = User {
            id: UserId::new(clock, entropy),
            email: email.clone(),
            name: name.to_owned(),
            created_at: clock.now(),
        };
        while !self
            .directory
            .create(&keys::user(tenant, user.id), &user)
            .await?
            .is_new()
        {
            user.id = UserId::new(clock, entropy);
        }
        let login = Login {
            workspace: tenant.workspace(),
            user: user.id,
            password: hash(password, &entropy.bytes::<16>())?,
        };
        match self.directory.create(&keys::login(email), &login).await? {
            Created::New => Ok(Some(user.id)),
            Created::Existing(_) => {
                self.directory.delete(&keys::user(tenant, user.id)).await?;
                Ok(None)
            }
        }
    }
}

fn hash(password: &str, salt: &[u8]) -> Result<String, Error> {
    let shape = |error: argon2::password_hash::Error| Error::Shape(error.to_string());
    let salt = SaltString::encode_b64(salt).map_err(shape)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(shape)?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed.
pub fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|stored| {
        Argon2::default()
            .verify_password(password.as_bytes(), &stored)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id() {
        let stored = hash("mật khẩu dài", &[7; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("mật khẩu dài", &stored));
        assert!(!verify("mật khẩu dài ", &stored));
        assert!(!verify("mật khẩu dài", "not a hash"));
    }
}
