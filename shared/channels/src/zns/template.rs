//! A template of an Official Account, and the checks of the values of a message. Pure.
//!
//! Source: the *Template info* page of Zalo's documents. Lengths count code points of the composed form (NFC).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The state of a template at Zalo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZnsTemplateStatus)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStatus {
    /// Messages may use it.
    #[serde(alias = "ENABLE")]
    Enable,
    /// Zalo reviews it.
    #[serde(alias = "PENDING_REVIEW")]
    PendingReview,
    /// Zalo refused it.
    #[serde(alias = "REJECT")]
    Reject,
    /// Zalo or the shop switched it off.
    #[serde(alias = "DISABLE")]
    Disable,
    /// It is gone.
    #[serde(alias = "DELETE")]
    Delete,
}

/// The purpose that Zalo gives a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZnsTemplateTag)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// One-time codes.
    #[serde(alias = "OTP")]
    Otp,
    /// Tag 1.
    #[serde(alias = "TRANSACTION", alias = "IN_TRANSACTION")]
    Transaction,
    /// Tag 2.
    #[serde(alias = "CUSTOMER_CARE", alias = "POST_TRANSACTION")]
    CustomerCare,
    /// Tag 3: needs consent to marketing.
    #[serde(alias = "PROMOTION", alias = "ACCOUNT_UPDATE_PROMOTION")]
    Promotion,
}

/// How receivers judge a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZnsTemplateQuality)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are Zalo's")]
pub enum Quality {
    #[serde(alias = "HIGH")]
    High,
    #[serde(alias = "MEDIUM")]
    Medium,
    #[serde(alias = "LOW")]
    Low,
    #[default]
    #[serde(alias = "UNDEFINED")]
    Undefined,
}

/// A parameter of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZnsTemplateParam)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Whether a message needs it.
    pub require: bool,
    /// `STRING`, `NUMBER`, `DATE`, `CURRENCY`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Fewest characters.
    pub min_length: u32,
    /// Most characters.
    pub max_length: u32,
    /// Whether it may be empty.
    pub accept_null: bool,
}

impl Param {
    /// The value as it is sent: composed, without space around it. `Ok(None)`: it is left out. The error is a stable name.
    pub fn value(&self, text: &str) -> Result<Option<String>, &'static str> {
        let value: String = text.trim().nfc().collect();
        if value.is_empty() {
            return match (self.accept_null, self.require) {
                (true, _) => Ok(Some(value)),
                (false, true) => Err("parameter_missing"),
                (false, false) => Ok(None),
            };
        }
        let length = u32::try_from(value.chars().count()).unwrap_or(u32::MAX);
        if length > self.max_length {
            return Err("parameter_too_long");
        }
        if length < self.min_length {
            return Err("parameter_too_short");
        }
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let is_date = || value.bytes().all(|byte| b"0123456789/: ".contains(&byte));
        match self.kind.to_ascii_uppercase().as_str() {
            "NUMBER" | "CURRENCY" if !is_number => Err("parameter_format"),
            "DATE" | "TIME" if !is_date() => Err("parameter_format"),
            _ => Ok(Some(value)),
        }
    }
}

/// A template of an Official Account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Zalo's id.
    pub template_id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: TemplateStatus,
    /// How receivers judge it.
    #[serde(default)]
    pub quality: Quality,
    /// Whether the fields below are known.
    #[serde(default)]
    pub is_detailed: bool,
    /// Its purpose.
    #[serde(default)]
    pub tag: Option<Tag>,
    /// VND of a message to a phone number.
    #[serde(default)]
    pub price: Option<i64>,
    /// How long Zalo tries to deliver a message, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<i64>,
    /// A page that shows it.
    #[serde(default)]
    pub preview_url: Option<String>,
    /// Its parameters.
    #[serde(default)]
    pub params: Vec<Param>,
    /// Messages of a day, if the template has a limit of its own.
    #[serde(default)]
    pub daily_quota: Option<u64>,
    /// Messages of the day that are left.
    #[serde(default)]
    pub remaining_quota: Option<u64>,
    /// Until when Zalo takes no message of it.
    #[serde(default)]
    pub quiet_until: Option<Timestamp>,
    /// When Zalo last told about it.
    pub synced_at: Timestamp,
}

impl Template {
    /// Whether messages may use it now.
    pub fn is_usable(&self) -> bool {
        self.status == TemplateStatus::Enable && self.is_detailed
    }

    /// The parameter of a name.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(kind: &str, require: bool, accept_null: bool) -> Param {
        Param {
            name: "p".into(),
            require,
            kind: kind.into(),
            min_length: 2,
            max_length: 5,
            accept_null,
        }
    }

    #[test]
    fn a_value_keeps_to_its_parameter() {
        let text = param("STRING", true, false);
        assert_eq!(text.value("  An Bi "), Ok(Some("An Bi".into())));
        // Decomposed: five characters in eight code points.
        assert_eq!(text.value("Tha\u{302}\u{301}ng"), Ok(Some("Thấng".into())));
        assert_eq!(text.value("Nguyễn"), Err("parameter_too_long"));
        assert_eq!(text.value("A"), Err("parameter_too_short"));
        assert_eq!(text.value(" "), Err("parameter_missing"));
        assert_eq!(
            param("STRING", true, true).value(""),
            Ok(Some(String::new()))
        );
        assert_eq!(param("STRING", false, false).value(""), Ok(None));
        assert_eq!(
            param("NUMBER", true, false).value("580"),
            Ok(Some("580".into()))
        );
        assert_eq!(
            param("NUMBER", true, false).value("5.80"),
            Err("parameter_format")
        );
        assert_eq!(
            param("DATE", true, false).value("2/3"),
            Ok(Some("2/3".into()))
        );
        assert_eq!(
            param("DATE", true, false).value("mai"),
            Err("parameter_format")
        );
    }
}
