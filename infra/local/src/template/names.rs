//! Local names of resources: physical names, ARNs, URLs and secrets.
//!
//! A resource without a name in the template is called `tanigo-<logical id in kebab case>`. AWS would generate a
//! name.

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::scope::{Place, Resource, Stacks};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "ap-southeast-1";
const STACK: &str = "tanigo";
/// The URL of every queue begins so: functions in this process read only its last segment.
pub const QUEUES: &str = "http://sqs.ap-southeast-1.localhost/";

/// CloudFormation's own parameters.
pub(super) fn pseudo_parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "AWS::AccountId" => ACCOUNT,
        "AWS::Region" => REGION,
        "AWS::StackName" => STACK,
        "AWS::Partition" => "aws",
        "AWS::URLSuffix" => "amazonaws.com",
        "AWS::StackId" => "arn:aws:cloudformation:ap-southeast-1:000000000000:stack/tanigo/local",
        _ => return None,
    })
}

/// Value of `!Ref`.
pub(super) fn reference(
    stacks: &Stacks,
    at: &Place,
    resource: &Resource<'_>,
) -> anyhow::Result<String> {
    let name = physical(stacks, resource)?;
    Ok(match resource.kind {
        "AWS::SQS::Queue" => queue_url(&name),
        "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
        "AWS::SNS::Topic" => arn("sns", &name),
        "AWS::SecretsManager::Secret" => arn("secretsmanager", &format!("secret:{name}")),
        "AWS::DynamoDB::Table"
        | "AWS::Events::Rule"
        | "AWS::IAM::Role"
        | "AWS::Logs::LogGroup"
        | "AWS::S3::Bucket"
        | "AWS::SES::ConfigurationSet"
        | "AWS::Serverless::Function"
        | "AWS::Serverless::HttpApi"
        | "AWS::Serverless::WebSocketApi" => name,
        kind => {
            let message = format!("!Ref of {}: not known what {kind} gives", resource.id);
            return Err(stacks.error(at, message));
        }
    })
}

/// Value of `!GetAtt`.
pub(super) fn attribute(
    stacks: &Stacks,
    at: &Place,
    resource: &Resource<'_>,
    attribute: &str,
) -> anyhow::Result<String> {
    let name = physical(stacks, resource)?;
    Ok(match (resource.kind, attribute) {
        ("AWS::DynamoDB::Table", "Arn") => table_arn(&name),
        ("AWS::DynamoDB::Table", "StreamArn")
            if resource.property("StreamSpecification").is_some() =>
        {
            format!("{}/stream/local", table_arn(&name))
        }
        ("AWS::SQS::Queue", "Arn") => queue_arn(&name),
        ("AWS::SQS::Queue", "QueueName") => name,
        ("AWS::SQS::Queue", "QueueUrl") => queue_url(&name),
        ("AWS::Serverless::Function", "Arn") => function_arn(&name),
        ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{name}"),
        ("AWS::SecretsManager::Secret", "Id") => arn("secretsmanager", &format!("secret:{name}")),
        ("AWS::SNS::Topic", "TopicArn") => arn("sns", &name),
        ("AWS::Logs::LogGroup", "Arn") => arn("logs", &format!("log-group:{name}:*")),
        ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        ("AWS::Events::Rule", "Arn") => arn("events", &format!("rule/{name}")),
        (kind, attribute) => {
            let message = format!(
                "!GetAtt of {}.{attribute}: not known of {kind}",
                resource.id
            );
            return Err(stacks.error(at, message));
        }
    })
}

