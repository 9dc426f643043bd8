//! The reader of a test message: a contact that is nobody's record and is never stored. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, Person};

use crate::consent::marks::{Kind, Mark};
use crate::model::{Contact, ContactStatus, Source};
use crate::{Channel, ChannelStatus, Purpose};

impl Contact {
    /// A contact with this address that agrees to marketing by mail. Its other data is that of `like`, or of a person of
    /// our own.
    pub fn stand_in(
        id: ContactId,
        like: Option<Contact>,
        to: EmailAddress,
        now: Timestamp,
    ) -> Contact {
        let mut contact = like.unwrap_or_else(|| somebody(id, now));
        contact.id = id;
        contact.email = Some(to);
        contact.email_status = ChannelStatus::Subscribed;
        contact.status = ContactStatus::Active;
        contact.has_soft_bounces = false;
        let granted = Mark::of(Channel::Email, Purpose::Marketing, Kind::Granted);
        contact.consents = crate::consent::Consents::default();
        contact.consents.raise(granted, now.as_millisecond());
        contact
    }
}

fn somebody(id: ContactId, now: Timestamp) -> Contact {
    let person = Person {
        full_name: Some("Nguyễn Văn An".to_owned()),
        first_name: Some("An".to_owned()),
        last_name: Some("Nguyễn Văn".to_owned()),
        ..Person::default()
    };
    Contact {
        id,
        external_id: None,
        email: None,
        phone: None,
        external_ids: BTreeMap::new(),
        other_emails: BTreeSet::new(),
        other_phones: BTreeSet::new(),
        other_external_ids: BTreeMap::new(),
        merged_ids: BTreeSet::new(),
        shared_emails: BTreeSet::new(),
        shared_phones: BTreeSet::new(),
        unconfirmed_emails: BTreeSet::new(),
        unconfirmed_phones: BTreeSet::new(),
        person,
        province_code: None,
        ward_code: None,
        is_legacy_address: false,
        tags: BTreeSet::new(),
        lists: BTreeSet::new(),
        custom: BTreeMap::new(),
        email_status: ChannelStatus::None,
        sms_status: ChannelStatus::None,
        zalo_status: ChannelStatus::None,
        push_status: ChannelStatus::None,
        consents: crate::consent::Consents::default(),
        has_soft_bounces: false,
        owner: None,
        status: ContactStatus::Active,
        lead_score: None,
        fading: None,
        source: Source::Manual,
        archived_at: None,
        created_at: now,
        updated_at: now,
    }
}
