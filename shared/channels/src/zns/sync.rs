//! Reads an Official Account and its templates from Zalo, within the rate of the account.

use futures::future::join_all;
use kernel::TenantKey;

use super::account::Oa;
use super::client::{Client, Fault};
use super::template::Template;
use super::wire::{self, BUSINESS, OPENAPI, PAGE};

/// Most pages of templates of an account.
const MAX_PAGES: usize = 20;
/// Most templates whose details one synchronisation asks for.
pub const MAX_DETAILS: usize = 30;
/// Details that are asked for at once.
const AT_ONCE: usize = 5;

/// The outcome of a synchronisation.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The account.
    pub oa: Oa,
    /// Its templates.
    pub templates: usize,
    /// Templates whose details were not read yet: another call reads more of them.
    pub without_details: usize,
}

impl Client {
    /// Reads the account, its quota and its templates from Zalo. Details are read for [`MAX_DETAILS`] templates at a time: first
    /// of those without, then of those that were read longest ago.
    pub async fn sync(&self, tenant: TenantKey, oa_id: &str) -> Result<Synced, Fault> {
        let oa = self.store.account(tenant, oa_id).await?;
        let oa = oa.ok_or(Fault::Missing)?;
        self.reserve(&oa, 2).await?;
        let (openapi, business) = (self.hosts.at(OPENAPI), self.hosts.at(BUSINESS));
        let told = self
            .ask(tenant, oa_id, &format!("{openapi}/v2.0/oa/getoa"))
            .await?;
        let (told_id, facts) = wire::facts(&told).ok_or(Fault::Unusable)?;
        if told_id != oa_id {
            return Err(Fault::Unusable);
        }
        let told = self
            .ask(tenant, oa_id, &format!("{business}/message/quota"))
            .await?;
        let quota = wire::quota(&told["data"]);
        let mut listed = Vec::new();
        for page in 0..MAX_PAGES {
            self.reserve(&oa, 1).await?;
            let url = format!(
                "{business}/template/all?offset={}&limit={PAGE}",
                page * PAGE
            );
            let answer = self.ask(tenant, oa_id, &url).await?;
            let length = answer["data"].as_array().ok_or(Fault::Unusable)?.len();
            listed.extend(wire::templates(&answer, self.now()));
            if length < PAGE {
                break;
            }
        }
        let mut all = self.store.put_templates(tenant, oa_id, listed).await?;
        all.sort_by_key(|one| (one.is_detailed, one.synced_at));
        let count = all.len();
        let missing = all.iter().filter(|one| !one.is_detailed).count();
        all.truncate(MAX_DETAILS);
        let detailed = self.details(tenant, &oa, all).await?;
        // The row is read again: a call may have renewed the tokens.
        let oa = self.store.account(tenant, oa_id).await?;
        let oa = oa.ok_or(Fault::Missing)?;
        let stored = self.store.learn(tenant, &oa, &facts, quota).await?;
        Ok(Synced {
            oa: stored.unwrap_or(oa),
            templates: count,
            without_details: missing.saturating_sub(detailed),
        })
    }

    /// Reads the details of templates, as many as the rate of the account allows now; returns how many of them had none before.
    /// The next synchronisation reads the rest.
    async fn details(
        &self,
        tenant: TenantKey,
        oa: &Oa,
        all: Vec<Template>,
    ) -> Result<usize, Fault> {
        let mut first = 0;
        // A small reservation: one that comes too late is lost.
        for few in all.chunks(AT_ONCE) {
            match self.reserve(oa, few.len() as u32).await {
                Ok(()) => {}
                Err(Fault::Busy(_)) => break,
                Err(fault) => return Err(fault),
            }
            let calls = few.iter().map(|template| async move {
                let read = self.detail(tenant, oa, template.clone()).await;
                read.map(|()| !template.is_detailed)
            });
            for result in join_all(calls).await {
                match result {
                    Ok(is_first) => first += usize::from(is_first),
                    Err(Fault::Busy(_)) => return Ok(first),
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(first)
    }

    /// Reads and stores the details of a template.
    async fn detail(
        &self,
        tenant: TenantKey,
        oa: &Oa,
        mut template: Template,
    ) -> Result<(), Fault> {
        let business = self.hosts.at(BUSINESS);
        let id = &template.template_id;
        let url = format!("{business}/template/info/v2?template_id={id}");
        let answer = self.ask(tenant, &oa.oa_id, &url).await?;
        wire::detail(&mut template, &answer);
        template.synced_at = self.now();
        let stored = self.store.put_template(tenant, &oa.oa_id, &template);
        Ok(stored.await?)
    }
}
