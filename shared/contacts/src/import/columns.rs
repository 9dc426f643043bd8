//! Which column of a file is which field. Pure.

use kernel::commerce::Sheet;
use kernel::person;
use serde::{Deserialize, Serialize};

use crate::labels::FieldName;

/// Most columns of a file. No shop has as many fields.
pub const MAX_COLUMNS: usize = 200;
/// Longest name of a custom field.
pub const MAX_NAME: usize = 60;
/// Before the name of a custom field.
pub const CUSTOM: &str = "custom.";

/// The content of a column. As text it is the name of the field, such as `email` or `custom.size`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The shop's own id.
    External,
    /// An address.
    Email,
    /// A number.
    Phone,
    /// Tags.
    Tags,
    /// The answer of the person about messages.
    Consent(Consent),
    /// A field of [`kernel::Person`].
    Person(&'static str),
    /// A custom field of this name.
    Custom(String),
    /// A field of an order or a product.
    Goods(Sheet, &'static str),
    /// Left out.
    Skipped,
}

/// A column that says yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Yes or no to mail.
    Email,
    /// Yes or no to text messages.
    Sms,
    /// Yes or no to all channels.
    All,
    /// A state in which some words mean no to all channels.
    Status,
    /// Yes means no to all channels.
    Refused,
    /// A time; a cell that is not empty means no to all channels.
    RefusedAt,
}

/// Columns that our own files have for people. An import takes nothing from them.
const OWN: [&str; 10] = [
    "contact_id",
    "import_line",
    "import_outcome",
    "import_contact_id",
    "import_message",
    "other_fields",
    "owner_id",
    "other_emails",
    "other_phones",
    "other_external_ids",
];

/// More headings of the fields of [`kernel::person`], as other products export them.
const MORE: [(&str, &[&str]); 8] = [
    ("external_id", &["ma_khach"]),
    (
        "email",
        &["e_mail_address", "email_khach_hang", "customer_email"],
    ),
    (
        "phone",
        &[
            "dt",
            "dien_thoai_di_dong",
            "mobile_phone",
            "mobile_number",
            "cell_phone",
            "primary_phone",
            "dien_thoai_khach_hang",
            "customer_phone",
            "default_address_phone",
            "home_phone",
            "business_phone",
            "dien_thoai_co_dinh",
            "zalo",
            "so_zalo",
        ],
    ),
    (
        "tags",
        &[
            "nhom_khach_hang",
            "labels",
            "group_membership",
            "categories",
        ],
    ),
    (
        "address",
        &["default_address_address1", "home_street", "address_street"],
    ),
    (
        "province",
        &["default_address_city", "home_city", "address_city"],
    ),
    ("company", &["default_address_company", "organization_name"]),
    (
        "postal_code",
        &[
            "default_address_zip",
            "home_postal_code",
            "address_postal_code",
        ],
    ),
];

