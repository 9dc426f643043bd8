//! Scheduled functions: late, twice, skipped.

use serde_json::{Value, json};
use tanigo_local::template::model::Trigger;

use crate::sim::Sim;

impl Sim {
    /// Every scheduled function with its event.
    pub fn scheduled(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for function in &self.world.model.functions {
            for trigger in &function.triggers {
                if let Trigger::Schedule { input, .. } = trigger {
                    let event = input
                        .as_ref()
                        .map(|text| serde_json::from_str(text).unwrap());
                    found.push((function.handler.clone(), event.unwrap_or_else(|| json!({}))));
                }
            }
        }
        found
    }

    /// Fires every schedule; some twice at once.
    pub async fn tick(&self) {
        for (handler, event) in self.scheduled() {
            self.note(format!("tick {handler}"));
            if self.faulty.get() && self.percent(10) {
                let twice = (
                    self.invoke(&handler, event.clone()),
                    self.invoke(&handler, event),
                );
                futures::join!(twice.0, twice.1);
            } else {
                self.invoke(&handler, event).await;
            }
        }
    }
}
