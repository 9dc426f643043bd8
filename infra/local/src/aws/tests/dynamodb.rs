//! Tables: conditions, indexes with several key attributes, transactions, batches, metering.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, PutRequest, ReturnConsumedCapacity,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, WriteRequest,
};

use super::in_memory;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[tokio::test]
async fn a_lost_conditional_put_returns_the_item_that_stands() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let put = |name: &str| {
        client
            .put_item()
            .table_name("plain")
            .item("pk", text("a"))
            .item("sk", text("b"))
            .item("name", text(name))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    };
    put("first").send().await.unwrap();
    let error = put("second").send().await.unwrap_err().into_service_error();
    let PutItemError::ConditionalCheckFailedException(error) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.item().unwrap()["name"], text("first"));
    let used = aws.meter().snapshot();
    assert!((used.tables["plain"].writes - 2.0).abs() < 1e-9, "{used:?}");
}

#[tokio::test]
async fn an_index_with_two_hash_attributes_is_queried_in_order() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    for (id, status, at) in [
        ("1", "open", "09"),
        ("2", "open", "07"),
        ("3", "done", "08"),
    ] {
        let put = client.put_item().table_name("plain");
        let put = put.item("pk", text(id)).item("sk", text("h"));
        let put = put.item("tenant", text("t")).item("status", text(status));
        put.item("last_activity", text(at)).send().await.unwrap();
    }
    let found = client
        .query()
        .table_name("plain")
        .index_name("ByStatus")
        .key_condition_expression("tenant = :t AND #s = :s AND last_activity > :a")
        .expression_attribute_names("#s", "status")
        .expression_attribute_values(":t", text("t"))
        .expression_attribute_values(":s", text("open"))
        .expression_attribute_values(":a", text("00"))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = found
        .items()
        .iter()
        .map(|item| item["pk"].clone())
        .collect();
    assert_eq!(ids, [text("2"), text("1")]);
    let asked = found.consumed_capacity().unwrap();
    assert!(asked.capacity_units().unwrap() > 0.0);
    assert!(
        asked.global_secondary_indexes().is_none(),
        "only the total was asked for"
    );
    let used = &aws.meter().snapshot().tables["plain"];
    assert!(used.indexes["ByStatus"].writes >= 3.0, "{used:?}");
    assert!(used.indexes["ByStatus"].reads > 0.0, "{used:?}");
}

#[tokio::test]
async fn a_cancelled_transaction_gives_its_reasons_and_changes_nothing() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let put = Put::builder()
        .table_name("plain")
        .item("pk", text("x"))
        .item("sk", text("x"));
    let put = TransactWriteItem::builder()
        .put(put.build().unwrap())
        .build();
    let delete = Delete::builder()
        .table_name("plain")
        .key("pk", text("absent"))
        .key("sk", text("absent"))
        .condition_expression("attribute_exists(pk)");
    let delete = TransactWriteItem::builder()
        .delete(delete.build().unwrap())
        .build();
    let send = client
        .transact_write_items()
        .transact_items(put)
        .transact_items(delete);
    let error = send.send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(error) = error else {
        panic!("{error:?}");
    };
    let codes: Vec<_> = error
        .cancellation_reasons()
        .iter()
        .map(|r| r.code().unwrap())
        .collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    let scan = client.scan().table_name("plain").send().await.unwrap();
    assert_eq!(scan.count(), 0);
    assert!(scan.consumed_capacity().is_none(), "nobody asked for it");
}

#[tokio::test]
async fn batches_leave_nothing_unprocessed() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let puts = (0..25).map(|n| {
        let put = PutRequest::builder()
            .item("pk", text("p"))
            .item("sk", text(format!("{n:02}")));
        WriteRequest::builder()
            .put_request(put.build().unwrap())
            .build()
    });
    let written = client
        .batch_write_item()
        .request_items("plain", puts.collect());
    let written = written.send().await.unwrap();
    assert!(written.unprocessed_items().unwrap().is_empty());
    let first = client
        .query()
        .table_name("plain")
        .key_condition_expression("pk = :p")
        .expression_attribute_values(":p", text("p"))
        .limit(10)
        .send()
        .await
        .unwrap();
    assert_eq!(first.count(), 10);
    assert_eq!(first.last_evaluated_key().unwrap()["sk"], text("09"));
}

#[tokio::test]
async fn errors_have_the_names_that_clients_match_on() {
    let aws = in_memory();
    let client = Client::new(&aws.sdk_config());
    let get = client.get_item().table_name("absent").key("pk", text("a"));
    let error = get.send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let get = client.get_item().table_name("plain").key("pk", text("a"));
    let error = get.send().await.unwrap_err().into_service_error();
    assert_eq!(
        error.meta().code(),
        Some("ValidationException"),
        "{error:?}"
    );
    let described = client
        .describe_table()
        .table_name("watched")
        .send()
        .await
        .unwrap();
    let view = described
        .table()
        .unwrap()
        .stream_specification()
        .unwrap()
        .stream_view_type();
    assert_eq!(view.unwrap().as_str(), "NEW_AND_OLD_IMAGES");
}
