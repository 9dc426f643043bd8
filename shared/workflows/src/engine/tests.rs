use channels::Class;
use contacts::Event;
use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::activity::Activity;
use crate::model::{EntryRule, Graph, Status, Workflow};
use crate::trigger::Trigger;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_438_400 + second).unwrap()
}

fn trigger() -> Trigger {
    serde_json::from_value(json!({"type": "form.submitted"})).unwrap()
}

/// A definition with steps in a row, named by their place.
fn chain(nodes: Vec<Node>) -> Definition {
    let count = nodes.len();
    let mut named = IndexMap::new();
    for (i, mut node) in nodes.into_iter().enumerate() {
        let after = (i + 1 < count).then(|| format!("n{}", i + 1));
        if let Node::WaitDuration { next, .. }
        | Node::SendEmail { next, .. }
        | Node::SendSms { next, .. }
        | Node::SendPush { next, .. }
        | Node::AddTag { next, .. } = &mut node
        {
            *next = after;
        }
        named.insert(format!("n{i}"), node);
    }
    let graph = Graph {
        start: "n0".into(),
        nodes: named,
    };
    Definition {
        trigger: trigger(),
        entry: EntryRule::Once,
        graph,
    }
}

fn wait(seconds: u32) -> Node {
    Node::WaitDuration {
        seconds,
        next: None,
    }
}

fn mail(name: &str) -> Node {
    Node::SendEmail {
        subject: "Xin chào".into(),
        mail: serde_json::from_value(json!(name)).unwrap(),
        class: Class::Marketing,
        reason: None,
        next: None,
    }
}

fn tag(name: &str) -> Node {
    Node::AddTag {
        tags: vec![name.into()],
        next: None,
    }
}

fn enrollment() -> Enrollment {
    let workflow = Workflow {
        id: "wfl_00000000001".parse().unwrap(),
        name: "Chào".into(),
        status: Status::Active,
        definition: 1,
        trigger: trigger(),
        entry: EntryRule::Once,
        created_at: at(0),
        activity: Activity::default().begun(at(0)),
        version: 2,
    };
    let event = Event {
        id: "e".into(),
        name: "form.submitted".into(),
        at: at(0),
        source: "ladipage".into(),
        data: json!({}),
    };
    let tenant = "ws_00000000001".parse().unwrap();
    let contact = "con_00000000001".parse().unwrap();
    Enrollment::begin(tenant, &workflow, "n0", contact, &event, at(0))
}

fn wake(enrollment: &Enrollment) -> Cause<'_> {
    Cause::Wake {
        token: &enrollment.token,
    }
}

#[test]
fn a_wait_then_a_mail() {
    let definition = chain(vec![tag("mới"), wait(86_400), mail("m1")]);
    let first = enrollment();
    let waiting = step(&definition, &first, wake(&first), at(5)).unwrap();
    assert_eq!(waiting.next.status, Standing::Waiting);
    assert_eq!(waiting.wake, Some(Wake::At(at(86_405))));
    assert_eq!(waiting.actions, [Action::AddTags(vec!["mới".into()])]);
    let second = waiting.next;
    assert_eq!(
        step(&definition, &second, wake(&first), at(6)),
        None,
        "the start came twice"
    );
    let ended = step(&definition, &second, wake(&second), at(86_406)).unwrap();
    assert_eq!(ended.next.status, Standing::Completed);
    assert_eq!(ended.next.version, 3);
    assert_eq!(ended.wake, None);
    assert!(matches!(&ended.actions[..], [Action::Send(mail)] if mail.node == "n2"));
    assert_eq!(
        step(&definition, &ended.next, wake(&second), at(86_407)),
        None
    );
    assert_eq!(
        step(&definition, &ended.next, wake(&ended.next), at(86_407)),
        None
    );
}

#[test]
fn a_timer_of_a_run_that_was_not_stored_ends_nothing() {
    let definition = chain(vec![wait(60), mail("m1")]);
    let first = enrollment();
    let lost = step(&definition, &first, wake(&first), at(1)).unwrap().next;
    let kept = step(&definition, &first, wake(&first), at(9)).unwrap().next;
    assert_eq!(step(&definition, &kept, wake(&lost), at(61)), None);
    assert!(step(&definition, &kept, wake(&kept), at(69)).is_some());
}

