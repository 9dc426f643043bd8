//! Decisions outside an upsert, and their history. Each may run twice, late, or be killed between two writes: a stop is
//! in force before its row is stored, a grant after, and a repetition writes what is missing.

use cloud::{Error, Query, Update, UpdateOutcome};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{ContactId, Cursor, EmailAddress, Limit, TenantKey};
use serde::Deserialize;

use super::change::believed;
use super::records::{COUNT, MAX_RECORDS, Record};
use super::{Channel, ChannelStatus, Consents, Method, Statement};
use crate::rows::{ERASED, Profile};
use crate::store::Contacts;
use crate::{Contact, keys, mention};

/// The outcome of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// It is recorded; whether it changed the state.
    Yes {
        /// Whether a repetition or an earlier decision had said the same.
        news: bool,
    },
    /// There is no such contact.
    NoContact,
    /// The contact no longer shows the address that the person proved.
    OtherAddress,
    /// The contact has as many records as it may have.
    Full,
}

/// The number of rows, as an update returns it.
#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    consent_records: u64,
}

impl Contacts {
    /// Records a decision; `cause` names it, so a repetition is the same decision. With `proven` the person proved
    /// this address: a grant counts only while the contact shows it.
    ///
    /// A stop of one channel and purpose costs two write units, and a read unit if a reader of a mail asks. A grant costs a read unit, and a write
    /// unit more for each part of a kilobyte of its proof.
    pub async fn declare(
        &self,
        tenant: TenantKey,
        id: ContactId,
        statement: &Statement,
        cause: &str,
        proven: Option<&EmailAddress>,
    ) -> Result<Stated, Error> {
        let stated = self.declare_of(tenant, id, statement, cause, proven);
        let stated = stated.await?;
        if stated != Stated::NoContact {
            return Ok(stated);
        }
        // The link of a mail may name a contact that was merged.
        match self.forward(tenant, id).await? {
            Some(now) => self.declare_of(tenant, now, statement, cause, proven).await,
            None => Ok(stated),
        }
    }

