//! Every key of the tables Contacts and Timeline, and of the rows in Directory that belong to contacts.

use std::borrow::Cow;

use cloud::Key;
use jiff::Timestamp;
use kernel::text::alike;
use kernel::{
    BulkId, ContactId, ExportId, ImportId, ListId, NoteId, SegmentId, TenantKey, WebhookId, clock,
};

use crate::model::{Event, Identity, OWN_SCOPE};

/// Sort key of the profile.
pub const PROFILE: &str = "PROFILE";
/// Sort key of what segments know of a contact beside its profile. The crate `segments` writes the row.
pub const STATE: &str = "STATE";
/// Beginning of the sort keys of a workspace's lists.
pub const LIST: &str = "LIST#";
/// Beginning of the sort keys of recorded decisions about consent.
pub const CONSENT: &str = "CONSENT#";
/// Beginning of the texts of anonymous visitors in a profile.
pub const ANONYMOUS: &str = "anon:";
/// Characters of a value that are part of the partition key. Prefix search needs at least as many.
pub const HEAD: usize = 3;

/// Sort key of identities, by kind; the widget's inbox is part of the value.
pub fn kind(identity: &Identity) -> Cow<'static, str> {
    match identity {
        Identity::External { scope, .. } if scope == OWN_SCOPE => "external".into(),
        Identity::External { scope, .. } => format!("external.{scope}").into(),
        Identity::Email(_) => "email".into(),
        Identity::Phone(_) => "phone".into(),
        Identity::Visitor { .. } => "widget".into(),
        Identity::Anonymous { .. } => "anon".into(),
    }
}

/// The unique key of an identity. Phones are stored without the country code, which nearly all share. So their first
/// digits spread over the partitions.
pub fn value(identity: &Identity) -> String {
    match identity {
        Identity::External { id, .. } | Identity::Anonymous { id } => id.clone(),
        Identity::Email(address) => address.as_str().to_owned(),
        Identity::Phone(phone) => national(phone.digits()).to_owned(),
        Identity::Visitor { inbox, visitor } => format!("{visitor}@{inbox}"),
    }
}

/// The text by which a profile keeps a visitor.
pub fn visitor(identity: &Identity) -> String {
    match identity {
        Identity::Anonymous { id } => format!("{ANONYMOUS}{id}"),
        other => value(other),
    }
}

/// A number without the country code.
pub fn national(digits: &str) -> &str {
    digits.strip_prefix("84").unwrap_or(digits)
}

/// The first characters of a value; a short value is padded with blanks.
pub fn head(value: &str) -> String {
    let head: String = value.chars().take(HEAD).collect();
    format!("{head:HEAD$}")
}

pub fn contact(tenant: TenantKey, contact: ContactId) -> String {
    format!("{tenant}#{contact}")
}

pub fn profile(tenant: TenantKey, id: ContactId) -> Key {
    Key::new(contact(tenant, id), PROFILE)
}

pub fn membership(tenant: TenantKey, id: ContactId, list: ListId) -> Key {
    Key::new(contact(tenant, id), format!("LIST#{list}"))
}

/// Row of a decision about consent.
pub fn consent(tenant: TenantKey, id: ContactId, at: Timestamp, record: &str) -> Key {
    let order = event_order(at, record);
    Key::new(contact(tenant, id), format!("{CONSENT}{order}"))
}

pub fn identity(tenant: TenantKey, identity: &Identity) -> Key {
    let value = value(identity);
    Key::new(identity_partition(tenant, &kind(identity), &value), value)
}

/// Row by which a search finds an address that the contact shows and does not own. The owner's row has the bare value.
pub fn beside(tenant: TenantKey, identity: &Identity, id: ContactId) -> Key {
    let value = value(identity);
    let partition = identity_partition(tenant, &kind(identity), &value);
    Key::new(partition, beside_order(&value, id))
}

/// Sort key of that row.
pub fn beside_order(value: &str, id: ContactId) -> String {
    format!("{value}#{id}")
}

