//! Every key of the tables Directory and Webhooks that belongs to webhooks.

use cloud::Key;
use jiff::Timestamp;
use kernel::{TenantKey, UserId, WebhookId};

use crate::model::DeliveryId;

/// Prefix of the sort keys of a workspace's webhooks.
pub const WEBHOOKS: &str = "WEBHOOK#";
/// Partitions of the deliveries of a webhook: 4,000 write units a second.
pub const SHARDS: u32 = 8;

/// A webhook, in the table Directory.
pub fn webhook(tenant: TenantKey, id: WebhookId) -> Key {
    Key::new(tenant.to_string(), format!("{WEBHOOKS}{id}"))
}

/// The ids of a workspace's webhooks, in the table Directory. The key does not begin with [`WEBHOOKS`].
pub fn webhooks(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "WEBHOOKS")
}

/// The claim of the mail to an admin about a webhook that was disabled then, in the table Directory.
pub fn notice(tenant: TenantKey, id: WebhookId, at: Timestamp, user: UserId) -> Key {
    let at = kernel::clock::sortable(at);
    Key::new(
        format!("{tenant}#WEBHOOK-NOTICE"),
        format!("{id}#{at}#{user}"),
    )
}

/// The partition of a shard of a webhook's deliveries, in the table Webhooks.
pub fn shard(tenant: TenantKey, webhook: WebhookId, shard: u32) -> String {
    format!("{tenant}#{}", failed(webhook, shard))
}

/// The attribute `failed` of the index of the same name: a shard of a webhook.
pub fn failed(webhook: WebhookId, shard: u32) -> String {
    format!("{webhook}#{shard}")
}

/// The shard of a delivery.
pub fn shard_of(id: &DeliveryId) -> u32 {
    kernel::hash::bucket(&[&id.to_string()], SHARDS)
}

/// A delivery.
pub fn delivery(tenant: TenantKey, webhook: WebhookId, id: &DeliveryId) -> Key {
    Key::new(shard(tenant, webhook, shard_of(id)), id.to_string())
}

/// The health of an endpoint, in the table Webhooks.
pub fn health(tenant: TenantKey, webhook: WebhookId) -> Key {
    Key::new(format!("{tenant}#{webhook}"), "HEALTH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let hook: WebhookId = "whk_0123456789a".parse().unwrap();
        let at: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let id = DeliveryId::of(at, &["a"]);
        let user = "usr_0123456789a".parse().unwrap();
        let delivery = delivery(tenant, hook, &id);
        let shard = shard_of(&id);
        assert_eq!(
            delivery.pk,
            format!("ws_0123456789a#whk_0123456789a#{shard}")
        );
        assert_eq!(delivery.sk, id.to_string());
        for (key, pk, sk) in [
            (
                webhook(tenant, hook),
                "ws_0123456789a",
                "WEBHOOK#whk_0123456789a",
            ),
            (webhooks(tenant), "ws_0123456789a", "WEBHOOKS"),
            (
                health(tenant, hook),
                "ws_0123456789a#whk_0123456789a",
                "HEALTH",
            ),
            (
                notice(tenant, hook, at, user),
                "ws_0123456789a#WEBHOOK-NOTICE",
                "whk_0123456789a#2026-03-02T08:00:00.000Z#usr_0123456789a",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }
}
