//! Compiled mails, kept in memory up to a limit. A stored mail never changes. So one compiled mail serves every
//! message that names it.

use std::sync::Arc;

use cloud::{Error, Recent, Resources};
use kernel::TenantKey;

use crate::channel::NotReady;
use crate::email::{Letterhead, PreparedMail};
use crate::mail_store::{MailRef, MailStore};
use crate::send::Class;

/// Mails that a process keeps compiled. A large mail takes about half a megabyte.
const MOST: usize = 64;

/// The problem of a campaign whose mail is not in the store.
const MISSING: &str = "mail_missing";
/// The problem of a campaign whose mail does not compile.
const INVALID: &str = "mail_invalid";

fn invalid(error: &dyn std::fmt::Display) -> NotReady {
    NotReady::Invalid(INVALID, error.to_string())
}

/// All inputs of a compiled mail.
type Name = (TenantKey, MailRef, Class, Letterhead);

/// The mails of all tenants, ready to be filled in; cheap to clone, and clones share them.
#[derive(Clone, Debug)]
pub struct CompiledMails {
    mails: MailStore,
    kept: Recent<Name, Arc<PreparedMail>, NotReady>,
}

impl CompiledMails {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            kept: Recent::kept(resources.clock(), MOST),
            mails: MailStore::over(resources),
        }
    }

    /// The mail of this name, compiled for its class and letterhead.
    pub async fn get(
        &self,
        tenant: TenantKey,
        mail: &MailRef,
        class: Class,
        letterhead: &Letterhead,
    ) -> Result<Arc<PreparedMail>, NotReady> {
        let name = (tenant, mail.clone(), class, letterhead.clone());
        let read = || compile(self.mails.clone(), name.clone());
        self.kept.get(name.clone(), read).await
    }
}

async fn compile(mails: MailStore, name: Name) -> Result<Arc<PreparedMail>, NotReady> {
    let (tenant, mail, class, letterhead) = name;
    let stored = mails.get(tenant, &mail).await?;
    let stored = stored.ok_or(NotReady::Missing(MISSING))?;
    // Compiling takes the processor for up to a second; other messages of the process go on meanwhile.
    let work = move || PreparedMail::compile(&stored, class, &letterhead);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(prepared)) => Ok(Arc::new(prepared)),
        Ok(Err(error)) => Err(invalid(&error)),
        Err(broken) if broken.is_panic() => Err(invalid(&broken)),
        // The process ends; the next one compiles the mail.
        Err(_) => Err(NotReady::Store(Error::Conflict)),
    }
}