/// A consent column, its name, and the folded headings that mean it.
type Asking = (Consent, &'static str, &'static [&'static str]);

/// Headings of columns about consent.
const CONSENT: [Asking; 6] = [
    (
        Consent::Email,
        "email_consent",
        &[
            "email_consent",
            "dong_y_nhan_email",
            "nhan_email",
            "accepts_email_marketing",
            "accepts_marketing",
            "nhan_quang_cao",
            "nhan_email_quang_cao",
            "email_marketing",
            "email_status",
            "email_marketing_status",
            "dang_ky_nhan_email",
            "email_opt_in",
        ],
    ),
    (
        Consent::Sms,
        "sms_consent",
        &[
            "sms_consent",
            "dong_y_nhan_sms",
            "nhan_sms",
            "accepts_sms_marketing",
            "sms_status",
            "sms_marketing_status",
            "sms_opt_in",
            "dang_ky_nhan_sms",
        ],
    ),
    (
        Consent::All,
        "consent",
        &[
            "consent",
            "dong_y",
            "dong_y_nhan_tin",
            "nhan_tin",
            "opt_in",
            "optin",
            "dang_ky_nhan_tin",
            "marketing_consent",
        ],
    ),
    (
        Consent::Status,
        "status",
        &[
            "status",
            "trang_thai",
            "tinh_trang",
            "member_status",
            "subscription_status",
            "subscriber_status",
        ],
    ),
    (
        Consent::Refused,
        "unsubscribed",
        &[
            "unsubscribed",
            "huy_dang_ky",
            "da_huy_dang_ky",
            "tu_choi",
            "tu_choi_nhan_tin",
            "tu_choi_quang_cao",
            "opt_out",
            "opted_out",
            "optout",
            "do_not_email",
            "do_not_contact",
            "do_not_call",
            "khong_nhan_email",
            "khong_nhan_tin",
            "bounced",
            "complained",
        ],
    ),
    (
        Consent::RefusedAt,
        "unsubscribed_at",
        &[
            "unsubscribed_at",
            "unsub_time",
            "unsubscribe_time",
            "unsub_date",
            "unsubscribe_date",
            "clean_time",
            "cleaned_time",
            "ngay_huy_dang_ky",
            "optout_time",
            "unsub_reason",
            "unsub_campaign_title",
        ],
    ),
];

/// The fields that a column can be, with the headings that mean them.
pub fn headings() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let known = person::known().map(|known| {
        let more = MORE.iter().filter(|(name, _)| *name == known.name);
        let more = more.flat_map(|(_, more)| more.iter().copied());
        (
            known.name,
            known.aliases.iter().copied().chain(more).collect(),
        )
    });
    known.chain(
        CONSENT
            .iter()
            .map(|(_, name, headings)| (*name, headings.to_vec())),
    )
}

/// The column of a field of [`kernel::person`].
fn plain(name: &'static str) -> Column {
    match name {
        "external_id" => Column::External,
        "email" => Column::Email,
        "phone" => Column::Phone,
        "tags" => Column::Tags,
        name => Column::Person(name),
    }
}

impl Column {
    /// The name of the field; `skip` of a column that is left out.
    pub fn name(&self) -> String {
        match self {
            Self::Person(name) => (*name).to_owned(),
            Self::Custom(name) => format!("{CUSTOM}{name}"),
            Self::Goods(sheet, name) => format!("{}.{name}", sheet.subject()),
            Self::Skipped => "skip".to_owned(),
            Self::External => "external_id".to_owned(),
            Self::Email => "email".to_owned(),
            Self::Phone => "phone".to_owned(),
            Self::Tags => "tags".to_owned(),
            Self::Consent(kind) => {
                let found = CONSENT.iter().find(|(one, ..)| one == kind);
                found.map_or_else(String::new, |(_, name, _)| (*name).to_owned())
            }
        }
    }

    /// The column of a field's name.
    pub fn of_name(name: &str) -> Option<Self> {
        if name == "skip" {
            return Some(Self::Skipped);
        }
        if let Some(custom) = name.strip_prefix(CUSTOM) {
            return FieldName::parse(custom)
                .ok()
                .map(|name| Self::Custom(name.as_str().to_owned()));
        }
        if let Some((subject, field)) = name.split_once('.') {
            let mut sheets = Sheet::ALL.into_iter();
            let sheet = sheets.find(|sheet| sheet.subject() == subject)?;
            return sheet.column(field).map(|field| Self::Goods(sheet, field));
        }
        let known = person::known().find(|known| known.name == name);
        let asking = CONSENT.iter().find(|(_, one, _)| *one == name);
        known
            .map(|known| plain(known.name))
            .or_else(|| asking.map(|(kind, ..)| Self::Consent(*kind)))
    }

    /// The column that a heading means; `None` for a heading that is not known.
    pub fn of_heading(heading: &str) -> Option<Self> {
        // The headings of an export are names of fields.
        if heading.starts_with(CUSTOM) {
            return Self::of_name(heading);
        }
        if OWN.contains(&heading) {
            return Some(Self::Skipped);
        }
        spellings(heading).iter().find_map(|spelling| {
            let spelling = spelling.as_str();
            let more = MORE.iter().find(|(_, more)| more.contains(&spelling));
            let known = person::meant(spelling).or(more.map(|(name, _)| *name));
            let asking = CONSENT
                .iter()
                .find(|(.., headings)| headings.contains(&spelling));
            known
                .map(plain)
                .or_else(|| asking.map(|(kind, ..)| Self::Consent(*kind)))
        })
    }

    /// The column that a heading of a file of goods means. Other columns are left out.
    pub fn of_goods(sheet: Sheet, heading: &str) -> Option<Self> {
        let spellings = spellings(heading);
        let found = spellings.iter().find_map(|one| sheet.meant(one));
        found.map(|name| Self::Goods(sheet, name))
    }

    /// Whether a row is known by the column: a contact is found or reached by it, or it is the code of an order or a product.
    pub fn is_address(&self) -> bool {
        matches!(self, Self::Email | Self::Phone | Self::Goods(_, Sheet::KEY))
    }
}

impl Serialize for Column {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Self::of_name(&name).ok_or_else(|| serde::de::Error::custom("expected the name of a field"))
    }
}

/// A heading in the form that is compared: `"Họ và tên "` is `ho_va_ten`.
pub fn normal(heading: &str) -> String {
    person::heading(heading).chars().take(MAX_NAME).collect()
}

/// The forms of a heading that are looked up, in order: the whole; without remarks in brackets; without the numbers
/// and words of an address book (`E-mail 1 - Value`); each of several names (`SĐT/Zalo`).
fn spellings(heading: &str) -> Vec<String> {
    let mut spellings = vec![normal(heading)];
    let bare = without_brackets(heading);
    let plain = normal(&bare);
    let words = plain
        .split('_')
        .filter(|word| *word != "value" && !word.chars().all(|c| c.is_ascii_digit()));
    let words: Vec<&str> = words.collect();
    spellings.push(plain.clone());
    spellings.push(words.join("_"));
    spellings.extend(bare.split(['/', '\n']).map(normal));
    for mark in ["_bat_buoc", "_required", "_cua_khach_hang"] {
        spellings.extend(plain.strip_suffix(mark).map(str::to_owned));
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

/// The text without what is in brackets.
fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let kept = text.chars().filter(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    });
    kept.collect()
}

#[cfg(test)]
mod tests;