#[test]
fn a_wait_at_the_end_completes_after_it() {
    let definition = chain(vec![wait(60)]);
    let first = enrollment();
    let waiting = step(&definition, &first, wake(&first), at(0)).unwrap().next;
    let ended = step(&definition, &waiting, wake(&waiting), at(60))
        .unwrap()
        .next;
    assert_eq!(ended.status, Standing::Completed);
    assert_eq!(ended.ended_at, Some(at(60)));
}

#[test]
fn exit_and_stop_say_why() {
    let definition = chain(vec![Node::Exit]);
    let first = enrollment();
    let ended = step(&definition, &first, wake(&first), at(0)).unwrap().next;
    assert_eq!(
        (ended.status, ended.reason.as_deref()),
        (Standing::Exited, Some("exit_step"))
    );
    let stop = Cause::Stop {
        token: &first.token,
        reason: "workflow_ended",
    };
    let ended = step(&definition, &first, stop, at(0)).unwrap();
    assert_eq!(ended.next.reason.as_deref(), Some("workflow_ended"));
    assert!(ended.actions.is_empty() && ended.wake.is_none());
}

#[test]
fn a_long_way_is_continued_by_a_message() {
    let definition = chain((0..70).map(|i| tag(&i.to_string())).collect());
    let first = enrollment();
    let part = step(&definition, &first, wake(&first), at(0)).unwrap();
    assert_eq!((part.actions.len(), part.wake), (50, Some(Wake::Now)));
    assert_eq!(part.next.status, Standing::Active);
    let rest = step(&definition, &part.next, wake(&part.next), at(1)).unwrap();
    assert_eq!(
        (rest.actions.len(), rest.next.status),
        (20, Standing::Completed)
    );
    let exact = chain((0..50).map(|i| tag(&i.to_string())).collect());
    let all = step(&exact, &first, wake(&first), at(0)).unwrap();
    assert_eq!(all.next.status, Standing::Completed);
}

fn any_node() -> impl Strategy<Value = Node> {
    prop_oneof![
        (60u32..100_000).prop_map(wait),
        "[a-f0-9]{8}".prop_map(|name| mail(&name)),
        "[a-z]{1,8}".prop_map(|name| tag(&name)),
    ]
}

proptest! {
    /// For any repetition and order of messages, each step is taken once, in order, and the contact reaches the end.
    #[test]
    fn any_order_of_messages_takes_each_step_once(
        nodes in prop::collection::vec(any_node(), 1..100),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..400),
    ) {
        let count = nodes.len();
        let definition = chain(nodes);
        let mut state = enrollment();
        let mut sent = vec![state.token.clone()];
        let mut actions = Vec::new();
        let mut deliver = |state: &mut Enrollment, token: &str, sent: &mut Vec<String>, second| {
            let again = step(&definition, state, Cause::Wake { token }, at(second));
            let moved = step(&definition, state, Cause::Wake { token }, at(second));
            assert_eq!(again, moved, "the same input gives the same answer");
            if let Some(transition) = moved {
                *state = transition.next;
                actions.extend(transition.actions);
                sent.push(state.token.clone());
            }
        };
        for (second, pick) in picks.iter().enumerate() {
            let token = pick.get(&sent).clone();
            deliver(&mut state, &token, &mut sent, second as i64);
        }
        // At-least-once delivery: every message arrives in the end.
        while !state.status.is_over() {
            let token = state.token.clone();
            deliver(&mut state, &token, &mut sent, 1000);
        }
        prop_assert_eq!(state.status, Standing::Completed);
        let path: Vec<String> = state.path.iter().map(|step| step.node.clone()).collect();
        prop_assert_eq!(path, (0..count).map(|i| format!("n{i}")).collect::<Vec<_>>());
        let acting = definition.graph.nodes.values();
        let acting = acting.filter(|node| !matches!(node, Node::WaitDuration { .. })).count();
        prop_assert_eq!(actions.len(), acting);
    }
}
