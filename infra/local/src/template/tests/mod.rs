//! The reader over small templates; [`project`] reads the project's own.

mod project;
mod resources;

use std::collections::BTreeMap;

use super::model::{Stack, StreamView};
use super::{build, load_from};

fn parse(files: &[(&str, &str)], overrides: &[(&str, &str)]) -> anyhow::Result<Stack> {
    let overrides = overrides
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let stacks = load_from(&overrides, &|wanted| {
        let found = files.iter().find(|(file, _)| *file == wanted);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| anyhow::anyhow!("cannot read {wanted}"))
    })?;
    build(&stacks)
}

fn failure(files: &[(&str, &str)], overrides: &[(&str, &str)]) -> String {
    match parse(files, overrides) {
        Ok(_) => panic!("the template was read"),
        Err(error) => format!("{error:#}"),
    }
}

/// The environment of the one function `F`, whose variables are `variables`.
fn environment(
    head: &str,
    variables: &str,
    overrides: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let text = with_variables(head, variables);
    let stack = parse(&[("template.yaml", &text)], overrides).unwrap();
    stack.functions[0].environment.clone()
}

fn with_variables(head: &str, variables: &str) -> String {
    let variables = variables.trim().replace('\n', "\n          ");
    format!(
        "{head}
Resources:
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {{ deadLetterTargetArn: !GetAtt OrdersDlq.Arn, maxReceiveCount: 5 }}
  OrdersDlq:
    Type: AWS::SQS::Queue
  Key:
    Type: AWS::SecretsManager::Secret
  Absent:
    Type: AWS::SQS::Queue
    Condition: Never
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: f
      Environment:
        Variables:
          {variables}
"
    )
}

const NEVER: &str = "Conditions:\n  Never: !Equals [a, b]";

#[test]
fn intrinsics_resolve() {
    let head = "
Parameters:
  Rate: { Type: Number, Default: 14 }
  Url: { Type: String, Default: '' }
Mappings:
  Sizes: { small: { cpu: one } }
Conditions:
  Never: !Equals [a, b]
  HasUrl: !Not [!Equals [!Ref Url, '']]
  Both: !And [!Condition HasUrl, !Equals [!Ref Rate, '14']]
  Either: !Or [Condition: HasUrl, Condition: Never]";
    let variables = "
BASE: !Base64 abc
BOTH: !If [Both, 'yes', 'no']
EITHER: !If [Either, 'yes', 'no']
JOIN: !Join ['-', [a, !Ref Rate, c]]
LONG: { 'Fn::Join': ['/', ['Fn::GetAtt': [Orders, QueueName], x]] }
MAP: !FindInMap [Sizes, small, cpu]
NONE: !Ref AWS::NoValue
QUEUE: !Ref Orders
RATE: !Ref Rate
SELECT: !Select [1, !Split [':', 'a:b:c']]
SUB: !Sub ${AWS::Region}/${Orders.Arn}/${!Kept}
SUBMAP: !Sub ['${X}-${AWS::AccountId}', { X: !GetAtt Orders.QueueUrl }]
URL: !If [HasUrl, !Ref Url, !Sub 'https://${AWS::StackName}']
";
    let with_url = environment(head, variables, &[("Url", "http://127.0.0.1:1")]);
    let expect = [
        ("BASE", "YWJj"),
        ("BOTH", "yes"),
        ("EITHER", "yes"),
        ("JOIN", "a-14-c"),
        ("LONG", "tanigo-orders/x"),
        ("MAP", "one"),
        (
            "QUEUE",
            "http://sqs.ap-southeast-1.localhost/000000000000/tanigo-orders",
        ),
        ("RATE", "14"),
        ("SELECT", "b"),
        (
            "SUB",
            "ap-southeast-1/arn:aws:sqs:ap-southeast-1:000000000000:tanigo-orders/${Kept}",
        ),
        (
            "SUBMAP",
            "http://sqs.ap-southeast-1.localhost/000000000000/tanigo-orders-000000000000",
        ),
        ("URL", "http://127.0.0.1:1"),
    ];
    let expect: BTreeMap<String, String> = expect
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    assert_eq!(with_url, expect);

    let without = environment(head, variables, &[]);
    assert_eq!(without["URL"], "https://tanigo");
    assert_eq!(without["EITHER"], "no");
}

