//! The channel of push notifications: one message for a contact, one call for each of its devices.
//!
//! The send machine has claimed the send. A push service that takes the message for one device makes the send accepted. A device
//! that its push service no longer knows is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloud::{Error, Guard, Hosts, Outside, Recent, Resources};
use contacts::{Channel, Contact, Device, Devices};
use content::links::LinkSet;
use content::tokens::TokenKey;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, ContactId, TenantKey};
use serde_json::{Value, json};

use super::fcm::Fcm;
use super::note::{Note, Templates};
use super::payload::{self, MAX_FCM, MAX_PLAIN, Rendered};
use super::store::{PushSettings, Vapid};
use super::web::{self, Pushed};
use crate::channel::{Answer, NotReady, Recipient, SendChannel};
use crate::email::Letterhead;
use crate::send::{Class, Content, Terms};

/// Contacts a second of one workspace. FCM allows 600,000 messages a minute of a project.
pub const PER_SECOND: f64 = 500.0;
/// Time of one call of a push service.
const TIME: Duration = Duration::from_secs(8);
/// Bytes of an answer that are read.
const KEPT: usize = 1_024;
/// Origins of push services that a process remembers.
const MOST: usize = 10_000;
/// The wait after an answer that names none.
const USUAL_WAIT: u32 = 30;
/// Longest wait that a push service may ask for.
const LONGEST_WAIT: u32 = 900;

/// Sends push notifications; cheap to clone.
#[derive(Clone, Debug)]
pub struct PushChannel {
    settings: PushSettings,
    devices: Devices,
    fcm: Fcm,
    guard: Guard,
    outside: Outside,
    clock: Clock,
    token_key: TokenKey,
    base_url: String,
    /// Values of `Authorization` by workspace and origin.
    signed: Recent<(TenantKey, String), Option<String>>,
    /// Push services that asked for a pause, by workspace and origin.
    paused: Arc<Mutex<HashMap<(TenantKey, String), Timestamp>>>,
}

/// A notification with its rules.
#[derive(Debug)]
pub struct PreparedNote {
    note: Note,
    templates: Templates,
    terms: Terms,
}

/// One message for one device.
#[derive(Debug)]
struct Outgoing {
    device: Device,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The payload of a browser.
    Browser(String),
    /// The message of FCM.
    App(Value),
}

/// The messages for the devices of a contact.
#[derive(Debug)]
pub struct OutgoingNote {
    tenant: TenantKey,
    contact: ContactId,
    id: String,
    ttl: u32,
    messages: Vec<Outgoing>,
}

/// The settings of the channel's calls.
#[derive(Debug, Clone, Copy)]
pub struct Reach<'a> {
    /// Where providers are.
    pub hosts: &'a Hosts,
    /// `true`: push services of this machine may be called, on the local stack.
    pub loopback: &'a str,
    /// Where tracked links lead.
    pub base_url: &'a str,
}

impl PushChannel {
    /// Over the tables Directory and Contacts, and the client for systems outside of AWS.
    pub fn over(
        resources: &Resources,
        reach: Reach<'_>,
        settings: PushSettings,
        token_key: TokenKey,
    ) -> Self {
        let guard = Guard {
            loopback: reach.loopback == "true",
        };
        Self {
            settings,
            devices: Devices::over(resources),
            fcm: Fcm::new(resources, reach.hosts),
            guard,
            outside: resources.web().outside(guard.allows()),
            clock: resources.clock().clone(),
            token_key,
            base_url: reach.base_url.trim_end_matches('/').to_owned(),
            signed: Recent::new(resources.clock(), MOST),
            paused: Arc::default(),
        }
    }

