//! The fields of a source that the API reads and shows.

use std::collections::BTreeMap;

use contacts::Tags;
use jiff::Timestamp;
use kernel::{Channel, ConsentField, Cursor, Limit, ListId, SourceId};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};
use sources::{CART_MINUTES, Issued, Provider, Settings, Source, SourceChange};

/// Minutes until a cart counts as left behind: a quarter of an hour to a week.
const MINUTES: std::ops::RangeInclusive<u32> = 15..=10_080;
const MAX_TEXT: usize = 255;
const MAX_TAGS: usize = 50;
const MAX_LISTS: usize = 20;
const MAX_MAPPING: usize = 100;
/// Texts that mean yes.
const MAX_YES: usize = 20;
/// Characters of a consent's text, as in `contacts::consent`.
const MAX_CONSENT: usize = 1_000;
/// Characters of a field's name, as in `sources::ladipage`.
const MAX_FIELD: usize = 100;

/// Query of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(default)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// The name of a form's field.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(min_length = 1, max_length = 100, example = "phone")]
pub struct FieldName(String);

/// A source to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    provider: Provider,
    /// The provider's secret, if its owner has it already. Without it one is made for `custom`, `getfly` and `kiotviet`;
    /// the sources of other providers wait until `PUT /v1/sources/{id}/secret` enters it. LadiPage has none.
    #[schema(min_length = 8, max_length = 200, write_only)]
    secret: Option<String>,
    /// Tags that its contacts get.
    #[serde(default)]
    #[schema(max_items = 50)]
    tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    #[schema(max_items = 20)]
    list_ids: Vec<ListId>,
    /// Its own names of fields to ours: `phone`, `email`, `name`, `address`, `message`, `form_id`,
    /// `message_time`. Another target only renames the field in the event's data; see docs/forms.md.
    #[serde(default)]
    mapping: BTreeMap<String, FieldName>,
    /// The field that asks for consent to marketing, by channel: `email`, `sms`, `zalo`. A form whose field has one of
    /// the `yes` values books a consent with the form as proof. Without this nobody is subscribed.
    #[serde(default)]
    consent: BTreeMap<Channel, ConsentField>,
    /// Minutes after its last change at which a cart counts as left behind; absent: 60.
    #[schema(minimum = 15, maximum = 10_080)]
    cart_minutes: Option<u32>,
}

impl NewSource {
    /// The stored form of these fields, and the provider's secret.
    pub fn check(self) -> Result<(sources::NewSource, Option<String>), Problem> {
        let mut flaws = Flaws::default();
        check_secret(self.provider, self.secret.as_deref(), &mut flaws);
        let change = SourceUpdate {
            paused: None,
            name: Some(self.name),
            tags: Some(self.tags),
            list_ids: Some(self.list_ids),
            mapping: Some(self.mapping),
            consent: Some(self.consent),
            cart_minutes: self.cart_minutes,
        };
        let settings = change.check_with(flaws)?;
        let new = sources::NewSource {
            name: settings.name.unwrap_or_default(),
            provider: self.provider,
            settings: Settings {
                tags: settings.tags.unwrap_or_default(),
                lists: settings.lists.unwrap_or_default(),
                mapping: settings.mapping.unwrap_or_default(),
                consent: settings.consent.unwrap_or_default(),
                cart_minutes: settings.cart_minutes,
                ..Settings::default()
            },
        };
        Ok((new, self.secret))
    }
}

/// The fields of a source that may be changed; absent fields stay. Forms that are already queued are read with
/// the settings that the source had when they came.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceUpdate {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    #[schema(max_items = 20)]
    list_ids: Option<Vec<ListId>>,
    mapping: Option<BTreeMap<String, FieldName>>,
    /// The field that asks for consent, by channel; an empty object removes all.
    consent: Option<BTreeMap<Channel, ConsentField>>,
    /// Minutes after its last change at which a cart counts as left behind.
    #[schema(minimum = 15, maximum = 10_080)]
    cart_minutes: Option<u32>,
    /// True pauses the source: its requests are answered with 429 until it is resumed, so that its provider sends them
    /// again. False also connects a disconnected source again; its secrets must then be entered again.
    paused: Option<bool>,
}

impl SourceUpdate {
    /// The stored form of these fields. This does not check that the lists exist.
    pub fn check(self) -> Result<SourceChange, Problem> {
        self.check_with(Flaws::default())
    }

    fn check_with(self, mut flaws: Flaws) -> Result<SourceChange, Problem> {
        let is_bad =
            |text: &str, most: usize| text.trim().is_empty() || text.chars().count() > most;
        let is_flawed = self
            .name
            .as_ref()
            .is_some_and(|name| is_bad(name, MAX_TEXT));
        flaws.check(is_flawed, "/name", "must have 1 to 255 characters");
        let tags = self.tags.iter().flatten();
        let are_flawed =
            tags.clone().count() > MAX_TAGS || tags.clone().any(|tag| Tags::parse(tag).is_err());
        flaws.check(
            are_flawed,
            "/tags",
            "holds at most 50 tags of 1 to 255 characters",
        );
        let are_many = self.list_ids.iter().flatten().count() > MAX_LISTS;
        flaws.check(are_many, "/list_ids", "holds at most 20 lists");
        let mapping = self.mapping.iter().flatten();
        let is_bad_pair = |(from, FieldName(to)): (&String, &FieldName)| {
            is_bad(from, MAX_FIELD) || is_bad(to, MAX_FIELD)
        };
        let is_flawed = mapping.clone().count() > MAX_MAPPING || mapping.clone().any(is_bad_pair);
        let message = "holds at most 100 pairs of names of 1 to 100 characters";
        flaws.check(is_flawed, "/mapping", message);
        for (channel, field) in self.consent.iter().flatten() {
            check_consent(*channel, field, &mut flaws);
        }
        let is_flawed = self
            .cart_minutes
            .is_some_and(|minutes| !MINUTES.contains(&minutes));
        let message = "must be between 15 and 10080";
        flaws.check(is_flawed, "/cart_minutes", message);
        flaws.refuse()?;
        let plain = |pairs: BTreeMap<String, FieldName>| {
            pairs
                .into_iter()
                .map(|(from, FieldName(to))| (from, to))
                .collect()
        };
        Ok(SourceChange {
            name: self.name.map(|name| name.trim().to_owned()),
            tags: self.tags,
            lists: self.list_ids,
            mapping: self.mapping.map(plain),
            consent: self.consent,
            cart_minutes: self.cart_minutes,
            paused: self.paused,
        })
    }
}

