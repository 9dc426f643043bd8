//! Triggers of a function: its own events, and the routes that APIs list for it.

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::intrinsics::text_of;
use super::model::{Function, Trigger};
use super::names;
use super::resources::{integer, property};
use super::scope::{Place, Resource, Stacks};

/// Settings of the stack's APIs for all routes.
pub(super) struct Apis {
    http: Vec<HttpApi>,
    routes: Vec<SocketRoute>,
    /// ARNs of the functions that decide about connections to the WebSocket APIs.
    socket_authorizers: Vec<String>,
}

struct HttpApi {
    name: String,
    /// ARN of the function behind each authoriser, by the authoriser's name.
    authorizers: Vec<(String, String)>,
    default_authorizer: Option<String>,
}

/// A WebSocket route, the ARN of its function, and the place in the template.
struct SocketRoute {
    route: String,
    authorized: bool,
    function: String,
    place: Place,
}

impl Apis {
    /// Reads every HTTP and WebSocket API.
    pub(super) fn read(stacks: &Stacks) -> anyhow::Result<Self> {
        let mut apis = Self {
            http: Vec::new(),
            routes: Vec::new(),
            socket_authorizers: Vec::new(),
        };
        for resource in stacks.resources()? {
            match resource.kind {
                "AWS::Serverless::HttpApi" => apis.http.push(http_api(stacks, &resource)?),
                "AWS::Serverless::WebSocketApi" => {
                    let auth = property(stacks, &resource, "Auth")?.unwrap_or_default();
                    apis.routes.extend(socket_routes(stacks, &resource, &auth)?);
                    let arn = auth.get("AuthArn").and_then(text_of);
                    apis.socket_authorizers.extend(arn);
                }
                _ => {}
            }
        }
        Ok(apis)
    }

    /// The WebSocket routes of one function.
    pub(super) fn socket_routes(&self, function_arn: &str) -> Vec<Trigger> {
        let own = self
            .routes
            .iter()
            .filter(|route| route.function == function_arn);
        own.map(|route| Trigger::WebSocket {
            route: route.route.clone(),
            authorized: route.authorized,
        })
        .collect()
    }

    /// Every WebSocket route ends in a function.
    pub(super) fn check_targets(
        &self,
        stacks: &Stacks,
        functions: &[Function],
    ) -> anyhow::Result<()> {
        let taken = functions.iter().flat_map(|function| &function.triggers);
        let taken = taken
            .filter(|trigger| matches!(trigger, Trigger::WebSocket { .. }))
            .count();
        match self.routes.iter().find(|_| taken < self.routes.len()) {
            Some(route) => Err(stacks.error(&route.place, "leads to no function of this stack")),
            None => Ok(()),
        }
    }

    /// Logical id of the function behind the authoriser; the local stack runs one at most.
    pub(super) fn authorizer(&self, stacks: &Stacks) -> anyhow::Result<Option<String>> {
        let mut arns: Vec<&String> = self
            .http
            .iter()
            .flat_map(|api| &api.authorizers)
            .map(|(_, arn)| arn)
            .chain(&self.socket_authorizers)
            .collect();
        arns.sort();
        arns.dedup();
        anyhow::ensure!(
            arns.len() < 2,
            "the local stack runs one authorizer, not {}",
            arns.len()
        );
        let Some(arn) = arns.first() else {
            return Ok(None);
        };
        for resource in stacks.resources()? {
            if resource.kind == "AWS::Serverless::Function"
                && names::function_arn(&names::physical(stacks, &resource)?) == **arn
            {
                return Ok(Some(resource.id.to_owned()));
            }
        }
        anyhow::bail!("the authorizer {arn} is not a function of this stack")
    }
}

