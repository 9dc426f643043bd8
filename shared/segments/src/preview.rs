//! A preview of conditions: the number of members, scaled from a sample, and ten of them.
//!
//! The sample is one shard of the contacts, at most 2,000 of them: about 2,100 read units. Counts of events are read
//! from the states of the contacts, so an event that no segment counted so far is missing.

use cloud::{Error, Resources, Table};
use contacts::{Contact, Profiles};
use futures::try_join;
use jiff::tz::TimeZone;
use kernel::TenantKey;

use crate::keys;
use crate::language::Conditions;
use crate::predicate::Predicate;
use crate::state::State;
use crate::subject::Subject;

/// Contacts that are checked.
const SAMPLE: usize = 2_000;
const PAGE: u32 = 500;
/// Members that are shown.
const SHOWN: usize = 10;

/// What conditions would find.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Members among all contacts; exact if `sampled` is false.
    pub count: u64,
    /// Whether the count is scaled from a part of the contacts.
    pub sampled: bool,
    /// Contacts that were checked.
    pub checked: u64,
    /// Some members.
    pub contacts: Vec<Contact>,
}

/// Makes previews; cheap to clone.
#[derive(Clone, Debug)]
pub struct Previews {
    table: Table,
    profiles: Profiles,
}

impl Previews {
    /// Over the table Contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Contacts"),
            profiles: Profiles::over(resources),
        }
    }

    /// What the conditions would find now. Shards are read in their order until the sample is full.
    pub async fn of(
        &self,
        tenant: TenantKey,
        conditions: &Conditions,
        zone: &TimeZone,
    ) -> Result<Preview, Error> {
        let predicate = Predicate::compile(conditions, zone);
        let now = self.table.clock().now();
        let (mut checked, mut members, mut shown) = (0usize, 0usize, Vec::new());
        let (mut shards, mut partly) = (0u32, false);
        'sample: for shard in 0..contacts::SHARDS {
            let mut cursor = None;
            loop {
                let page = self.profiles.of_shard(tenant, shard, PAGE, cursor).await?;
                let keys = page
                    .data
                    .iter()
                    .map(|&id| keys::state(tenant, id))
                    .collect();
                let (contacts, states) = try_join!(
                    self.profiles.glance(tenant, &page.data),
                    self.table.get_many::<State>(keys),
                )?;
                let states: std::collections::BTreeMap<_, _> = states
                    .into_iter()
                    .map(|(key, state)| (key.pk, state.facts))
                    .collect();
                let nothing = crate::Facts::default();
                for contact in contacts.into_values() {
                    let facts = states.get(&keys::state(tenant, contact.id).pk);
                    let subject = Subject::new(&contact, facts.unwrap_or(&nothing));
                    checked += 1;
                    if predicate.check(&subject, now).is_in {
                        members += 1;
                        if shown.len() < SHOWN {
                            shown.push(contact);
                        }
                    }
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
                if checked >= SAMPLE {
                    partly = true;
                    break 'sample;
                }
            }
            shards += 1;
            if checked >= SAMPLE {
                break;
            }
        }
        let sampled = partly || shards < contacts::SHARDS;
        // A shard that is larger than the sample counts as one: the figure is then too low, and `sampled` says so.
        let scale = f64::from(contacts::SHARDS) / f64::from(shards.max(1));
        let count = if sampled {
            (members as f64 * scale).round()
        } else {
            members as f64
        };
        Ok(Preview {
            count: count as u64,
            sampled,
            checked: checked as u64,
            contacts: shown,
        })
    }
}
