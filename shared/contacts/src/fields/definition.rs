//! A definition of a custom field, and the rules that it must follow. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most definitions of a workspace.
pub const MAX_DEFINITIONS: usize = 100;
/// Most unique fields of a workspace: a merge moves their rows in one transaction.
pub const MAX_UNIQUE: usize = 5;
/// Most choices of a field, archived ones included.
pub const MAX_CHOICES: usize = 200;
/// The keys that a definition may have, as a regular expression.
pub const KEY_PATTERN: &str = "^[a-z][a-z0-9_]{0,63}$";
const MAX_LABEL: usize = 100;
const MAX_HELP: usize = 500;
/// Longest text of a field with several lines, in characters.
pub(super) const MAX_LONG_TEXT: u32 = 3_000;
/// Longest text of a field with one line, in characters.
pub(super) const MAX_TEXT: u32 = 255;
/// Most decimal places of a number.
const MAX_DECIMALS: u8 = 6;

/// The values that a field takes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = FieldType)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line.
    Text,
    /// Several lines.
    LongText,
    /// A number.
    Number,
    /// An amount of money in dong.
    Currency,
    /// A number of hundredths.
    Percent,
    /// A day, as `2026-03-02`.
    Date,
    /// An instant, in RFC 3339.
    Datetime,
    /// `true` or `false`.
    Boolean,
    /// The key of one choice.
    Choice,
    /// A list of keys of choices.
    MultiChoice,
    /// An address of the web.
    Link,
    /// An email address.
    Email,
    /// A Vietnamese mobile number.
    Phone,
    /// The name of a province.
    Province,
    /// A file, which is uploaded.
    File,
}

impl Kind {
    /// Whether a field of this kind may become one of the other: every stored value stays valid or readable.
    pub fn may_become(self, other: Self) -> bool {
        let group = |kind| match kind {
            Self::Text | Self::LongText => 1,
            Self::Choice | Self::MultiChoice => 2,
            _ => 0,
        };
        self == other || (group(self) == group(other) && group(self) > 0)
    }

    /// Whether its values are numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Currency | Self::Percent)
    }

    /// Whether its values are keys of choices.
    pub fn has_choices(self) -> bool {
        matches!(self, Self::Choice | Self::MultiChoice)
    }

    /// Whether a field of this kind may be unique: its values name one person or thing.
    pub fn may_be_unique(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Number | Self::Link | Self::Email | Self::Phone
        )
    }

    fn has_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText)
    }
}

/// A choice of a field. It is never deleted, since contacts may have it; an archived one is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FieldChoice)]
#[serde(deny_unknown_fields)]
pub struct Opt {
    /// The value that contacts have.
    #[schema(pattern = "^[a-z0-9_]{1,64}$")]
    pub key: String,
    /// The text that people read.
    #[schema(min_length = 1, max_length = 100)]
    pub label: String,
    /// A colour as `#rrggbb`.
    #[serde(default)]
    #[schema(pattern = "^#[0-9a-fA-F]{6}$")]
    pub colour: Option<String>,
    /// Contacts keep the choice, and no contact gets it.
    #[serde(default)]
    pub archived: bool,
}

/// The characters that a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FieldPattern)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Digits `0` to `9`.
    Digits,
    /// Letters of any alphabet, and spaces.
    Letters,
    /// Letters, digits and spaces.
    LettersAndDigits,
}

/// Limits of the values, by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FieldFormat)]
#[serde(default, deny_unknown_fields)]
pub struct Format {
    /// Most decimal places of a number, up to 6; an amount of money has none.
    #[schema(maximum = 6)]
    pub decimals: Option<u8>,
    /// Smallest number.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
    /// Most characters of a text, up to 3,000.
    #[schema(minimum = 1, maximum = 3000)]
    pub max_length: Option<u32>,
    /// The characters of a text; absent: any.
    pub pattern: Option<Pattern>,
}

/// A place that shows a field.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = FieldPlace)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the product's own words")]
pub enum Place {
    ContactList,
    AddForm,
    ContactPage,
    ChatPanel,
    SignupForm,
}

/// The things that have custom fields.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = FieldTarget)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Contacts.
    #[default]
    Contact,
    /// Orders.
    Order,
    /// Products.
    Product,
    /// Conversations.
    Conversation,
}

impl Target {
    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Order => "order",
            Self::Product => "product",
            Self::Conversation => "conversation",
        }
    }
}

/// A custom field of the things of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The things that have it; it never changes.
    #[serde(default)]
    pub target: Target,
    /// Its name in `custom`; it never changes.
    pub key: String,
    /// The text that people read.
    pub label: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its choices, in the order in which they are offered.
    #[serde(default)]
    pub options: Vec<Opt>,
    /// Whether forms must ask for it, and no request may clear it.
    #[serde(default)]
    pub required: bool,
    /// Whether no two contacts may have the same value. It is set when the field is made.
    #[serde(default)]
    pub unique: bool,
    /// The value that forms begin with, and that a template prints for a contact without a value. It is never stored with a
    /// contact.
    #[serde(default)]
    pub default: Option<Value>,
    /// A hint for the person who fills it in.
    #[serde(default)]
    pub help: Option<String>,
    /// Limits of its values.
    #[serde(default)]
    pub format: Format,
    /// The places that show it.
    #[serde(default)]
    pub visible_in: BTreeSet<Place>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A wrong part of a definition: its JSON pointer, and the rule.
pub type Flaw = (String, String);

fn is_key(text: &str, most: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=most).contains(&text.len()) && text.bytes().all(plain)
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

