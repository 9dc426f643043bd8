//! The state of the routes: published forms, limits of a flood, counts, and the check by Turnstile.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use accounts::RecentWorkspaces;
use cloud::{Buckets, QueueOf};
use contacts::{Definitions, Fields, RecentLists};
use forms::{
    Deed, Given, LinkKey, OpenForm, OpenForms, RESPONSE, Status, Tallies, Turnstile, Verdict,
};
use kernel::{Channel, Clock, Entropy, FormId, TenantKey};
use lambda::http::{ClientIp, Code, Problem};
use lambda::metrics;
use sources::{Confirming, ConsentAnswer, FormSubmission, Inbound};

/// Submissions of one form that a process takes in a second, and at once.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Submissions of one form from one network. A fair's visitors may share one network.
const PER_SECOND_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(5).unwrap();
const BURST_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Longest time that a visitor waits for a count.
const COUNTING: Duration = Duration::from_secs(1);

pub fn buckets(clock: &Clock) -> Buckets {
    Buckets::new(clock, PER_SECOND, BURST)
}

pub fn clients(clock: &Clock) -> Buckets {
    Buckets::new(clock, PER_SECOND_OF_A_CLIENT, BURST_OF_A_CLIENT)
}

/// Views of one form from one network that are counted.
pub fn viewers(clock: &Clock) -> Buckets {
    Buckets::new(clock, PER_SECOND_OF_A_CLIENT, BURST_OF_A_CLIENT)
}

/// The state of the routes.
#[derive(Clone)]
pub struct Desk {
    pub forms: OpenForms,
    pub workspaces: RecentWorkspaces,
    pub fields: Fields,
    pub lists: RecentLists,
    pub queue: QueueOf<Inbound>,
    pub clock: Clock,
    pub entropy: Entropy,
    /// By form.
    pub buckets: Buckets,
    /// By form and network.
    pub clients: Buckets,
    /// Views by form and network.
    pub viewers: Buckets,
    pub tallies: Tallies,
    pub turnstile: Turnstile,
    /// Signs the links of confirmation mails.
    pub link_key: LinkKey,
}

impl Desk {
    /// A form that takes submissions.
    pub async fn open(&self, id: FormId) -> Result<Arc<OpenForm>, Problem> {
        let found = self.forms.get(id).await?;
        let found = found.filter(|open| open.form.status == Status::Published);
        let open = found.ok_or_else(|| Problem::not_found("open form"))?;
        if !self.workspaces.is_open(open.tenant).await? {
            return Err(Problem::not_found("open form"));
        }
        Ok(open)
    }

    pub async fn definitions(&self, open: &OpenForm) -> Result<Arc<Definitions>, Problem> {
        Ok(self.fields.recent(open.tenant).await?)
    }

    /// Counts deeds with a form. A lost count stops no visitor.
    pub async fn count(&self, tenant: TenantKey, form: FormId, deeds: &[Deed]) {
        let (now, source) = (self.clock.now(), self.entropy.nonce());
        let counted = self.tallies.count(tenant, form, deeds, now, &source);
        match tokio::time::timeout(COUNTING, counted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a deed with a form was not counted");
                metrics::incident("FormCountsLost", 1);
            }
            Err(_) => metrics::incident("FormCountsLost", 1),
        }
    }

    /// The confirmation that a list of the form asks for. The form's own setting comes first. The sender of the mails is
    /// that of the first list that has one.
    pub async fn confirm_for_list(
        &self,
        open: &OpenForm,
        submission: &mut FormSubmission,
    ) -> Result<(), Problem> {
        let asks = |answer: &ConsentAnswer| answer.channel == Channel::Email && answer.ticked;
        if submission.confirming.is_some() || !submission.consent.iter().any(asks) {
            return Ok(());
        }
        let (mut asks, mut sender) = (false, None);
        for list in &open.form.settings.list_ids {
            let list = self.lists.get(open.tenant, *list).await?;
            let Some(list) = list else { continue };
            asks |= list.double_opt_in;
            sender = sender.or(list.default_sender);
        }
        submission.confirming = sender.filter(|_| asks).map(|sender| Confirming {
            from_name: sender.from_name,
            from_email: sender.from_email,
            language: open.form.settings.language.tag().to_owned(),
            reminder: true,
        });
        Ok(())
    }

    /// Asks Turnstile about the answers of a form that has its keys.
    pub async fn challenge(&self, open: &OpenForm, given: &Given, submission: &str) -> Verdict {
        let Some(guard) = &open.form.guard else {
            return Verdict::Passed;
        };
        let token = given.first(RESPONSE).unwrap_or_default();
        let verdict = self
            .turnstile
            .verify(open.tenant, guard, &token, submission);
        let verdict = verdict.await;
        match verdict {
            Verdict::Passed => {}
            Verdict::Failed => metrics::count("TurnstileRefused", 1),
            Verdict::Unavailable => metrics::incident("TurnstileUnavailable", 1),
        }
        verdict
    }

    /// A flood of a public address must cost nothing but the request.
    pub fn slow_down(&self, form: FormId, ip: &ClientIp) -> Result<(), Problem> {
        let client = format!("{form} {}", ip.network());
        let taken = self.clients.take(&client);
        let taken = taken.and_then(|()| self.buckets.take(&form.to_string()));
        taken.map_err(|wait| {
            metrics::incident("RequestsOverLimit", 1);
            let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
            Problem::new(Code::RateLimited, "too many submissions in a second").retry_after(seconds)
        })
    }
}
