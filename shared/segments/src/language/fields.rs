//! The fields that a condition may test, with their types. Pure.

/// The type of a value. It decides which operators fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, compared without case and diacritics.
    Text,
    /// One of these words; without a list, one of any words.
    Choice(&'static [&'static str]),
    /// A number, or an amount of VND.
    Number,
    /// A day without a time, such as a birthday.
    Date,
    /// An instant.
    Instant,
    /// True or false.
    Boolean,
    /// Several words.
    Many,
}

impl Kind {
    /// The name in conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Choice(_) => "choice",
            Self::Number => "number",
            Self::Date => "date",
            Self::Instant => "datetime",
            Self::Boolean => "boolean",
            Self::Many => "multi_choice",
        }
    }
}

/// The types that a custom field may have, in a condition's `type`.
pub const CUSTOM: [Kind; 7] = [
    Kind::Text,
    Kind::Choice(&[]),
    Kind::Number,
    Kind::Date,
    Kind::Instant,
    Kind::Boolean,
    Kind::Many,
];

/// A field of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says what each field is")]
pub enum Field {
    Email,
    Phone,
    ExternalId,
    Source,
    OwnerId,
    CreatedAt,
    UpdatedAt,
    LastSeenAt,
    LastOpenedAt,
    LastClickedAt,
    LastSentAt,
    LastActivityAt,
    Score,
    OrdersCount,
    OrdersTotal,
    OrdersAverage,
    FirstOrderAt,
    LastOrderAt,
    /// A plain field of a person, by its name.
    Person(&'static str),
    /// A custom field, by its name.
    Custom(String),
}

const SOURCES: &[&str] = &[
    "import", "form", "api", "haravan", "kiotviet", "sapo", "shopee", "getfly", "ladipage", "chat",
    "manual",
];

/// The fields of the family `profile`, with their types. Custom fields are `custom.<name>`.
const PROFILE: &[(&str, Field, Kind)] = &[
    ("email", Field::Email, Kind::Text),
    ("phone", Field::Phone, Kind::Text),
    ("external_id", Field::ExternalId, Kind::Text),
    ("source", Field::Source, Kind::Choice(SOURCES)),
    ("owner_id", Field::OwnerId, Kind::Choice(&[])),
    ("created_at", Field::CreatedAt, Kind::Instant),
    ("updated_at", Field::UpdatedAt, Kind::Instant),
    ("last_seen_at", Field::LastSeenAt, Kind::Instant),
    ("last_opened_at", Field::LastOpenedAt, Kind::Instant),
    ("last_clicked_at", Field::LastClickedAt, Kind::Instant),
    ("last_sent_at", Field::LastSentAt, Kind::Instant),
    ("last_activity_at", Field::LastActivityAt, Kind::Instant),
];

/// The fields of the family `order`, with their types.
const ORDER: &[(&str, Field, Kind)] = &[
    ("count", Field::OrdersCount, Kind::Number),
    ("total", Field::OrdersTotal, Kind::Number),
    ("average", Field::OrdersAverage, Kind::Number),
    ("first_at", Field::FirstOrderAt, Kind::Instant),
    ("last_at", Field::LastOrderAt, Kind::Instant),
];

/// The fields of [`kernel::Person`] in the family `location`.
const PLACES: [&str; 4] = ["province", "country", "ward", "district"];

/// The plain fields of a person, with their types.
fn person() -> impl Iterator<Item = (&'static str, Field, Kind)> {
    kernel::person::FIELDS.iter().map(|field| {
        let kind = match field.name() {
            "gender" => Kind::Choice(&["male", "female", "other", "unknown"]),
            "birthday" => Kind::Date,
            _ => Kind::Text,
        };
        (field.name(), Field::Person(field.name()), kind)
    })
}

/// The fields of a family, with their types: `profile`, `order` or `location`.
pub fn standard(family: &str) -> Vec<(&'static str, Field, Kind)> {
    match family {
        "profile" => person().chain(PROFILE.iter().cloned()).collect(),
        "order" => ORDER.to_vec(),
        "location" => person()
            .filter(|(name, ..)| PLACES.contains(name))
            .collect(),
        _ => Vec::new(),
    }
}

/// A field of a family by its name.
pub(super) fn find(family: &str, name: &str) -> Option<(Field, Kind)> {
    let found = standard(family).into_iter().find(|(own, ..)| *own == name);
    found.map(|(_, field, kind)| (field, kind))
}
