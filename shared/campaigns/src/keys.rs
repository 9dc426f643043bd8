//! Every key of the table Campaigns.

use cloud::Key;
use kernel::{CampaignId, TenantKey};

pub fn partition(tenant: TenantKey, campaign: CampaignId) -> String {
    format!("{tenant}#{campaign}")
}

pub fn meta(tenant: TenantKey, campaign: CampaignId) -> Key {
    Key::new(partition(tenant, campaign), "META")
}

/// One contact shard of the audience.
pub fn shard(tenant: TenantKey, campaign: CampaignId, shard: u32) -> Key {
    Key::new(partition(tenant, campaign), format!("SHARD#{shard:02}"))
}

/// Prefix of all shards.
pub const SHARDS: &str = "SHARD#";

pub fn chunk(tenant: TenantKey, campaign: CampaignId, shard: u32, chunk: u32) -> Key {
    let sk = format!("CHUNK#{shard:02}#{chunk:06}");
    Key::new(partition(tenant, campaign), sk)
}

pub fn progress(tenant: TenantKey, campaign: CampaignId, shard: u32, chunk: u32) -> Key {
    let sk = format!("{PROGRESS}{shard:02}#{chunk:06}");
    Key::new(partition(tenant, campaign), sk)
}

/// Prefix of the progress of all chunks.
pub const PROGRESS: &str = "PROGRESS#";

/// Partition that lists a tenant's campaigns.
pub fn list(tenant: TenantKey) -> String {
    format!("{tenant}#CAMPAIGNS")
}

pub fn listed(tenant: TenantKey, campaign: CampaignId) -> Key {
    Key::new(list(tenant), campaign.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_these_exact_texts() {
        #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
        let t = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let c = "cmp_0123456789a".parse().unwrap();
        let pk = "ws_0123456789a#cmp_0123456789a";
        for (key, sk) in [
            (meta(t, c), "META"),
            (shard(t, c, 3), "SHARD#03"),
            (chunk(t, c, 3, 12), "CHUNK#03#000012"),
            (progress(t, c, 3, 12), "PROGRESS#03#000012"),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
        let key = listed(t, c);
        assert_eq!(key.pk, "ws_0123456789a#CAMPAIGNS");
        assert_eq!(key.sk, "cmp_0123456789a");
    }
}
