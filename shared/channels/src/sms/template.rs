//! Templates of text messages: the texts that are registered for a brandname, with their merge fields. Pure.

use content::check;
use content::mail::Part;
use jiff::Timestamp;
use kernel::{BrandnameId, SmsTemplateId};
use serde::{Deserialize, Serialize};

use crate::mail_check::{TRIGGER, names};

/// Longest name.
const MAX_NAME: usize = 100;
/// Longest source of a text, in characters. Merge fields may make a text longer or shorter.
pub const MAX_CONTENT: usize = 1_000;

/// The state of a template's registration with the carriers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsTemplateStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The carriers have it, or will get it.
    #[default]
    Pending,
    /// Messages may have this text.
    Approved,
    /// The carriers refused.
    Rejected,
}

/// The settings of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewSmsTemplate)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name for the shop's people.
    #[schema(min_length = 1, max_length = 100, example = "Xác nhận đơn")]
    pub name: String,
    /// The brandname that sends it. It cannot change.
    pub brandname_id: BrandnameId,
    /// The text, with merge fields as in mails.
    #[schema(
        min_length = 1,
        max_length = 1000,
        example = "ACME: Don hang {{ trigger.code }} da duoc xac nhan."
    )]
    pub content: String,
    /// How far the registration is.
    #[serde(default)]
    pub status: Status,
}

impl Settings {
    /// Everything that is wrong with them: JSON pointers and rules.
    pub fn flaws(&self) -> Vec<(&'static str, String)> {
        let mut flaws = Vec::new();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME {
            flaws.push(("/name", "must have 1 to 100 characters".to_owned()));
        }
        let content = content_flaws(&self.content);
        flaws.extend(content.into_iter().map(|message| ("/content", message)));
        flaws
    }
}

/// Everything that is wrong with the source of a text: its length, its syntax and its names.
pub fn content_flaws(content: &str) -> Vec<String> {
    if content.trim().is_empty() || content.chars().count() > MAX_CONTENT {
        return vec!["must have 1 to 1,000 characters".to_owned()];
    }
    let names: Vec<_> = names().chain([TRIGGER]).collect();
    let flaws = check::flaws(&[(Part::Text, content)], &names);
    flaws.iter().map(ToString::to_string).collect()
}

/// A template of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: SmsTemplateId,
    /// Increases with each change.
    pub version: u64,
    /// Its settings.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_checked_with_its_names() {
        let fine = "ACME: Chao {{ contact.full_name }}, don {{ trigger.code }}";
        assert_eq!(content_flaws(fine), Vec::<String>::new());
        assert_eq!(content_flaws("{{ contact.secret }}").len(), 1);
        assert_eq!(content_flaws("{{ contact.full_name").len(), 1);
        assert_eq!(content_flaws(" ").len(), 1);
        assert_eq!(content_flaws(&"a".repeat(1_001)).len(), 1);
    }
}
