//! The pages of a form: the form itself, the answer, and short notices. Pure.
//!
//! A page works without script and loads nothing but the logo of the shop. Only Turnstile needs a script. The page's
//! style and its own script are named by their hashes in the content security policy. Everything that a shop or a visitor typed is escaped.

mod controls;
mod embed;

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contacts::Definitions;
use kernel::text::html as escape;
use sha2::{Digest, Sha256};

use crate::model::{Form, Kind, Language};
use crate::submit::{Fault, Given, HONEYPOT, Rule, TOKEN};
use crate::turnstile::RESPONSE;
use controls::control;
pub use embed::{script, snippet};

const STYLE: &str = "body{font-family:system-ui,sans-serif;font-size:1rem;line-height:1.5;color:#1a1a1a;\
background:#fff;max-width:36rem;margin:0 auto;padding:1rem}h1{font-size:1.5rem}\
.field,fieldset{margin:0 0 1rem}fieldset{border:1px solid #767676;border-radius:.25rem}\
label,legend{font-weight:600}label.box{display:flex;gap:.5rem;font-weight:400;padding:.5rem 0}\
input,select,textarea{color:#1a1a1a;background:#fff;box-sizing:border-box;width:100%;min-height:2.75rem;padding:.5rem;font:inherit;\
border:1px solid #767676;border-radius:.25rem}label.box input{flex:none;width:1.5rem;min-height:1.5rem;margin:0}\
button{min-height:2.75rem;padding:.5rem 1.5rem;font:inherit;font-weight:600;color:#fff;background:#0b5cad;\
border:0;border-radius:.25rem}:focus-visible{outline:3px solid #b35c00;outline-offset:2px}\
.help{color:#555;margin:0}.error{color:#b00020;margin:0}.summary{border:2px solid #b00020;padding:0 1rem;\
margin:0 0 1rem}.intro{white-space:pre-line}.logo{display:block;max-width:100%;max-height:6rem}.other{position:absolute;left:-9999px}";

/// Tells the page that holds the frame how high it is, and that the form was sent.
const FRAME: &str = "(function(){function t(){parent.postMessage({tanigo:{height:\
document.documentElement.scrollHeight,sent:!!document.getElementById('sent')}},'*')}\
addEventListener('load',t);addEventListener('resize',t)})()";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| hash_source(STYLE));
static FRAME_HASH: LazyLock<String> = LazyLock::new(|| hash_source(FRAME));

fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// A page and its content security policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The document.
    pub html: String,
    /// The value of `Content-Security-Policy`.
    pub policy: String,
}

/// How a page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// The language.
    pub language: Language,
    /// Whether the page is in a frame of the shop's page.
    pub framed: bool,
    /// Address under which Turnstile's `api.js` is.
    pub turnstile: &'a str,
}

impl<'a> View<'a> {
    /// As the query of the page's address says.
    pub fn of(form: &Form, lang: Option<&str>, frame: Option<&str>, turnstile: &'a str) -> Self {
        Self {
            language: lang
                .and_then(Language::of)
                .unwrap_or(form.settings.language),
            framed: frame == Some("1"),
            turnstile,
        }
    }

    fn query(self) -> String {
        let frame = if self.framed { "&amp;frame=1" } else { "" };
        format!("?lang={}{frame}", self.language.tag())
    }
}

/// The form, with the visitor's answers and their faults. `token` names this page.
pub fn form(
    form: &Form,
    definitions: &Definitions,
    view: View<'_>,
    token: &str,
    given: &Given,
    faults: &[Fault],
) -> Page {
    let words = view.language.words();
    let settings = &form.settings;
    let title = settings.title.as_ref().unwrap_or(&settings.name);
    let mut body = String::new();
    if let Some(intro) = &settings.intro {
        let _ = write!(body, "<p class=\"intro\">{}</p>", escape(intro));
    }
    body.push_str(&summary(form, definitions, view, faults));
    // A redirect must leave the frame.
    let target = if view.framed && settings.redirect_url.is_some() {
        " target=\"_top\""
    } else {
        ""
    };
    let _ = write!(
        body,
        "<form method=\"post\" action=\"/f/{}{}\"{target}>\
         <input type=\"hidden\" name=\"{TOKEN}\" value=\"{}\">",
        form.id,
        view.query(),
        escape(token)
    );
    let first = faults.first().map(|fault| fault.field.as_str());
    for field in settings.fields.iter().filter(|field| !field.hidden) {
        let fault = faults.iter().find(|fault| fault.field == field.key);
        let focus = first == Some(field.key.as_str());
        body.push_str(&control(
            field,
            definitions,
            view.language,
            given,
            fault,
            focus,
        ));
    }
    body.push_str(&controls::consent(form, view.language, given));
    body.push_str(&honeypot(view.language, faults));
    body.push_str(&challenge(form, view.language, view.turnstile, faults));
    let button = settings.button.as_deref().unwrap_or(words.send);
    let _ = write!(
        body,
        "<button type=\"submit\">{}</button></form>",
        escape(button)
    );
    page(form, view, title, &body)
}

