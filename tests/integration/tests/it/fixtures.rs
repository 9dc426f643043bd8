//! Every file under `events/` is sent to its function in a world that holds the named resources. The effects must
//! be those of the table below. The files name fixed ids; the test replaces them by the ids of the world.

mod rows;
pub mod stage;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use self::rows::Rows;
use self::stage::Stage;
use crate::support::fixture;

/// Per function: the file, the answer, and the differences afterwards: rows that are new (`+`), changed (`~`) or
/// deleted (`-`), messages in queues, mails.
const EXPECTED: &[(&str, &[(&str, &str)])] = &[
    (
        "account-mailer",
        &[
            (
                "duplicate",
                "0 to repeat; Directory +3; DeliveryEvents 1; mails 1",
            ),
            ("malformed", "0 to repeat; AccountMailDlq 1"),
            (
                "mixed",
                "0 to repeat; Directory +3; AccountMailDlq 2; DeliveryEvents 1; mails 1",
            ),
            ("ok", "0 to repeat; Directory +3; DeliveryEvents 1; mails 1"),
            (
                "sender",
                "0 to repeat; Directory ~1; DeliveryEvents 1; mails 1",
            ),
        ],
    ),
    (
        "api-accounts",
        &[
            ("duplicate", "409"),
            ("malformed", "400"),
            ("ok", "201; Directory +3"),
            ("refused", "401"),
            ("wrong-password", "401; Directory +1"),
        ],
    ),
    (
        "api-campaigns",
        &[
            ("duplicate", "202; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Campaigns +2; Directory +1"),
            ("report", "200"),
            ("schedule", "202; Campaigns ~1; Directory +1; Timers +2"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-channels",
        &[
            ("duplicate", "400; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +2"),
            ("preview", "200"),
            ("unknown-field", "400"),
            ("zalo", "200"),
        ],
    ),
    (
        "api-chat",
        &[("duplicate", "201"), ("malformed", "400"), ("ok", "200")],
    ),
    (
        "api-commerce",
        &[
            ("complete", "200; Commerce ~2; Directory +1; Timeline +2"),
            ("duplicate", "200"),
            ("list", "200; Directory +1"),
            ("malformed", "400"),
            ("ok", "201; Commerce +4; Directory +1; Timeline +2"),
            ("product", "201; Commerce +3; Directory +1"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-contacts",
        &[
            ("duplicate", "200"),
            ("import", "202; Contacts +3; Directory +1"),
            ("malformed", "400"),
            ("ok", "201; Contacts +8; Directory +1"),
            ("search", "200; Directory +1"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-forms",
        &[
            ("duplicate", "200; Directory +1"),
            ("faults", "400"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +2 ~1"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-privacy",
        &[
            ("duplicate", "200; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +3; Timers +2"),
            ("register", "200"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-segments",
        &[
            ("duplicate", "409; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +2"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-sources",
        &[
            ("duplicate", "200; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +3"),
            ("unknown-field", "400"),
        ],
    ),
    (
        "api-workflows",
        &[
            ("cycle", "400"),
            ("duplicate", "200; Directory +1"),
            ("list", "200"),
            ("malformed", "400"),
            ("ok", "201; Directory +4"),
        ],
    ),
    (
        "authorizer",
        &[
            ("bad-signature", "refused"),
            ("duplicate", "granted"),
            ("malformed", "refused"),
            ("ok", "granted; Directory ~2"),
            ("socket", "granted; Directory ~2"),
        ],
    ),
    (
        "campaign-planner",
        &[
            ("decide", "0 to repeat; Campaigns ~1"),
            ("dispatch", "0 to repeat; Campaigns ~1"),
            ("duplicate", "0 to repeat; Campaigns +3 ~1"),
            ("malformed", "0 to repeat; CampaignPlanDlq 1"),
            ("mixed", "0 to repeat; Campaigns +3 ~1; CampaignPlanDlq 2"),
            ("ok", "0 to repeat; Campaigns +3 ~1"),
            ("start", "0 to repeat; Campaigns ~1"),
            ("tested", "0 to repeat; Campaigns ~1; Timers +2"),
        ],
    ),
    (
        "campaign-sender-sms",
        &[
            // A campaign that does not exist; `campaigns/texts.rs` kills the function at each call of one that does.
            ("duplicate", "0 to repeat"),
            ("malformed", "0 to repeat; CampaignSmsDlq 1"),
            ("ok", "0 to repeat"),
        ],
    ),
    (
        "campaign-sender-email",
        &[
            (
                "duplicate",
                "0 to repeat; Campaigns ~3; SendLedger +4; DeliveryEvents 4; mails 4",
            ),
            ("malformed", "0 to repeat; CampaignEmailDlq 1"),
            (
                "mixed",
                "0 to repeat; Campaigns ~3; SendLedger +4; CampaignEmailDlq 2; DeliveryEvents 4; mails 4",
            ),
            (
                "ok",
                "0 to repeat; Campaigns ~3; SendLedger +4; DeliveryEvents 4; mails 4",
            ),
        ],
    ),
    (
        "campaign-sender-zns",
        &[
            ("duplicate", "0 to repeat; Campaigns ~3; SendLedger +4"),
            ("malformed", "0 to repeat; CampaignZnsDlq 1"),
            ("ok", "0 to repeat; Campaigns ~3; SendLedger +4"),
        ],
    ),
    (
        "campaign-sender-push",
        &[
            ("duplicate", "0 to repeat; Campaigns ~3; SendLedger +4"),
            ("malformed", "0 to repeat; CampaignPushDlq 1"),
            (
                "mixed",
                "0 to repeat; Campaigns ~3; SendLedger +4; CampaignPushDlq 2",
            ),
            ("ok", "0 to repeat; Campaigns ~3; SendLedger +4"),
        ],
    ),
    (
        "change-relay",
        &[
            ("duplicate", "0 to repeat; WorkflowStep 2"),
            ("malformed", "0 to repeat; ChangeRelayDlq 1"),
            (
                "mixed",
                "0 to repeat; ChangeRelayDlq 1; ChatOut 2; WorkflowStep 1",
            ),
            ("ok", "0 to repeat; WorkflowStep 1"),
        ],
    ),
    (
        "chat-inbound",
        &[
            (
                "duplicate",
                "0 to repeat; Chat +4; Contacts +2; Timeline +1",
            ),
            ("malformed", "0 to repeat; ChatInDlq 1"),
            (
                "mixed",
                "0 to repeat; Chat +6; Contacts +2; Timeline +1; ChatInDlq 2",
            ),
            ("ok", "0 to repeat; Chat +4; Contacts +4; Timeline +1"),
        ],
    ),
    (
        "chat-notifier",
        &[
            ("duplicate", "0 to repeat; posts 2"),
            ("malformed", "0 to repeat; ChatNotifyDlq 1"),
            ("mixed", "0 to repeat; ChatNotifyDlq 1; posts 2"),
            ("ok", "0 to repeat; posts 2"),
        ],
    ),
    (
        "chat-outbound",
        &[
            ("duplicate", "0 to repeat; Chat ~1"),
            ("malformed", "0 to repeat; ChatOutDlq 1"),
            ("mixed", "0 to repeat; Chat ~1; ChatOutDlq 1"),
            ("ok", "0 to repeat; Chat ~1"),
        ],
    ),
    (
        "chat-socket",
        &[
            ("bad-signature", "401"),
            ("disconnect", "200; Realtime -2"),
            ("duplicate", "200"),
            ("malformed", "error"),
            ("ok", "200; Realtime +2"),
            ("ping", "200"),
        ],
    ),
    (
        "chat-widget",
        &[
            ("bad-signature", "401"),
            ("duplicate", "201"),
            ("malformed", "400"),
            ("message", "202; ChatIn 1"),
            ("ok", "201"),
        ],
    ),
    (
        "contact-bulk",
        &[
            ("duplicate", "0 to repeat; Contacts +2 ~3; Timeline +1"),
            ("erase", "0 to repeat; Contacts ~1 -5"),
            ("malformed", "0 to repeat; ContactBulkDlq 1"),
            ("merge", "0 to repeat; Contacts +1 ~2 -5; Timeline +1"),
            ("ok", "0 to repeat; Contacts +2 ~3; Timeline +1"),
        ],
    ),
    (
        "contact-export",
        &[
            ("duplicate", "0 to repeat; Contacts ~1; ContactExport 2"),
            ("malformed", "0 to repeat; ContactExportDlq 1"),
            ("ok", "0 to repeat; Contacts ~1; ContactExport 1"),
        ],
    ),
    (
        "contact-import",
        &[
            ("duplicate", "0 to repeat; Contacts +5 ~1; ContactImport 1"),
            ("lane", "0 to repeat; Contacts +7 ~1; ContactImport 1"),
            ("malformed", "0 to repeat; ContactImportDlq 1"),
            (
                "mixed",
                "0 to repeat; Contacts +5 ~1; ContactImport 1; ContactImportDlq 2",
            ),
            ("ok", "0 to repeat; Contacts +5 ~1; ContactImport 1"),
            ("undo", "0 to repeat; Contacts ~2 -4; ContactImport 1"),
        ],
    ),
    (
        "delivery-backlog",
        &[
            ("duplicate", "0 to repeat; Reports +1; SendLedger ~1"),
            ("malformed", "0 to repeat; DeliveryBacklogDlq 1"),
            ("ok", "0 to repeat; Reports +1; SendLedger ~1"),
            ("receipts", "0 to repeat; Reports +1; SendLedger ~1"),
        ],
    ),
    (
        "delivery-status",
        &[
            (
                "duplicate",
                "0 to repeat; Contacts ~1; Reports +1; SendLedger ~1; Timeline +1",
            ),
            ("malformed", "0 to repeat; DeliveryEventsDlq 1"),
            (
                "mixed",
                "0 to repeat; Contacts +1 ~1; Reports +2; SendLedger ~1; Timeline +1; DeliveryEventsDlq 1",
            ),
            ("ok", "0 to repeat; Reports +1; SendLedger ~1"),
        ],
    ),
    (
        "due-timer",
        &[
            ("duplicate", "done"),
            ("malformed", "done; Timers +1 -1; WorkflowStep 1"),
            ("ok", "done; Timers +1 -1; WorkflowStep 1"),
        ],
    ),
    (
        "form-submit",
        &[
            ("bad-signature", "404"),
            ("duplicate", "200; Reports ~1; Ingest 1"),
            ("faults", "422"),
            ("json", "200; Reports +1; Ingest 1"),
            ("malformed", "400"),
            ("ok", "200; Reports +1; Ingest 1"),
            ("page", "200; Reports +1"),
        ],
    ),
    (
        "ingest",
        &[
            ("cart-due", "0 to repeat"),
            ("confirmation", "0 to repeat; Contacts +1 ~2; Timeline +1"),
            (
                "double-opt-in",
                "0 to repeat; Contacts +8; Directory +1; Timeline +2; Timers +2; Message 1",
            ),
            (
                "duplicate",
                "0 to repeat; Contacts +8; Reports +1; Timeline +1",
            ),
            (
                "goods",
                "0 to repeat; Commerce +10; Contacts +7; Reports +3; Timers +2",
            ),
            ("malformed", "0 to repeat; IngestDlq 1"),
            (
                "mixed",
                "0 to repeat; Contacts +11; Directory +2; Reports +1; Timeline +3; IngestDlq 1",
            ),
            ("ok", "0 to repeat; Contacts +8; Reports +1; Timeline +1"),
            (
                "shops",
                "0 to repeat; Commerce +11; Contacts +35; Reports +6; Timeline +2",
            ),
            ("signup-form", "0 to repeat; Contacts +7; Timeline +2"),
        ],
    ),
    (
        "link-tracker",
        &[
            ("bad-signature", "404"),
            ("click", "302; Reports +1; SendLedger ~1"),
            ("duplicate", "200"),
            ("malformed", "404"),
            ("ok", "200; Reports +1; SendLedger ~1"),
            ("preferences", "200; Contacts +2 ~1"),
            ("scanner", "200; Reports +1; SendLedger ~1"),
            ("unsubscribe-page", "200"),
        ],
    ),
    (
        "message-sender",
        &[
            (
                "duplicate",
                "0 to repeat; SendLedger +1; DeliveryEvents 1; mails 1",
            ),
            ("malformed", "0 to repeat; MessageDlq 1"),
            (
                "mixed",
                "0 to repeat; SendLedger +1; DeliveryEvents 1; MessageDlq 2; mails 1",
            ),
            (
                "ok",
                "0 to repeat; SendLedger +1; DeliveryEvents 1; mails 1",
            ),
        ],
    ),
    (
        "segment-builder",
        &[
            ("clear", "0 to repeat; Segments -1"),
            ("duplicate", "0 to repeat; Directory ~1"),
            ("malformed", "0 to repeat; SegmentBuildDlq 1"),
            ("mixed", "0 to repeat; Directory ~1; SegmentBuildDlq 2"),
            ("ok", "0 to repeat; Directory ~1"),
        ],
    ),
    (
        "segment-updater",
        &[
            ("duplicate", "0 to repeat; Contacts +1; Segments +1"),
            ("flip", "0 to repeat; Contacts ~1; Segments ~1"),
            ("malformed", "0 to repeat; SegmentsDlq 1"),
            (
                "mixed",
                "0 to repeat; Contacts +1; Segments +1; SegmentsDlq 2",
            ),
            ("ok", "0 to repeat; Contacts +1; Segments +1"),
            ("placed", "0 to repeat; Contacts +1; Segments +1"),
            ("tracked", "0 to repeat; Contacts ~1"),
        ],
    ),
    (
        "source-sync",
        &[
            ("duplicate", "0 to repeat; Ingest 2"),
            ("fetch", "0 to repeat; Ingest 1"),
            ("malformed", "0 to repeat; SourceSyncDlq 1"),
            (
                "mixed",
                "0 to repeat; Directory ~2; Timers +2; SourceSyncDlq 2",
            ),
            ("ok", "0 to repeat; Directory ~2; Timers +2"),
            ("page", "0 to repeat; Directory ~1; Ingest 3; SourceSync 1"),
        ],
    ),
    (
        "track-events",
        &[
            ("bad-signature", "401"),
            ("duplicate", "200; Track 1"),
            ("malformed", "400"),
            ("ok", "200; Directory ~2; Track 1"),
            ("refused", "200; Directory ~2; Track 1"),
        ],
    ),
    (
        "track-writer",
        &[
            ("anonymous", "0 to repeat; Reports +1; Timeline +1"),
            (
                "duplicate",
                "0 to repeat; Contacts +8; Reports +1; Timeline +1",
            ),
            ("malformed", "0 to repeat; TrackDlq 1"),
            ("ok", "0 to repeat; Contacts +8; Reports +1; Timeline +1"),
            (
                "skewed",
                "0 to repeat; Contacts +2; Reports +1; Timeline +2",
            ),
        ],
    ),
    (
        "webhook-custom",
        &[
            ("bad-signature", "401; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("late", "401; Reports +1"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-getfly",
        &[
            ("bad-signature", "401; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-haravan",
        &[
            ("bad-signature", "401; Reports +1"),
            ("checkout", "200; Ingest 1"),
            ("duplicate", "200; Ingest 1"),
            ("handshake", "200"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
            ("order", "200; Ingest 1"),
            ("product", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-kiotviet",
        &[
            ("bad-signature", "429; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
            ("order", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-ladipage",
        &[
            ("bad-signature", "401; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("malformed", "400"),
            ("not-utf8", "400"),
            ("ok", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-sapo",
        &[
            ("bad-signature", "401; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
            ("omni", "200; Ingest 1"),
        ],
    ),
    (
        "webhook-shopee",
        &[
            ("bad-signature", "401; Reports +1"),
            ("duplicate", "200; Ingest 1"),
            ("malformed", "200; Ingest 1"),
            ("ok", "200; Ingest 1"),
            ("probe", "200"),
        ],
    ),
    (
        "webhook-zalo",
        &[
            ("bad-signature", "401"),
            ("chat", "200"),
            ("duplicate", "200; DeliveryBacklog 1"),
            ("malformed", "401"),
            ("ok", "200; DeliveryBacklog 1"),
            ("probe", "200"),
            ("seen", "200; DeliveryBacklog 1"),
        ],
    ),
    (
        "webhook-dispatcher",
        &[
            ("duplicate", "0 to repeat; Webhooks +1; Webhooks 2"),
            ("malformed", "0 to repeat; WebhooksDlq 1"),
            ("ok", "0 to repeat; Webhooks +1; Webhooks 1"),
        ],
    ),
    (
        "workflow-step",
        &[
            ("duplicate", "0 to repeat; Flow ~1; Timeline +1; Timers +2"),
            ("malformed", "0 to repeat; WorkflowStepDlq 1"),
            (
                "mixed",
                "0 to repeat; Flow ~1; Timeline +1; Timers +2; WorkflowStepDlq 2",
            ),
            ("ok", "0 to repeat; Flow ~1; Timeline +1; Timers +2"),
        ],
    ),
    (
        "workflow-trigger",
        &[
            ("duplicate", "0 to repeat; Flow +1"),
            ("malformed", "0 to repeat; WorkflowTriggerDlq 1"),
            ("mixed", "0 to repeat; Flow +1; WorkflowTriggerDlq 2"),
            ("ok", "0 to repeat; Flow +1"),
        ],
    ),
];

/// Rows of docs/adr/0002 that no sample event leaves.
const UNMET: &[&str] = &[
    "Contacts: ws_…#con_… / UNDO#…",
    "Contacts: ws_…#con_… / SCORE#…",
    "Contacts: ws_…#con_… / SCORED#…#…",
    "Contacts: ws_…#U#… / …",
    "Dedupe: … / …",
    "Directory: SESSION#… / SESSION",
    "Directory: INVITE#… / INVITE",
    "Directory: ws_…#PRIVACY-NOTICE / …",
    "Directory: ws_…#WEBHOOK-NOTICE / …",
    "Directory: SOURCE#CONSENT#… / CONSENT",
    "Directory: ZALO#CONSENT#… / CONSENT",
    "Limits: FREQ#… / MKT",
    "Limits: FREQ#… / SMS-ADV",
    "Timeline: ws_…#SEEN#… / ERASED",
    "Webhooks: ws_…#whk_… / HEALTH",
];

#[tokio::test]
async fn every_sample_event_does_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut rows = Rows::listed();
    for (function, files) in listed() {
        let expected: BTreeMap<&str, &str> = EXPECTED
            .iter()
            .find(|(name, _)| *name == function)
            .map(|(_, files)| files.iter().copied().collect())
            .unwrap_or_default();
        for file in &files {
            let outcome = Box::pin(outcome(&function, file, &mut rows)).await;
            if expected.get(file.as_str()) != Some(&outcome.as_str()) {
                wrong.push(format!("{function}: (\"{file}\", \"{outcome}\"),"));
            }
        }
        for file in expected
            .keys()
            .filter(|file| !files.contains(&(**file).to_owned()))
        {
            wrong.push(format!("{function}: {file} is not there"));
        }
    }
    assert!(wrong.is_empty(), "not as listed:\n{}", wrong.join("\n"));
    assert!(rows.wrong.is_empty(), "docs/adr/0002: {:#?}", rows.wrong);
    assert_eq!(rows.unmet(), UNMET, "docs/adr/0002");
}

/// The files under `events/`, without their ending, by function.
pub fn listed() -> BTreeMap<String, Vec<String>> {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    };
    let file = |name: String| name.strip_suffix(".json").unwrap_or(&name).to_owned();
    names(&events)
        .into_iter()
        .map(|function| {
            let files = names(&events.join(&function));
            (function, files.into_iter().map(file).collect())
        })
        .collect()
}

/// The event of a file, after what must have happened before the event.
pub async fn prepared(stage: &Stage, function: &str, file: &str) -> Value {
    let event = stage.own(&fixture(&format!("{function}/{file}.json")));
    // A repeated request was sent once before; the batch of a repetition itself holds the record twice.
    let before = match file {
        "duplicate" if event.get("Records").is_none() => Some(file),
        "disconnect" => Some("ok"),
        _ => None,
    };
    if let Some(before) = before {
        let event = stage.own(&fixture(&format!("{function}/{before}.json")));
        stage.world.invoke(function, event).await.unwrap();
    }
    event
}

async fn outcome(function: &str, file: &str, rows: &mut Rows) -> String {
    let stage = Stage::of(function, file).await;
    let event = prepared(&stage, function, file).await;
    let before = stage.state().await;
    let answer = stage.world.invoke(function, event).await;
    let after = stage.state().await;
    rows.check(&stage.world).await;
    let mut parts = vec![said(&answer)];
    parts.extend(after.differences(&before));
    parts.join("; ")
}

/// An answer in a word or two.
fn said(answer: &Result<Value, String>) -> String {
    let Ok(answer) = answer else {
        return "error".to_owned();
    };
    if let Some(status) = answer["statusCode"].as_u64() {
        return status.to_string();
    }
    if let Some(failed) = answer["batchItemFailures"].as_array() {
        return format!("{} to repeat", failed.len());
    }
    if let Some(context) = answer.get("context") {
        let refused = context.get("refused").is_some();
        return if refused { "refused" } else { "granted" }.to_owned();
    }
    "done".to_owned()
}
