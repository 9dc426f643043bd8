//! The facts of a row, and their consequences. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agents::Agent;
use crate::domain::Domain;

/// Reason of a row that was never sent: another contact with the same address is the recipient.
pub(crate) const DUPLICATE: &str = "duplicate_address";

/// A fact about a send, from the provider or from its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The provider accepted it: its answer, or any event about the mail.
    Accepted,
    /// The receiving server accepted it.
    Delivered,
    /// A soft bounce, such as a full mailbox.
    SoftBounced,
    /// The address does not work.
    HardBounced,
    /// The reader reported it as spam.
    Complained,
    /// The provider accepted it and then refused to send it.
    Rejected,
    /// A person opened it.
    Opened,
    /// A person followed a link.
    Clicked,
    /// The reader unsubscribed from it.
    Unsubscribed,
    /// A scanner or prefetcher loaded the image.
    MachineOpened,
    /// A scanner followed a link.
    MachineClicked,
    /// A machine followed the links one after another, and the first one seemed to be a person's click.
    ClickBurst,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Accepted,
        Self::Delivered,
        Self::SoftBounced,
        Self::HardBounced,
        Self::Complained,
        Self::Rejected,
        Self::Opened,
        Self::Clicked,
        Self::Unsubscribed,
        Self::MachineOpened,
        Self::MachineClicked,
        Self::ClickBurst,
    ];

    /// The row's attribute that holds its first time.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Accepted => "accepted_at",
            Self::Delivered => "delivered_at",
            Self::SoftBounced => "soft_bounced_at",
            Self::HardBounced => "hard_bounced_at",
            Self::Complained => "complained_at",
            Self::Rejected => "rejected_at",
            Self::Opened => "opened_at",
            Self::Clicked => "clicked_at",
            Self::Unsubscribed => "unsubscribed_at",
            Self::MachineOpened => "machine_opened_at",
            Self::MachineClicked => "machine_clicked_at",
            Self::ClickBurst => "click_burst_at",
        }
    }

    /// The row's attribute that holds the kind of program of a visit ([`crate::Agent`]).
    pub fn agent_attribute(self) -> String {
        self.attribute().replace("_at", "_by")
    }
}

/// One of the two versions of a campaign with a test.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// The content of the campaign.
    A,
    /// The content that differs in one part.
    B,
}

impl Variant {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The name in the API, in the store and in counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A visit by which a fact became known.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The kind of program.
    pub agent: Agent,
    /// The hash of the link that a person followed first.
    pub link: Option<String>,
}

/// State of a send, lowest rank first: complaint > hard bounce > delivery > soft bounce > send. A state that the provider reported has
/// a higher rank than a supposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A worker is about to call the provider, or crashed while it did so.
    Claimed,
    /// The provider was called and the outcome is unknown.
    Unknown,
    /// The provider accepted it.
    Sent,
    /// The provider refused it, at once or after it accepted it.
    Failed,
    /// It bounced for a reason that may pass, such as a full mailbox.
    SoftBounced,
    /// It arrived; opens and clicks prove that as well.
    Delivered,
    /// It bounced, since the address does not work.
    Bounced,
    /// It was reported as spam.
    Complained,
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The claim that holds the row.
    pub claim: String,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// 1, or 2 after the one repetition that transactional mail may have.
    pub attempt: u32,
    /// How often the provider asked for a pause.
    #[serde(default, skip_serializing_if = "u32_is_zero")]
    pub later: u32,
    /// The provider throttled the call, so the row may be claimed again.
    #[serde(default)]
    pub released: bool,
    /// The provider's id of the mail.
    #[serde(default)]
    pub provider_id: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// When the provider's refusal was recorded.
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    /// When it was given up as unknown. The time stays, also if an event later proves that the provider accepted it.
    /// That event corrects the counts.
    #[serde(default)]
    pub unknown_at: Option<Timestamp>,
    /// The hash of the first link that a person followed.
    #[serde(default)]
    pub clicked_link: Option<String>,
    /// The provider of the mailbox, as the first event about the mail told it.
    #[serde(default)]
    pub domain: Option<Domain>,
    /// The version that this claim sends, of a campaign with a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// Time of each [`Fact`].
    #[serde(flatten)]
    pub facts: Facts,
    /// Epoch seconds of expiry.
    pub ttl: i64,
}

/// First time of each [`Fact`].
#[expect(
    clippy::struct_field_names,
    reason = "the names are the row's attributes"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    #[serde(default)]
    pub delivered_at: Option<Timestamp>,
    #[serde(default)]
    pub soft_bounced_at: Option<Timestamp>,
    #[serde(default)]
    pub hard_bounced_at: Option<Timestamp>,
    #[serde(default)]
    pub complained_at: Option<Timestamp>,
    #[serde(default)]
    pub rejected_at: Option<Timestamp>,
    #[serde(default)]
    pub opened_at: Option<Timestamp>,
    #[serde(default)]
    pub clicked_at: Option<Timestamp>,
    #[serde(default)]
    pub unsubscribed_at: Option<Timestamp>,
    #[serde(default)]
    pub machine_opened_at: Option<Timestamp>,
    #[serde(default)]
    pub machine_clicked_at: Option<Timestamp>,
    #[serde(default)]
    pub click_burst_at: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn u32_is_zero(number: &u32) -> bool {
    *number == 0
}

impl Facts {
    /// When this fact became known.
    pub fn at(&self, fact: Fact) -> Option<Timestamp> {
        let mut copy = *self;
        *copy.slot(fact)
    }

    /// Whether this fact is known.
    pub fn has(&self, fact: Fact) -> bool {
        self.at(fact).is_some()
    }

