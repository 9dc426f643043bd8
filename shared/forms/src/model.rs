//! The settings of a form, as they are stored and as the API shows them. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{Channel, EmailAddress, FormId, ListId};
use serde::{Deserialize, Serialize};

use crate::design::Design;

/// Most forms of a workspace.
pub const MAX_FORMS: u32 = 200;
/// The beginning of a field's key that names a custom field.
pub const CUSTOM: &str = "custom.";

/// How visitors meet the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A page of ours.
    #[default]
    HostedPage,
    /// Inside the shop's page.
    Embedded,
    /// A window over the shop's page.
    Popup,
    /// A small window in a corner of the shop's page.
    SlideIn,
}

/// The language of a form's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormLanguage)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Vietnamese.
    #[default]
    Vi,
    /// English.
    En,
}

impl Language {
    /// The language tag of pages.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }
}

/// Whether the form takes submissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not yet.
    #[default]
    Draft,
    /// Yes.
    Published,
    /// Not now: the page says that the form is closed.
    Paused,
    /// Not any more: the form is kept for its report, and publishing opens it again.
    Archived,
}

/// A question of the form about a field of the contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormField)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// `email`, `phone`, a plain field such as `full_name`, or `custom.` and the key of a custom field.
    #[schema(min_length = 1, max_length = 100, example = "email")]
    pub key: String,
    /// The question in Vietnamese; absent: the field's own label.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub label_vi: Option<String>,
    /// The question in English; absent: the field's own label.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub label_en: Option<String>,
    /// An example inside the empty box.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub placeholder: Option<String>,
    /// A hint below the question.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub help: Option<String>,
    /// Whether the form is refused without a usable answer. A wrong answer to another question stays in the event.
    #[serde(default)]
    pub required: bool,
    /// The answer that the form begins with, or that a hidden field always has.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub default: Option<String>,
    /// Whether nobody sees the question: the contact gets `default`.
    #[serde(default)]
    pub hidden: bool,
}

impl Field {
    /// The key of the custom field that it names.
    pub fn custom(&self) -> Option<&str> {
        self.key.strip_prefix(CUSTOM)
    }
}

/// A box that asks for consent to marketing by one channel. It is never ticked beforehand and never required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormConsent)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The text beside the box. It is stored as proof, with the version of the form.
    #[schema(
        min_length = 1,
        max_length = 1000,
        example = "Tôi đồng ý nhận email ưu đãi mỗi tuần một lần."
    )]
    pub text: String,
}

/// A mail asks the person to confirm the consent to mails. Until then the contact is `pending` and gets no marketing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormDoubleOptIn)]
#[serde(deny_unknown_fields)]
pub struct DoubleOptIn {
    /// Name shown in the inbox.
    #[schema(min_length = 1, max_length = 100)]
    pub from_name: String,
    /// A proven sender of the workspace.
    pub from_email: EmailAddress,
    /// Whether a second mail follows after 24 hours without an answer.
    #[serde(default)]
    pub reminder: bool,
}

/// The keys of Cloudflare Turnstile. They are no settings: the secret key is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The key of the widget, which everybody sees.
    pub site_key: String,
    /// The key of the verifier, sealed for the workspace.
    pub sealed_secret: String,
}

/// How often a visitor sees a pop-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormFrequency)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// Once.
    Once,
    /// Once in each visit of the site.
    Session,
    /// Again after `every_days`.
    Days,
}

/// A kind of screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormDevice)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// At least 1,024 pixels of CSS wide.
    Desktop,
    /// From 600 pixels on.
    Tablet,
    /// Narrower than 600 pixels.
    Phone,
}

/// The visitors that see a pop-up. A browser knows its own visits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormVisitors)]
#[serde(rename_all = "snake_case")]
pub enum Visitors {
    /// All.
    #[default]
    All,
    /// Those in their first visit of a page with the form.
    New,
    /// Those that come back.
    Returning,
}

