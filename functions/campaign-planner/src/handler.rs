//! One message plans some pages of one contact shard, starts a scheduled campaign, or removes rows of a deleted one.

use campaigns::{Due, Keeper, PlanMessage, Planner};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Does the task of the message.
pub async fn handle(planner: &Planner, keeper: &Keeper, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<PlanMessage>()?;
    match message {
        PlanMessage::Start {
            campaign,
            at,
            tries,
        } => match keeper.start(tenant, campaign, at, tries).await? {
            Due::Started => metrics::count("CampaignsStarted", 1),
            Due::Failed => {
                metrics::incident("CampaignStartsFailed", 1);
                tracing::warn!(%campaign, "a scheduled campaign could not start");
            }
            Due::NotWanted | Due::Later => {}
        },
        PlanMessage::Erase { campaign } => {
            if keeper.erase(tenant, campaign).await? {
                metrics::count("CampaignsErased", 1);
            }
        }
        plan => {
            let planned = planner.handle(tenant, plan).await?;
            metrics::count("RecipientsPlanned", planned);
        }
    }
    Ok(())
}
