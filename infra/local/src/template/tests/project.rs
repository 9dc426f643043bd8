//! The reader over the project's own templates.

use std::path::Path;

use crate::aws::Touched;
use crate::template::model::Trigger;
use crate::template::{Rights, read};

#[test]
fn the_projects_template_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let overrides = [
        ("EmailIdentity", "example.vn"),
        ("PublicBaseUrl", "http://127.0.0.1:8080"),
        ("SocketEndpoint", "http://127.0.0.1:8080/_sockets"),
    ];
    let overrides = overrides
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let stack = read(&root, &overrides).unwrap();

    assert_eq!(stack.authorizer.as_deref(), Some("AuthorizerFunction"));
    let ingest = stack
        .functions
        .iter()
        .find(|function| function.handler == "ingest")
        .unwrap();
    assert_eq!(ingest.environment["CONTACTS_TABLE"], "tanigo-contacts");
    let [
        Trigger::Sqs {
            queue,
            batch_size,
            window,
            report_failures,
            maximum_concurrency,
        },
    ] = ingest.triggers.as_slice()
    else {
        panic!("ingest has other triggers: {:?}", ingest.triggers)
    };
    assert_eq!(
        (queue.as_str(), *batch_size, *window),
        ("tanigo-ingest", 10, 1)
    );
    assert_eq!((*report_failures, *maximum_concurrency), (true, Some(100)));

    let sender = stack
        .functions
        .iter()
        .find(|one| one.handler == "message-sender")
        .unwrap();
    assert_eq!(
        sender.environment["PUBLIC_BASE_URL"],
        "http://127.0.0.1:8080"
    );
    let relay = stack
        .functions
        .iter()
        .find(|one| one.handler == "change-relay")
        .unwrap();
    for trigger in &relay.triggers {
        let Trigger::Stream {
            table,
            filters,
            on_failure,
            ..
        } = trigger
        else {
            panic!("change-relay has another trigger: {trigger:?}")
        };
        assert!(
            stack
                .tables
                .iter()
                .any(|one| &one.name == table && one.stream.is_some())
        );
        assert_eq!(filters.len(), 1);
        assert_eq!(on_failure.as_deref(), Some("tanigo-change-relay-dlq"));
    }
    assert_eq!(relay.triggers.len(), 6);
    let out = stack
        .queues
        .iter()
        .find(|queue| queue.name == "tanigo-chat-out.fifo")
        .unwrap();
    assert!(out.fifo);
    assert_eq!(
        out.redrive,
        Some(("tanigo-chat-out-dlq.fifo".to_owned(), 1_000))
    );
    assert_eq!(stack.rules.len(), 1);
    assert_eq!(stack.rules[0].queue, "tanigo-delivery-events");
    let events = stack.rules[0].pattern["detail"]["eventType"].to_string();
    assert!(
        events.contains("Delivery") && !events.contains("Send"),
        "{events}"
    );
    assert_eq!(
        stack.buckets,
        ["tanigo-files-bucket", "tanigo-imports-bucket"]
    );
    let socket = stack
        .functions
        .iter()
        .find(|one| one.handler == "chat-socket")
        .unwrap();
    assert_eq!(socket.triggers.len(), 3);
}