    async fn push(&self, note: &OutgoingNote, one: &Outgoing) -> Pushed {
        let tenant = note.tenant;
        // Our own store gave no answer: nobody was called.
        let Ok(ready) = self.settings.ready(tenant).await else {
            return Pushed::Later(None);
        };
        let place = match &one.body {
            Body::Browser(_) => web::origin(&one.device.token, self.guard),
            Body::App(_) => Some("fcm".to_owned()),
        };
        // The address is none that a browser gives.
        let Some(place) = place else {
            return Pushed::Gone;
        };
        let key = (tenant, place);
        if self.is_paused(&key) {
            return Pushed::Later(None);
        }
        let pushed = match (&one.body, ready.vapid, ready.account) {
            (Body::Browser(payload), Some(vapid), _) => {
                self.browser(note, &one.device, payload, &vapid, &key).await
            }
            (Body::App(message), _, Some(account)) => {
                self.fcm
                    .send(&account, message.clone(), self.clock.now())
                    .await
            }
            // Removed since the devices were read.
            _ => Pushed::Refused("not_connected".into()),
        };
        if let Pushed::Later(wait) = &pushed {
            self.pause(key, wait.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT));
        }
        pushed
    }

    async fn browser(
        &self,
        note: &OutgoingNote,
        device: &Device,
        payload: &str,
        vapid: &Vapid,
        (tenant, origin): &(TenantKey, String),
    ) -> Pushed {
        let sealed = device
            .keys
            .as_ref()
            .and_then(|keys| web::sealed(payload, keys));
        // No browser has such keys.
        let Some(sealed) = sealed else {
            return Pushed::Gone;
        };
        let now = self.clock.now();
        let sign = || {
            let signed = web::authorization(vapid, origin, now);
            async move { Ok::<_, Error>(signed) }
        };
        // The public key is part of the name: new keys sign at once.
        let name = (*tenant, format!("{origin} {}", vapid.public_key));
        let Ok(Some(signed)) = self.signed.get(name, sign).await else {
            return Pushed::Stopped("vapid".into());
        };
        let sent = (note.id.as_str(), note.ttl);
        let Some(request) = web::request(&device.token, &signed, sent, sealed) else {
            return Pushed::Gone;
        };
        web::answer(&self.outside.send(request, TIME, KEPT).await, &note.id)
    }

    fn is_paused(&self, key: &(TenantKey, String)) -> bool {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paused.get(key);
        until.is_some_and(|until| self.clock.now() < *until)
    }

    fn pause(&self, key: (TenantKey, String), seconds: u32) {
        let now = self.clock.now();
        let until = now + SignedDuration::from_secs(seconds.into());
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.len() >= MOST {
            paused.retain(|_, until| now < *until);
        }
        // Another call may have been told a longer wait.
        let known = paused.entry(key).or_insert(until);
        *known = (*known).max(until);
    }
}

impl SendChannel for PushChannel {
    const CHANNEL: Channel = Channel::Push;
    type Prepared = PreparedNote;
    type Composed = OutgoingNote;

    /// Each workspace has its own keys.
    fn account(tenant: TenantKey) -> String {
        format!("{tenant}#push")
    }

    async fn prepare(
        &self,
        tenant: TenantKey,
        content: &Content,
        class: Class,
        letterhead: &Letterhead,
    ) -> Result<Arc<PreparedNote>, NotReady> {
        let Content::Push { note } = content else {
            return Err(NotReady::Missing("note_missing"));
        };
        let ready = self.settings.ready(tenant).await?;
        if ready.vapid.is_none() && ready.account.is_none() {
            let reason = "the workspace has set up neither web push nor FCM";
            return Err(NotReady::Invalid("push_missing", reason.to_owned()));
        }
        let templates = Templates::parse(note);
        let templates = templates.map_err(|error| NotReady::Invalid("note_invalid", error))?;
        Ok(Arc::new(PreparedNote {
            note: note.clone(),
            templates,
            terms: Terms {
                class,
                is_strict: !letterhead.takes_assumed,
            },
        }))
    }

    fn terms(ready: &PreparedNote) -> Terms {
        ready.terms
    }

    /// The devices that the workspace can reach.
    async fn devices(
        &self,
        tenant: TenantKey,
        contact: &Contact,
    ) -> Result<Option<Vec<Device>>, Error> {
        let ready = self.settings.ready(tenant).await?;
        let mut devices = self.devices.of(tenant, contact.id).await?;
        devices.retain(|device| match device.keys {
            Some(_) => ready.vapid.is_some(),
            None => ready.account.is_some(),
        });
        Ok(Some(devices))
    }

