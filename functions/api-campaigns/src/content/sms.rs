//! The text of a campaign of text messages: body, check and answer.
//!
//! The provider takes advertising as one text for all numbers of a call, so the text has no merge fields.

use channels::sms::billing::{Bill, MAX_UNITS, bill};
use channels::sms::template::content_flaws;
use channels::sms::{Brandname, Encoding, Kind, is_personal, length};
use kernel::BrandnameId;
use lambda::http::{Caller, Code, Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::handler::Api;

/// The text of a new campaign.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(as = NewCampaignText)]
#[serde(deny_unknown_fields)]
pub struct NewText {
    /// A brandname for advertising.
    brandname_id: BrandnameId,
    /// The text without merge fields. The label `[QC]` and the brandname's way out are added if the text does not have them.
    #[schema(
        min_length = 1,
        max_length = 1000,
        example = "Giảm 50% đến hết ngày 8/3."
    )]
    text: String,
}

/// A text without a flaw.
#[derive(Debug, Clone)]
pub struct StoredText {
    pub brandname_id: BrandnameId,
    pub text: String,
    /// `None`: the workspace has removed it.
    brandname: Option<Brandname>,
}

/// The text of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignText)]
pub struct TextView {
    brandname_id: BrandnameId,
    text: String,
    /// The text as it is sent; null if the brandname was removed.
    message: Option<String>,
    /// The alphabet of the message.
    encoding: Option<Encoding>,
    /// Technical segments of the message.
    segments: Option<u32>,
    /// The bill of one message by each carrier of the brandname.
    carriers: Vec<Bill>,
}

impl NewText {
    /// The text, or all its flaws.
    pub(super) async fn check(self, api: &Api, caller: &Caller) -> Result<StoredText, Problem> {
        let brandname = api.brandnames.get(caller.tenant, self.brandname_id).await?;
        let mut flaws = Flaws::default();
        match &brandname {
            None => flaws.check(true, "/sms/brandname_id", "no such brandname"),
            Some(one) if one.settings.kind != Kind::Advertising => flaws.check(
                true,
                "/sms/brandname_id",
                "is registered for customer care; a campaign needs a brandname for advertising",
            ),
            Some(one) => {
                let units = length(&one.settings.compose(&self.text)).units;
                let message = "has more than 459 units with its label and its way out";
                flaws.check(units > MAX_UNITS, "/sms/text", message);
            }
        }
        let message = "has merge fields; the provider takes advertising as one text for all";
        flaws.check(is_personal(&self.text), "/sms/text", message);
        for flaw in content_flaws(&self.text) {
            flaws.check(true, "/sms/text", &flaw);
        }
        flaws.refuse()?;
        Ok(StoredText {
            brandname_id: self.brandname_id,
            text: self.text,
            brandname,
        })
    }
}

/// Refuses a brandname that no carrier has approved.
pub(super) fn allow(api: &Api, text: &StoredText) -> Result<(), Problem> {
    let brandname = text.brandname.as_ref();
    if brandname.is_some_and(|one| one.may_send(api.brandnames.now())) {
        return Ok(());
    }
    let detail = match brandname {
        Some(_) => "no carrier has approved the brandname",
        None => "the brandname was removed",
    };
    Err(Problem::new(Code::Conflict, detail))
}

/// The text of a stored campaign.
pub(super) async fn stored(
    api: &Api,
    caller: &Caller,
    brandname_id: BrandnameId,
    text: &str,
) -> Result<StoredText, Problem> {
    let brandname = api.brandnames.get(caller.tenant, brandname_id).await?;
    Ok(StoredText {
        brandname_id,
        text: text.to_owned(),
        brandname,
    })
}

impl From<StoredText> for TextView {
    fn from(stored: StoredText) -> Self {
        let settings = stored.brandname.map(|brandname| brandname.settings);
        let message = settings.as_ref().map(|one| one.compose(&stored.text));
        let counted = message.as_deref().map(length);
        let bills = settings.zip(counted).map(|(settings, counted)| {
            let states = settings.carriers.iter();
            states
                .map(|state| bill(settings.kind, state, counted))
                .collect()
        });
        Self {
            brandname_id: stored.brandname_id,
            text: stored.text,
            message,
            encoding: counted.map(|counted| counted.encoding),
            segments: counted.map(|counted| counted.segments),
            carriers: bills.unwrap_or_default(),
        }
    }
}
