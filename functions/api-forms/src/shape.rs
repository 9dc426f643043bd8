//! The fields of a form that the API shows. The settings are `forms::Settings`.

use contacts::Definitions;
use forms::{Form, Kind, Settings, Status};
use jiff::Timestamp;
use kernel::{Cursor, FormId, Limit};
use serde::{Deserialize, Serialize};

/// Query of a report.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// Days until today, today included; absent: 30.
    #[param(minimum = 1, maximum = 92)]
    pub days: Option<u16>,
}

/// The keys of Turnstile.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = FormTurnstile)]
#[serde(deny_unknown_fields)]
pub struct TurnstileIn {
    /// The key of the widget.
    #[schema(min_length = 1, max_length = 100, example = "1x00000000000000000000AA")]
    pub site_key: String,
    /// The key of the verifier. It is sealed, and never shown.
    #[schema(
        min_length = 1,
        max_length = 100,
        write_only,
        example = "1x0000000000000000000000000000000AA"
    )]
    pub secret_key: String,
}

/// Query of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(default)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// A signup form.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SignupForm)]
pub struct FormView {
    id: FormId,
    status: Status,
    /// Number of the settings; proofs of consent name it.
    version: u64,
    /// The hosted page, under the API's own address.
    path: String,
    /// The site key of Turnstile; null: nothing checks that a person fills in the form. The secret key is never shown.
    turnstile_site_key: Option<String>,
    #[serde(flatten)]
    settings: Settings,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    updated_at: Timestamp,
}

impl From<Form> for FormView {
    fn from(form: Form) -> Self {
        Self {
            id: form.id,
            status: form.status,
            version: form.settings_version,
            path: format!("/f/{}", form.id),
            turnstile_site_key: form.guard.map(|guard| guard.site_key),
            settings: form.settings,
            created_at: form.created_at,
            updated_at: form.updated_at,
        }
    }
}

/// The code that a page of the shop holds.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FormCode {
    /// The hosted page.
    url: String,
    /// The tag that puts the form into the page; null for a hosted page.
    script: Option<String>,
    /// The form as plain HTML. It needs no script and takes the page's own styles.
    html: String,
}

impl FormCode {
    /// With addresses under `base`, the address of the API.
    pub fn new(form: &Form, definitions: &Definitions, base: &str, turnstile: &str) -> Self {
        let url = format!("{base}/f/{}", form.id);
        let script = format!(
            "<script src=\"{}/embed.js\"></script>",
            kernel::text::html(&url)
        );
        Self {
            script: (form.settings.kind != Kind::HostedPage).then_some(script),
            html: forms::page::snippet(form, definitions, base, turnstile),
            url,
        }
    }
}
