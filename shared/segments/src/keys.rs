//! Every key of the table Segments, and of the rows of segments in Directory and Contacts.

use cloud::Key;
use kernel::{ContactId, SegmentId, TenantKey};

/// Partition that lists a tenant's segments.
pub fn segments(tenant: TenantKey) -> String {
    format!("{tenant}#SEGMENTS")
}

pub fn segment(tenant: TenantKey, segment: SegmentId) -> Key {
    Key::new(segments(tenant), segment.to_string())
}

/// The conditions of one version; never changed.
pub fn version(tenant: TenantKey, segment: SegmentId, version: u32) -> Key {
    let sk = format!("VERSION#{version:04}");
    Key::new(format!("{tenant}#{segment}"), sk)
}

/// Partition of what uses a segment.
pub fn uses(tenant: TenantKey, segment: SegmentId) -> String {
    format!("{tenant}#USES#{segment}")
}

pub fn used(tenant: TenantKey, segment: SegmentId, user: &str) -> Key {
    Key::new(uses(tenant, segment), user)
}

/// Partition of the members of one version in one contact shard.
pub fn members(tenant: TenantKey, segment: SegmentId, version: u32, shard: u32) -> String {
    format!("{tenant}#{segment}#v{version:04}#s{shard:02}")
}

pub fn member(tenant: TenantKey, segment: SegmentId, version: u32, contact: ContactId) -> Key {
    let shard = contacts::shard(contact);
    let pk = members(tenant, segment, version, shard);
    Key::new(pk, contact.to_string())
}

/// The facts of a contact beside its profile.
pub fn state(tenant: TenantKey, contact: ContactId) -> Key {
    Key::new(format!("{tenant}#{contact}"), "STATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_these_exact_texts() {
        #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
        let t = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let s = "seg_0123456789a".parse().unwrap();
        let c: ContactId = "con_0123456789a".parse().unwrap();
        let shard = contacts::shard(c);
        let members = format!("ws_0123456789a#seg_0123456789a#v0007#s{shard:02}");
        for (key, pk, sk) in [
            (segment(t, s), "ws_0123456789a#SEGMENTS", "seg_0123456789a"),
            (
                version(t, s, 7),
                "ws_0123456789a#seg_0123456789a",
                "VERSION#0007",
            ),
            (
                used(t, s, "cmp_1"),
                "ws_0123456789a#USES#seg_0123456789a",
                "cmp_1",
            ),
            (member(t, s, 7, c), members.as_str(), "con_0123456789a"),
            (state(t, c), "ws_0123456789a#con_0123456789a", "STATE"),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }
}
