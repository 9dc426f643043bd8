use super::*;
use crate::body::{Address, Author};
use crate::keys::Position;
use crate::model::{Delivery, Visitor};
use kernel::{ConversationId, InboxId, MessageId};

#[expect(clippy::disallowed_methods, reason = "a tenant for tests")]
fn tenant() -> TenantKey {
    TenantKey::authenticated("ws_00000000001".parse().unwrap())
}

fn agents() -> Room {
    Room {
        name: "ws_00000000001#agents".to_owned(),
        agents_of: Some(tenant()),
    }
}

fn happened(n: i64, what: What, told: bool) -> Happened {
    let at = Timestamp::from_millisecond(1_772_438_400_000 + n).unwrap();
    let address = Address {
        inbox: InboxId::derived(Timestamp::UNIX_EPOCH, &["a"]),
        visitor: Visitor::new(&kernel::Entropy::seeded(1)),
    };
    let event = Event {
        cursor: Position::before(at),
        conversation_id: ConversationId::derived(Timestamp::UNIX_EPOCH, &["a"]),
        message_id: MessageId::derived(at, &["a"]),
        r#type: what,
        at,
        author: Author::Agent,
        private: !told,
        status: Delivery::Sent,
        text: Some("\u{1}".repeat(1_000)),
    };
    Happened {
        visitor: told.then_some(address),
        event,
    }
}

#[test]
fn a_note_is_for_agents_only_and_a_repeated_notice_counts_once() {
    let note = (tenant(), happened(0, What::New, false));
    let rooms = by_room(&[note.clone(), note]);
    assert_eq!(rooms.len(), 1);
    assert_eq!(rooms[&agents()].len(), 1);
}

#[test]
fn an_answer_that_arrived_is_new_to_the_visitor() {
    let rooms = by_room(&[(tenant(), happened(0, What::Updated, true))]);
    let types = |room: &str| -> Vec<What> {
        let events = rooms.iter().find(|(one, _)| one.name.contains(room));
        events.unwrap().1.iter().map(|event| event.r#type).collect()
    };
    assert_eq!(types("#CU#"), [What::New]);
    assert_eq!(types("#agents"), [What::Updated]);
}

#[test]
fn frames_are_json_below_the_gateways_limit_and_hold_every_event_in_order() {
    let many: Vec<_> = (0..50)
        .map(|n| (tenant(), happened(n, What::New, false)))
        .collect();
    let rooms = by_room(&many);
    let mut shown: Vec<Timestamp> = Vec::new();
    for frame in frames(&rooms[&agents()]).unwrap() {
        assert!(frame.len() < 32 * 1024);
        let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(frame["v"], 1);
        let events = frame["events"].as_array().unwrap().iter();
        shown.extend(events.map(|event| {
            event["created_at"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
        }));
    }
    assert!(shown.len() == 50 && shown.is_sorted());
}
