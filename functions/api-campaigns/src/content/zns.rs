//! The Zalo message of a ZNS campaign: body, check and answer.

use std::collections::BTreeMap;

use channels::{FallbackText, ZnsContent};
use kernel::BrandnameId;
use lambda::http::{Caller, Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::handler::Api;

/// The Zalo message of a campaign: a template of an Official Account to the phone number of each contact.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignZns)]
#[serde(deny_unknown_fields)]
pub struct Zns {
    /// The Official Account.
    #[schema(max_length = 32, example = "3400000000000000001")]
    oa_id: String,
    /// The template; it must be enabled.
    #[schema(max_length = 64, example = "207320")]
    template_id: String,
    /// The text of each parameter of the template, a Liquid template over `contact` of at most 500 characters.
    #[schema(example = json!({ "customer_name": "{{ contact.full_name | default: 'Quý khách' }}" }))]
    params: BTreeMap<String, String>,
    /// The text message to a person whom Zalo cannot reach: bad number, no account, refusal.
    fallback: Option<Fallback>,
}

/// A text message in place of a Zalo message.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZnsFallback)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The brandname that it comes from, of customer care. A template with the tag `promotion` has no fallback.
    brandname_id: BrandnameId,
    /// The text, a Liquid template over `contact`.
    #[schema(min_length = 1, max_length = 1000)]
    text: String,
}

/// A Zalo message without a flaw, with the name of its template.
#[derive(Debug, Clone)]
pub struct CheckedZns {
    pub content: ZnsContent,
    pub summary: String,
}

impl Zns {
    /// The message, or all its flaws.
    pub(super) async fn check(self, api: &Api, caller: &Caller) -> Result<CheckedZns, Problem> {
        let content = self.into();
        let (template, flaws) = api.zns.check(caller.tenant, &content).await?;
        let placed = |(place, rule)| (format!("/zns{place}"), rule);
        flaws.into_iter().map(placed).collect::<Flaws>().refuse()?;
        let summary = template.map(|template| template.name).unwrap_or_default();
        Ok(CheckedZns { content, summary })
    }
}

impl From<Zns> for ZnsContent {
    fn from(zns: Zns) -> Self {
        Self {
            oa_id: zns.oa_id,
            template_id: zns.template_id,
            params: zns.params,
            fallback: zns.fallback.map(|text| FallbackText {
                brandname_id: text.brandname_id,
                text: text.text,
            }),
        }
    }
}

impl From<ZnsContent> for Zns {
    fn from(content: ZnsContent) -> Self {
        Self {
            oa_id: content.oa_id,
            template_id: content.template_id,
            params: content.params,
            fallback: content.fallback.map(|text| Fallback {
                brandname_id: text.brandname_id,
                text: text.text,
            }),
        }
    }
}
