//! The devices of a contact that take push notifications, as the shop's own system names them.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::{BrowserKeys, Device, NamedDevice, Trust};
use jiff::Timestamp;
use kernel::ContactId;
use kernel::page::Page;
use lambda::http::{ClientIp, Flaws, Json, May, Path, Problem};
use serde::{Deserialize, Serialize};

use crate::api::{Api, note_hourly};
use crate::handler::find;

/// Longest token and platform, in bytes.
const LONGEST: (usize, usize) = (4_096, 20);

/// The keys of a browser's push subscription.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewDeviceKeys)]
#[serde(deny_unknown_fields)]
pub struct KeysIn {
    /// The public key: 65 bytes in base64url.
    #[schema(min_length = 87, max_length = 87)]
    p256dh: String,
    /// The secret: 16 bytes in base64url.
    #[schema(min_length = 22, max_length = 22)]
    auth: String,
}

/// A device.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewDevice)]
#[serde(deny_unknown_fields)]
pub struct DeviceIn {
    /// The token that FCM gave the app, or the address of a browser's push service.
    #[schema(min_length = 1, max_length = 4096)]
    token: String,
    /// `android`, `ios`, `web`.
    #[schema(min_length = 1, max_length = 20)]
    platform: String,
    /// The keys of a browser; an app has none.
    #[serde(default)]
    keys: Option<KeysIn>,
}

/// A device of a contact. Its token is not shown.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Device)]
pub struct DeviceView {
    /// Its id, which follows from the token.
    id: String,
    /// `android`, `ios`, `web`, as the SDK names it.
    platform: String,
    /// Whether it is a browser.
    is_browser: bool,
    /// Whether the shop's own system named it.
    is_confirmed: bool,
    /// The last recorded sign of life.
    #[serde(serialize_with = "kernel::clock::millis")]
    seen_at: Timestamp,
}

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        Self {
            id: device.id(),
            platform: device.platform,
            is_browser: device.keys.is_some(),
            is_confirmed: device.is_confirmed,
            seen_at: device.seen_at,
        }
    }
}

impl DeviceIn {
    fn check(self) -> Result<NamedDevice, Problem> {
        let mut flaws = Flaws::default();
        for (place, text, most) in [
            ("/token", &self.token, LONGEST.0),
            ("/platform", &self.platform, LONGEST.1),
        ] {
            let message = format!("expected 1 to {most} characters");
            flaws.check(text.is_empty() || text.len() > most, place, &message);
        }
        let is_browser = self.keys.is_some();
        flaws.check(
            is_browser && !self.token.starts_with("https://"),
            "/token",
            "expected the address of a push service, as the device has keys",
        );
        let keys = self.keys.map(|keys| BrowserKeys {
            p256dh: keys.p256dh,
            auth: keys.auth,
        });
        flaws.check(
            keys.as_ref().is_some_and(|keys| !keys.are_sound()),
            "/keys",
            "expected the keys of a subscription in base64url",
        );
        flaws.refuse()?;
        Ok(NamedDevice {
            token: self.token,
            platform: self.platform,
            keys,
        })
    }
}

/// List the devices of a contact. A contact has at most 20.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/devices",
    operation_id = "listDevices",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The devices", body = Page<DeviceView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListDevices>,
    Path(id): Path<ContactId>,
) -> Result<Json<Page<DeviceView>>, Problem> {
    find(&api, caller.tenant, id).await?;
    let devices = api.contacts.devices(caller.tenant, id).await?;
    Ok(Json(Page {
        data: devices.into_iter().map(DeviceView::from).collect(),
        next: None,
    }))
}

/// Save a device of a contact.
///
/// A token has one contact: a device of another contact moves here. Call it again as a sign of life; a device without one for
/// 270 days is forgotten.
#[utoipa::path(
    put,
    path = "/v1/contacts/{id}/devices",
    operation_id = "saveDevice",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = DeviceIn,
    responses((status = 200, description = "Saved", body = DeviceView)),
)]
pub async fn save(
    State(api): State<Api>,
    caller: May<op::SaveDevice>,
    ip: ClientIp,
    Path(id): Path<ContactId>,
    Json(body): Json<DeviceIn>,
) -> Result<Json<DeviceView>, Problem> {
    find(&api, caller.tenant, id).await?;
    let named = body.check()?;
    note_hourly(&api, &caller, &ip).await?;
    let noted = api
        .contacts
        .note_device(caller.tenant, id, &named, Trust::Shop);
    noted.await?;
    let devices = api.contacts.devices(caller.tenant, id).await?;
    let mut devices = devices.into_iter();
    let saved = devices.find(|device| device.token == named.token);
    let saved = saved.ok_or_else(|| Problem::not_found("device"))?;
    Ok(Json(saved.into()))
}

/// Remove a device of a contact: its app was signed out.
#[utoipa::path(
    delete,
    path = "/v1/contacts/{id}/devices/{device_id}",
    operation_id = "removeDevice",
    tag = "contacts",
    params(
        ("id" = ContactId, Path, description = "The contact"),
        ("device_id" = String, Path, description = "The device", max_length = 16),
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveDevice>,
    ip: ClientIp,
    Path((id, device)): Path<(ContactId, String)>,
) -> Result<StatusCode, Problem> {
    find(&api, caller.tenant, id).await?;
    let devices = api.contacts.devices(caller.tenant, id).await?;
    let mut devices = devices.into_iter();
    let Some(found) = devices.find(|one| one.id() == device) else {
        return Err(Problem::not_found("device"));
    };
    note_hourly(&api, &caller, &ip).await?;
    let all = api.contacts.all_devices();
    all.remove(caller.tenant, id, &found.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
