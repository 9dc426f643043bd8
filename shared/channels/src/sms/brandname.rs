//! Brandnames: the names that text messages come from, registered with each carrier. Pure.
//!
//! A name of an advertising brandname and the same name of a care brandname are two registrations.

use jiff::Timestamp;
use kernel::BrandnameId;
use serde::{Deserialize, Serialize};

use super::billing::Steps;
use super::text;
use crate::send::Class;

/// Longest name, a rule of the carriers.
pub const MAX_NAME: usize = 11;
/// Longest way out of advertising.
pub const MAX_OPT_OUT: usize = 60;
/// Longest line of a registration.
const MAX_LINE: usize = 255;
/// Longest note.
const MAX_NOTE: usize = 2_000;
/// Highest price of a segment, in VND.
const MAX_PRICE: u32 = 100_000;

/// The purpose of the messages of a brandname.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Customer care: the text matches a template that is registered with the carriers.
    Care,
    /// Advertising, with its label and a way out.
    Advertising,
}

impl Kind {
    /// The kind of the messages of a class.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Marketing => Self::Advertising,
            Class::Transactional => Self::Care,
        }
    }
}

/// Carriers of Vietnam.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = SmsCarrier)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the companies")]
pub enum Carrier {
    Viettel,
    Mobifone,
    Vinaphone,
    Vietnamobile,
    Gtel,
    Itel,
    Reddi,
}

/// The state of a registration with a carrier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsCarrierStatus)]
#[serde(rename_all = "snake_case")]
pub enum CarrierStatus {
    /// The papers are not complete.
    #[default]
    Draft,
    /// The carrier has the papers.
    Submitted,
    /// Messages may be sent.
    Approved,
    /// The carrier refused.
    Rejected,
    /// The registration has ended.
    Expired,
}

/// The registration of a brandname with a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsCarrierState)]
#[serde(deny_unknown_fields)]
pub struct CarrierState {
    /// The carrier.
    pub carrier: Carrier,
    /// How far the registration is.
    #[serde(default)]
    pub status: CarrierStatus,
    /// When it was approved.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub approved_at: Option<Timestamp>,
    /// When it ends. From then on it counts as expired.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub expires_at: Option<Timestamp>,
    /// VND of a segment, by the contract with the provider.
    #[serde(default)]
    #[schema(maximum = 100_000)]
    pub price_per_segment: Option<u32>,
    /// The most units of 1, 2 and 3 billed segments. Null: the usual ones of the carrier.
    #[serde(default)]
    #[schema(value_type = Option<Vec<u32>>, min_items = 3, max_items = 3)]
    pub steps: Option<Steps>,
}

impl CarrierState {
    /// A registration that has not begun.
    pub fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            status: CarrierStatus::Draft,
            approved_at: None,
            expires_at: None,
            price_per_segment: None,
            steps: None,
        }
    }

    /// Whether messages may go to the carrier.
    pub fn is_approved(&self, now: Timestamp) -> bool {
        self.status == CarrierStatus::Approved && self.expires_at.is_none_or(|end| now < end)
    }

    /// The state as it is at this time.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.status == CarrierStatus::Approved && !self.is_approved(now) {
            self.status = CarrierStatus::Expired;
        }
        self
    }
}

/// The state of the papers of a registration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsRegistrationStatus)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStatus {
    /// Not sent.
    #[default]
    Draft,
    /// The provider has the papers.
    Submitted,
    /// Papers are missing.
    NeedMore,
    /// Complete.
    Approved,
    /// Refused.
    Rejected,
}

/// The papers of a registration, form 01 of Decree 91/2020/NĐ-CP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SmsRegistration)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The company that owns the name.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub company: Option<String>,
    /// Its tax code.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub tax_code: Option<String>,
    /// The person whom the provider asks.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub contact: Option<String>,
    /// How far the papers are.
    #[serde(default)]
    pub status: RegistrationStatus,
    /// The shop's own note.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// The settings of a brandname.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewSmsBrandname)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The name that phones show, exactly as it is registered: letters of ASCII, digits, space and `. _ -`.
    #[schema(min_length = 1, max_length = 11, example = "ACME")]
    pub name: String,
    /// The purpose of its messages. It cannot change.
    pub kind: Kind,
    /// The registrations.
    #[serde(default)]
    #[schema(max_items = 7)]
    pub carriers: Vec<CarrierState>,
    /// Whether texts keep their diacritics. They then have 70 characters a segment in place of 160.
    #[serde(default)]
    pub keeps_diacritics: bool,
    /// How a reader ends the advertising of the brandname, such as `TC: soan TC gui 1551`. Advertising needs it; it is put at
    /// the end of each text that does not have it.
    #[serde(default)]
    #[schema(max_length = 60)]
    pub opt_out: Option<String>,
    /// The papers.
    #[serde(default)]
    pub registration: Registration,
}

