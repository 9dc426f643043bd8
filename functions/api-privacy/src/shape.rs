//! The bodies that the API reads, and their checks.

use accounts::privacy::breach::Breach;
use accounts::privacy::{Kind, MAX_EVIDENCE, MAX_TASKS, PrivacyRequest, Status, Task};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Limit};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};

const MAX_NAME: usize = 255;
const MAX_TEXT: usize = 1000;

/// The requests that a list shows.
#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Open ones, the earliest date first.
    #[default]
    Open,
    /// All, newest first.
    All,
}

/// Query of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
    /// `open`: the earliest date first; a page may then hold fewer than `limit`. `all`: newest first.
    #[serde(default)]
    #[param(inline, value_type = Option<Shown>)]
    pub status: Shown,
}

/// A request to enter.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrivacyRequest {
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The contact that it is about; may be named later.
    pub contact_id: Option<ContactId>,
    /// The person, as they named themself.
    #[schema(min_length = 1, max_length = 255)]
    pub requester: String,
    /// When it was received, if that was before now.
    pub received_at: Option<Timestamp>,
    /// Whether processors or third parties take part; the term is then longer.
    #[serde(default)]
    pub third_parties: bool,
    /// The processors that have work to do.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub processors: Vec<String>,
    /// The known facts of a breach; only of the type `breach`.
    pub breach: Option<BreachFacts>,
}

/// The known facts of a breach; absent fields stay.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyBreachFacts)]
#[serde(deny_unknown_fields)]
pub struct BreachFacts {
    /// The events: when, where, how.
    #[schema(min_length = 1, max_length = 1000)]
    description: Option<String>,
    /// The kinds of data.
    #[schema(min_length = 1, max_length = 1000)]
    data: Option<String>,
    /// Number of persons, as far as it is known.
    #[schema(maximum = 4_294_967_295_u32)]
    persons: Option<u32>,
    /// The consequences for the persons.
    #[schema(min_length = 1, max_length = 1000)]
    consequences: Option<String>,
    /// The measures against it, done and planned.
    #[schema(min_length = 1, max_length = 1000)]
    measures: Option<String>,
    /// True: the authority was notified now, unless it was before.
    #[serde(default)]
    authority_notified: bool,
    /// True: the persons were told now, unless they were before.
    #[serde(default)]
    persons_notified: bool,
}

impl BreachFacts {
    fn texts(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("/breach/description", self.description.as_deref()),
            ("/breach/data", self.data.as_deref()),
            ("/breach/consequences", self.consequences.as_deref()),
            ("/breach/measures", self.measures.as_deref()),
        ]
    }

    fn check(&self, flaws: &mut Flaws) -> Result<(), Problem> {
        for (pointer, given) in self.texts() {
            if let Some(given) = given {
                flaws.take(text(pointer, given))?;
            }
        }
        Ok(())
    }

    /// The facts after the change. Texts that are given replace the former ones.
    fn onto(&self, mut breach: Breach, now: Timestamp) -> Breach {
        let new = |given: Option<&str>, old: Option<String>| {
            let given = given.map(|given| given.trim().to_owned());
            given.or(old)
        };
        breach.description = new(self.description.as_deref(), breach.description);
        breach.data = new(self.data.as_deref(), breach.data);
        breach.consequences = new(self.consequences.as_deref(), breach.consequences);
        breach.measures = new(self.measures.as_deref(), breach.measures);
        breach.persons = self.persons.or(breach.persons);
        if self.authority_notified {
            breach.authority_notified_at.get_or_insert(now);
        }
        if self.persons_notified {
            breach.persons_notified_at.get_or_insert(now);
        }
        breach
    }
}

impl NewPrivacyRequest {
    /// Refuses texts that are empty or too long, and a time to come.
    pub fn check(&self, now: Timestamp) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        flaws.take(name("/requester", &self.requester))?;
        let is_to_come = self.received_at.is_some_and(|at| at > now);
        flaws.check(is_to_come, "/received_at", "is in the future");
        let many = self.processors.len() > MAX_TASKS;
        flaws.check(many, "/processors", "has more than 20 items");
        for (n, processor) in self.processors.iter().enumerate() {
            flaws.take(name(&format!("/processors/{n}"), processor))?;
        }
        let is_breach = self.kind == Kind::Breach;
        let message = "only a breach has these facts";
        flaws.check(self.breach.is_some() && !is_breach, "/breach", message);
        let message = "a breach is about no single contact";
        flaws.check(
            self.contact_id.is_some() && is_breach,
            "/contact_id",
            message,
        );
        if let Some(breach) = &self.breach {
            breach.check(&mut flaws)?;
        }
        flaws.refuse()
    }

    /// The facts of a breach as they are stored; `None` for a request of a person.
    pub fn facts(&self, now: Timestamp) -> Option<Breach> {
        (self.kind == Kind::Breach).then(|| {
            let given = self.breach.as_ref();
            given.map_or_else(Breach::default, |one| one.onto(Breach::default(), now))
        })
    }
}

