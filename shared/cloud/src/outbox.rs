//! Messages that must follow a write: the written item names them.
//!
//! A state item carries `pending`, set by the same conditional write that moves the state. The table's stream starts
//! `change-relay`, which makes each message from the item's image and sends it. So the message of a stored state is
//! never lost, and no transaction is paid for. `pending` holds names, not messages. The content of a message is in
//! the item already, and a write is paid by the kilobyte. The relay may run twice: consumers recognise a message by
//! its id or by the state that it names.
//!
//! The same write sets `outbox`, and the item enters the index `Unsent` until its effects are sent ([`crate::relay`],
//! docs/adr/0024). This file makes texts and names; it calls no service.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::str::FromStr;

use kernel::{Clock, Entropy, TenantKey, WorkspaceId};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::item::{Key, PENDING, UNSENT};
use crate::message::{Envelope, Message, QueueName, encode};
use crate::{Error, trace};

/// One message that will be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The queue.
    pub queue: QueueName,
    /// The whole text of the message: an envelope.
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
    /// An effect for a tenant, in the tenant's message group.
    pub fn new<M: Message>(
        tenant: TenantKey,
        id: impl Into<String>,
        body: &M,
    ) -> Result<Self, Error> {
        Ok(Self {
            queue: M::QUEUE,
            text: encode(&Envelope::new(tenant, body))?,
            group: tenant.to_string(),
            id: id.into(),
            trace: trace::current(),
        })
    }

    /// The same effect in a narrower group, for FIFO queues.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }
}

/// A kind of effect: the name that an item carries, and the messages that follow from the item.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Unique in the product; begins with the part of the product that owns the item: `chat.answer`.
    pub name: &'static str,
    /// Pure: the same image always gives the same messages.
    pub messages: fn(&Image) -> Result<Vec<Effect>, Error>,
}

/// The effects of one write, by name, and the trace id of the cause. Stored as one text attribute, so that the
/// stream's filter can check whether it exists; absent if empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    names: Vec<Cow<'static, str>>,
    trace: Option<String>,
}

/// The text of [`Pending`].
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    names: Cow<'a, [Cow<'static, str>]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
}

impl Pending {
    /// The effects of the item by these rules, under the current trace id.
    pub fn of(rules: &[Rule]) -> Self {
        Self {
            names: rules.iter().map(|rule| Cow::Borrowed(rule.name)).collect(),
            trace: trace::current(),
        }
    }

    /// Whether there is nothing to send: the attribute is then left out.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether the effect of this rule is among them.
    pub fn has(&self, rule: &Rule) -> bool {
        self.names.iter().any(|name| name == rule.name)
    }

    /// These effects and the other ones, each once, under the first trace id.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for name in other.names {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        self.trace = self.trace.or(other.trace);
        self
    }

    /// Only the effects with these names.
    pub(crate) fn only(mut self, names: &BTreeSet<&str>) -> Self {
        self.names.retain(|name| names.contains(name.as_ref()));
        self
    }
}

/// The value of `outbox`: the time of the write, and a part that differs between writes of one instant.
pub(crate) fn place(clock: &Clock, entropy: &Entropy) -> String {
    let unique = entropy.u64() as u32;
    format!("{}#{unique:08x}", kernel::clock::sortable(clock.now()))
}

impl Serialize for Pending {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return s.serialize_none();
        }
        let stored = Stored {
            names: Cow::Borrowed(&self.names),
            trace: self.trace.as_deref().map(Cow::Borrowed),
        };
        let text = serde_json::to_string(&stored).map_err(S::Error::custom)?;
        s.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else {
            return Ok(Self::default());
        };
        let stored: Stored<'_> = serde_json::from_str(&text).map_err(D::Error::custom)?;
        Ok(Self {
            names: stored.names.into_owned(),
            trace: stored.trace.map(Cow::into_owned),
        })
    }
}

/// An item as it was written, from its table's stream.
#[derive(Debug, Clone)]
pub struct Image {
    tenant: TenantKey,
    key: Key,
    item: serde_dynamo::Item,
}

#[derive(Deserialize)]
struct Keys {
    pk: String,
    sk: String,
}

