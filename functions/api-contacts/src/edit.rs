//! The edit of one contact: a JSON merge patch of its fields and identities.

use std::collections::{BTreeMap, BTreeSet};

use access::op;
use axum::extract::State;
use contacts::patch::{Edit, Edited};
use contacts::{Contact, FieldName, Identity, NotTaken, person};
use kernel::text::alike;
use kernel::{ContactId, EmailAddress, Patch, Phone, UserId};
use lambda::http::{ClientIp, Flaws, Json, May, Path, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Api, known_member, note_hourly};
use crate::handler::find;
use crate::{fields, shape};

/// The fields of a contact to change (RFC 7396): absent ones stay, `null` clears.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = ContactChange)]
#[serde(deny_unknown_fields)]
pub struct ContactPatch {
    /// The id that the shop's own system gave.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    external_id: Patch<String>,
    /// An address of another contact stays there; this contact keeps it in `shared_emails`.
    #[serde(default)]
    #[schema(value_type = Option<EmailAddress>)]
    email: Patch<EmailAddress>,
    /// A number of another contact stays there; this contact keeps it in `shared_phones`.
    #[serde(default)]
    #[schema(value_type = Option<Phone>)]
    phone: Patch<Phone>,
    /// Whole name, family name first. `null` clears the parts too.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, example = "Nguyễn Văn An")]
    full_name: Patch<String>,
    /// Given name. The whole name follows from the parts.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    first_name: Patch<String>,
    /// Family and middle name.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    last_name: Patch<String>,
    /// `male`, `female`, `other` or `unknown`; `nam` and `nữ` are understood.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 20, example = "female")]
    gender: Patch<String>,
    /// `yyyy-mm-dd`, or `--mm-dd` without the year.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 4, max_length = 30, example = "1990-03-02")]
    birthday: Patch<String>,
    /// Street and house number.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    address: Patch<String>,
    /// Ward or commune.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    ward: Patch<String>,
    /// District, as received.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    district: Patch<String>,
    /// Province or city.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    province: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    country: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 20)]
    postal_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    company: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    job_title: Patch<String>,
    /// Language tag.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 2, max_length = 35, example = "vi")]
    language: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Asia/Ho_Chi_Minh")]
    timezone: Patch<String>,
    /// Address of a picture.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 9, max_length = 1000, example = "https://shop.example.vn/an.png")]
    avatar_url: Patch<String>,
    /// The member of the workspace who looks after the contact.
    #[serde(default)]
    #[schema(value_type = Option<UserId>)]
    owner_id: Patch<UserId>,
    /// Up to 100 fields of the shop's own; `null` clears a field.
    #[serde(default)]
    custom: BTreeMap<String, Value>,
}

/// A contact after its edit.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EditedContact)]
pub struct EditedView {
    #[serde(flatten)]
    contact: Contact,
    /// Identities of the request that belong to another contact.
    not_taken: Vec<NotTaken>,
}

impl ContactPatch {
    /// The custom fields that get a value, and those that are cleared as names are compared.
    fn custom(&mut self, flaws: &mut Flaws) -> (BTreeMap<String, Value>, BTreeSet<String>) {
        let custom = std::mem::take(&mut self.custom);
        let (cleared, set): (BTreeMap<_, _>, BTreeMap<_, _>) =
            custom.into_iter().partition(|(_, value)| value.is_null());
        let mut gone = BTreeSet::new();
        for name in cleared.into_keys() {
            match FieldName::parse(&name) {
                Ok(name) => drop(gone.insert(name.key())),
                Err(error) => flaws.add(shape::custom_pointer(&name), error.to_string()),
            }
        }
        for name in set.keys().filter(|name| gone.contains(&alike(name))) {
            flaws.add(
                shape::custom_pointer(name),
                "is cleared in another spelling",
            );
        }
        (set, gone)
    }