fn http_api(stacks: &Stacks, resource: &Resource<'_>) -> anyhow::Result<HttpApi> {
    let auth = property(stacks, resource, "Auth")?.unwrap_or_default();
    let place = resource.place().child("Auth.Authorizers");
    let mut authorizers = Vec::new();
    for (name, body) in auth
        .get("Authorizers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let arn = body.get("FunctionArn").and_then(text_of);
        let arn = arn.ok_or_else(|| stacks.error(&place.child(name), "has no FunctionArn"))?;
        authorizers.push((name.clone(), arn));
    }
    let default_authorizer = auth.get("DefaultAuthorizer").and_then(text_of);
    Ok(HttpApi {
        name: names::physical(stacks, resource)?,
        authorizers,
        default_authorizer,
    })
}

fn socket_routes(
    stacks: &Stacks,
    resource: &Resource<'_>,
    auth: &Value,
) -> anyhow::Result<Vec<SocketRoute>> {
    let routes = property(stacks, resource, "Routes")?.unwrap_or_default();
    let guarded = auth
        .get("AuthType")
        .and_then(text_of)
        .is_some_and(|kind| kind != "NONE");
    let place = resource.place().child("Routes");
    let mut found = Vec::new();
    for (route, body) in routes.as_object().into_iter().flatten() {
        let place = place.child(route).child("FunctionArn");
        let function = body.get("FunctionArn").and_then(text_of);
        let function = function.ok_or_else(|| stacks.error(&place, "is missing"))?;
        let authorized = guarded && route == "$connect";
        found.push(SocketRoute {
            route: route.clone(),
            authorized,
            function,
            place,
        });
    }
    Ok(found)
}

/// The triggers that a function lists under `Events`.
pub(super) fn of_events(
    stacks: &Stacks,
    apis: &Apis,
    resource: &Resource<'_>,
) -> anyhow::Result<Vec<Trigger>> {
    let Some(events) = property(stacks, resource, "Events")? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (name, event) in events.as_object().into_iter().flatten() {
        let place = resource.place().child("Events").child(name);
        let empty = Map::new();
        let properties = event
            .get("Properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let event_place = place.child("Properties");
        let event_reader = Event {
            stacks,
            place: event_place,
            properties,
        };
        if event_reader.flag("Enabled") == Some(false) {
            continue;
        }
        let kind = event
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        found.extend(match kind {
            "HttpApi" => Some(event_reader.http(apis)?),
            "SQS" => Some(event_reader.sqs()?),
            "DynamoDB" => Some(event_reader.stream()?),
            "Schedule" => event_reader.schedule("Schedule")?,
            "ScheduleV2" => event_reader.schedule("ScheduleExpression")?,
            unknown => {
                let message = format!("the local stack has no events of type {unknown:?}");
                return Err(stacks.error(&place.child("Type"), message));
            }
        });
    }
    Ok(found)
}

/// The evaluated properties of one event.
struct Event<'a> {
    stacks: &'a Stacks,
    place: Place,
    properties: &'a Map<String, Value>,
}

