//! Outages of a place for minutes or hours: a table, a queue, SES, or the rows of one tenant.

use std::sync::Mutex;

use jiff::SignedDuration;
use tanigo_local::aws::Call;

use crate::time::Time;

/// The place whose calls are throttled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A table or a queue, by its physical name.
    Named(String),
    /// The mail service.
    Mail,
    /// The rows of this workspace in all tables: hot partitions.
    Tenant(String),
}

/// The outages under way.
pub struct Outages {
    time: Time,
    open: Mutex<Vec<(Place, SignedDuration)>>,
}

impl Outages {
    /// None yet.
    pub fn new(time: Time) -> Self {
        Self {
            time,
            open: Mutex::default(),
        }
    }

    /// Begins one that ends after `lasts`.
    pub fn begin(&self, place: Place, lasts: SignedDuration) {
        let until = self.time.passed() + lasts;
        self.open.lock().unwrap().push((place, until));
    }

    /// Ends all.
    pub fn end(&self) {
        self.open.lock().unwrap().clear();
    }

    /// Whether an outage is under way.
    pub fn are_any(&self) -> bool {
        self.only_tenants() != Some(Vec::new())
    }

    /// The tenants whose rows are throttled now; `None`: another outage is under way too.
    pub fn only_tenants(&self) -> Option<Vec<String>> {
        let now = self.time.passed();
        let mut open = self.open.lock().unwrap();
        open.retain(|(_, until)| *until > now);
        let names = open.iter().map(|(place, _)| match place {
            Place::Tenant(name) => Some(name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Whether this call fails.
    pub fn concern(&self, call: &Call) -> bool {
        let now = self.time.passed();
        let mut open = self.open.lock().unwrap();
        open.retain(|(_, until)| *until > now);
        open.iter().any(|(place, _)| match place {
            Place::Named(name) => call.table_or_queue == *name,
            Place::Mail => call.service == "ses",
            Place::Tenant(tenant) => concerns(call, tenant),
        })
    }
}

/// Whether the call names a row of this workspace.
pub fn concerns(call: &Call, tenant: &str) -> bool {
    let keys = call.items.iter().flat_map(|item| &item.keys);
    keys.into_iter().any(|key| key.starts_with(tenant))
}
