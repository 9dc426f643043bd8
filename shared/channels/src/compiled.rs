//! Compiled mails, kept in memory up to a limit. A stored mail never changes. So one compiled mail serves every
//! message that names it.

use std::sync::Arc;

use cloud::{Error, Recent, Resources};
use kernel::TenantKey;

use crate::email::{Letterhead, Prepared};
use crate::mail_store::{MailRef, MailStore};
use crate::send::Class;

/// Mails that a process keeps compiled. A large mail takes about half a megabyte.
const MOST: usize = 64;

/// All inputs of a compiled mail.
type Name = (TenantKey, MailRef, Class, Letterhead);

/// Why there is no compiled mail.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Uncompiled {
    /// The tenant has no such mail.
    #[error("there is no such mail")]
    Missing,
    /// The mail does not compile, for this reason.
    #[error("the mail does not compile: {0}")]
    Invalid(String),
    /// The mail could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The mails of all tenants, ready to be filled in; cheap to clone, and clones share them.
#[derive(Clone, Debug)]
pub struct CompiledMails {
    mails: MailStore,
    kept: Recent<Name, Arc<Prepared>, Uncompiled>,
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
    ) -> Result<Arc<Prepared>, Uncompiled> {
        let name = (tenant, mail.clone(), class, letterhead.clone());
        let read = || compile(self.mails.clone(), name.clone());
        self.kept.get(name.clone(), read).await
    }
}

async fn compile(mails: MailStore, name: Name) -> Result<Arc<Prepared>, Uncompiled> {
    let (tenant, mail, class, letterhead) = name;
    let stored = mails.get(tenant, &mail).await?;
    let stored = stored.ok_or(Uncompiled::Missing)?;
    // Compiling takes the processor for up to a second; other messages of the process go on meanwhile.
    let work = move || Prepared::compile(&stored, class, &letterhead);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(prepared)) => Ok(Arc::new(prepared)),
        Ok(Err(error)) => Err(Uncompiled::Invalid(error.to_string())),
        Err(broken) if broken.is_panic() => Err(Uncompiled::Invalid(broken.to_string())),
        // The process ends; the next one compiles the mail.
        Err(_) => Err(Uncompiled::Store(Error::Conflict)),
    }
}