impl Image {
    #[expect(
        clippy::disallowed_methods,
        reason = "door: only our functions write to our tables, and the tenant begins the key"
    )]
    fn new(item: serde_dynamo::Item) -> Result<Self, Error> {
        let Keys { pk, sk } = serde_dynamo::from_item(item.clone())?;
        let workspace = pk.split('#').next().unwrap_or_default();
        let workspace: WorkspaceId = parse(workspace, "workspace")?;
        Ok(Self {
            tenant: TenantKey::authenticated(workspace),
            key: Key { pk, sk },
            item,
        })
    }

    /// The tenant of the item.
    pub fn tenant(&self) -> TenantKey {
        self.tenant
    }

    /// The part of the partition key after the tenant: `con_…` in `ws_…#con_…`.
    pub fn subject<T: FromStr>(&self) -> Result<T, Error> {
        let subject = self.key.pk.split_once('#');
        parse(subject.map_or("", |(_, subject)| subject), "subject")
    }

    /// The part of the sort key after `prefix`.
    pub fn sort<T: FromStr>(&self, prefix: &str) -> Result<T, Error> {
        parse(self.key.sk.strip_prefix(prefix).unwrap_or_default(), prefix)
    }

    /// The item's attributes.
    pub fn row<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(serde_dynamo::from_item(self.item.clone())?)
    }
}

fn parse<T: FromStr>(text: &str, what: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::Shape(format!("the item's key names no {what}")))
}

