//! Which column of a file is which field. Pure.

use kernel::text::fold;
use serde::{Deserialize, Serialize};

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
    /// What the person said about messages.
    Consent(Consent),
    /// A field of [`crate::Person`].
    Person(&'static str),
    /// A custom field of this name.
    Custom(String),
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

/// Columns that our own files have for people: they are no data of a contact.
const OWN: [&str; 6] = [
    "contact_id",
    "import_line",
    "import_outcome",
    "import_contact_id",
    "import_message",
    "other_fields",
];

/// A field, its name, and the folded headings that mean it, words joined by `_`.
type Known = (Column, &'static str, &'static [&'static str]);

/// Headings of the fields that are not in [`crate::person`]. Vietnamese and English, as shops and other products
/// export them.
const KNOWN: [Known; 10] = [
    (
        Column::External,
        "external_id",
        &["external_id", "id", "ma_khach_hang", "ma_kh", "customer_id", "customer_code", "ma_khach"],
    ),
    (
        Column::Email,
        "email",
        &[
            "email", "e_mail", "mail", "dia_chi_email", "email_address", "e_mail_address", "thu_dien_tu", "email_khach_hang",
            "customer_email",
        ],
    ),
    (
        Column::Phone,
        "phone",
        &[
            "so_dien_thoai", "sdt", "dien_thoai", "so_dt", "dt", "so_di_dong", "di_dong", "dien_thoai_di_dong", "phone",
            "phone_number", "mobile", "mobile_phone", "mobile_number", "cell_phone", "primary_phone", "tel", "telephone",
            "dien_thoai_khach_hang", "customer_phone", "default_address_phone", "home_phone", "business_phone",
            "dien_thoai_co_dinh", "zalo", "so_zalo",
        ],
    ),
    (
        Column::Tags,
        "tags",
        &["tags", "tag", "the", "nhan", "nhom_khach_hang", "labels", "group_membership", "categories"],
    ),
    (
        Column::Consent(Consent::Email),
        "email_consent",
        &[
            "email_consent", "dong_y_nhan_email", "nhan_email", "accepts_email_marketing", "accepts_marketing",
            "nhan_quang_cao", "nhan_email_quang_cao", "email_marketing", "email_status", "email_marketing_status",
            "dang_ky_nhan_email", "email_opt_in",
        ],
    ),
    (
        Column::Consent(Consent::Sms),
        "sms_consent",
        &[
            "sms_consent", "dong_y_nhan_sms", "nhan_sms", "accepts_sms_marketing", "sms_status", "sms_marketing_status",
            "sms_opt_in", "dang_ky_nhan_sms",
        ],
    ),
    (
        Column::Consent(Consent::All),
        "consent",
        &["consent", "dong_y", "dong_y_nhan_tin", "nhan_tin", "opt_in", "optin", "dang_ky_nhan_tin", "marketing_consent"],
    ),
    (
        Column::Consent(Consent::Status),
        "status",
        &["status", "trang_thai", "tinh_trang", "member_status", "subscription_status", "subscriber_status"],
    ),
    (
        Column::Consent(Consent::Refused),
        "unsubscribed",
        &[
            "unsubscribed", "huy_dang_ky", "da_huy_dang_ky", "tu_choi", "tu_choi_nhan_tin", "tu_choi_quang_cao",
            "opt_out", "opted_out", "optout", "do_not_email", "do_not_contact", "do_not_call", "khong_nhan_email",
            "khong_nhan_tin", "bounced", "complained",
        ],
    ),
    (
        Column::Consent(Consent::RefusedAt),
        "unsubscribed_at",
        &[
            "unsubscribed_at", "unsub_time", "unsubscribe_time", "unsub_date", "unsubscribe_date", "clean_time",
            "cleaned_time", "ngay_huy_dang_ky", "optout_time", "unsub_reason", "unsub_campaign_title",
        ],
    ),
];

/// Headings of the person's fields.
const PERSON: [(&str, &[&str]); 4] = [
    (
        "full_name",
        &[
            "ho_va_ten", "ho_ten", "hoten", "ten_khach_hang", "khach_hang", "ten_day_du", "full_name", "fullname", "name",
            "customer_name",
        ],
    ),
    ("first_name", &["ten", "ten_goi", "first_name", "firstname", "given_name"]),
    ("last_name", &["ho", "ho_dem", "ho_va_ten_dem", "last_name", "lastname", "surname", "family_name"]),
    ("birthday", &["ngay_sinh", "sinh_nhat", "birthday", "dob", "date_of_birth"]),
];

/// The fields that a column can be, with the headings that mean them.
pub fn headings() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let known = KNOWN.iter().map(|(_, name, headings)| (*name, headings.to_vec()));
    known.chain(person().map(|(name, headings)| (name, headings.collect())))
}

fn person() -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    PERSON.iter().map(|(name, headings)| (*name, headings.iter().copied()))
}

impl Column {
    /// The name of the field; `skip` of a column that is left out.
    pub fn name(&self) -> String {
        match self {
            Self::Person(name) => (*name).to_owned(),
            Self::Custom(name) => format!("{CUSTOM}{name}"),
            Self::Skipped => "skip".to_owned(),
            known => {
                let found = KNOWN.iter().find(|(column, ..)| column == known);
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
            let is_good = !custom.trim().is_empty() && custom.chars().count() <= MAX_NAME;
            return is_good.then(|| Self::Custom(custom.trim().to_owned()));
        }
        let known = KNOWN.iter().find(|(_, one, _)| *one == name);
        let known = known.map(|(column, ..)| column.clone());
        known.or_else(|| person().find(|(one, _)| *one == name).map(|(one, _)| Self::Person(one)))
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
            let known = KNOWN.iter().find(|(.., headings)| headings.contains(&spelling.as_str()));
            let known = known.map(|(column, ..)| column.clone());
            known.or_else(|| {
                let found = person().find_map(|(name, mut headings)| headings.any(|one| one == spelling).then_some(name));
                found.map(Self::Person)
            })
        })
    }

    /// Whether a contact can be found or reached by the column.
    pub fn is_address(&self) -> bool {
        matches!(self, Self::Email | Self::Phone)
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
    let folded = fold(heading);
    let words = folded.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").chars().take(MAX_NAME).collect()
}

/// The forms of a heading that are looked up, in order: the whole; without remarks in brackets; without the numbers
/// and words of an address book (`E-mail 1 - Value`); each of several names (`SĐT/Zalo`).
fn spellings(heading: &str) -> Vec<String> {
    let mut spellings = vec![normal(heading)];
    let bare = without_brackets(heading);
    let plain = normal(&bare);
    let words = plain.split('_').filter(|word| *word != "value" && !word.chars().all(|c| c.is_ascii_digit()));
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
mod tests {
    use super::*;

    #[test]
    fn headings_of_other_products_are_known() {
        for (heading, field) in [
            ("Họ và tên *", "full_name"),
            ("Email (bắt buộc)", "email"),
            ("SĐT/Zalo", "phone"),
            ("E-mail 1 - Value", "email"),
            ("Phone 1 - Value", "phone"),
            ("E-mail Address", "email"),
            ("Mobile Phone", "phone"),
            ("Categories", "tags"),
            ("Email Address", "email"),
            ("UNSUB_TIME", "unsubscribed_at"),
            ("Mã khách hàng", "external_id"),
            ("Điện thoại", "phone"),
            ("Nhóm khách hàng", "tags"),
            ("Accepts Email Marketing", "email_consent"),
            ("Default Address Phone", "phone"),
            ("Ngày sinh [dd/mm/yyyy]", "birthday"),
        ] {
            assert_eq!(Column::of_heading(heading).map(|one| one.name()).as_deref(), Some(field), "{heading}");
        }
        assert_eq!(Column::of_heading("Điểm tích luỹ"), None);
    }

    #[test]
    fn every_field_is_found_by_its_name_and_no_heading_means_two() {
        let mut seen = std::collections::HashSet::new();
        for (name, headings) in headings() {
            assert_eq!(Column::of_name(name).unwrap().name(), name);
            for heading in headings {
                assert!(seen.insert(heading), "{heading}");
                assert_eq!(normal(heading), heading);
                assert_eq!(Column::of_heading(heading).unwrap().name(), name, "{heading}");
            }
        }
        assert_eq!(Column::of_name("custom.size"), Some(Column::Custom("size".into())));
        assert_eq!((Column::of_name("custom."), Column::of_name("nothing")), (None, None));
    }
}