impl Settings {
    /// Everything that is wrong with them: JSON pointers and rules.
    pub fn flaws(&self) -> Vec<(String, &'static str)> {
        let mut flaws: Vec<(String, &'static str)> = Vec::new();
        let mut check = |is_flawed: bool, pointer: &str, message: &'static str| {
            if is_flawed {
                flaws.push((pointer.to_owned(), message));
            }
        };
        let is_wrong = !is_name(&self.name);
        let message = "expected 1 to 11 letters of ASCII, digits, spaces and . _ -";
        check(is_wrong, "/name", message);
        let opt_out = self.opt_out.as_deref();
        let is_line = |text: &str, most: usize| {
            !text.trim().is_empty()
                && text.chars().count() <= most
                && !text.contains(char::is_control)
        };
        match (self.kind, opt_out) {
            (Kind::Advertising, None) => check(true, "/opt_out", "advertising needs a way out"),
            (Kind::Care, Some(_)) => check(true, "/opt_out", "only advertising has a way out"),
            (_, text) => {
                let is_wrong = text.is_some_and(|text| !is_line(text, MAX_OPT_OUT));
                check(
                    is_wrong,
                    "/opt_out",
                    "expected one line of 1 to 60 characters",
                );
            }
        }
        for (n, state) in self.carriers.iter().enumerate() {
            let before = &self.carriers[..n];
            let is_twice = before.iter().any(|other| other.carrier == state.carrier);
            check(
                is_twice,
                &format!("/carriers/{n}/carrier"),
                "is named twice",
            );
            let is_high = state.price_per_segment.is_some_and(|vnd| vnd > MAX_PRICE);
            let pointer = format!("/carriers/{n}/price_per_segment");
            check(is_high, &pointer, "must be at most 100,000");
            let is_wrong = state.steps.is_some_and(|steps| !steps.is_valid());
            let pointer = format!("/carriers/{n}/steps");
            check(
                is_wrong,
                &pointer,
                "expected three growing numbers up to 459",
            );
        }
        let papers = &self.registration;
        for (pointer, text, most, message) in [
            ("/registration/company", &papers.company, MAX_LINE, LINE),
            ("/registration/tax_code", &papers.tax_code, MAX_LINE, LINE),
            ("/registration/contact", &papers.contact, MAX_LINE, LINE),
        ] {
            let is_wrong = text.as_ref().is_some_and(|text| !is_line(text, most));
            check(is_wrong, pointer, message);
        }
        let note = papers.note.as_ref();
        let is_long = note.is_some_and(|note| note.chars().count() > MAX_NOTE);
        check(
            is_long,
            "/registration/note",
            "must have at most 2,000 characters",
        );
        flaws
    }

    /// The text as it is sent: advertising gets its label and its way out. Diacritics go unless the brandname keeps them.
    pub fn compose(&self, text: &str) -> String {
        let text = match self.kind {
            Kind::Care => text.trim().to_owned(),
            Kind::Advertising => {
                text::advertising(text, self.opt_out.as_deref().unwrap_or_default())
            }
        };
        if self.keeps_diacritics {
            kernel::text::nfc(&text)
        } else {
            text::plain(&text)
        }
    }
}

const LINE: &str = "expected one line of 1 to 255 characters";

/// Whether carriers register such a name.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain) && name == name.trim()
}

/// A brandname of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brandname {
    /// Its id.
    pub id: BrandnameId,
    /// Increases with each change.
    pub version: u64,
    /// Its settings.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Brandname {
    /// Whether a carrier takes its messages.
    pub fn may_send(&self, now: Timestamp) -> bool {
        let mut carriers = self.settings.carriers.iter();
        carriers.any(|state| state.is_approved(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_fault_is_named() {
        let wrong = settings(
            r#"{"name":"Áo đẹp","kind":"advertising","carriers":[{"carrier":"viettel"},
                {"carrier":"viettel","price_per_segment":100001,"steps":[5,4,3]}],
                "registration":{"company":"","note":"x"}}"#,
        );
        let places: Vec<String> = wrong.flaws().into_iter().map(|(place, _)| place).collect();
        assert_eq!(
            places,
            [
                "/name",
                "/opt_out",
                "/carriers/1/carrier",
                "/carriers/1/price_per_segment",
                "/carriers/1/steps",
                "/registration/company"
            ]
        );
        for (name, fine) in [
            ("ACME", true),
            ("A.C_M-E 24", true),
            ("ACMEACMEACME", false),
            (" ACME", false),
            ("AC@ME", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), fine, "{name}");
        }
    }

    #[test]
    fn a_text_is_composed_by_the_kind() {
        let care = settings(r#"{"name":"ACME","kind":"care"}"#);
        assert_eq!(care.compose(" Đơn hàng "), "Don hang");
        let advertising = settings(
            r#"{"name":"ACME","kind":"advertising","opt_out":"TC: soạn TC","keeps_diacritics":true}"#,
        );
        assert_eq!(advertising.compose("Giảm"), "[QC] Giảm TC: soạn TC");
    }

    #[test]
    fn an_approval_ends_at_its_time() {
        let end: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let state = CarrierState {
            status: CarrierStatus::Approved,
            expires_at: Some(end),
            ..CarrierState::new(Carrier::Itel)
        };
        let before = end - jiff::SignedDuration::from_secs(1);
        assert!(state.is_approved(before) && !state.is_approved(end));
        assert_eq!(state.at(end).status, CarrierStatus::Expired);
    }
}