/// Partition of the addresses that contacts of a shard show without owning them.
pub fn pairs(tenant: TenantKey, shard: u32) -> String {
    format!("{tenant}#PAIRS#{shard:02}")
}

/// Row of such an address. The order is that of the contacts.
pub fn pair(tenant: TenantKey, identity: &Identity, id: ContactId) -> Key {
    let order = format!("{id}#{}#{}", kind(identity), value(identity));
    Key::new(pairs(tenant, crate::shard(id)), order)
}

/// Row of a value that one contact may have: a hash, over 256 partitions for each field.
pub fn unique(tenant: TenantKey, field: &str, hash: &str) -> Key {
    let head = hash.get(..2).unwrap_or_default();
    Key::new(format!("{tenant}#U#{field}#{head}"), hash)
}

/// Row of a refusal that an erased contact left: a hash of the address, without the address.
pub fn suppressed(tenant: TenantKey, identity: &Identity) -> Key {
    let tenant = tenant.to_string();
    let hash = kernel::hash::name(&[&tenant, &kind(identity), &value(identity)]);
    let head = hash.get(..2).unwrap_or_default();
    Key::new(format!("{tenant}#REFUSED#{head}"), hash)
}

/// Partition of an identity. Addresses and numbers are found by their beginning, so the head of the value names the
/// partition. The ids of one system begin alike and are found whole: a hash spreads them over 256 partitions.
pub fn identity_partition(tenant: TenantKey, kind: &str, value: &str) -> String {
    if kind.starts_with("external") || kind == "anon" {
        let hash = kernel::hash::name(&[value]);
        return format!("{tenant}#I#{kind}#{}", &hash[..2]);
    }
    format!("{tenant}#I#{kind}#{}", head(value))
}

pub fn name(tenant: TenantKey, rotation: &str, id: ContactId) -> Key {
    let partition = name_partition(tenant, rotation, initial(rotation));
    Key::new(partition, format!("{rotation}#{id}"))
}

/// Partition of the names that begin with the head of `start` and whose second word begins with this letter. Two of
/// five people are Nguyễn: without the second word they would share a partition.
pub fn name_partition(tenant: TenantKey, start: &str, second: char) -> String {
    format!("{tenant}#N#{}#{second}", head(start))
}

/// The first letter of the second word of a folded name; `~` if there is none, or if it begins with no Latin letter.
pub fn initial(rotation: &str) -> char {
    let second = rotation
        .split_once(' ')
        .and_then(|(_, rest)| rest.chars().next());
    second.filter(char::is_ascii_lowercase).unwrap_or('~')
}

/// All values of [`initial`], in the order in which a search walks them.
pub fn initials() -> impl Iterator<Item = char> {
    ('a'..='z').chain(['~'])
}

pub fn event(tenant: TenantKey, id: ContactId, event: &Event) -> Key {
    Key::new(contact(tenant, id), event_order(event.at, &event.id))
}

/// Partition of the events of an anonymous visitor whom no contact has claimed.
pub fn anonymous(tenant: TenantKey, visitor: &str) -> String {
    format!("{tenant}#anon_{}", kernel::hash::name(&[visitor]))
}

/// Row of such an event.
pub fn anonymous_event(tenant: TenantKey, visitor: &str, event: &Event) -> Key {
    let order = event_order(event.at, &event.id);
    Key::new(anonymous(tenant, visitor), order)
}

/// Row of the first arrivals of events with this id.
pub fn sightings(tenant: TenantKey, event_id: &str) -> Key {
    Key::new(format!("{tenant}#SEEN#{event_id}"), "SEEN")
}

/// Row of the events with one id whose contacts were erased.
pub fn forgotten(tenant: TenantKey, event_id: &str) -> Key {
    Key::new(format!("{tenant}#SEEN#{event_id}"), "ERASED")
}

pub fn event_order(at: Timestamp, id: &str) -> String {
    format!("{}#{id}", clock::sortable(at))
}