/// The faults, each with a link to its question.
fn summary(form: &Form, definitions: &Definitions, view: View<'_>, faults: &[Fault]) -> String {
    if faults.is_empty() {
        return String::new();
    }
    let words = view.language.words();
    let mut list = format!(
        "<div class=\"summary\" role=\"alert\"><h2>{}</h2><ul>",
        words.faults
    );
    for fault in faults {
        let mut fields = form.settings.fields.iter();
        let field = fields.find(|field| field.key == fault.field);
        let other = match fault.rule {
            Rule::Challenge => words.challenge_title,
            _ => words.honeypot,
        };
        let label = field.map_or_else(
            || other.to_owned(),
            |field| crate::words::label(field, definitions, view.language),
        );
        let _ = write!(
            list,
            "<li><a href=\"#f-{}\">{}</a>: {}</li>",
            escape(&fault.field),
            escape(&label),
            escape(&fault.rule.text(view.language))
        );
    }
    list + "</ul></div>"
}

/// The box that only programs fill in. It is shown once it was filled in, so that a person can empty it.
fn honeypot(language: Language, faults: &[Fault]) -> String {
    let words = language.words();
    let is_shown = faults.iter().any(|fault| fault.field == HONEYPOT);
    let hidden = if is_shown {
        ""
    } else {
        " other\" aria-hidden=\"true"
    };
    let index = if is_shown { "" } else { " tabindex=\"-1\"" };
    format!(
        "<div class=\"field{hidden}\"><label for=\"f-{HONEYPOT}\">{}</label>\
         <input id=\"f-{HONEYPOT}\" name=\"{HONEYPOT}\" type=\"text\" value=\"\" autocomplete=\"off\"{index}></div>",
        words.honeypot
    )
}

/// The widget of Turnstile, with its script; nothing for a form without keys.
fn challenge(form: &Form, language: Language, turnstile: &str, faults: &[Fault]) -> String {
    let Some(guard) = &form.guard else {
        return String::new();
    };
    let words = language.words();
    let fault = faults.iter().find(|fault| fault.field == RESPONSE);
    let fault = fault.map(|fault| format!("<p class=\"error\">{}</p>", fault.rule.text(language)));
    format!(
        "<div class=\"field\" id=\"f-{RESPONSE}\" role=\"group\" aria-label=\"{}\">{}\
         <div class=\"cf-turnstile\" data-sitekey=\"{}\" data-language=\"{}\"></div>\
         <noscript><p class=\"error\">{}</p></noscript></div>\
         <script src=\"{}/api.js\" async defer></script>",
        words.challenge_title,
        fault.unwrap_or_default(),
        escape(&guard.site_key),
        language.tag(),
        words.needs_script,
        escape(turnstile),
    )
}

/// The answer to an accepted submission. `waits`: a mail will ask to confirm the consent.
pub fn sent(form: &Form, view: View<'_>, waits: bool) -> Page {
    let words = view.language.words();
    let text = form
        .settings
        .success_message
        .as_deref()
        .unwrap_or(words.done);
    let mut text = text.to_owned();
    if waits || form.settings.double_opt_in.is_some() {
        let _ = write!(text, "\n{}", words.check_mail);
    }
    let text = format!(
        "<p id=\"sent\" role=\"status\" class=\"intro\">{}</p>",
        escape(&text)
    );
    page(form, view, words.done_title, &text)
}

