//! DynamoDB operations on whole tables, and the tables of the template.

use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use serde::Serialize;
use serde_json::{Value, json};

use super::dynamodb::{Answer, DynamoDb, Failure, parse, serialize};
use crate::template::model::Table;

impl DynamoDb {
    /// Operations on whole tables.
    pub fn tables(&self, operation: &str, body: &[u8]) -> Answer {
        let db = &self.db;
        match operation {
            "CreateTable" => {
                let mut request: CreateTableRequest = parse(body)?;
                // Only the template declares streams.
                request.stream_specification = None;
                serialize(&db.create_table(request)?)
            }
            "DeleteTable" => serialize(&db.delete_table(parse(body)?)?),
            "UpdateTable" => serialize(&db.update_table(parse(body)?)?),
            "DescribeTable" => {
                let response = db.describe_table(parse(body)?)?;
                serialize(&self.described(&response))
            }
            "ListTables" => serialize(&db.list_tables(parse(body)?)?),
            "UpdateTimeToLive" => serialize(&db.update_time_to_live(parse(body)?)?),
            "DescribeTimeToLive" => serialize(&db.describe_time_to_live(parse(body)?)?),
            "TagResource" => serialize(&db.tag_resource(parse(body)?)?),
            "UntagResource" => serialize(&db.untag_resource(parse(body)?)?),
            "ListTagsOfResource" => serialize(&db.list_tags_of_resource(parse(body)?)?),
            _ => Err(Failure::Unknown),
        }
    }

    /// Adds the stream, which the engine does not know of.
    fn described(&self, response: &impl Serialize) -> Value {
        let mut described = serde_json::to_value(response).unwrap_or_default();
        let table = &mut described["Table"];
        let name = table["TableName"].as_str().unwrap_or_default().to_owned();
        if let Some(view) = self.streams.view(&name) {
            table["LatestStreamArn"] = json!(self.streams.arn(&name));
            table["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": view});
        }
        described
    }
}

/// Makes the table of the template if it is absent, and its time to live.
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
