//! The register of processing: what the workspace holds of persons, made from what is configured.

use access::op;
use axum::extract::State;
use contacts::{KEPT_DAYS, KEPT_DAYS_OTHERWISE};
use jiff::Timestamp;
use kernel::Limit;
use lambda::http::{Json, May, Problem};
use serde::Serialize;

use crate::handler::Api;

/// Days that the ledger of sends keeps a row.
const LEDGER_DAYS: i64 = channels::ledger::KEPT_DAYS;
/// Days that the audit log keeps an entry.
const AUDIT_DAYS: i64 = accounts::audit::KEPT_DAYS;
/// Days that the table of privacy requests keeps a closed one.
const REQUEST_DAYS: i64 = 5 * 366;
/// Days that an imported file and its report are kept (infra/data.yaml).
const FILE_DAYS: i64 = 29;

/// Countries of AWS regions, as ISO codes.
const COUNTRIES: [(&str, &str); 18] = [
    ("ap-east-1", "HK"),
    ("ap-northeast-1", "JP"),
    ("ap-northeast-2", "KR"),
    ("ap-northeast-3", "JP"),
    ("ap-south-1", "IN"),
    ("ap-south-2", "IN"),
    ("ap-southeast-1", "SG"),
    ("ap-southeast-2", "AU"),
    ("ap-southeast-3", "ID"),
    ("ap-southeast-4", "AU"),
    ("ap-southeast-5", "MY"),
    ("ap-southeast-7", "TH"),
    ("eu-central-1", "DE"),
    ("eu-west-1", "IE"),
    ("us-east-1", "US"),
    ("us-east-2", "US"),
    ("us-west-1", "US"),
    ("us-west-2", "US"),
];

/// A kind of personal data that the workspace holds.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DataElement {
    /// Name of the element.
    name: String,
    /// The persons whom it is about.
    subjects: &'static str,
    /// Its fields or events.
    data: &'static str,
    /// Purpose of the processing.
    purpose: &'static str,
    /// Legal basis, as a draft: the controller decides.
    legal_basis: &'static str,
    /// Whether Decree 356/2025 calls it sensitive: tracking and usage data in cyberspace.
    is_sensitive: bool,
    /// Days until deletion; null: until the person is erased.
    retention_days: Option<i64>,
    /// Names of those among `recipients` that get it.
    recipients: Vec<String>,
}

/// A place that personal data goes to or comes from.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DataRecipient)]
pub struct Recipient {
    name: String,
    /// Its part in the processing.
    role: &'static str,
    /// ISO code of its country; null where the product does not know it.
    country: Option<&'static str>,
}

/// The register of processing.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ComplianceRegister {
    #[serde(serialize_with = "kernel::clock::millis")]
    generated_at: Timestamp,
    /// AWS region that stores the data.
    region: String,
    /// Whether data leaves Viet Nam: AWS has no region there.
    is_cross_border: bool,
    elements: Vec<DataElement>,
    recipients: Vec<Recipient>,
}

const CONTACT: &str = "customers and leads";

fn element(name: &str, data: &'static str, purpose: &'static str) -> DataElement {
    DataElement {
        name: name.to_owned(),
        subjects: CONTACT,
        data,
        purpose,
        legal_basis: "consent, or performance of a contract",
        is_sensitive: false,
        retention_days: None,
        recipients: vec!["Amazon Web Services".to_owned()],
    }
}

/// The elements that every workspace has.
fn common() -> Vec<DataElement> {
    let contact = element(
        "contact",
        "names, email, phone, address, birthday, custom fields, tags, lists",
        "to know the customer and to answer",
    );
    let consent = element("consent", "status by channel", "to prove consent");
    let events = element(
        "timeline",
        "events of forms, orders, messages",
        "service and marketing",
    );
    let mut all = vec![
        contact,
        consent,
        DataElement {
            is_sensitive: true,
            retention_days: Some(KEPT_DAYS_OTHERWISE),
            ..events
        },
    ];
    all.extend(KEPT_DAYS.iter().map(|(event, days)| DataElement {
        name: format!("timeline: {event}"),
        is_sensitive: true,
        retention_days: Some(*days),
        legal_basis: "consent",
        ..element(
            "",
            "the event with its address and time",
            "behaviour of readers",
        )
    }));
    all.push(DataElement {
        retention_days: Some(LEDGER_DAYS),
        is_sensitive: true,
        ..element(
            "sends",
            "recipient, time, delivery, opens, clicks",
            "to send once, to report",
        )
    });
    all.push(DataElement {
        retention_days: Some(FILE_DAYS),
        ..element(
            "files",
            "imported files, their reports, files of privacy requests",
            "import, access",
        )
    });
    all.push(DataElement {
        subjects: "staff",
        legal_basis: "legal obligation",
        retention_days: Some(AUDIT_DAYS),
        ..element(
            "audit log",
            "actor, operation, object, IP address, time",
            "security, proof",
        )
    });
    all.push(DataElement {
        legal_basis: "legal obligation",
        retention_days: Some(REQUEST_DAYS),
        ..element(
            "privacy requests",
            "the person's name, the request, its proof",
            "rights of persons",
        )
    });
    all
}

/// Show the register of processing.
///
/// Made from what is configured in the workspace: sources, senders, inboxes, retention. A draft of the impact file and the
/// cross-border file, not legal advice (docs/compliance-vn.md).
#[utoipa::path(
    get,
    path = "/v1/compliance/register",
    operation_id = "showComplianceRegister",
    tag = "privacy",
    responses((status = 200, description = "The register", body = ComplianceRegister)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowComplianceRegister>,
) -> Result<Json<ComplianceRegister>, Problem> {
    let country = COUNTRIES.iter().find(|(region, _)| *region == api.region);
    let country = country.map(|(_, country)| *country);
    let mut recipients = vec![Recipient {
        name: "Amazon Web Services".to_owned(),
        role: "processor: storage and computing",
        country,
    }];
    let mut elements = common();
    if !api.senders.all(caller.tenant).await?.is_empty() {
        recipients.push(Recipient {
            name: "Amazon SES".to_owned(),
            role: "processor: delivery of mail",
            country,
        });
        for one in &mut elements {
            if ["contact", "sends"].contains(&one.name.as_str()) {
                one.recipients.push("Amazon SES".to_owned());
            }
        }
    }
    let limit = Limit::new(100).unwrap_or_default();
    let mut cursor = None;
    let mut providers = std::collections::BTreeSet::new();
    loop {
        let page = api.sources.list(caller.tenant, limit, cursor).await?;
        providers.extend(page.data.into_iter().map(|source| source.provider.name()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    recipients.extend(providers.into_iter().map(|name| Recipient {
        name: name.to_owned(),
        role: "source: collects for the workspace",
        country: None,
    }));
    let inboxes = api.inboxes.page(caller.tenant, limit, None).await?;
    if !inboxes.data.is_empty() {
        elements.push(DataElement {
            is_sensitive: true,
            ..element(
                "conversations",
                "messages and files of the chat",
                "to answer customers",
            )
        });
    }
    Ok(Json(ComplianceRegister {
        generated_at: api.clock.now(),
        region: api.region.clone(),
        is_cross_border: true,
        elements,
        recipients,
    }))
}
