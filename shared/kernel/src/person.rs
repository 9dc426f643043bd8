//! The plain fields of a person: one table of their names, labels, other names and bounds. Pure.
//!
//! Every way in (API, import, forms, chat) and the templates read this table, so that a field has one name and one
//! rule. Identities and tags have their other names here too, but their own types check their values.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::text::{is_invisible, nfc};

/// A name of a contact's field, with the headings and form fields that mean it.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Name in the API and in templates.
    pub name: &'static str,
    /// Label in Vietnamese.
    pub label_vi: &'static str,
    /// Label in English.
    pub label_en: &'static str,
    /// Other names in Vietnamese and English: folded, words joined by `_`.
    pub aliases: &'static [&'static str],
}

/// A field of [`Person`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its names.
    pub known: Known,
    /// The variable of templates: `contact.full_name`.
    pub variable: &'static str,
    /// Most characters of a value.
    pub longest: usize,
    /// The expected value, for messages.
    pub expected: &'static str,
    normal: fn(&str) -> Option<String>,
    get: fn(&Person) -> &Option<String>,
    slot: fn(&mut Person) -> &mut Option<String>,
}

impl Field {
    /// Name in the API and in templates.
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    /// The stored form of a value: composed, trimmed, without control and invisible characters. The error says what
    /// is expected.
    pub fn parse(&self, text: &str) -> Result<String, String> {
        let text = plain(text);
        if text.is_empty() || text.chars().count() > self.longest {
            return Err(format!("must have 1 to {} characters", self.longest));
        }
        (self.normal)(&text).ok_or_else(|| self.expected.to_owned())
    }

    /// Like [`Field::parse`], for data that nobody can correct: a long text keeps its beginning, and a value that is
    /// none of the field is left out.
    pub fn fit(&self, text: &str) -> Option<String> {
        let text: String = plain(text).chars().take(self.longest).collect();
        self.parse(text.trim_end()).ok()
    }

    /// The value of a person.
    pub fn of<'a>(&self, person: &'a Person) -> Option<&'a str> {
        (self.get)(person).as_deref()
    }

    /// The place of the value in a person.
    pub fn slot<'a>(&self, person: &'a mut Person) -> &'a mut Option<String> {
        (self.slot)(person)
    }
}

macro_rules! person {
    ($($(#[$about:meta])* $name:ident: $vi:literal, $en:literal, $longest:literal, $normal:ident, $expected:literal,
        [$($alias:literal),* $(,)?];)*) => {
        /// The plain fields of a person. None of them identifies anybody.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(default)]
        pub struct Person {
            $($(#[$about])* pub $name: Option<String>,)*
        }

        /// Every field of [`Person`].
        pub const FIELDS: &[Field] = &[$(Field {
            known: Known {
                name: stringify!($name),
                label_vi: $vi,
                label_en: $en,
                aliases: &[$($alias),*],
            },
            variable: concat!("contact.", stringify!($name)),
            longest: $longest,
            expected: $expected,
            normal: $normal,
            get: |person| &person.$name,
            slot: |person| &mut person.$name,
        }),*];
    };
}

person! {
    /// Whole name, family name first.
    full_name: "Họ và tên", "Full name", 255, text, "expected a name",
        ["full_name", "fullname", "name", "customer_name", "ho_va_ten", "ho_ten", "hoten", "ten_khach_hang",
         "khach_hang", "ten_day_du"];
    /// Given name ("tên").
    first_name: "Tên", "First name", 255, text, "expected a name",
        ["first_name", "firstname", "given_name", "ten", "ten_goi"];
    /// Family and middle name ("họ và tên đệm").
    last_name: "Họ và tên đệm", "Last name", 255, text, "expected a name",
        ["last_name", "lastname", "surname", "family_name", "ho", "ho_dem", "ho_va_ten_dem"];
    /// `male`, `female`, `other` or `unknown`.
    gender: "Giới tính", "Gender", 20, gender, "expected male, female, other or unknown",
        ["gender", "sex", "gioi_tinh", "phai"];
    /// `yyyy-mm-dd`, or `--mm-dd` without the year.
    birthday: "Ngày sinh", "Birthday", 30, birthday,
        "expected a date such as 1990-03-02, or --03-02 without the year",
        ["birthday", "birth_date", "birthdate", "dob", "date_of_birth", "ngay_sinh", "sinh_nhat", "ngay_thang_nam_sinh"];
    /// Street and house number.
    address: "Địa chỉ", "Address", 500, text, "expected an address",
        ["address", "address1", "address_1", "street", "street_address", "dia_chi", "so_nha"];
    /// Ward or commune ("phường", "xã").
    ward: "Phường/Xã", "Ward", 255, text, "expected a ward",
        ["ward", "phuong", "xa", "phuong_xa", "xa_phuong"];
    /// District ("quận", "huyện"), as received: there are none since July 2025.
    district: "Quận/Huyện", "District", 255, text, "expected a district",
        ["district", "quan", "huyen", "quan_huyen", "huyen_quan"];
    /// Province or city.
    province: "Tỉnh/Thành phố", "Province", 255, text, "expected a province",
        ["province", "city", "state", "tinh", "thanh_pho", "tinh_thanh", "tinh_thanh_pho", "tinh_tp"];
    /// Country.
    country: "Quốc gia", "Country", 100, text, "expected a country",
        ["country", "quoc_gia", "nuoc"];
    /// Postal code.
    postal_code: "Mã bưu chính", "Postal code", 20, text, "expected a postal code",
        ["postal_code", "postcode", "zip", "zip_code", "ma_buu_chinh", "ma_buu_dien"];
    /// Company.
    company: "Công ty", "Company", 255, text, "expected a company",
        ["company", "company_name", "organization", "cong_ty", "ten_cong_ty", "doanh_nghiep"];
    /// Job title.
    job_title: "Chức danh", "Job title", 255, text, "expected a job title",
        ["job_title", "position", "chuc_danh", "chuc_vu", "nghe_nghiep"];
    /// Language tag such as `vi` or `en-US`.
    language: "Ngôn ngữ", "Language", 35, language, "expected a language tag such as vi or en-US",
        ["language", "locale", "ngon_ngu"];
    /// Time zone such as `Asia/Ho_Chi_Minh`.
    timezone: "Múi giờ", "Time zone", 64, zone, "expected a time zone such as Asia/Ho_Chi_Minh",
        ["timezone", "time_zone", "mui_gio"];
    /// Address of a picture: `https://…`.
    avatar_url: "Ảnh đại diện", "Avatar", 1000, link, "expected an address that begins with https://",
        ["avatar_url", "avatar", "anh_dai_dien"];
}

/// The fields that are no [`Person`]'s: identities and tags.
pub const OTHERS: &[Known] = &[
    Known {
        name: "external_id",
        label_vi: "Mã khách hàng",
        label_en: "Customer ID",
        aliases: &[
            "external_id",
            "id",
            "customer_id",
            "customer_code",
            "ma_khach_hang",
            "ma_kh",
        ],
    },
    Known {
        name: "email",
        label_vi: "Email",
        label_en: "Email",
        aliases: &[
            "email",
            "e_mail",
            "mail",
            "email_address",
            "dia_chi_email",
            "thu_dien_tu",
        ],
    },
    Known {
        name: "phone",
        label_vi: "Số điện thoại",
        label_en: "Phone",
        aliases: &[
            "phone",
            "phone_number",
            "mobile",
            "tel",
            "telephone",
            "so_dien_thoai",
            "sodienthoai",
            "sdt",
            "dien_thoai",
            "dienthoai",
            "so_dt",
            "so_di_dong",
            "di_dong",
        ],
    },
    Known {
        name: "tags",
        label_vi: "Thẻ",
        label_en: "Tags",
        aliases: &["tags", "tag", "the", "nhan"],
    },
];

/// The heading that is the given name beside a family name, and the whole name otherwise: "Tên".
pub const GIVEN_OR_WHOLE: &str = "ten";

/// Every field of a contact that has other names.
pub fn known() -> impl Iterator<Item = &'static Known> {
    OTHERS.iter().chain(FIELDS.iter().map(|field| &field.known))
}

/// The field of [`Person`] of that name.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name() == name)
}

/// The name of the field that a heading means; the heading is in the form of [`heading`].
pub fn meant(heading: &str) -> Option<&'static str> {
    known()
        .find(|known| known.aliases.contains(&heading))
        .map(|known| known.name)
}