/// A short page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// There is no such form, or the form takes no submissions.
    Closed,
    /// Too many submissions, or the queue gives no answer.
    Busy,
    /// Another site posted the form.
    Refused,
    /// The person may confirm, by a button: programs follow links, and press no buttons.
    Confirm,
    /// The person has confirmed.
    Confirmed,
    /// The link of a mail is not valid any more.
    LinkEnded,
}

/// A notice, in a language that needs no form.
pub fn notice(notice: Notice, language: Language) -> Page {
    let words = language.words();
    let (title, text) = match notice {
        Notice::Closed => (words.closed_title, words.closed),
        Notice::Busy => (words.busy_title, words.busy),
        Notice::Refused => (words.refused_title, words.refused),
        Notice::Confirm => (words.confirm_title, words.confirm),
        Notice::Confirmed => (words.done_title, words.confirmed),
        Notice::LinkEnded => (words.link_title, words.link_ended),
    };
    let policy = format!(
        "default-src 'none'; style-src {}; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
        *STYLE_HASH
    );
    let mut body = format!("<p role=\"status\">{text}</p>");
    if notice == Notice::Confirm {
        let button = words.confirm_button;
        let _ = write!(
            body,
            "<form method=\"post\"><button type=\"submit\">{button}</button></form>"
        );
    }
    let html = document(language, title, &body, &Paper::default());
    Page { html, policy }
}

fn page(form: &Form, view: View<'_>, title: &str, body: &str) -> Page {
    let settings = &form.settings;
    let spaced = |origin: String| format!(" {origin}");
    // Browsers apply `form-action` to the redirect after a post too.
    let redirect = settings.redirect_url.as_deref().and_then(origin);
    let redirect = redirect.map(spaced).unwrap_or_default();
    let ancestors = match settings.kind {
        Kind::HostedPage if settings.allowed_hosts.is_empty() => "'none'".to_owned(),
        _ if settings.allowed_hosts.is_empty() => "*".to_owned(),
        _ => settings.allowed_hosts.join(" "),
    };
    let widget = form.guard.as_ref().and_then(|_| origin(view.turnstile));
    let scripts: Vec<&str> = view
        .framed
        .then_some(FRAME_HASH.as_str())
        .into_iter()
        .chain(widget.as_deref())
        .collect();
    let scripts = if scripts.is_empty() {
        "'none'".to_owned()
    } else {
        scripts.join(" ")
    };
    let frames = widget.map(|origin| format!(" frame-src {origin};"));
    let look = settings.design.as_ref();
    let logo = look.and_then(|design| design.logo_url.as_deref());
    let images = logo
        .and_then(origin)
        .map(|origin| format!(" img-src {origin};"));
    let style = look.map(|design| format!("{STYLE}{}", design.style()));
    let hash = style
        .as_deref()
        .map_or_else(|| STYLE_HASH.clone(), hash_source);
    let policy = format!(
        "default-src 'none'; style-src {hash}; script-src {scripts};{}{} base-uri 'none'; \
         form-action 'self'{redirect}; frame-ancestors {ancestors}",
        frames.unwrap_or_default(),
        images.unwrap_or_default(),
    );
    let logo = logo.map(|url| format!("<img class=\"logo\" src=\"{}\" alt=\"\">", escape(url)));
    let paper = Paper {
        style: style.as_deref().unwrap_or(STYLE),
        logo: logo.as_deref().unwrap_or_default(),
        framed: view.framed,
    };
    let html = document(view.language, title, body, &paper);
    Page { html, policy }
}

fn origin(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    Some(url.origin().ascii_serialization())
}

/// The parts of a page beside its text.
struct Paper<'a> {
    style: &'a str,
    /// An element, or nothing.
    logo: &'a str,
    framed: bool,
}

impl Default for Paper<'_> {
    fn default() -> Self {
        Self {
            style: STYLE,
            logo: "",
            framed: false,
        }
    }
}

fn document(language: Language, title: &str, body: &str, paper: &Paper<'_>) -> String {
    let title = escape(title);
    let script = if paper.framed {
        format!("<script>{FRAME}</script>")
    } else {
        String::new()
    };
    let Paper { style, logo, .. } = *paper;
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{style}</style></head>\
         <body><main>{logo}<h1>{title}</h1>{body}</main>{script}</body></html>",
        language.tag()
    )
}

#[cfg(test)]
mod tests;
