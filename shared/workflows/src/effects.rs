//! The effects of an enrollment, made from its item (docs/adr/0003).
//!
//! Pure: `change-relay` runs these functions on images from the table's stream, at least once and late.

use channels::{Send, SendMessage};
use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error};
use kernel::{ContactId, WorkflowId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::StepMessage;
use crate::enrollment::{EnrollmentId, OwnSend};

/// The state continues at once.
pub(crate) const STEP: Rule = Rule {
    name: "workflow.step",
    messages: step,
};
/// The state sends messages.
pub(crate) const SENDS: Rule = Rule {
    name: "workflow.sends",
    messages: sends,
};

/// All rules of the table Flow.
pub const EFFECTS: &[Rule] = &[STEP, SENDS];

#[derive(Deserialize)]
struct State {
    id: EnrollmentId,
    token: String,
}

fn step(image: &Image) -> Result<Vec<Effect>, Error> {
    let State { id, token } = image.row()?;
    let message = StepMessage::V1 {
        enrollment: id,
        token: token.clone(),
    };
    Ok(vec![Effect::new(image.tenant(), token, &message)?])
}

#[derive(Deserialize)]
struct Sending {
    id: EnrollmentId,
    workflow: WorkflowId,
    contact: ContactId,
    trigger: Value,
    sends: Vec<OwnSend>,
}

fn sends(image: &Image) -> Result<Vec<Effect>, Error> {
    let state: Sending = image.row()?;
    let effect = |own: OwnSend| {
        let id = format!("{}#{}", state.id, own.node);
        let send = Send {
            scope: state.id.to_string(),
            step: own.node,
            contact: state.contact,
            content: own.content,
            data: json!({ "trigger": state.trigger }),
            class: own.class,
            reason: own.reason,
            workflow: Some(state.workflow),
            opt_in: None,
            test: None,
            at: own.at,
            slot: None,
        };
        Effect::new(image.tenant(), id, &SendMessage::V1(Box::new(send)))
    };
    state.sends.into_iter().map(effect).collect()
}

#[cfg(test)]
mod tests {
    use cloud::outbox::effects_of;

    use super::*;

    #[test]
    fn a_state_asks_for_its_messages_and_its_next_step() {
        let mail = |node: &str, mail: &str, class: &str| json!({ "M": { "node": { "S": node }, "content": { "M": { "channel": { "S": "email" }, "mail": { "S": mail } } }, "class": { "S": class }, "at": { "S": "2026-03-02T08:00:00Z" } } });
        let image = json!({
            "pk": { "S": "ws_00000000001#enr_1" },
            "sk": { "S": "STATE" },
            "id": { "S": "enr_1" },
            "token": { "S": "9f2b" },
            "workflow": { "S": "wfl_0000000000b" },
            "contact": { "S": "con_0000000000a" },
            "trigger": { "M": { "event": { "S": "form.submitted" }, "n": { "N": "3" } } },
            "sends": { "L": [mail("n1", "ab12", "marketing"), mail("n2", "cd34", "transactional")] },
            "pending": { "S": r#"{"names":["workflow.sends","workflow.step"],"trace":"t"}"# },
        });
        let effects = effects_of(EFFECTS, &image).unwrap();
        let found: Vec<_> = effects
            .iter()
            .map(|effect| {
                assert_eq!(effect.group, "ws_00000000001");
                let text: Value = serde_json::from_str(&effect.text).unwrap();
                (
                    effect.queue.as_str(),
                    effect.id.as_str(),
                    text["body"].clone(),
                )
            })
            .collect();
        let email = |step: &str, mail: &str, class: &str| {
            json!({
                "type": "send.v1", "scope": "enr_1", "step": step, "contact": "con_0000000000a",
                "content": { "channel": "email", "mail": mail }, "data": { "trigger": { "event": "form.submitted", "n": 3 } }, "class": class,
                "workflow": "wfl_0000000000b", "at": "2026-03-02T08:00:00Z",
            })
        };
        let step = json!({ "type": "workflow.step.v1", "enrollment": "enr_1", "token": "9f2b" });
        let expected = [
            ("message", "enr_1#n1", email("n1", "ab12", "marketing")),
            ("message", "enr_1#n2", email("n2", "cd34", "transactional")),
            ("workflow-step", "9f2b", step),
        ];
        assert_eq!(found, expected);
    }
}