    pub(super) fn slot(&mut self, fact: Fact) -> &mut Option<Timestamp> {
        match fact {
            Fact::Accepted => &mut self.accepted_at,
            Fact::Delivered => &mut self.delivered_at,
            Fact::SoftBounced => &mut self.soft_bounced_at,
            Fact::HardBounced => &mut self.hard_bounced_at,
            Fact::Complained => &mut self.complained_at,
            Fact::Rejected => &mut self.rejected_at,
            Fact::Opened => &mut self.opened_at,
            Fact::Clicked => &mut self.clicked_at,
            Fact::Unsubscribed => &mut self.unsubscribed_at,
            Fact::MachineOpened => &mut self.machine_opened_at,
            Fact::MachineClicked => &mut self.machine_clicked_at,
            Fact::ClickBurst => &mut self.click_burst_at,
        }
    }

    fn any(&self, facts: &[Fact]) -> bool {
        facts.iter().any(|&fact| self.has(fact))
    }
}

/// Actions that prove the delivery of the mail. Actions of a machine prove it as well.
const ARRIVED: [Fact; 8] = [
    Fact::Delivered,
    Fact::Opened,
    Fact::Clicked,
    Fact::Complained,
    Fact::Unsubscribed,
    Fact::MachineOpened,
    Fact::MachineClicked,
    Fact::ClickBurst,
];

/// The share of one row in the figures of a report. It is a function of the row. The winner of a change adds the
/// difference, so any order of changes gives the same sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the report")]
pub struct Tally {
    pub delivered: i64,
    pub bounced: i64,
    /// Bounced for a reason that may pass, and nothing shows that it arrived. An automatic answer also comes as such a
    /// bounce, after the delivery.
    pub soft_bounced: i64,
    pub complained: i64,
    pub opened: i64,
    pub clicked: i64,
    pub unsubscribed: i64,
    /// Given up as unknown, then proven accepted.
    pub resolved: i64,
    /// Accepted, then refused by the provider.
    pub rejected: i64,
    /// The version that the figures are of.
    pub variant: Option<Variant>,
}

impl Tally {
    /// Whether it changes no figure.
    pub fn is_nothing(self) -> bool {
        self.figures().iter().all(|(_, n)| *n == 0)
    }

    /// Name and number of each figure.
    pub fn figures(self) -> [(&'static str, i64); 9] {
        [
            ("delivered", self.delivered),
            ("bounced", self.bounced),
            ("soft_bounced", self.soft_bounced),
            ("complained", self.complained),
            ("opened", self.opened),
            ("clicked", self.clicked),
            ("unsubscribed", self.unsubscribed),
            ("resolved", self.resolved),
            ("rejected", self.rejected),
        ]
    }
}

impl std::ops::Sub for Tally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            delivered: self.delivered - other.delivered,
            bounced: self.bounced - other.bounced,
            soft_bounced: self.soft_bounced - other.soft_bounced,
            complained: self.complained - other.complained,
            opened: self.opened - other.opened,
            clicked: self.clicked - other.clicked,
            unsubscribed: self.unsubscribed - other.unsubscribed,
            resolved: self.resolved - other.resolved,
            rejected: self.rejected - other.rejected,
            variant: self.variant.or(other.variant),
        }
    }
}

impl Row {
    /// Whether another contact with the same address is sent to instead.
    pub fn is_duplicate(&self) -> bool {
        self.failed_at.is_some() && self.reason.as_deref() == Some(DUPLICATE)
    }

    /// Whether the provider accepted it. Every fact is about a mail that exists, so any fact proves it.
    pub fn is_accepted(&self) -> bool {
        self.facts.any(&Fact::ALL)
    }

    /// State of the send.
    pub fn state(&self) -> State {
        let facts = &self.facts;
        if facts.has(Fact::Complained) {
            State::Complained
        } else if facts.has(Fact::HardBounced) {
            State::Bounced
        } else if facts.any(&ARRIVED) {
            State::Delivered
        } else if facts.has(Fact::SoftBounced) {
            State::SoftBounced
        } else if facts.has(Fact::Rejected) || self.failed_at.is_some() {
            State::Failed
        } else if self.is_accepted() {
            State::Sent
        } else if self.unknown_at.is_some() {
            State::Unknown
        } else {
            State::Claimed
        }
    }

    /// The share of the row in a report.
    pub fn tally(&self) -> Tally {
        let facts = &self.facts;
        let bounced = facts.has(Fact::HardBounced);
        let arrived = facts.any(&ARRIVED);
        let soft_bounced = facts.has(Fact::SoftBounced) && !bounced && !arrived;
        let one = |known: bool| i64::from(known);
        Tally {
            delivered: one(!bounced && arrived),
            bounced: one(bounced),
            soft_bounced: one(soft_bounced),
            complained: one(facts.has(Fact::Complained)),
            opened: one(facts.has(Fact::Opened)),
            clicked: one(facts.has(Fact::Clicked) && !facts.has(Fact::ClickBurst)),
            unsubscribed: one(facts.has(Fact::Unsubscribed)),
            resolved: one(self.unknown_at.is_some() && self.is_accepted()),
            rejected: one(!bounced && !soft_bounced && !arrived && facts.has(Fact::Rejected)),
            variant: self.variant,
        }
    }

    /// The difference that `fact` made, computed from the row after the change.
    pub fn gained_by(&self, fact: Fact) -> Tally {
        let mut before = self.clone();
        *before.facts.slot(fact) = None;
        self.tally() - before.tally()
    }

    /// Records a fact; false if it was known. The store does the same by a conditional write.
    pub fn learn(&mut self, fact: Fact, at: Timestamp) -> bool {
        let slot = self.facts.slot(fact);
        let new = slot.is_none();
        slot.get_or_insert(at);
        new
    }
}
