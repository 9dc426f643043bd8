//! Effects that must follow a write, stored in the written item itself.
//!
//! A state item carries `pending`; the same conditional write that moves the state writes it. The
//! table's stream starts `change-relay`, which sends each effect to its queue. So there is no moment
//! at which the state has moved and the effect is lost, and no transaction is paid for. The relay may
//! run twice: consumers recognise an effect by its id or by the state it asks for.

use kernel::TenantKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::Error;
use crate::message::{Envelope, Message, QueueName, encode};

/// One message that will be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Where to.
    pub queue: QueueName,
    /// The whole message text: an envelope.
    pub text: String,
    /// Message group; the tenant unless a FIFO queue needs a narrower one.
    pub group: String,
    /// FIFO deduplication id, and the name of the effect in logs.
    pub id: String,
    /// Trace id of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl Effect {
    /// An effect for a tenant, fair by tenant.
    pub fn new<M: Message>(
        tenant: TenantKey,
        id: impl Into<String>,
        body: &M,
    ) -> Result<Self, Error> {
        let text = encode(&Envelope::new(tenant, body))?;
        let trace = crate::trace::current();
        Ok(Self {
            queue: M::QUEUE,
            text,
            group: tenant.to_string(),
            id: id.into(),
            trace,
        })
    }

    /// The same effect in a narrower group, for FIFO queues.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }
}

/// The effects of one state. Stored as one text attribute, so that the stream's filter can ask
/// whether it exists; absent when empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pending(pub Vec<Effect>);

impl Pending {
    /// Nothing to send: the attribute is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Effect>> for Pending {
    fn from(effects: Vec<Effect>) -> Self {
        Self(effects)
    }
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return s.serialize_none();
        }
        let text = serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?;
        s.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else {
            return Ok(Self::default());
        };
        serde_json::from_str(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// The effects in a stream record's new image, `{"pending": {"S": "[…]"}, …}`. Empty where the item
/// carries none.
pub fn pending_of_image(image: &Value) -> Result<Vec<Effect>, Error> {
    match image.pointer("/pending/S").and_then(Value::as_str) {
        Some(text) => Ok(serde_json::from_str(text)?),
        None => Ok(Vec::new()),
    }
}