/// When and where a pop-up opens. The first rule that is met opens the window; without one it opens at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormPopup)]
#[serde(deny_unknown_fields)]
pub struct Popup {
    /// Seconds after the page was opened.
    #[serde(default)]
    #[schema(maximum = 3600)]
    pub delay_seconds: Option<u32>,
    /// The part of the page that was scrolled, in percent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100)]
    pub scroll_percent: Option<u32>,
    /// When the pointer leaves the page at its top.
    #[serde(default)]
    pub on_exit: bool,
    /// When the visitor presses an element of the page with the attribute `data-tanigo-form`, which holds the id of the form.
    #[serde(default)]
    pub on_click: bool,
    /// Screens that show the window. Empty: all.
    #[serde(default)]
    #[schema(max_items = 3)]
    pub devices: Vec<Device>,
    /// Visitors that see the window.
    #[serde(default)]
    pub visitors: Visitors,
    /// No window before this time.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub from: Option<Timestamp>,
    /// No window from this time on.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub until: Option<Timestamp>,
    /// How often.
    pub frequency: Frequency,
    /// Days between two openings, for the frequency `days`.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 365)]
    pub every_days: Option<u32>,
    /// Paths that show the window; `*` stands for any text. Empty: all.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["/san-pham/*"]))]
    pub include: Vec<String>,
    /// Paths that do not show the window.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub exclude: Vec<String>,
}

/// The settings of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = FormSettings)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name that the workspace's people see.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// How visitors meet it.
    #[serde(default)]
    pub kind: Kind,
    /// The language of the page, unless its address names another.
    #[serde(default)]
    pub language: Language,
    /// Heading of the page.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub title: Option<String>,
    /// Text below the heading.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub intro: Option<String>,
    /// Text of the button.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub button: Option<String>,
    /// The questions, in their order.
    #[schema(min_items = 1, max_items = 30)]
    pub fields: Vec<Field>,
    /// The boxes that ask for consent to marketing, by channel. A channel without one was not asked for.
    #[serde(default)]
    pub consent: BTreeMap<Channel, Question>,
    /// Whether a consent to mails must be confirmed by mail; absent: a tick is enough.
    #[serde(default)]
    pub double_opt_in: Option<DoubleOptIn>,
    /// Tags that its contacts get.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub list_ids: Vec<ListId>,
    /// Text after the submission.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub success_message: Option<String>,
    /// Page that the visitor sees after the submission, instead of the text.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub redirect_url: Option<String>,
    /// When a window opens.
    #[serde(default)]
    pub popup: Option<Popup>,
    /// Hosts of the pages that may hold or post the form, such as `shop.example.vn` or `*.example.vn`. Empty: any.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub allowed_hosts: Vec<String>,
    /// The looks of the page; absent: ours.
    #[serde(default)]
    pub design: Option<Design>,
}

/// A signup form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Id; public, part of its address.
    pub id: FormId,
    /// Whether it takes submissions.
    #[serde(default)]
    pub status: Status,
    /// Number of the settings; each replacement is a new one. Proofs of consent name it.
    pub settings_version: u64,
    /// The settings.
    pub settings: Settings,
    /// Set if Turnstile checks that a person fills in the form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Form {
    /// Whether a page of this origin, as browsers send it, may post the form to `own`, the host of the request.
    pub fn admits(&self, origin: Option<&str>, own: &str) -> bool {
        let hosts = &self.settings.allowed_hosts;
        let Some(origin) = origin.filter(|_| !hosts.is_empty()) else {
            return true;
        };
        let Some(host) = url::Url::parse(origin)
            .ok()
            .and_then(|url| url.host_str().map(str::to_lowercase))
        else {
            return false;
        };
        let own = own.rsplit_once(':').map_or(own, |(host, _)| host);
        let is_listed = |listed: &String| match listed.strip_prefix("*.") {
            Some(domain) => host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.')),
            None => host == *listed,
        };
        host == own.to_lowercase() || hosts.iter().any(is_listed)
    }
}
