//! Properties of tables, queues and configuration sets that a caller of the local services can see.

use serde_json::{Value, json};

use super::parse;

const TEMPLATE: &str = "
Parameters:
  Protected: { Type: String, Default: 'true' }
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      DeletionProtectionEnabled: !Ref Protected
      SSESpecification: { SSEEnabled: true }
  Plain:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
  Out:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      DeduplicationScope: messageGroup
      FifoThroughputLimit: perMessageGroupId
      MaximumMessageSize: 2048
      ReceiveMessageWaitTimeSeconds: 2
  OutPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Out]
      PolicyDocument: { Statement: [{ Effect: Deny, Resource: !GetAtt Out.Arn }] }
  Mails:
    Type: AWS::SES::ConfigurationSet
    Properties:
      Name: mails
      SuppressionOptions: { SuppressedReasons: [BOUNCE] }";

#[test]
fn what_tables_queues_and_sets_declare_is_read() {
    let stack = parse(&[("template.yaml", TEMPLATE)], &[]).unwrap();
    let table = |name: &str| {
        let table = stack.tables.iter().find(|table| table.logical_id == name);
        &table.unwrap().create_request
    };
    assert_eq!(table("Orders")["DeletionProtectionEnabled"], true);
    assert_eq!(
        table("Orders")["SSESpecification"],
        json!({"Enabled": true})
    );
    assert_eq!(table("Plain")["DeletionProtectionEnabled"], Value::Null);
    assert_eq!(table("Plain")["SSESpecification"], Value::Null);
    let queue = &stack.queues[0];
    assert!(queue.deduplicates_by_group);
    assert_eq!(queue.throughput_limit.as_deref(), Some("perMessageGroupId"));
    assert_eq!((queue.largest, queue.wait), (Some(2048), 2));
    let policy: Value = serde_json::from_str(queue.policy.as_deref().unwrap()).unwrap();
    let arn = "arn:aws:sqs:ap-southeast-1:000000000000:tanigo-out.fifo";
    assert_eq!(policy["Statement"][0]["Resource"], arn);
    let set = &stack.configuration_sets[0];
    assert_eq!(
        (set.name.as_str(), set.suppressed_reasons.as_slice()),
        ("mails", &["BOUNCE".to_owned()][..])
    );
}