#[test]
fn a_function_may_do_what_its_role_says_and_nothing_else() {
    let rights = rights();
    assert_eq!(rights.identities(), ["example.vn"]);

    let may = [
        ("ingest", "sqs", "SendMessage", "tanigo-ingest-dlq"),
        ("campaign-sender-email", "ses", "SendEmail", ""),
        (
            "chat-notifier",
            "sockets",
            "PostToConnection",
            "some-connection",
        ),
        (
            "contact-import",
            "s3",
            "GET",
            "tanigo-imports-bucket/imports/a",
        ),
        ("ingest", "s3", "GET", "tanigo-imports-bucket/raw/a"),
        (
            "change-relay",
            "sqs",
            "SendMessageBatch",
            "tanigo-chat-out.fifo",
        ),
    ];
    for (handler, service, operation, resource) in may {
        assert!(
            rights.allows(handler, service, operation, resource),
            "{handler} may not {service}:{operation} {resource}"
        );
    }
    let may_not = [
        ("ingest", "sqs", "SendMessage", "tanigo-ingest"),
        ("ingest", "ses", "SendEmail", ""),
        ("ingest", "s3", "GET", "tanigo-imports-bucket/imports/a"),
        (
            "contact-import",
            "s3",
            "DELETE",
            "tanigo-imports-bucket/imports/a",
        ),
        ("nobody", "sqs", "SendMessage", "tanigo-ingest"),
    ];
    for (handler, service, operation, resource) in may_not {
        assert!(
            !rights.allows(handler, service, operation, resource),
            "{handler} may {service}:{operation} {resource}"
        );
    }
}

fn rights() -> Rights {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let overrides = [("EmailIdentity".to_owned(), "example.vn".to_owned())];
    read(&root, &overrides.into()).unwrap().rights
}

/// An operation on items of a table, or of its index as in `table/index`.
fn item(operation: &str, table: &str, keys: &[&str]) -> Touched {
    let (table, index) = match table.split_once('/') {
        Some((table, index)) => (table, Some(index.to_owned())),
        None => (table, None),
    };
    Touched {
        operation: operation.to_owned(),
        table: format!("tanigo-{table}"),
        index,
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
    }
}

#[test]
fn a_function_may_touch_the_items_that_its_role_names_and_no_others() {
    let rights = rights();
    let may = [
        ("ingest", item("GetItem", "contacts", &["ws_1#con_1"])),
        (
            "campaign-planner",
            item("Query", "contacts/ByMembership", &[]),
        ),
        (
            "webhook-ladipage",
            item("GetItem", "directory", &["SOURCE#src_1"]),
        ),
        ("webhook-ladipage", item("GetItem", "directory", &["ws_1"])),
        (
            "api-campaigns",
            item("PutItem", "directory", &["acc_1#AUDIT"]),
        ),
        (
            "authorizer",
            item("GetItem", "directory", &["SESSION#00ff"]),
        ),
        (
            "api-accounts",
            item("BatchGetItem", "directory", &["acc_1", "ws_1"]),
        ),
    ];
    for (handler, item) in may {
        assert!(
            rights.allows_item(handler, &item),
            "{handler} may not {item:?}"
        );
    }
    let may_not = [
        ("ingest", item("Scan", "contacts", &[])),
        ("ingest", item("GetItem", "chat", &["ws_1"])),
        ("ingest", item("GetItem", "contacts-old", &["ws_1"])),
        ("nobody", item("GetItem", "contacts", &["ws_1"])),
        // The table behind an index that may be queried, and another index of it.
        ("campaign-planner", item("Query", "contacts", &["ws_1"])),
        (
            "segment-builder",
            item("Query", "contacts/ByMembership", &[]),
        ),
        (
            "webhook-ladipage",
            item("GetItem", "directory", &["KEY#00ff"]),
        ),
        (
            "chat-widget",
            item("GetItem", "directory", &["SESSION#00ff"]),
        ),
        ("link-tracker", item("Query", "directory", &["acc_1"])),
        (
            "api-campaigns",
            item("GetItem", "directory", &["acc_1#AUDIT"]),
        ),
        ("api-campaigns", item("PutItem", "directory", &["acc_1"])),
        ("api-sources", item("PutItem", "directory", &["KEY#00ff"])),
        // One foreign key among several, and no key at all.
        (
            "api-sources",
            item(
                "BatchGetItem",
                "directory",
                &["ws_1", "LOGIN#an@example.vn"],
            ),
        ),
        ("ingest", item("Query", "directory", &[])),
    ];
    for (handler, item) in may_not {
        assert!(
            !rights.allows_item(handler, &item),
            "{handler} may {item:?}"
        );
    }
}
