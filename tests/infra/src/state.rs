//! Rules for resources with state: retained, recoverable, encrypted, and with keys that can be queried.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::template::{DATA, MESSAGING, OBSERVABILITY, ROOT, list, project};

/// Tables whose content can be lost, each with its reason beside it in infra/data.yaml.
const WITHOUT_RECOVERY: &[&str] = &[
    "Dedupe",
    "Limits",
    "Realtime",
    "Segments",
    "SendLedger",
    "Timeline",
    "Webhooks",
];
/// Tables whose rows never expire.
const WITHOUT_EXPIRY: &[&str] = &["Campaigns"];
/// Tables that store much and are read seldom.
const INFREQUENT: &[&str] = &["Timeline"];

#[test]
fn whatever_keeps_state_is_kept() {
    let stateful = [
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    ];
    let mut violations = Vec::new();
    for template in [&*ROOT, &*DATA, &*MESSAGING, &*OBSERVABILITY] {
        for resource in template.resources() {
            if !stateful.contains(&resource.kind()) {
                continue;
            }
            for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
                if resource.body[policy] != "Retain" {
                    violations.push(format!("{}: {}: {policy}", template.file, resource.id));
                }
            }
            if template.file != DATA.file {
                violations.push(format!("{}: {} keeps state", template.file, resource.id));
            }
        }
    }
    assert_none(
        "state is retained, and only in infra/data.yaml",
        &violations,
    );
}

#[test]
fn tables_are_on_demand_protected_and_recoverable() {
    let mut violations = Vec::new();
    for table in DATA.of_kind("AWS::DynamoDB::Table") {
        let mut require = |ok: bool, what: &str| {
            if !ok {
                violations.push(format!("{}: {what}", table.id));
            }
        };
        require(
            table.get(&["BillingMode"]) == "PAY_PER_REQUEST",
            "BillingMode",
        );
        require(
            table.get(&["DeletionProtectionEnabled"]) == true,
            "DeletionProtectionEnabled",
        );
        // DynamoDB always encrypts. `SSEEnabled` would select a KMS key that is billed by the request.
        require(
            table.get(&["SSESpecification"]).is_null(),
            "the AWS owned key",
        );
        let expiry = table.get(&["TimeToLiveSpecification"]);
        let expires = expiry["AttributeName"] == "ttl" && expiry["Enabled"] == true;
        require(
            expires != WITHOUT_EXPIRY.contains(&table.id),
            "time to live, or the list of tables without",
        );
        let infrequent = table.get(&["TableClass"]) == "STANDARD_INFREQUENT_ACCESS";
        require(infrequent == INFREQUENT.contains(&table.id), "TableClass");
        let recovery = table.get(&[
            "PointInTimeRecoverySpecification",
            "PointInTimeRecoveryEnabled",
        ]);
        require(
            recovery.as_bool() == Some(!WITHOUT_RECOVERY.contains(&table.id)),
            "point-in-time recovery, or the list of tables without",
        );
        require(
            table.get(&["TableName"]).is_null(),
            "a name of its own cannot be replaced",
        );
        let keys = table.get(&["KeySchema"]);
        let keys: Vec<_> = list(keys)
            .iter()
            .map(|key| key["AttributeName"].as_str())
            .collect();
        require(keys == [Some("pk"), Some("sk")], "pk and sk");
    }
    assert_none("tables", &violations);
}

#[test]
fn index_keys_are_attributes_and_not_concatenations() {
    let mut violations = Vec::new();
    for table in DATA.of_kind("AWS::DynamoDB::Table") {
        let mut used = BTreeSet::from(["pk", "sk"]);
        for index in list(table.get(&["GlobalSecondaryIndexes"])) {
            let name = index["IndexName"].as_str().unwrap_or_default();
            let keys = list(&index["KeySchema"]);
            let of = |kind: &str| keys.iter().filter(|key| key["KeyType"] == kind).count();
            if !(1..=4).contains(&of("HASH")) || of("RANGE") > 4 {
                violations.push(format!("{}/{name}: more than four of a kind", table.id));
            }
            // The partition key of a table begins with the tenant; this index groups the items as their table does.
            let by_partition = name == "Unsent" && keys[0]["AttributeName"] == "pk";
            if keys[0]["AttributeName"] != "tenant" && !by_partition {
                violations.push(format!(
                    "{}/{name}: the tenant does not come first",
                    table.id
                ));
            }
            for key in keys {
                let attribute = key["AttributeName"].as_str().unwrap_or_default();
                let own = attribute == "pk" && by_partition;
                if attribute.contains("gsi") || attribute == "sk" || (attribute == "pk" && !own) {
                    violations.push(format!("{}/{name}: {attribute} is synthetic", table.id));
                }
                used.insert(attribute);
            }
        }
        let defined: BTreeSet<&str> = list(table.get(&["AttributeDefinitions"]))
            .iter()
            .filter_map(|attribute| attribute["AttributeName"].as_str())
            .collect();
        if defined != used {
            violations.push(format!(
                "{}: AttributeDefinitions {defined:?} for {used:?}",
                table.id
            ));
        }
    }
    assert_none("index keys", &violations);
}

#[test]
fn the_bucket_is_private() {
    for bucket in DATA.of_kind("AWS::S3::Bucket") {
        let blocks = bucket
            .get(&["PublicAccessBlockConfiguration"])
            .as_object()
            .unwrap();
        assert_eq!(blocks.len(), 4, "{}", bucket.id);
        assert!(blocks.values().all(|flag| flag == true), "{}", bucket.id);
        assert!(
            !bucket.get(&["BucketEncryption"]).is_null(),
            "{}",
            bucket.id
        );
        assert!(
            !bucket.get(&["LifecycleConfiguration"]).is_null(),
            "{}",
            bucket.id
        );
        let guarded = DATA.of_kind("AWS::S3::BucketPolicy").iter().any(|policy| {
            policy.get(&["Bucket", "Ref"]) == bucket.id
                && list(policy.get(&["PolicyDocument", "Statement"]))
                    .iter()
                    .any(|statement| {
                        statement["Effect"] == "Deny"
                            && statement["Condition"]["Bool"]["aws:SecureTransport"] == false
                    })
        });
        assert!(guarded, "{}: takes requests without TLS", bucket.id);
    }
}

#[test]
fn every_index_is_queried() {
    // An index costs two writes for each change of its key, whether or not anybody reads it.
    let mut code = String::new();
    let mut folders = vec![project().join("shared"), project().join("functions")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let mut violations = Vec::new();
    for table in DATA.of_kind("AWS::DynamoDB::Table") {
        for index in list(table.get(&["GlobalSecondaryIndexes"])) {
            let name = index["IndexName"].as_str().unwrap_or_default();
            let swept = code.contains(&format!("const INDEX: &str = \"{name}\";"));
            if !swept && !code.contains(&format!("Query::index(\"{name}\", ")) {
                violations.push(format!("{}/{name}", table.id));
            }
        }
    }
    assert_none("indexes that nobody queries", &violations);
}