    /// The plain fields of the edit.
    fn plain(self, edit: &mut Edit, flaws: &mut Flaws) {
        for (name, patch) in [
            ("full_name", self.full_name),
            ("first_name", self.first_name),
            ("last_name", self.last_name),
            ("gender", self.gender),
            ("birthday", self.birthday),
            ("address", self.address),
            ("ward", self.ward),
            ("district", self.district),
            ("province", self.province),
            ("country", self.country),
            ("postal_code", self.postal_code),
            ("company", self.company),
            ("job_title", self.job_title),
            ("language", self.language),
            ("timezone", self.timezone),
            ("avatar_url", self.avatar_url),
        ] {
            let Some(field) = person::field(name) else {
                continue;
            };
            let is_name = name.ends_with("_name");
            match patch {
                Patch::Keep => {}
                Patch::Clear if is_name => edit.names.push((name, None)),
                Patch::Clear => drop(edit.cleared.insert(name)),
                Patch::Set(text) => match field.parse(&text) {
                    Ok(value) if is_name => edit.names.push((name, Some(value))),
                    Ok(value) => *field.slot(&mut edit.person) = Some(value),
                    Err(message) => flaws.add(format!("/{name}"), message),
                },
            }
        }
        let mut identity = |name, patch: Patch<Identity>| match patch {
            Patch::Keep => {}
            Patch::Clear => drop(edit.cleared.insert(name)),
            Patch::Set(one) => edit.identities.push(one),
        };
        let is_bad = self
            .external_id
            .value()
            .is_some_and(|text| shape::is_bad(text));
        flaws.check(is_bad, "/external_id", "must have 1 to 255 characters");
        identity("external_id", map(self.external_id, Identity::own));
        identity("email", map(self.email, Identity::Email));
        identity("phone", map(self.phone, Identity::Phone));
    }
}

fn map<T, U>(patch: Patch<T>, f: impl FnOnce(T) -> U) -> Patch<U> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(f(value)),
    }
}

/// Change fields of a contact.
///
/// A JSON merge patch: a field that is absent stays, and `null` clears it. Tags and lists have operations of their own.
/// A new `email`, `phone` or `external_id` replaces the one that the contact shows. One that belongs to another contact
/// stays there: `not_taken` names it with its owner. An address that is cleared or replaced can be another contact's; a refusal of
/// messages stays with the person, and goes with the address too.
#[utoipa::path(
    patch,
    path = "/v1/contacts/{id}",
    operation_id = "updateContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = ContactPatch,
    responses(
        (status = 200, description = "Changed", body = EditedView),
        (status = 409, description = "Another contact has the value of a unique field"),
    ),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateContact>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(mut body): Json<ContactPatch>,
) -> Result<Json<EditedView>, Problem> {
    let id = find(&api, caller.tenant, id).await?.id;
    let (mut edit, mut flaws) = (Edit::default(), Flaws::default());
    (edit.custom, edit.cleared_custom) = body.custom(&mut flaws);
    fields::typed(&api, caller.tenant, &mut edit.custom, &mut flaws).await?;
    fields::clearable(&api, caller.tenant, &edit.cleared_custom, &mut flaws).await?;
    shape::check_custom(&edit.custom, &mut flaws);
    match body.owner_id {
        Patch::Keep => {}
        Patch::Clear => drop(edit.cleared.insert("owner_id")),
        Patch::Set(owner) => {
            flaws.take(known_member(&api, &caller, owner, "/owner_id").await)?;
            edit.owner = Some(owner);
        }
    }
    body.plain(&mut edit, &mut flaws);
    flaws.refuse()?;
    note_hourly(&api, &caller, &ip).await?;
    match api.contacts.edit(caller.tenant, id, &edit).await? {
        Edited::Yes(not_taken) => Ok(Json(EditedView {
            contact: find(&api, caller.tenant, id).await?,
            not_taken,
        })),
        Edited::Full(surplus) => Err(shape::full(&surplus)),
        Edited::NoContact => Err(Problem::not_found("contact")),
    }
}
