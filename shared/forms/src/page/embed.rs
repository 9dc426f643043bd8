//! The script and the snippet that put a form into a shop's page. Pure.
//!
//! The script puts the hosted page into a frame. So the shop's styles and scripts do not reach the form, and the policy
//! of the page decides which hosts may hold it.

use std::fmt::Write as _;

use contacts::Definitions;
use serde_json::json;

use super::controls::{consent, control};
use crate::model::{Form, Kind};
use crate::submit::{Given, HONEYPOT};
use kernel::text::html as escape;

/// The script, without its first line. `S` holds the settings.
const CODE: &str = include_str!("embed.js");

/// The script of a form. The settings are JSON, which cannot end the script.
pub fn script(form: &Form) -> String {
    let settings = &form.settings;
    let kind = match settings.kind {
        Kind::HostedPage | Kind::Embedded => "inline",
        Kind::Popup => "popup",
        Kind::SlideIn => "slide_in",
    };
    let words = settings.language.words();
    let title = settings.title.as_ref().unwrap_or(&settings.name);
    let data = json!({
        "id": form.id.to_string(), "kind": kind, "lang": settings.language.tag(), "title": title,
        "close": words.close, "popup": settings.popup,
    });
    let data = data.to_string().replace('<', "\\u003c");
    let data = data
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("(function () {{\n  var S = {data};\n{CODE}}})();\n")
}

/// The form as plain HTML that posts to `base`, the address of the API. It holds no script but that of Turnstile, and no token of ours: the same
/// answers within ten minutes are one submission.
pub fn snippet(form: &Form, definitions: &Definitions, base: &str, turnstile: &str) -> String {
    let (settings, given) = (&form.settings, Given::default());
    let language = settings.language;
    let mut html = format!(
        "<form method=\"post\" action=\"{}/f/{}?lang={}\">\n",
        escape(base.trim_end_matches('/')),
        form.id,
        language.tag()
    );
    for field in settings.fields.iter().filter(|field| !field.hidden) {
        html.push_str(&control(field, definitions, language, &given, None, false));
        html.push('\n');
    }
    let boxes = consent(form, language, &given);
    if !boxes.is_empty() {
        html.push_str(&boxes);
        html.push('\n');
    }
    let widget = super::challenge(form, language, turnstile, &[]);
    if !widget.is_empty() {
        html.push_str(&widget);
        html.push('\n');
    }
    let words = language.words();
    let button = settings.button.as_deref().unwrap_or(words.send);
    let _ = write!(
        html,
        "<input type=\"text\" name=\"{HONEYPOT}\" value=\"\" hidden autocomplete=\"off\" tabindex=\"-1\">\n\
         <button type=\"submit\">{}</button>\n</form>\n",
        escape(button)
    );
    html
}
