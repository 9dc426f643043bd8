//! The devices of a contact that take push notifications.
//!
//! A device is a row beside the contact, and a row that names the contact of its token: a token is one device, and a device
//! has one owner. Both expire after 270 days without a sign of life. A device that a public key named is unconfirmed: anybody
//! can name a device of anybody's.

use cloud::{Error, Key, Query, Resources, Table};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::Trust;
use crate::store::Contacts;

/// Seconds for which a device is kept without a sign of life.
const KEPT_SECONDS: i64 = 270 * 24 * 3600;
/// A sign of life is recorded at most this often.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most devices of one contact; the one without a sign of life for the longest time goes.
pub const MAX_DEVICES: usize = 20;
/// Longest token and platform, in characters.
const LONGEST: (usize, usize) = (4_096, 20);

/// The keys of a browser's push subscription (RFC 8291): its messages are encrypted for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BrowserKeys {
    /// Public key of P-256, uncompressed: 65 bytes in base64url.
    pub p256dh: String,
    /// 16 bytes in base64url.
    pub auth: String,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The token that the platform gave; of a browser the address of its push service.
    pub token: String,
    /// `ios`, `android`, `web`…, as the SDK names it.
    pub platform: String,
    /// The keys of a browser. A device without keys is an app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<BrowserKeys>,
    /// Whether the shop's own system named it.
    pub is_confirmed: bool,
    /// The last recorded sign of life.
    pub seen_at: Timestamp,
}

impl BrowserKeys {
    /// Whether both have the characters of such keys: 65 and 16 bytes in base64url without padding.
    pub fn are_sound(&self) -> bool {
        let is_key = |text: &str, length: usize| {
            let mut bytes = text.bytes();
            text.len() == length
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        is_key(&self.p256dh, 87) && is_key(&self.auth, 22)
    }
}

impl Device {
    /// Its id within the workspace: 16 hex digits that follow from the token.
    pub fn id(&self) -> String {
        keys::device_name(&self.token)
    }
}

/// A device as a call of an SDK names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedDevice {
    /// See [`Device::token`].
    pub token: String,
    /// See [`Device::platform`].
    pub platform: String,
    /// See [`Device::keys`].
    pub keys: Option<BrowserKeys>,
}

/// The devices of all contacts, for senders; cheap to clone.
#[derive(Debug, Clone)]
pub struct Devices {
    contacts: Table,
}

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    device: Device,
    ttl: i64,
}

/// The contact of a token.
#[derive(Serialize, Deserialize)]
struct Holder {
    contact: ContactId,
    ttl: i64,
}

impl Contacts {
    /// The devices of all contacts.
    pub fn all_devices(&self) -> Devices {
        Devices {
            contacts: self.contacts.clone(),
        }
    }

    /// Notes a device of a contact; false: the device is another contact's, or its token is too long. Half a read unit for
    /// a device that was noted in the last seven days, else two write units. Safe to repeat.
    pub async fn note_device(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        named: &NamedDevice,
        trust: Trust,
    ) -> Result<bool, Error> {
        let token = named.token.as_str();
        if token.is_empty() || token.len() > LONGEST.0 {
            return Ok(false);
        }
        let now = self.contacts.clock().now();
        let key = keys::device(tenant, contact, token);
        let known: Option<Row> = self.contacts.look_up(&key).await?;
        let is_confirmed = trust == Trust::Shop;
        if let Some(Row { device, .. }) = &known {
            let is_fresh = now.duration_since(device.seen_at) < NOTED_EVERY;
            let is_same = device.keys == named.keys;
            if is_fresh && is_same && (device.is_confirmed || !is_confirmed) {
                return Ok(true);
            }
        }
        let holder_key = keys::device_holder(tenant, token);
        let holder: Option<Holder> = self.contacts.get(&holder_key).await?;
        if let Some(holder) = holder.filter(|holder| holder.contact != contact) {
            // The holder may have been merged into this contact, or erased.
            let is_held = self.is_there(tenant, holder.contact).await?;
            let heir = if is_held {
                None
            } else {
                self.forward(tenant, holder.contact).await?
            };
            let is_another = is_held || heir.is_some_and(|heir| heir != contact);
            if is_another && !is_confirmed {
                return Ok(false);
            }
            let former = keys::device(tenant, holder.contact, token);
            self.contacts.delete(&former).await?;
        }
        if known.is_none() && !self.make_room(tenant, contact, is_confirmed).await? {
            return Ok(false);
        }
        let ttl = now.as_second() + KEPT_SECONDS;
        self.contacts
            .put(&holder_key, &Holder { contact, ttl })
            .await?;
        let was_confirmed = known.is_some_and(|row| row.device.is_confirmed);
        let device = Device {
            token: token.to_owned(),
            platform: named.platform.chars().take(LONGEST.1).collect(),
            keys: named.keys.clone(),
            is_confirmed: is_confirmed || was_confirmed,
            seen_at: now,
        };
        self.contacts.put(&key, &Row { device, ttl }).await?;
        Ok(true)
    }

    /// The devices of a contact. One query.
    pub async fn devices(
        &self,
        tenant: TenantKey,
        contact: ContactId,
    ) -> Result<Vec<Device>, Error> {
        self.all_devices().of(tenant, contact).await
    }

    /// Makes room for one device more: unconfirmed ones go first, then those not seen for longest. False for an unconfirmed
    /// newcomer if only confirmed ones could go, since anybody may name such a device.
    async fn make_room(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        is_confirmed: bool,
    ) -> Result<bool, Error> {
        let mut devices = self.devices(tenant, contact).await?;
        devices.sort_by_key(|device| (device.is_confirmed, device.seen_at));
        let surplus = (devices.len() + 1).saturating_sub(MAX_DEVICES);
        let gone = devices.iter().take(surplus);
        if !is_confirmed && gone.clone().any(|device| device.is_confirmed) {
            return Ok(false);
        }
        let gone: Vec<Key> = gone
            .map(|device| keys::device(tenant, contact, &device.token))
            .collect();
        self.contacts.delete_many(&gone).await?;
        Ok(true)
    }
}

impl Devices {
    /// Over the table Contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: resources.table("Contacts"),
        }
    }

    /// The devices of a contact. One query: half a read unit for a few.
    pub async fn of(&self, tenant: TenantKey, contact: ContactId) -> Result<Vec<Device>, Error> {
        let query = Query::partition(keys::contact(tenant, contact)).begins_with(keys::DEVICE);
        self.contacts.query_all(query).await
    }

    /// Forgets a device that its push service no longer knows. Safe to repeat. Two write units.
    pub async fn remove(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        token: &str,
    ) -> Result<(), Error> {
        let holder_key = keys::device_holder(tenant, token);
        let holder: Option<Holder> = self.contacts.look_up(&holder_key).await?;
        let mut gone = vec![keys::device(tenant, contact, token)];
        if holder.is_some_and(|holder| holder.contact == contact) {
            gone.push(holder_key);
        }
        self.contacts.delete_many(&gone).await
    }
}