impl Event<'_> {
    fn http(&self, apis: &Apis) -> anyhow::Result<Trigger> {
        let name = self.text("ApiId")?;
        let api = apis.http.iter().find(|api| api.name == name);
        let api = api.ok_or_else(|| self.error("ApiId", "is not an API of this template"))?;
        let own = self
            .properties
            .get("Auth")
            .and_then(|auth| auth.get("Authorizer"));
        let guard = own
            .and_then(text_of)
            .or_else(|| api.default_authorizer.clone());
        let authorized = match guard.as_deref() {
            None | Some("NONE") => false,
            Some(name) if api.authorizers.iter().any(|(known, _)| known == name) => true,
            Some(name) => {
                return Err(self.error("Auth.Authorizer", format!("unknown authorizer {name}")));
            }
        };
        let method = self.text("Method")?.to_ascii_uppercase();
        let method = if matches!(method.as_str(), "*" | "X-ANY") {
            "ANY".to_owned()
        } else {
            method
        };
        Ok(Trigger::Http {
            method,
            path: self.text("Path")?,
            authorized,
        })
    }

    fn sqs(&self) -> anyhow::Result<Trigger> {
        let queue = names::queue_of_arn(&self.text("Queue")?)
            .map_err(|error| self.error("Queue", error))?;
        let scaling = self.properties.get("ScalingConfig");
        let maximum = scaling.and_then(|scaling| scaling.get("MaximumConcurrency"));
        let place = self.place.child("ScalingConfig.MaximumConcurrency");
        Ok(Trigger::Sqs {
            queue,
            batch_size: self.number("BatchSize", 10)?,
            window: self.number("MaximumBatchingWindowInSeconds", 0)?,
            maximum_concurrency: maximum
                .map(|value| integer(self.stacks, &place, value))
                .transpose()?,
            report_failures: self.reports_failures(),
        })
    }

    fn stream(&self) -> anyhow::Result<Trigger> {
        let table = names::table_of_stream_arn(&self.text("Stream")?)
            .map_err(|error| self.error("Stream", error))?;
        let filters = self
            .properties
            .get("FilterCriteria")
            .and_then(|all| all.get("Filters"));
        let filters = filters.and_then(Value::as_array).into_iter().flatten();
        let filters = filters.map(|filter| {
            let pattern = filter
                .get("Pattern")
                .and_then(text_of)
                .context("a filter has no Pattern")?;
            serde_json::from_str::<Value>(&pattern).context("a Pattern is not JSON")?;
            Ok(pattern)
        });
        let filters: anyhow::Result<Vec<String>> = filters.collect();
        let failed = self.properties.get("DestinationConfig").and_then(|config| {
            config
                .get("OnFailure")?
                .get("Destination")
                .and_then(text_of)
        });
        Ok(Trigger::Stream {
            table,
            batch_size: self.number("BatchSize", 100)?,
            filters: filters.map_err(|error| self.error("FilterCriteria", format!("{error:#}")))?,
            retries: self.limit("MaximumRetryAttempts")?,
            longest_age: self.limit("MaximumRecordAgeInSeconds")?,
            bisect: self.flag("BisectBatchOnFunctionError").unwrap_or(false),
            lanes: self.number("ParallelizationFactor", 1)?,
            report_failures: self.reports_failures(),
            on_failure: failed
                .map(|arn| names::queue_of_arn(&arn))
                .transpose()
                .map_err(|error| self.error("DestinationConfig.OnFailure", error))?,
        })
    }

    fn schedule(&self, property: &str) -> anyhow::Result<Option<Trigger>> {
        if self.properties.get("State").and_then(text_of).as_deref() == Some("DISABLED") {
            return Ok(None);
        }
        let input = self.properties.get("Input").and_then(text_of);
        Ok(Some(Trigger::Schedule {
            expression: self.text(property)?,
            input,
        }))
    }

    fn reports_failures(&self) -> bool {
        let types = self
            .properties
            .get("FunctionResponseTypes")
            .and_then(Value::as_array);
        types
            .into_iter()
            .flatten()
            .any(|one| one == "ReportBatchItemFailures")
    }

    fn text(&self, name: &str) -> anyhow::Result<String> {
        let text = self.properties.get(name).and_then(text_of);
        text.ok_or_else(|| self.error(name, "is missing"))
    }

    fn number(&self, name: &str, default: u32) -> anyhow::Result<u32> {
        match self.properties.get(name) {
            Some(value) => integer(self.stacks, &self.place.child(name), value),
            None => Ok(default),
        }
    }

    /// A number whose absence, and whose value -1, mean "no limit".
    fn limit(&self, name: &str) -> anyhow::Result<Option<u32>> {
        match self.properties.get(name) {
            Some(value) if text_of(value).as_deref() != Some("-1") => {
                integer(self.stacks, &self.place.child(name), value).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.properties
            .get(name)
            .and_then(text_of)
            .map(|text| text == "true")
    }

    fn error(&self, name: &str, message: impl std::fmt::Display) -> anyhow::Error {
        self.stacks.error(&self.place.child(name), message)
    }
}