/// Partition of the pairs of event and workflow.
pub fn listeners(tenant: TenantKey) -> String {
    format!("{tenant}#TRIGGER")
}

/// Row of a workflow that listens to the event. Workflow ids have one length and no `#`, so two pairs never share a
/// key.
pub fn listener(tenant: TenantKey, event: &str, workflow: &str) -> Key {
    Key::new(listeners(tenant), format!("{event}#{workflow}"))
}

/// Partition of what the segments mention, one row for each.
pub fn mentions(tenant: TenantKey) -> String {
    format!("{tenant}#MENTIONS")
}

pub fn mentioning(tenant: TenantKey, segment: SegmentId) -> Key {
    Key::new(mentions(tenant), segment.to_string())
}

/// Partition of the webhooks that want events, one row each.
pub fn hooks(tenant: TenantKey) -> String {
    format!("{tenant}#HOOKS")
}

pub fn hooking(tenant: TenantKey, webhook: WebhookId) -> Key {
    Key::new(hooks(tenant), webhook.to_string())
}

/// Row of the interest set, which is made from those rows.
pub fn interest(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "INTEREST")
}

/// Beginning of the sort keys of devices.
pub const DEVICE: &str = "DEV#";

/// The name of a token in keys.
pub fn device_name(token: &str) -> String {
    let hash = kernel::hash::name(&[token]);
    hash.get(..16).unwrap_or(&hash).to_owned()
}

/// A device of a contact.
pub fn device(tenant: TenantKey, id: ContactId, token: &str) -> Key {
    Key::new(
        contact(tenant, id),
        format!("{DEVICE}{}", device_name(token)),
    )
}

/// Row that names the contact of a device.
pub fn device_holder(tenant: TenantKey, token: &str) -> Key {
    Key::new(format!("{tenant}#DEV#{}", device_name(token)), "DEV")
}

pub fn note(tenant: TenantKey, id: ContactId, note: NoteId) -> Key {
    Key::new(contact(tenant, id), format!("NOTE#{note}"))
}

/// Partition of a workspace's vocabulary of tags.
pub fn tags(tenant: TenantKey) -> String {
    format!("{tenant}#TAGS")
}

/// Row of a tag, in any case of its letters.
pub fn tag(tenant: TenantKey, name: &str) -> Key {
    Key::new(tags(tenant), alike(name))
}

/// Row of the last pass that counted the contacts of tags and lists.
pub fn counts(tenant: TenantKey) -> Key {
    Key::new(format!("{tenant}#TAGS#COUNT"), "PASS")
}

/// Row that counts the vocabulary.
pub fn tags_count(tenant: TenantKey) -> Key {
    Key::new(format!("{tenant}#TAGS#COUNT"), "COUNT")
}

pub fn bulk(tenant: TenantKey, job: BulkId) -> Key {
    Key::new(format!("{tenant}#{job}"), "BULK")
}

/// Row that ends a bulk job.
pub fn bulk_cancelled(tenant: TenantKey, job: BulkId) -> Key {
    Key::new(format!("{tenant}#{job}"), "CANCELLED")
}

/// Partition of a workspace's list of bulk jobs.
pub fn bulk_list(tenant: TenantKey) -> String {
    format!("{tenant}#BULK")
}

pub fn bulk_listed(tenant: TenantKey, job: BulkId) -> Key {
    Key::new(bulk_list(tenant), job.to_string())
}

/// Row of the bulk jobs that are running.
pub fn bulk_running(tenant: TenantKey) -> Key {
    Key::new(bulk_list(tenant), "RUNNING")
}

/// Sort key of the row that counts the notes of a contact.
pub const NOTES: &str = "NOTES";

/// Row that counts the notes of a contact.
pub fn notes(tenant: TenantKey, id: ContactId) -> Key {
    Key::new(contact(tenant, id), NOTES)
}