impl Definition {
    /// The tag that prints the field's value in a template; templates know the fields of contacts only.
    pub fn merge_tag(&self) -> Option<String> {
        let is_printed = self.target == Target::Contact;
        is_printed.then(|| format!("{{{{ contact.custom.{} }}}}", self.key))
    }

    /// Everything that is wrong with it.
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = Vec::new();
        let mut check = |is_flawed: bool, pointer: &str, message: &str| {
            if is_flawed {
                flaws.push((pointer.to_owned(), message.to_owned()));
            }
        };
        let begins = self.key.starts_with(|c: char| c.is_ascii_lowercase());
        let message = "must be 1 to 64 lower-case letters, digits or _, and begin with a letter";
        check(!(begins && is_key(&self.key, 64)), "/key", message);
        let message = "must have 1 to 100 characters";
        check(!is_text(&self.label, MAX_LABEL), "/label", message);
        let help = self.help.as_deref();
        let is_bad = help.is_some_and(|help| !is_text(help, MAX_HELP));
        check(is_bad, "/help", "must have 1 to 500 characters");
        let needs = self.kind.has_choices();
        let message = "a choice needs at least one option that is not archived";
        let is_empty = self.options.iter().all(|option| option.archived);
        check(needs && is_empty, "/options", message);
        let message = "only a choice has options";
        check(!needs && !self.options.is_empty(), "/options", message);
        let are_many = self.options.len() > MAX_CHOICES;
        check(are_many, "/options", "holds at most 200 options");
        let message = "only a text of one line, a number, a link, an email address or a phone number is unique";
        let is_bad = self.unique && !self.kind.may_be_unique();
        check(is_bad, "/unique", message);
        let is_other = self.target != Target::Contact;
        let message = "only a field of contacts is unique";
        check(self.unique && is_other, "/unique", message);
        let message = "only contacts have files";
        check(is_other && self.kind == Kind::File, "/type", message);
        let message = "only a field of contacts is required";
        check(self.required && is_other, "/required", message);
        let message = "only a field of contacts has a default";
        check(self.default.is_some() && is_other, "/default", message);
        let message = "only a field of contacts has places where it is shown";
        let is_placed = !self.visible_in.is_empty();
        check(is_placed && is_other, "/visible_in", message);
        let message = "a unique field has no default";
        check(self.unique && self.default.is_some(), "/default", message);
        flaws.extend(self.flaws_of_options());
        flaws.extend(self.flaws_of_format());
        if let Some(default) = &self.default
            && flaws.is_empty()
            && let Err(fault) = super::check(self, default)
        {
            flaws.push(("/default".to_owned(), fault.message));
        }
        flaws
    }

    fn flaws_of_options(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut keys = BTreeSet::new();
        for (n, option) in self.options.iter().enumerate() {
            let mut check = |is_flawed: bool, part: &str, message: &str| {
                if is_flawed {
                    flaws.push((format!("/options/{n}/{part}"), message.to_owned()));
                }
            };
            let message = "must be 1 to 64 lower-case letters, digits or _";
            check(!is_key(&option.key, 64), "key", message);
            let is_double = !keys.insert(option.key.as_str());
            check(is_double, "key", "another option has this key");
            let message = "must have 1 to 100 characters";
            check(!is_text(&option.label, MAX_LABEL), "label", message);
            let colour = option.colour.as_deref();
            let is_bad = colour.is_some_and(|colour| !is_colour(colour));
            check(is_bad, "colour", "must be a colour as #1f93ff");
        }
        flaws
    }

    fn flaws_of_format(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut check = |is_flawed: bool, part: &str, message: &str| {
            if is_flawed {
                flaws.push((format!("/format/{part}"), message.to_owned()));
            }
        };
        let (format, kind) = (self.format, self.kind);
        let numbers = "only a number has this limit";
        check(format.min.is_some() && !kind.is_number(), "min", numbers);
        check(format.max.is_some() && !kind.is_number(), "max", numbers);
        let has_decimals = format.decimals.is_some();
        let takes = matches!(kind, Kind::Number | Kind::Percent);
        let message = "only a number or a percentage has decimals";
        check(has_decimals && !takes, "decimals", message);
        let are_many = format.decimals.is_some_and(|places| places > MAX_DECIMALS);
        check(are_many, "decimals", "must be at most 6");
        let is_empty = matches!((format.min, format.max), (Some(min), Some(max)) if min > max);
        check(is_empty, "max", "must not be less than min");
        let storable = |number: f64| {
            let number = serde_json::Number::from_f64(number);
            number.is_some_and(|number| kernel::number::is_storable(&number))
        };
        let message = "expected a number from 1e-130 to 1e126, of either sign, or 0";
        check(format.min.is_some_and(|n| !storable(n)), "min", message);
        check(format.max.is_some_and(|n| !storable(n)), "max", message);
        let texts = "only a text has this limit";
        let has_length = format.max_length.is_some();
        check(has_length && !kind.has_text(), "max_length", texts);
        let has_pattern = format.pattern.is_some();
        check(has_pattern && !kind.has_text(), "pattern", texts);
        let most = self.longest();
        let is_bad = |length: u32| !(1..=most).contains(&length);
        if kind.has_text() && format.max_length.is_some_and(is_bad) {
            let message = format!("must be 1 to {most}");
            check(true, "max_length", &message);
        }
        flaws
    }

    /// Most characters that the type takes.
    pub(super) fn longest(&self) -> u32 {
        match self.kind {
            Kind::LongText => MAX_LONG_TEXT,
            _ => MAX_TEXT,
        }
    }
}

/// Whether the text is a colour as `#1f93ff`.
pub(crate) fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}
