//! Checks from small runs that the design carries its intended load.
//!
//! A test cannot run 10,000 events a second. Each scenario runs some hundreds of operations and divides the
//! units of each partition by this number. The result times the rate is the load of the partition. Partitions that
//! belong to one contact, conversation or batch come out too hot, never too cold: in a small run fewer partitions
//! share the load.

mod bill;
mod heat;
mod log;
mod run;
mod sizes;

#[tokio::test]
async fn a_campaign_of_5_000_mails_a_second() {
    let run = run::mails().await;
    heat::check("mails", &run, 5_000.0);
    sizes::check("mails", &run, &["SendLedger", "Timeline"]);
}

#[tokio::test]
async fn forms_at_10_000_a_second() {
    let run = run::events(false).await;
    heat::check("events", &run, 10_000.0);
    sizes::check("events", &run, &["Contacts", "Timeline"]);
}

#[tokio::test]
async fn forms_that_a_workflow_listens_to() {
    let run = run::events(true).await;
    sizes::check("heard events", &run, &["Timeline"]);
}

#[tokio::test]
async fn tracked_events_at_10_000_a_second() {
    let run = run::tracked().await;
    heat::check("tracked", &run, 10_000.0);
    sizes::check("tracked", &run, &["Contacts", "Timeline"]);
    let units = run.writes("Timeline");
    let units = units.values().sum::<f64>();
    assert!((0.99..=1.01).contains(&units), "{units}");
}

#[tokio::test]
async fn new_contacts_at_5_000_a_second() {
    let run = run::newcomers().await;
    heat::check("newcomers", &run, 5_000.0);
    sizes::check("newcomers", &run, &["Contacts"]);
    // The reservation, two claims in a transaction (4), three names, the list (2), the profile and its shard.
    let units = run.writes("Contacts");
    // An id that is taken in the same instant costs one more; here the clock stands still.
    assert!(
        (10.0..=12.1).contains(&units.values().sum::<f64>()),
        "{units:?}"
    );
}

/// Ten million recipients in 72 seconds, 500 a chunk.
#[tokio::test]
async fn a_plan_of_280_chunks_a_second() {
    heat::check("plan", &run::plan().await, 280.0);
}

#[tokio::test]
async fn chat_of_500_messages_a_second() {
    let run = run::talks().await;
    heat::check("talks", &run, 500.0);
    sizes::check("talks", &run, &["Chat"]);
}