    fn compose(
        &self,
        recipient: &Recipient<'_>,
        ready: &PreparedNote,
    ) -> Result<OutgoingNote, String> {
        let (tenant, key) = (recipient.tenant, recipient.key);
        let (workspace, contact) = (tenant.to_string(), key.contact.to_string());
        let id = kernel::hash::name(&["push", &workspace, &key.scope, &contact, &key.step]);
        let links = LinkSet::of(
            Channel::Push,
            &self.base_url,
            &self.token_key,
            [&workspace, &key.scope, &contact, &key.step],
        );
        let links = links.map_err(|_| "links".to_owned())?;
        let tracked = |link: &str| links.click_url(link).unwrap_or_else(|| link.to_owned());
        let now = recipient.local_time();
        let words = |data: &Value| {
            let (title, body) = ready.templates.render(data, &now)?;
            Ok::<_, String>(Rendered { title, body })
        };
        let own = words(&recipient.merge_data())?;
        // Anybody can name a device by a public key: such a device gets nothing of the contact.
        let public = words(&json!({}));
        let expires = recipient.now.as_second() + i64::from(ready.note.ttl);
        let compose = |device: &Device| {
            let words = if device.is_confirmed {
                &own
            } else {
                public.as_ref().map_err(Clone::clone)?
            };
            let body = if device.keys.is_some() {
                let payload = payload::browser(&ready.note, words, &id, tracked);
                let is_long = payload.len() > MAX_PLAIN;
                (!is_long).then_some(Body::Browser(payload))
            } else {
                let to = (device.token.as_str(), expires);
                let message = payload::app(&ready.note, words, &id, to, tracked);
                let is_long = message.to_string().len() > MAX_FCM + device.token.len();
                (!is_long).then_some(Body::App(message))
            };
            Ok::<_, String>(Outgoing {
                device: device.clone(),
                body: body.ok_or("too_large")?,
            })
        };
        let mut messages = Vec::new();
        let mut fault = None;
        for device in recipient.devices {
            match compose(device) {
                Ok(message) => messages.push(message),
                Err(error) => fault = Some(error),
            }
        }
        if messages.is_empty() {
            return Err(fault.unwrap_or_else(|| "no_address".to_owned()));
        }
        Ok(OutgoingNote {
            tenant,
            contact: recipient.contact.id,
            id,
            ttl: ready.note.ttl,
            messages,
        })
    }

    async fn call(&self, note: OutgoingNote) -> Answer {
        let pushes = note.messages.iter().map(|one| self.push(&note, one));
        let pushed = join_all(pushes).await;
        let gone = note
            .messages
            .iter()
            .zip(&pushed)
            .filter(|(_, pushed)| **pushed == Pushed::Gone);
        for (one, _) in gone {
            let removed = self
                .devices
                .remove(note.tenant, note.contact, &one.device.token);
            // The next send finds it gone again.
            if let Err(error) = removed.await {
                tracing::warn!(%error, "a device that is gone was not forgotten");
            }
        }
        joined(pushed)
    }
}

/// The answer for the contact: accepted by one device is accepted.
fn joined(pushed: Vec<Pushed>) -> Answer {
    let (mut unknown, mut later, mut stopped, mut refused) = (false, false, None, None);
    let mut accepted = None;
    for one in pushed {
        match one {
            Pushed::Accepted(id) => accepted = accepted.or(Some(id)),
            Pushed::NoAnswer => unknown = true,
            Pushed::Later(_) => later = true,
            Pushed::Stopped(code) => stopped = Some(code),
            Pushed::Refused(code) => refused = Some(code),
            Pushed::Gone => {}
        }
    }
    match (accepted, stopped) {
        (Some(id), _) => Answer::Accepted { id },
        (None, _) if unknown => Answer::NoAnswer,
        (None, _) if later => Answer::Throttled,
        (None, Some(code)) => Answer::Stopped { code },
        (None, None) => Answer::Refused {
            code: refused.unwrap_or_else(|| "device_gone".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_that_took_it_makes_it_accepted() {
        let id = || Pushed::Accepted("m1".into());
        let refused = |code: &str| Answer::Refused { code: code.into() };
        let accepted = Answer::Accepted { id: "m1".into() };
        for (pushed, expected) in [
            (vec![Pushed::Gone, Pushed::NoAnswer, id()], accepted.clone()),
            (vec![id(), Pushed::Later(None)], accepted),
            (
                vec![Pushed::Later(None), Pushed::NoAnswer],
                Answer::NoAnswer,
            ),
            (
                vec![Pushed::Gone, Pushed::Later(Some(9))],
                Answer::Throttled,
            ),
            (vec![Pushed::Gone, Pushed::Gone], refused("device_gone")),
            (
                vec![Pushed::Gone, Pushed::Refused("x".into())],
                refused("x"),
            ),
            (
                vec![Pushed::Refused("x".into()), Pushed::Stopped("y".into())],
                Answer::Stopped { code: "y".into() },
            ),
        ] {
            assert_eq!(joined(pushed), expected);
        }
    }
}