/// A change of a task.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyTaskChange)]
#[serde(deny_unknown_fields)]
pub struct TaskChange {
    /// The processor; a new one gets a task.
    #[schema(min_length = 1, max_length = 255)]
    processor: String,
    /// Whether the processor is done.
    #[serde(default)]
    done: bool,
    /// The processor's answer.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// The fields to change; absent fields stay.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyRequestUpdate {
    /// The contact that it is about. Another contact ends the verification.
    pub contact_id: Option<ContactId>,
    /// True: the identity of the person was verified now, unless it was before.
    #[serde(default)]
    verified: bool,
    /// True: the person was told now that the request was received, unless they were before.
    #[serde(default)]
    acknowledged: bool,
    /// Whether processors or third parties take part; the dates follow.
    third_parties: Option<bool>,
    /// Tasks to add or to change, by processor.
    #[serde(default)]
    #[schema(max_items = 20)]
    tasks: Vec<TaskChange>,
    /// Evidence to add, as texts or links.
    #[serde(default)]
    #[schema(max_items = 50)]
    evidence: Vec<String>,
    /// Facts of a breach to add or to replace.
    breach: Option<BreachFacts>,
}

impl PrivacyRequestUpdate {
    /// The request after the change.
    pub fn onto(
        self,
        mut request: PrivacyRequest,
        now: Timestamp,
    ) -> Result<PrivacyRequest, Problem> {
        let mut flaws = Flaws::default();
        match (&self.breach, request.breach.take()) {
            (Some(facts), Some(breach)) => {
                facts.check(&mut flaws)?;
                request.breach = Some(facts.onto(breach, now));
            }
            (Some(_), None) => flaws.add("/breach", "only a breach has these facts"),
            (None, before) => request.breach = before,
        }
        let is_breach = request.breach.is_some();
        let message = "a breach is about no single contact";
        flaws.check(
            self.contact_id.is_some() && is_breach,
            "/contact_id",
            message,
        );
        if let Some(contact) = self.contact_id
            && request.contact_id.replace(contact) != Some(contact)
        {
            request.verified_at = None;
        }
        if self.verified {
            request.verified_at.get_or_insert(now);
        }
        if self.acknowledged {
            request.acknowledged_at.get_or_insert(now);
        }
        if let Some(third_parties) = self.third_parties {
            request.third_parties = third_parties;
            request.date();
        }
        for (n, change) in self.tasks.into_iter().enumerate() {
            let at = format!("/tasks/{n}/processor");
            let Some(processor) = flaws.take(name(&at, &change.processor))? else {
                continue;
            };
            if let Some(note) = &change.note {
                flaws.take(text(&format!("/tasks/{n}/note"), note))?;
            }
            let found = request
                .tasks
                .iter()
                .position(|task| task.processor == processor);
            let place = found.unwrap_or(request.tasks.len());
            if found.is_none() {
                request.tasks.push(Task {
                    processor,
                    done_at: None,
                    note: None,
                });
            }
            let task = &mut request.tasks[place];
            task.done_at = change.done.then(|| task.done_at.unwrap_or(now));
            task.note = change.note.or(task.note.take());
        }
        flaws.check(
            request.tasks.len() > MAX_TASKS,
            "/tasks",
            "a request has at most 20 tasks",
        );
        for (n, evidence) in self.evidence.into_iter().enumerate() {
            let evidence = flaws.take(text(&format!("/evidence/{n}"), &evidence))?;
            // The same evidence again is a repetition.
            let new = evidence.filter(|one| !request.evidence.contains(one));
            request.evidence.extend(new);
        }
        let many = request.evidence.len() > MAX_EVIDENCE;
        flaws.check(
            many,
            "/evidence",
            "a request has at most 50 pieces of evidence",
        );
        flaws.refuse()?;
        Ok(request)
    }
}

/// The reason of an extension.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyExtensionReason {
    /// Why more time is needed.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

/// How a request ends.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyEnd)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Fulfilled.
    Done,
    /// Refused.
    Refused,
}

impl From<End> for Status {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::Done,
            End::Refused => Self::Refused,
        }
    }
}

/// The end of a request.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyOutcome {
    pub status: End,
    /// The result, or the reason of the refusal.
    #[schema(min_length = 1, max_length = 1000)]
    pub outcome: String,
}

/// A request whose part in the product was done.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PrivacyRun {
    #[serde(flatten)]
    pub request: PrivacyRequest,
    /// Link to the file with the data, for an hour; null where the request asks for none.
    pub file_url: Option<String>,
}

/// A name: trimmed, 1 to 255 characters.
fn name(pointer: &str, given: &str) -> Result<String, Problem> {
    bounded(pointer, given, MAX_NAME, "must have 1 to 255 characters")
}

/// A text: trimmed, 1 to 1,000 characters.
pub fn text(pointer: &str, given: &str) -> Result<String, Problem> {
    bounded(pointer, given, MAX_TEXT, "must have 1 to 1,000 characters")
}

fn bounded(pointer: &str, given: &str, most: usize, message: &str) -> Result<String, Problem> {
    let given = given.trim();
    if given.is_empty() || given.chars().count() > most {
        return Err(Problem::invalid(pointer, message));
    }
    Ok(given.to_owned())
}
