//! The settings of a workspace.

use kernel::{EmailAddress, TransactionalReason};
use serde::{Deserialize, Serialize};

/// The sender of mails, unless a campaign names another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultSender {
    /// Name that readers see.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Address.
    pub email: EmailAddress,
}

/// Hours of the day in which no marketing goes out, in the workspace's time zone; may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Begins then.
    #[schema(value_type = String, example = "21:00:00", max_length = 18)]
    pub from: jiff::civil::Time,
    /// Ends then.
    #[schema(value_type = String, example = "08:00:00", max_length = 18)]
    pub until: jiff::civil::Time,
}

/// How many marketing messages one contact gets at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FrequencyCap {
    /// Messages.
    #[schema(minimum = 1, maximum = 20)]
    pub messages: u32,
    /// In this many days.
    #[schema(minimum = 1, maximum = 90)]
    pub days: u32,
}

/// Which campaigns need an approval before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignApprovalRule {
    /// Only those to more contacts than this; absent: every campaign.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    #[serde(default)]
    pub above: Option<u64>,
}

/// The settings of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkspaceSettings {
    /// Name, unique in the account.
    pub name: String,
    /// IANA time zone of its schedules.
    pub time_zone: String,
    /// Postal address at the foot of mails, as the anti-spam rules ask.
    pub postal_address: String,
    /// Why readers get these mails.
    pub permission_reminder: String,
    /// The sender of mails, unless a campaign names another.
    #[serde(default)]
    pub default_sender: Option<DefaultSender>,
    /// No marketing in these hours.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// No more marketing than this.
    #[serde(default)]
    pub frequency_cap: Option<FrequencyCap>,
    /// Contacts that get no marketing, in percent: the control group.
    #[serde(default)]
    #[schema(maximum = 10)]
    pub holdout_percent: u8,
    /// Whether marketing needs a proven consent: one that is only assumed is then none.
    #[serde(default = "yes")]
    pub strict_consent: bool,
    /// Whether the subjects of marketing mails begin with `[QC]`, as Decree 91/2020 asks of advertising mail.
    #[serde(default = "yes")]
    pub advertising_label: bool,
    /// The campaigns that need an approval; absent: none.
    #[serde(default)]
    pub campaign_approval: Option<CampaignApprovalRule>,
    /// The reasons for which its workflows may mail people who have not agreed to marketing.
    #[serde(default = "all_reasons")]
    pub transactional_reasons: Vec<TransactionalReason>,
}

fn yes() -> bool {
    true
}

fn all_reasons() -> Vec<TransactionalReason> {
    TransactionalReason::ALL.into()
}

impl WorkspaceSettings {
    /// Pointers to the settings that marketing mail needs in its footer and that are missing. Anti-spam law
    /// requires them.
    pub fn missing_for_marketing(&self) -> Vec<&'static str> {
        let needed = [
            ("/postal_address", &self.postal_address),
            ("/permission_reminder", &self.permission_reminder),
        ];
        let missing = needed
            .into_iter()
            .filter(|(_, text)| text.trim().is_empty());
        missing.map(|(place, _)| place).collect()
    }

    /// Settings in Vietnam's time zone with nothing else said.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            time_zone: "Asia/Ho_Chi_Minh".to_owned(),
            postal_address: String::new(),
            permission_reminder: String::new(),
            default_sender: None,
            quiet_hours: None,
            frequency_cap: None,
            holdout_percent: 0,
            strict_consent: true,
            advertising_label: true,
            campaign_approval: None,
            transactional_reasons: all_reasons(),
        }
    }
}
