//! Tables as the template declares them, named by name or ARN, and unsupported operations.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, KeysAndAttributes,
    Put, ScalarAttributeType, SseStatus, StreamSpecification, StreamViewType, TransactWriteItem,
};
use serde_json::json;

use super::{Hand, in_memory, open, stack};

const ARN: &str = "arn:aws:dynamodb:ap-southeast-1:000000000000:table/plain";

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[tokio::test]
async fn a_table_is_shown_and_kept_as_the_template_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut template = stack();
    template.tables[0].create_request["DeletionProtectionEnabled"] = json!(true);
    template.tables[0].create_request["SSESpecification"] = json!({"Enabled": true});
    // A table of an earlier template gets the settings of the current template.
    drop(open(Some(folder.path()), Hand::new().clock()));
    template.tables.push(crate::template::model::Table {
        name: "guarded".to_owned(),
        ..template.tables[0].clone()
    });
    let aws = open(Some(folder.path()), Hand::new().clock());
    aws.create_missing(&template).unwrap();
    let client = Client::new(&aws.sdk_config());
    let described = |name: &'static str| client.describe_table().table_name(name).send();
    let shown = described("guarded").await.unwrap().table.unwrap();
    assert_eq!(shown.deletion_protection_enabled(), Some(true));
    assert_eq!(
        shown.sse_description().unwrap().status(),
        Some(&SseStatus::Enabled)
    );
    assert_eq!(
        shown.table_arn(),
        Some("arn:aws:dynamodb:ap-southeast-1:000000000000:table/guarded")
    );
    let index = shown.global_secondary_indexes()[0].index_arn().unwrap();
    assert!(
        index.starts_with("arn:aws:dynamodb:ap-southeast-1:"),
        "{index}"
    );
    let watched = described("watched").await.unwrap().table.unwrap();
    assert_eq!(watched.deletion_protection_enabled(), Some(false));
    assert!(watched.sse_description().is_none());
    for name in ["guarded", "plain"] {
        let error = client
            .delete_table()
            .table_name(name)
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            error.into_service_error().code(),
            Some("ValidationException"),
            "{name}"
        );
    }
    let update = client
        .update_table()
        .table_name("plain")
        .deletion_protection_enabled(false);
    update.send().await.unwrap();
    client
        .delete_table()
        .table_name("plain")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_is_named_by_its_arn() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let put = client
        .put_item()
        .table_name(ARN)
        .item("pk", text("a"))
        .item("sk", text(ARN));
    put.send().await.unwrap();
    let put = Put::builder()
        .table_name(ARN)
        .item("pk", text("b"))
        .item("sk", text("b"));
    let part = TransactWriteItem::builder()
        .put(put.build().unwrap())
        .build();
    client
        .transact_write_items()
        .transact_items(part)
        .send()
        .await
        .unwrap();
    let keys = KeysAndAttributes::builder()
        .keys([("pk".to_owned(), text("a")), ("sk".to_owned(), text(ARN))].into());
    let got = client
        .batch_get_item()
        .request_items(ARN, keys.build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(got.responses().unwrap()[ARN].len(), 1);
    let scan = client.scan().table_name(ARN).send().await.unwrap();
    assert_eq!(scan.count(), 2);
    assert_eq!(
        aws.meter().snapshot().tables.keys().collect::<Vec<_>>(),
        ["plain"]
    );
    let foreign = ARN.replace("ap-southeast-1", "us-east-1");
    let error = client.scan().table_name(foreign).send().await.unwrap_err();
    assert_eq!(
        error.into_service_error().code(),
        Some("ValidationException")
    );
}

#[tokio::test]
async fn what_tables_cannot_do_here_is_said() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let error = client
        .describe_continuous_backups()
        .table_name("plain")
        .send()
        .await
        .unwrap_err();
    let error = error.into_service_error();
    assert_eq!(error.code(), Some("UnknownOperationException"));
    let message = error.message().unwrap();
    assert!(
        message.contains("DescribeContinuousBackups is not in the local stack"),
        "{message}"
    );
    let limits = client.describe_limits().send().await.unwrap();
    assert!(limits.account_max_read_capacity_units().is_some());
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewImage)
        .build()
        .unwrap();
    let pk = || {
        AttributeDefinition::builder()
            .attribute_name("pk")
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    let key = || {
        KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(KeyType::Hash)
            .build()
            .unwrap()
    };
    let create = |name: &str| {
        let create = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest);
        create.attribute_definitions(pk()).key_schema(key())
    };
    let error = create("with-stream")
        .stream_specification(stream.clone())
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        error.into_service_error().code(),
        Some("ValidationException")
    );
    create("without").send().await.unwrap();
    let update = client
        .update_table()
        .table_name("without")
        .stream_specification(stream);
    let error = update.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("ValidationException"));
}