#[test]
fn secrets_resolve_to_stable_local_values() {
    let variables = "
A: !Sub '{{resolve:secretsmanager:${Key}:SecretString}}'
B: !Sub '{{resolve:secretsmanager:${Key}:SecretString}}'
C: !Sub '{{resolve:secretsmanager:${Key}:SecretString:part}}'
";
    let values = environment(NEVER, variables, &[]);
    assert_eq!(values["A"].len(), 64);
    assert_eq!(values["A"], values["B"]);
    assert_ne!(values["A"], values["C"]);
}

#[test]
fn errors_name_the_file_and_the_place() {
    let cases = [
        ("X: !Ref Nobody", "!Ref of unknown Nobody"),
        (
            "X: !GetAtt Nobody.Arn",
            "!GetAtt of unknown resource Nobody",
        ),
        (
            "X: !GetAtt Orders.Colour",
            "!GetAtt of Orders.Colour: not known of AWS::SQS::Queue",
        ),
        (
            "X: !GetAtt Orders.Outputs.A",
            "Orders is not a nested stack",
        ),
        ("X: !Sub '${Orders'", "!Sub has no end of ${Orders"),
        ("X: !Sub '${Orders.Colour}'", "not known of AWS::SQS::Queue"),
        ("X: !Select [3, [a]]", "!Select of element 3 of 1"),
        ("X: !If [Nobody, a, b]", "unknown condition Nobody"),
        (
            "X: !Ref Absent",
            "refers to Absent, which its condition leaves out",
        ),
        (
            "X: { 'Fn::Cidr': [a] }",
            "unknown intrinsic function Fn::Cidr",
        ),
        ("X: [a]", "must be text, is [\"a\"]"),
        (
            "X: '{{resolve:ssm:/a}}'",
            "dynamic reference to unknown service: ssm:/a",
        ),
        (
            "X: '{{resolve:secretsmanager:a:SecretString}}'",
            "dynamic reference to unknown secret a",
        ),
        ("X: !Ref P", "parameter P has neither a value nor a default"),
    ];
    for (variable, message) in cases {
        let head = format!("{NEVER}\nParameters:\n  P: {{ Type: String }}");
        let text = with_variables(&head, variable);
        let error = failure(&[("template.yaml", &text)], &[]);
        let place = "template.yaml: Resources.F.Properties.Environment.Variables.X";
        assert!(error.starts_with(place), "{variable}: {error}");
        assert!(error.contains(message), "{variable}: {error}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let unknown_tag = failure(&[("template.yaml", "Resources: { A: !Cidr [x] }")], &[]);
    assert!(
        unknown_tag.contains("template.yaml: Resources: A"),
        "{unknown_tag}"
    );
    assert!(unknown_tag.contains("unknown tag !Cidr"), "{unknown_tag}");

    let kind = failure(
        &[(
            "template.yaml",
            "Resources: { A: { Type: AWS::Magic::Wand } }",
        )],
        &[],
    );
    assert_eq!(
        kind,
        "template.yaml: Resources.A.Type: the local stack does not know AWS::Magic::Wand"
    );

    let event = "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: f
      Events: { E: { Type: Kafka } }";
    let event = failure(&[("template.yaml", event)], &[]);
    assert!(
        event.starts_with("template.yaml: Resources.F.Properties.Events.E.Type:"),
        "{event}"
    );

    let circle = with_variables(
        "Conditions:\n  Never: !Not [!Condition Again]\n  Again: !Not [!Condition Never]",
        "X: a",
    );
    let circle = failure(&[("template.yaml", &circle)], &[]);
    assert!(circle.contains("circular reference"), "{circle}");

    let over = failure(&[("template.yaml", "Resources: {}")], &[("Nobody", "x")]);
    assert_eq!(
        over,
        "template.yaml: Parameters: no parameter Nobody to override"
    );

    let value = with_variables(
        &format!("{NEVER}\nParameters:\n  P: {{ Type: String, Default: a, AllowedValues: [a] }}"),
        "X: !Ref P",
    );
    let value = failure(&[("template.yaml", &value)], &[("P", "b")]);
    assert!(value.contains("parameter P may not be \"b\""), "{value}");
}

const ROOT: &str = "
Resources:
  Data:
    Type: AWS::Serverless::Application
    Properties:
      Location: infra/data.yaml
      Parameters: { Size: !Sub 'x${AWS::Region}' }
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: f
      Environment:
        Variables:
          TABLE: !GetAtt Data.Outputs.Name
          SIZE: !GetAtt Data.Outputs.Size";

const DATA: &str = "
Parameters:
  Size: { Type: String }
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
Outputs:
  Name: { Value: !Ref Orders }
  Size: { Value: !Ref Size }";

#[test]
fn nested_stacks_take_parameters_and_give_outputs() {
    let stack = parse(&[("template.yaml", ROOT), ("infra/data.yaml", DATA)], &[]).unwrap();
    let table = &stack.tables[0];
    assert_eq!(
        (table.logical_id.as_str(), table.name.as_str()),
        ("Orders", "tanigo-orders")
    );
    assert_eq!(table.stream, Some(StreamView::NewImage));
    assert_eq!(table.ttl_attribute.as_deref(), Some("ttl"));
    assert_eq!(table.create_request["KeySchema"][0]["AttributeName"], "pk");
    assert_eq!(stack.functions[0].environment["TABLE"], "tanigo-orders");
    assert_eq!(stack.functions[0].environment["SIZE"], "xap-southeast-1");
}

#[test]
fn nested_stacks_fail_where_they_are_wrong() {
    let missing_output = ROOT.replace("Outputs.Name", "Outputs.Nobody");
    let error = failure(
        &[
            ("template.yaml", &missing_output),
            ("infra/data.yaml", DATA),
        ],
        &[],
    );
    assert_eq!(
        error,
        "template.yaml: Resources.F.Properties.Environment.Variables.TABLE: \
         !GetAtt of unknown output Nobody of infra/data.yaml"
    );

    let inner = DATA.replace("Value: !Ref Orders", "Value: !Ref Nobody");
    let error = failure(&[("template.yaml", ROOT), ("infra/data.yaml", &inner)], &[]);
    assert_eq!(
        error,
        "template.yaml: Resources.F.Properties.Environment.Variables.TABLE: \
         infra/data.yaml: Outputs.Name.Value: !Ref of unknown Nobody"
    );

    let unknown = ROOT.replace("{ Size:", "{ Colour: a, Size:");
    let error = failure(
        &[("template.yaml", &unknown), ("infra/data.yaml", DATA)],
        &[],
    );
    assert!(
        error.contains("Parameters.Colour: infra/data.yaml has no such parameter"),
        "{error}"
    );

    let missing = ROOT.replace("{ Size: !Sub 'x${AWS::Region}' }", "{}");
    let error = failure(
        &[("template.yaml", &missing), ("infra/data.yaml", DATA)],
        &[],
    );
    assert!(
        error.contains("infra/data.yaml needs parameter Size"),
        "{error}"
    );
}

#[test]
fn globals_merge_into_functions() {
    let text = "
Globals:
  Function:
    Handler: common
    MemorySize: 256
    Environment: { Variables: { A: global, B: global } }
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 20
      Environment: { Variables: { B: own } }";
    let stack = parse(&[("template.yaml", text)], &[]).unwrap();
    let function = &stack.functions[0];
    assert_eq!(
        (function.handler.as_str(), function.memory, function.timeout),
        ("common", 256, 20)
    );
    assert_eq!(function.environment["A"], "global");
    assert_eq!(function.environment["B"], "own");
}
