//! The page's text: escaped, labelled, and bound by its policy.

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::{Rule, Settings, Status};

fn form_of(more: &serde_json::Value) -> Form {
    let mut settings = json!({
        "name": "<b>Tết</b>", "kind": "embedded",
        "fields": [
            {"key": "email", "required": true, "help": "Ví dụ \"an@example.vn\""},
            {"key": "gender"},
        ],
        "consent": {"email": {"text": "Đồng ý <script>"}},
    });
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    let settings: Settings = serde_json::from_value(settings).unwrap();
    Form {
        id: "frm_0123456789a".parse().unwrap(),
        status: Status::Published,
        settings_version: 1,
        settings,
        guard: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn view(form: &Form, framed: bool) -> View<'static> {
    let turnstile = "https://challenges.cloudflare.com/turnstile/v0";
    View::of(form, None, framed.then_some("1"), turnstile)
}

#[test]
fn what_was_typed_is_kept_escaped_and_its_fault_is_tied_to_the_box() {
    let own = form_of(&json!({}));
    let typed = [("email".to_owned(), "\"><script>x".to_owned())];
    let given = Given::of(typed).unwrap();
    let faults = [Fault {
        field: "email".into(),
        rule: Rule::Email,
    }];
    let none = Definitions::default();
    let page = form(&own, &none, view(&own, false), "t", &given, &faults);
    assert!(!page.html.contains("<script") && !page.html.contains("<b>"));
    assert!(page.html.contains("value=\"&quot;&gt;&lt;script&gt;x\""));
    assert!(
        page.html
            .contains("aria-describedby=\"h-email e-email\" aria-invalid=\"true\" autofocus")
    );
    assert!(page.html.contains("<label for=\"f-email\">"));
    assert!(page.html.contains("href=\"#f-email\""));
    assert!(
        !page.html.contains(" checked"),
        "nothing is ticked beforehand"
    );
}

#[test]
fn the_policy_names_the_hosts_the_redirect_and_the_script() {
    let own = form_of(
        &json!({"allowed_hosts": ["shop.example.vn"], "redirect_url": "https://shop.example.vn/ok?a=1"}),
    );
    let (none, given) = (Definitions::default(), Given::default());
    let framed = form(&own, &none, view(&own, true), "t", &given, &[]);
    assert!(
        framed
            .policy
            .contains("form-action 'self' https://shop.example.vn;")
    );
    assert!(framed.policy.ends_with("frame-ancestors shop.example.vn"));
    assert!(framed.policy.contains(&hash_source(FRAME)));
    assert!(framed.html.contains("target=\"_top\""));
    let plain = form(&own, &none, view(&own, false), "t", &given, &[]);
    assert!(plain.policy.contains("script-src 'none'") && !plain.html.contains("<script"));
}

#[test]
fn a_name_cannot_end_the_script() {
    let own = form_of(&json!({"name": "</script>\u{2028}", "kind": "popup"}));
    let script = script(&own);
    assert!(!script.contains("</script>") && !script.contains('\u{2028}'));
}

#[test]
fn the_snippet_holds_the_questions_and_no_script() {
    let own = form_of(&json!({}));
    let html = snippet(
        &own,
        &Definitions::default(),
        "https://api.example.vn/",
        "https://challenges.cloudflare.com/turnstile/v0",
    );
    assert!(html.contains("action=\"https://api.example.vn/f/frm_0123456789a?lang=vi\""));
    assert!(html.contains("name=\"email\"") && html.contains("name=\"consent.email\""));
    assert!(!html.contains("<script"));
}