/// A heading in the form that is compared: `"Họ và tên "` is `ho_va_ten`.
pub fn heading(text: &str) -> String {
    let folded = crate::text::fold(text);
    let words = folded.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_")
}

impl Person {
    /// The fields that have a value, by name.
    pub fn values(&self) -> impl Iterator<Item = (&'static Field, &str)> {
        FIELDS
            .iter()
            .filter_map(|field| Some((field, field.of(self)?)))
    }

    /// Each value in its stored form; a value that is none of its field is left out.
    #[must_use]
    pub fn fitted(&self) -> Self {
        let mut fitted = Self::default();
        for (field, value) in self.values() {
            *field.slot(&mut fitted) = field.fit(value);
        }
        fitted
    }
}

/// Composed and trimmed, without control and invisible characters.
fn plain(text: &str) -> String {
    let text: String = nfc(text)
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "one of the functions of the table"
)]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn gender(text: &str) -> Option<String> {
    let gender = match crate::text::fold(text).as_str() {
        "male" | "m" | "nam" | "anh" | "ong" => "male",
        "female" | "f" | "nu" | "chi" | "ba" => "female",
        "other" | "khac" => "other",
        "unknown" | "khong ro" | "khong xac dinh" | "chua ro" => "unknown",
        _ => return None,
    };
    Some(gender.to_owned())
}

/// `1990-03-02`, `--03-02`, and the Vietnamese `02/03/1990` and `02/03`; a time of day behind the date is left out.
fn birthday(text: &str) -> Option<String> {
    let date = text.split([' ', 'T']).next()?;
    if let Some(rest) = date.strip_prefix("--") {
        let (month, day) = rest.split_once('-')?;
        return without_year(day, month);
    }
    let parts: Vec<&str> = date.split(['/', '-', '.']).collect();
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => whole_date(day, month, year),
        [day, month, year] => whole_date(day, month, year),
        [day, month] => without_year(day, month),
        _ => None,
    }
}

fn whole_date(day: &str, month: &str, year: &str) -> Option<String> {
    let year: i16 = year.parse().ok()?;
    let date = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    (1900..2100).contains(&year).then(|| date.to_string())
}

/// A day and month; 29 February is one.
fn without_year(day: &str, month: &str) -> Option<String> {
    let date = Date::new(2000, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some(format!("--{:02}-{:02}", date.month(), date.day()))
}

fn language(text: &str) -> Option<String> {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_tag = text.split('-').all(is_part)
        && text.split('-').next().is_some_and(|first| {
            (2..=3).contains(&first.len()) && first.chars().all(|c| c.is_ascii_alphabetic())
        });
    is_tag.then(|| text.to_owned())
}

fn zone(text: &str) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    text.chars().all(is_name).then(|| text.to_owned())
}

fn link(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    (url.scheme() == "https" && url.has_host()).then(|| url.to_string())
}

#[cfg(test)]
mod tests;