/// Why an item's effects can never be sent. The text begins with the name of the reason.
#[derive(Debug, thiserror::Error)]
pub enum Unsendable {
    /// The item does not hold what the message needs.
    #[error("Effect.Unreadable: {0}")]
    Unreadable(#[from] Error),
    /// This build has no rule of this name.
    #[error("Effect.UnknownName: {0}")]
    UnknownName(String),
}

/// The effects of an image: a stream record's `NewImage` in DynamoDB's JSON, `{"pending": {"S": "…"}, …}`. None if
/// the item carries neither `pending` nor `unsent`.
pub fn effects_of(rules: &[Rule], image: &Value) -> Result<Vec<Effect>, Unsendable> {
    let made = made_of(rules, image)?;
    Ok(made.into_iter().map(|(_, effect)| effect).collect())
}

/// The effects of an image, each with the name of its rule.
pub(crate) fn made_of(
    rules: &[Rule],
    image: &Value,
) -> Result<Vec<(&'static str, Effect)>, Unsendable> {
    let asked = asked_of(image)?;
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let item = serde_dynamo::Item::deserialize(image).map_err(Error::from)?;
    let image = Image::new(item)?;
    let mut made = Vec::new();
    for name in &asked.names {
        let rule = rules.iter().find(|rule| rule.name == name);
        let rule = rule.ok_or_else(|| Unsendable::UnknownName(name.to_string()))?;
        for mut effect in (rule.messages)(&image)? {
            effect.trace.clone_from(&asked.trace);
            made.push((rule.name, effect));
        }
    }
    Ok(made)
}

/// The effects that an image asks for: those of its last write, and those that earlier tries could not send.
pub(crate) fn asked_of(image: &Value) -> Result<Pending, Error> {
    let read = |name: &str| match image.get(name) {
        None => Ok(Pending::default()),
        Some(value) => Ok::<_, Error>(Pending::deserialize(&value["S"])?),
    };
    Ok(read(PENDING)?.and(read(UNSENT)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Ping(u32);

    impl Message for Ping {
        const QUEUE: QueueName = QueueName::new("ping");
    }

    #[derive(Deserialize)]
    struct Row {
        n: u32,
    }

    const PING: Rule = Rule {
        name: "test.ping",
        messages: |image| {
            let row: Row = image.row()?;
            let subject: String = image.subject()?;
            let shard: u32 = image.sort("SHARD#")?;
            let id = format!("{subject}#{shard}");
            Ok(vec![Effect::new(image.tenant(), id, &Ping(row.n))?])
        },
    };

    fn image(pending: &Value) -> Value {
        json!({
            "pk": { "S": "ws_00000000001#cmp_1" },
            "sk": { "S": "SHARD#03" },
            "n": { "N": "7" },
            "pending": { "S": pending.to_string() },
        })
    }

    #[tokio::test]
    async fn the_message_is_made_from_the_image_under_the_stored_trace() {
        let pending = trace::scope("t-1".into(), async { Pending::of(&[PING]) }).await;
        let text: String = serde_json::from_value(serde_json::to_value(&pending).unwrap()).unwrap();
        assert_eq!(text, r#"{"names":["test.ping"],"trace":"t-1"}"#);
        assert!(text.len() <= 64);
        let stored = serde_json::from_str(&text).unwrap();
        let effects = effects_of(&[PING], &image(&stored)).unwrap();
        let expected = Effect {
            queue: QueueName::new("ping"),
            text: r#"{"tenant":"ws_00000000001","body":7}"#.into(),
            group: "ws_00000000001".into(),
            id: "cmp_1#3".into(),
            trace: Some("t-1".into()),
        };
        assert_eq!(effects, [expected]);
    }

    #[test]
    fn what_could_not_be_sent_is_asked_for_again_once() {
        let names = json!({ "names": ["test.ping"], "trace": "new" });
        let mut image = image(&names);
        let left = json!({ "names": ["test.ping"], "trace": "old" });
        image["unsent"] = json!({ "S": left.to_string() });
        let effects = effects_of(&[PING], &image).unwrap();
        assert_eq!(effects.len(), 1);
        assert_eq!(effects[0].trace.as_deref(), Some("new"));
        image.as_object_mut().unwrap().remove("pending");
        let effects = effects_of(&[PING], &image).unwrap();
        assert_eq!(effects[0].trace.as_deref(), Some("old"));
    }

    #[test]
    fn the_places_of_one_instant_differ_and_sort_by_time() {
        let clock = |ms| Clock::from_fn(move || jiff::Timestamp::from_millisecond(ms).unwrap());
        let entropy = Entropy::seeded(1);
        let of = |ms| place(&clock(ms), &entropy);
        let (a, b, later) = (
            of(1_772_438_400_000),
            of(1_772_438_400_000),
            of(1_772_438_400_001),
        );
        assert!(a != b && a < later && b < later, "{a} {b} {later}");
        assert!(a.starts_with("2026-03-02T08:00:00.000Z#"), "{a}");
    }

    #[test]
    fn a_part_of_the_effects_keeps_its_trace() {
        let all = Pending {
            names: vec!["a".into(), "b".into()],
            trace: Some("t".into()),
        };
        let part = all.clone().only(&BTreeSet::from(["b"]));
        assert!(!part.is_empty());
        assert_eq!((part.names.len(), part.trace.as_deref()), (1, Some("t")));
        assert!(all.clone().only(&BTreeSet::new()).is_empty());
        assert_eq!(part.and(all).names, ["b", "a"]);
        assert!(Pending::of(&[PING]).has(&PING) && !Pending::default().has(&PING));
    }

    #[test]
    fn an_item_without_effects_leaves_the_attribute_out() {
        assert_eq!(
            serde_json::to_value(Pending::default()).unwrap(),
            Value::Null
        );
        let mut image = image(&json!({ "names": ["test.ping"] }));
        image.as_object_mut().unwrap().remove("pending");
        assert_eq!(effects_of(&[PING], &image).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        let why = |image: &Value| effects_of(&[PING], image).unwrap_err().to_string();
        let unknown = image(&json!({ "names": ["test.pong"] }));
        assert_eq!(why(&unknown), "Effect.UnknownName: test.pong");
        let good = image(&json!({ "names": ["test.ping"] }));
        for (attribute, value) in [
            ("pending", json!({ "S": "[{" })),
            ("n", json!({ "S": "seven" })),
            ("pk", json!({ "S": "T#1#2" })),
            ("sk", json!({ "S": "META" })),
        ] {
            let mut bad = good.clone();
            bad[attribute] = value;
            let why = why(&bad);
            assert!(why.starts_with("Effect.Unreadable: "), "{attribute}: {why}");
        }
    }
}
