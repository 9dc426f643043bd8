//! DynamoDB operations on whole tables, and the tables of the template.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::dynamodb::{Answer, DynamoDb, Failure, parse, serialize};
use crate::template::model::Table;

impl DynamoDb {
    /// Operations on whole tables.
    pub fn tables(&self, operation: &str, body: &[u8]) -> Answer {
        let db = &self.db;
        match operation {
            "CreateTable" => {
                let request = Self::without_stream(body)?;
                self.described("TableDescription", &db.create_table(request)?)
            }
            "DeleteTable" => self.described("TableDescription", &db.delete_table(parse(body)?)?),
            "UpdateTable" => {
                let request = Self::without_stream(body)?;
                self.described("TableDescription", &db.update_table(request)?)
            }
            "DescribeTable" => self.described("Table", &db.describe_table(parse(body)?)?),
            "DescribeLimits" => serialize(&json!({
                "AccountMaxReadCapacityUnits": 80_000,
                "AccountMaxWriteCapacityUnits": 80_000,
                "TableMaxReadCapacityUnits": 40_000,
                "TableMaxWriteCapacityUnits": 40_000,
            })),
            "ListTables" => serialize(&db.list_tables(parse(body)?)?),
            "UpdateTimeToLive" => serialize(&db.update_time_to_live(parse(body)?)?),
            "DescribeTimeToLive" => serialize(&db.describe_time_to_live(parse(body)?)?),
            "TagResource" => serialize(&db.tag_resource(parse(body)?)?),
            "UntagResource" => serialize(&db.untag_resource(parse(body)?)?),
            "ListTagsOfResource" => serialize(&db.list_tags_of_resource(parse(body)?)?),
            _ => Err(Failure::Unknown(operation.to_owned())),
        }
    }

    /// A request to make or change a table. Only the template declares streams, so a request with a stream is
    /// refused.
    fn without_stream<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
        let request: Value = parse(body)?;
        if request["StreamSpecification"]["StreamEnabled"] == true {
            let text = "In the local stack only the template declares streams";
            return Err(DynoxideError::ValidationException(text.to_owned()));
        }
        parse(body)
    }

    /// A table's description under the field `field`, with the ARNs of this account and with the stream, which
    /// the engine does not know.
    fn described(&self, field: &str, response: &impl Serialize) -> Answer {
        let mut described = serde_json::to_value(response).unwrap_or_default();
        let table = &mut described[field];
        let name = table["TableName"].as_str().unwrap_or_default().to_owned();
        if let Some(view) = self.streams.view(&name) {
            table["LatestStreamArn"] = json!(self.streams.arn(&name));
            table["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": view});
        }
        Ok(self.arns.own(&serialize(&described)?))
    }
}

/// Makes the table of the template if it is absent, and its time to live. An existing table gets the deletion
/// protection of the template.
pub(super) fn create(db: &Database, table: &Table) -> anyhow::Result<()> {
    let mut wanted = table.create_request.clone();
    wanted["TableName"] = json!(table.name);
    wanted["StreamSpecification"] = Value::Null;
    let indexes = |definition: &Value| -> Vec<String> {
        let list = definition["GlobalSecondaryIndexes"].as_array();
        let names = list.into_iter().flatten();
        let names = names.filter_map(|index| index["IndexName"].as_str().map(str::to_owned));
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    };
    let describe = serde_json::from_value(json!({"TableName": table.name}))?;
    if let Ok(found) = db.describe_table(describe) {
        let found = serde_json::to_value(&found)?;
        anyhow::ensure!(
            indexes(&found["Table"]) == indexes(&wanted),
            "its indexes differ from the template; start with --fresh"
        );
        let protected = |definition: &Value| definition["DeletionProtectionEnabled"] == true;
        if protected(&found["Table"]) != protected(&wanted) {
            let change =
                json!({"TableName": table.name, "DeletionProtectionEnabled": protected(&wanted)});
            db.update_table(serde_json::from_value(change)?)?;
        }
        return Ok(());
    }
    if let Some(fields) = wanted.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    db.create_table(serde_json::from_value(wanted)?)?;
    if let Some(attribute) = &table.ttl_attribute {
        let specification = json!({"AttributeName": attribute, "Enabled": true});
        let request = json!({"TableName": table.name, "TimeToLiveSpecification": specification});
        db.update_time_to_live(serde_json::from_value(request)?)?;
    }
    Ok(())
}