    async fn declare_of(
        &self,
        tenant: TenantKey,
        id: ContactId,
        statement: &Statement,
        cause: &str,
        proven: Option<&EmailAddress>,
    ) -> Result<Stated, Error> {
        let now = self.contacts.clock().now();
        // A grant of the future would outlast every withdrawal. A report keeps its provider's time, so that each
        // delivery of the report is the same decision.
        let stops = statement.decision.stops();
        let at = statement.at.unwrap_or(now);
        let mut at = if stops { at } else { believed(at, now) };
        if statement.way == Method::MailLink && stops {
            at = self.left_at(tenant, id, statement).await?.unwrap_or(at);
        }
        let channels: Vec<Channel> = statement.channels.iter().copied().collect();
        let record = Record::of(statement, &channels, Vec::new(), (at, cause));
        if stops {
            return self.stop(tenant, id, statement, &record).await;
        }
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let key = keys::profile(tenant, id);
            let profile: Option<Profile> = self.contacts.get(&key).await?;
            let Some(profile) = profile else {
                return Ok(Stated::NoContact);
            };
            let done = self.grant(tenant, id, statement, record.clone(), &profile, proven);
            if let Some(stated) = done.await? {
                return Ok(stated);
            }
        }
    }

    /// When the person left, if every channel and purpose of the statement was left already. A link that is followed
    /// again, or a request that is repeated after a crash, is then the same decision.
    async fn left_at(
        &self,
        tenant: TenantKey,
        id: ContactId,
        statement: &Statement,
    ) -> Result<Option<Timestamp>, Error> {
        let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
        let known = profile
            .map(|profile| profile.consents())
            .unwrap_or_default();
        let mut last = None;
        for &channel in &statement.channels {
            for &purpose in &statement.purposes {
                let state = known.state(channel, purpose);
                if state.status != ChannelStatus::Unsubscribed {
                    return Ok(None);
                }
                last = state.since.max(last);
            }
        }
        Ok(last)
    }

    /// Marks first, then the row.
    async fn stop(
        &self,
        tenant: TenantKey,
        id: ContactId,
        statement: &Statement,
        record: &Record,
    ) -> Result<Stated, Error> {
        let at = record.decided_at.as_millisecond();
        let channels: Vec<Channel> = record.channels.iter().copied().collect();
        let (mut news, mut counted) = (false, 0);
        for mark in statement.marks(&channels) {
            let name = mark.attribute();
            let update = self.touch().set(&name, at).when_absent_or_less(&name, at);
            let update = if news { update } else { update.add(COUNT, 1) };
            let changed = mention::consent(mark.channel, mark.purpose);
            let update = self.telling(tenant, update, changed).await?;
            let key = keys::profile(tenant, id);
            let outcome = self.contacts.update(&key, update.when_exists()).await?;
            if matches!(&outcome, UpdateOutcome::Refused(item)
                if item.is_empty() || item.contains_key(ERASED))
            {
                return Ok(Stated::NoContact);
            }
            news |= outcome.applied();
            let row: Option<Counted> = outcome.item()?;
            counted = row.map_or(0, |row| row.consent_records);
        }
        if counted <= MAX_RECORDS {
            let row = self.told(tenant, record).await?;
            self.contacts.create(&record.key(tenant, id), &row).await?;
        } else {
            tracing::warn!(contact = %id, "a contact has no room for records of consent");
        }
        Ok(Stated::Yes { news })
    }

    /// The row first, then the marks. `None`: another run changed the profile in between.
    async fn grant(
        &self,
        tenant: TenantKey,
        id: ContactId,
        statement: &Statement,
        mut record: Record,
        profile: &Profile,
        proven: Option<&EmailAddress>,
    ) -> Result<Option<Stated>, Error> {
        let Some(contact) = profile.clone().given() else {
            return Ok(Some(Stated::NoContact));
        };
        if proven.is_some() && proven != contact.email.as_ref() {
            return Ok(Some(Stated::OtherAddress));
        }
        let channels: Vec<Channel> = record.channels.iter().copied().collect();
        let at = record.decided_at.as_millisecond();
        let known = profile.consents();
        let grows = |mark: &_| {
            let number = statement.number(*mark, at);
            known.at(*mark).is_none_or(|had| had < number)
        };
        let marks = statement.marks(&channels);
        let growing: Vec<_> = marks.into_iter().filter(grows).collect();
        let stored = profile.consent_records.unwrap_or_default();
        if stored >= MAX_RECORDS {
            return Ok(Some(Stated::Full));
        }
        record.addresses = addresses(&contact, &channels);
        let row = self.told(tenant, &record).await?;
        let created = self.contacts.create(&record.key(tenant, id), &row).await?;
        if growing.is_empty() && !created.is_new() {
            return Ok(Some(Stated::Yes { news: false }));
        }
        let update = growing.iter().fold(self.touch(), |update: Update, mark| {
            let (name, number) = (mark.attribute(), statement.number(*mark, at));
            update.set(&name, number).when_absent_or_less(&name, number)
        });
        let changed: Vec<_> = growing
            .iter()
            .flat_map(|mark| mention::consent(mark.channel, mark.purpose))
            .collect();
        let update = self.telling(tenant, update, changed).await?;
        let update = update
            .set(COUNT, stored + 1)
            .when_as_read(COUNT, profile.consent_records)
            .when_exists();
        let update = match proven {
            Some(address) => update.when_equals("email", address),
            None => update,
        };
        let outcome = self
            .contacts
            .update(&keys::profile(tenant, id), update)
            .await?;
        let news = !growing.is_empty();
        Ok(outcome.applied().then_some(Stated::Yes { news }))
    }

    /// The state of a contact's consent; `None` if there is no such contact.
    pub async fn consents(
        &self,
        tenant: TenantKey,
        id: ContactId,
    ) -> Result<Option<Consents>, Error> {
        let contact = self.get(tenant, id).await?;
        Ok(contact.map(|contact| contact.consents))
    }

    /// A page of a contact's decisions, newest first.
    pub async fn consent_history(
        &self,
        tenant: TenantKey,
        id: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Record>, Error> {
        let query = Query::partition(keys::contact(tenant, id)).begins_with(keys::CONSENT);
        let query = query.descending().limit(limit.get()).cursor(cursor);
        self.contacts.query(query).await
    }
}

/// The addresses of these channels.
fn addresses(contact: &Contact, channels: &[Channel]) -> Vec<String> {
    let mut addresses: Vec<String> = channels
        .iter()
        .filter_map(|channel| match channel {
            Channel::Email => contact.email.as_ref().map(ToString::to_string),
            Channel::Sms | Channel::Zalo => contact.phone.as_ref().map(ToString::to_string),
            Channel::Push => None,
        })
        .collect();
    addresses.dedup();
    addresses
}
