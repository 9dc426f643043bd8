//! Orders that follow a click on a message, in the figures of its campaign. A count may be lost and never holds up an order.

use cloud::Error;
use cloud::counters::{Counts, Hour};
use jiff::SignedDuration;
use kernel::{ContactId, TenantKey};

use crate::order::{Order, dong};
use crate::store::Orders;

/// An order counts for a click of so long before.
const AFTER_CLICK: SignedDuration = SignedDuration::from_hours(5 * 24);
/// An order that arrives later than this counts for no campaign.
const LATEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A person followed a link of a message.
const CLICKED: &str = "message.clicked";
/// Attempts of a count.
const ATTEMPTS: u32 = 3;

impl Orders {
    /// Counts a new order for the campaign whose link the contact followed last before it. Nothing repeats a lost count,
    /// and a report never holds up an order.
    pub(crate) async fn credit(&self, tenant: TenantKey, contact: ContactId, order: &Order) {
        if let Err(error) = self.credited(tenant, contact, order).await {
            tracing::warn!(%error, "an order was not counted for a campaign");
        }
    }

    async fn credited(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        order: &Order,
    ) -> Result<(), Error> {
        let Some(counters) = &self.counters else {
            return Ok(());
        };
        let at = order.ordered_at;
        // An order that is found later is one of a file or a back-fill.
        if self.table.clock().now().duration_since(at) > LATEST {
            return Ok(());
        }
        let contacts = &self.contacts;
        let since = at - AFTER_CLICK;
        let clicked = contacts.last_named(tenant, contact, (since, at), CLICKED);
        let Some(event) = clicked.await? else {
            return Ok(());
        };
        let Some(campaign) = event.data["campaign_id"].as_str() else {
            return Ok(());
        };
        let counts = Counts::from([
            ("orders".to_owned(), 1),
            ("revenue".to_owned(), dong(order)),
        ]);
        let (hour, source) = (Hour::of(at), order.id.to_string());
        counters
            .add_trying(tenant, campaign, hour, &source, &counts, ATTEMPTS)
            .await
    }
}
