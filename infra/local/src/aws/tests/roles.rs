//! Calls under the role of a function.

use std::path::Path;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;

use super::in_memory;
use crate::template;

/// The code of the answer to a read of the directory by webhook-ladipage, whose role names partition keys.
async fn code_of(pk: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let overrides = [("EmailIdentity".to_owned(), "example.vn".to_owned())];
    let rights = template::read(&root, &overrides.into()).unwrap().rights;
    let client = Client::new(&in_memory().sdk_config_of(rights.role("webhook-ladipage")));
    let read = client.get_item().table_name("tanigo-directory");
    let read = read.key("pk", AttributeValue::S(pk.to_owned()));
    let read = read.key("sk", AttributeValue::S("ANY".to_owned()));
    let error = read.send().await.unwrap_err();
    error.code().map(str::to_owned)
}

#[tokio::test]
async fn a_foreign_partition_is_denied() {
    for foreign in ["KEY#00ff", "SESSION#00ff", "acc_00000000001"] {
        let code = code_of(foreign).await;
        assert_eq!(code.as_deref(), Some("AccessDeniedException"), "{foreign}");
    }
    // This stack does not have the table, so a call that the role allows gets another answer.
    let code = code_of("SOURCE#src_00000000001").await;
    assert_eq!(code.as_deref(), Some("ResourceNotFoundException"));
}