/// A new secret of a source.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewSecret {
    /// The provider's secret. Without it one is made for `custom`, `getfly` and `kiotviet`.
    #[schema(min_length = 8, max_length = 200, write_only)]
    secret: Option<String>,
}

impl NewSecret {
    /// The secret for a source of this provider.
    pub fn check(self, provider: Provider) -> Result<Option<String>, Problem> {
        let mut flaws = Flaws::default();
        check_secret(provider, self.secret.as_deref(), &mut flaws);
        let is_missing = self.secret.is_none() && !provider.makes_secret();
        flaws.check(is_missing, "/secret", "expected the provider's secret");
        flaws.refuse()?;
        Ok(self.secret)
    }
}

fn check_secret(provider: Provider, secret: Option<&str>, flaws: &mut Flaws) {
    if let Some(Err(expected)) = secret.map(|secret| provider.check_secret(secret)) {
        flaws.add("/secret", expected);
    }
}

/// A form gives an address and a number, so it can ask for these channels.
fn check_consent(channel: Channel, asked: &ConsentField, flaws: &mut Flaws) {
    let pointer = format!("/consent/{}", channel.name());
    let is_bad = |text: &str, most: usize| text.trim().is_empty() || text.chars().count() > most;
    let is_push = channel == Channel::Push;
    flaws.check(
        is_push,
        pointer.clone(),
        "a form cannot ask for push notifications",
    );
    let message = "must have 1 to 100 characters";
    let is_flawed = is_bad(&asked.field, MAX_FIELD);
    flaws.check(is_flawed, format!("{pointer}/field"), message);
    let are_flawed = asked.yes.is_empty()
        || asked.yes.len() > MAX_YES
        || asked.yes.iter().any(|text| is_bad(text, MAX_FIELD));
    let message = "holds 1 to 20 texts of 1 to 100 characters";
    flaws.check(are_flawed, format!("{pointer}/yes"), message);
    let is_long = asked
        .text
        .as_ref()
        .is_some_and(|text| is_bad(text, MAX_CONSENT));
    let message = "must have 1 to 1000 characters";
    flaws.check(is_long, format!("{pointer}/text"), message);
}

/// Whether a source takes requests. Only an active one does.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    Active,
    Paused,
    Waiting,
    Disconnected,
}

/// A source.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    id: SourceId,
    name: String,
    provider: Provider,
    /// Where it posts to, under the API's own address.
    path: String,
    /// Header that carries its token, if the token is the only proof of its requests.
    header: Option<String>,
    /// `waiting`: it needs the provider's secret. `paused`: its owner paused it. `disconnected`: its owner disconnected it.
    status: SourceStatus,
    tags: Vec<String>,
    list_ids: Vec<ListId>,
    mapping: BTreeMap<String, String>,
    consent: BTreeMap<Channel, ConsentField>,
    /// Minutes after its last change at which a cart counts as left behind.
    cart_minutes: u32,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<Source> for SourceView {
    fn from(source: Source) -> Self {
        Self {
            path: format!("/w/{}/{}", source.provider.name(), source.id),
            id: source.id,
            name: source.name,
            provider: source.provider,
            header: source.auth.header().map(str::to_owned),
            status: match source.paused_at {
                _ if source.disconnected_at.is_some() => SourceStatus::Disconnected,
                Some(_) => SourceStatus::Paused,
                None if source.auth.is_ready() => SourceStatus::Active,
                None => SourceStatus::Waiting,
            },
            tags: source.settings.tags,
            list_ids: source.settings.lists,
            mapping: source.settings.mapping,
            consent: source.settings.consent,
            cart_minutes: source.settings.cart_minutes.unwrap_or(CART_MINUTES),
            created_at: source.created_at,
        }
    }
}

/// The only answer that holds the token and a secret that was made here.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedSource {
    #[serde(flatten)]
    source: SourceView,
    /// The token: of LadiPage in the header, of Haravan in the handshake, of `custom` as a bearer token.
    token: Option<String>,
    /// The secret, if it was made here.
    secret: Option<String>,
}

impl CreatedSource {
    pub fn new(source: SourceView, issued: Issued) -> Self {
        Self {
            source,
            token: issued.token,
            secret: issued.secret,
        }
    }
}

/// The only answer that holds a secret that was made here.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReplacedSecret {
    /// The secret, if it was made here.
    pub secret: Option<String>,
    /// The end of the secret before it.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub previous_until: Option<Timestamp>,
}