/// Physical name: the template's own, or one made of the logical id.
pub(super) fn physical(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<String> {
    let property = match resource.kind {
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::Serverless::Function" => "FunctionName",
        // An API's `Name` is a label; `!Ref` gives its id.
        "AWS::Serverless::HttpApi" | "AWS::Serverless::WebSocketApi" => "",
        _ => "Name",
    };
    if let Some(value) = resource.property(property) {
        return stacks.text(&resource.place().child(property), value);
    }
    let stem = resource.id.strip_suffix("Function").unwrap_or(resource.id);
    let name = format!("{STACK}-{}", kebab(stem));
    let fifo = resource.kind == "AWS::SQS::Queue" && is_fifo(stacks, resource)?;
    Ok(if fifo { format!("{name}.fifo") } else { name })
}

/// A queue declares `FifoQueue: true`.
pub(super) fn is_fifo(stacks: &Stacks, queue: &Resource<'_>) -> anyhow::Result<bool> {
    let Some(value) = queue.property("FifoQueue") else {
        return Ok(false);
    };
    Ok(stacks.text(&queue.place().child("FifoQueue"), value)? == "true")
}

/// ARN of the function with this physical name.
pub(super) fn function_arn(name: &str) -> String {
    arn("lambda", &format!("function:{name}"))
}

/// Name of the queue that an ARN names.
pub(super) fn queue_of_arn(text: &str) -> anyhow::Result<String> {
    let name = text
        .strip_prefix(&queue_arn(""))
        .filter(|name| !name.is_empty());
    name.map(str::to_owned)
        .with_context(|| format!("not the ARN of a queue: {text}"))
}

/// Name of the table that a stream's ARN names.
pub(super) fn table_of_stream_arn(text: &str) -> anyhow::Result<String> {
    let name = text
        .strip_prefix(&table_arn(""))
        .and_then(|rest| rest.strip_suffix("/stream/local"));
    name.map(str::to_owned)
        .with_context(|| format!("not the ARN of a table's stream: {text}"))
}

/// Replaces `{{resolve:secretsmanager:<arn>:SecretString[:<key>]}}` by a value made of the secret's
/// ARN and key: the same in every run, so that signed links of an earlier run stay good.
pub(super) fn resolve_secrets(stacks: &Stacks, at: &Place, text: &str) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{resolve:") {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find("}}") else {
            return Err(stacks.error(at, "dynamic reference without an end"));
        };
        let reference = &rest[start + "{{resolve:".len()..start + length];
        rest = &rest[start + length + 2..];
        out.push_str(&secret(stacks, reference).map_err(|error| stacks.error(at, error))?);
    }
    out.push_str(rest);
    Ok(out)
}

fn secret(stacks: &Stacks, reference: &str) -> anyhow::Result<String> {
    let reference = reference
        .strip_prefix("secretsmanager:")
        .with_context(|| format!("dynamic reference to unknown service: {reference}"))?;
    let known = |arn: &str| -> anyhow::Result<bool> {
        for resource in stacks.resources()? {
            if resource.kind == "AWS::SecretsManager::Secret"
                && reference_of_secret(stacks, &resource)? == arn
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let (arn, field) = reference
        .split_once(":SecretString")
        .with_context(|| format!("dynamic reference without SecretString: {reference}"))?;
    anyhow::ensure!(known(arn)?, "dynamic reference to unknown secret {arn}");
    let digest = Sha256::digest(format!("local secret {arn}{field}"));
    Ok(hex::encode(digest))
}

fn reference_of_secret(stacks: &Stacks, secret: &Resource<'_>) -> anyhow::Result<String> {
    reference(stacks, &secret.place(), secret)
}

fn queue_url(name: &str) -> String {
    format!("{QUEUES}{ACCOUNT}/{name}")
}

/// ARN of a queue.
pub(super) fn queue_arn(name: &str) -> String {
    arn("sqs", name)
}

/// ARN of a table.
pub(super) fn table_arn(name: &str) -> String {
    arn("dynamodb", &format!("table/{name}"))
}

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}")
}

/// `SendLedger` as `send-ledger`.
fn kebab(id: &str) -> String {
    let mut out = String::with_capacity(id.len() + 4);
    for (index, letter) in id.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
