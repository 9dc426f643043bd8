//! The reader over the project's own templates.

use std::path::Path;

use crate::template::model::Trigger;
use crate::template::read;

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
    assert_eq!(relay.triggers.len(), 4);
    let out = stack
        .queues
        .iter()
        .find(|queue| queue.name == "tanigo-chat-out.fifo")
        .unwrap();
    assert!(out.fifo);
    assert_eq!(
        out.redrive,
        Some(("tanigo-chat-out-dlq.fifo".to_owned(), 5))
    );
    assert_eq!(stack.rules.len(), 1);
    assert_eq!(stack.rules[0].queue, "tanigo-delivery-events");
    assert_eq!(stack.buckets, ["tanigo-imports-bucket"]);
    let socket = stack
        .functions
        .iter()
        .find(|one| one.handler == "chat-socket")
        .unwrap();
    assert_eq!(socket.triggers.len(), 3);
}

#[test]
fn a_function_may_do_what_its_role_says_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let overrides = [("EmailIdentity".to_owned(), "example.vn".to_owned())];
    let rights = read(&root, &overrides.into()).unwrap().rights;

    let may = [
        ("ingest", "dynamodb", "GetItem", "tanigo-contacts"),
        ("ingest", "sqs", "SendMessage", "tanigo-ingest-dlq"),
        ("campaign-planner", "dynamodb", "Query", "tanigo-contacts"),
        ("campaign-sender-email", "ses", "SendEmail", ""),
        (
            "chat-notifier",
            "sockets",
            "PostToConnection",
            "some-connection",
        ),
        ("contact-import", "s3", "GET", "tanigo-imports-bucket"),
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
        ("ingest", "dynamodb", "Scan", "tanigo-contacts"),
        ("ingest", "dynamodb", "GetItem", "tanigo-chat"),
        ("ingest", "dynamodb", "GetItem", "tanigo-contacts-old"),
        ("ingest", "sqs", "SendMessage", "tanigo-ingest"),
        ("ingest", "ses", "SendEmail", ""),
        ("ingest", "s3", "GET", "tanigo-imports-bucket"),
        ("contact-import", "s3", "DELETE", "tanigo-imports-bucket"),
        ("nobody", "dynamodb", "GetItem", "tanigo-contacts"),
    ];
    for (handler, service, operation, resource) in may_not {
        assert!(
            !rights.allows(handler, service, operation, resource),
            "{handler} may {service}:{operation} {resource}"
        );
    }
}