/// Beginnings of the sort keys of the rows that follow a contact into another one: notes, decisions about consent, the
/// history of the score, marks of rules, devices, and the requests of signup forms, which the crate `forms` writes.
pub fn moves(sk: &str) -> bool {
    let kinds = ["NOTE#", CONSENT, SCORES, "SCORED#", "OPTIN#", DEVICE];
    kinds.iter().any(|kind| sk.starts_with(kind))
}

/// Row of the views of a user; without a user, of the shared ones.
pub fn views(tenant: TenantKey, user: Option<&str>) -> Key {
    Key::new(
        tenant.to_string(),
        format!("VIEWS#{}", user.unwrap_or("shared")),
    )
}

/// Row of the definitions of the custom fields of a target: `contact`, `order`.
pub fn fields(tenant: TenantKey, target: &str) -> Key {
    Key::new(tenant.to_string(), format!("FIELDS#{target}"))
}

/// Partition of the users of a custom field.
pub fn field_uses(tenant: TenantKey, field: &str) -> String {
    format!("{tenant}#USES#field#{field}")
}

pub fn field_use(tenant: TenantKey, field: &str, user: &str) -> Key {
    Key::new(field_uses(tenant, field), user)
}

/// Row of the rules of the lead score.
pub fn scoring(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "SCORING")
}

/// Beginning of the sort keys of a score's history.
pub const SCORES: &str = "SCORE#";

/// Entry of the history, in the order of the events.
pub fn score(tenant: TenantKey, id: ContactId, at: Timestamp, event: &str, rule: &str) -> Key {
    let order = event_order(at, event);
    Key::new(contact(tenant, id), format!("{SCORES}{order}#{rule}"))
}

/// Mark of a rule that counts once for a contact.
pub fn scored(tenant: TenantKey, id: ContactId, rule: &str) -> Key {
    Key::new(contact(tenant, id), format!("SCORED#{rule}"))
}

/// Count of a rule on a day.
pub fn scored_on(tenant: TenantKey, id: ContactId, rule: &str, day: &str) -> Key {
    Key::new(contact(tenant, id), format!("SCORED#{rule}#{day}"))
}

/// Row of the custom fields that one thing uses.
pub fn field_user(tenant: TenantKey, user: &str) -> Key {
    Key::new(format!("{tenant}#USES#by#{user}"), "FIELDS")
}

pub fn list(tenant: TenantKey, list: ListId) -> Key {
    Key::new(tenant.to_string(), format!("LIST#{list}"))
}

pub fn import(tenant: TenantKey, import: ImportId) -> Key {
    Key::new(format!("{tenant}#{import}"), "IMPORT")
}

/// A lane of an import.
pub fn import_lane(tenant: TenantKey, import: ImportId, lane: u32) -> Key {
    Key::new(format!("{tenant}#{import}"), format!("LANE#{lane}"))
}

/// A slice of an import's file.
pub fn import_slice(tenant: TenantKey, import: ImportId, slice: u32) -> Key {
    Key::new(format!("{tenant}#{import}"), format!("SLICE#{slice:08}"))
}

/// The values that a row of an import replaced in a contact.
pub fn import_before(tenant: TenantKey, id: ContactId, operation: &str) -> Key {
    Key::new(contact(tenant, id), format!("UNDO#{operation}"))
}

/// The partition of a workspace's list of imports.
pub fn imports(tenant: TenantKey) -> String {
    format!("{tenant}#IMPORTS")
}

/// An entry of that list. Ids follow time, so the newest is the last.
pub fn import_listed(tenant: TenantKey, import: ImportId) -> Key {
    Key::new(imports(tenant), import.to_string())
}

/// The partition of a workspace's exports.
pub fn exports(tenant: TenantKey) -> String {
    format!("{tenant}#EXPORTS")
}

/// The exports of a workspace that run: one row.
pub fn export_running(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "EXPORTS")
}

/// An export. Ids follow time, so the newest is the last.
pub fn export(tenant: TenantKey, export: ExportId) -> Key {
    Key::new(exports(tenant), export.to_string())
}

/// The imports of a workspace that run or wait.
pub fn import_turns(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "IMPORTS")
}

#[cfg(test)]
mod tests;
