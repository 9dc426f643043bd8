//! The campaigns, workflows and segments that use a segment. A segment that is used is not deleted.

use std::collections::BTreeSet;

use cloud::{Error, Query};
use kernel::{SegmentId, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::Segment;
use crate::store::Segments;

#[derive(Serialize, Deserialize)]
struct Use {
    user: String,
}

impl Segments {
    /// Notes that a campaign, a workflow or a segment uses the segment; safe to repeat.
    pub async fn use_by(&self, tenant: TenantKey, id: SegmentId, user: &str) -> Result<(), Error> {
        let row = Use {
            user: user.to_owned(),
        };
        self.directory
            .put(&keys::used(tenant, id, user), &row)
            .await
    }

    /// Notes that it no longer does; safe to repeat.
    pub async fn unuse(&self, tenant: TenantKey, id: SegmentId, user: &str) -> Result<(), Error> {
        self.directory.delete(&keys::used(tenant, id, user)).await
    }

    /// Whether another segment names this one.
    pub async fn is_named(&self, tenant: TenantKey, id: SegmentId) -> Result<bool, Error> {
        let name = [contacts::mention::segment(id)];
        Ok(!self.listeners.mentioned(tenant, name).await?.is_empty())
    }

    pub(crate) async fn users(
        &self,
        tenant: TenantKey,
        id: SegmentId,
    ) -> Result<Vec<String>, Error> {
        let query = Query::partition(keys::uses(tenant, id)).limit(20);
        let page: Page<Use> = self.directory.query(query).await?;
        Ok(page.data.into_iter().map(|one| one.user).collect())
    }

    pub(crate) async fn use_all(
        &self,
        tenant: TenantKey,
        segment: &Segment,
        before: &BTreeSet<SegmentId>,
    ) -> Result<(), Error> {
        let user = segment.segment.to_string();
        for one in &segment.depends {
            self.use_by(tenant, *one, &user).await?;
        }
        for one in before.difference(&segment.depends) {
            self.unuse(tenant, *one, &user).await?;
        }
        Ok(())
    }
}
