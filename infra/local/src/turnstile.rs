//! Cloudflare Turnstile on this machine: `siteverify` and `api.js`, as Cloudflare documents them.
//!
//! The test keys answer as documented: `1x…` passes, `2x…` refuses, `3x…` says that the token was used. A secret key that
//! begins with `0x` stands for a real widget: a token `local.<any text>` passes once, and again only with the same
//! `idempotency_key`. `0xDOWN` answers 503. No other key is known.
//!
//! <https://developers.cloudflare.com/turnstile/get-started/server-side-validation/>,
//! <https://developers.cloudflare.com/turnstile/troubleshooting/testing/>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

const PASSES: &str = "1x0000000000000000000000000000000AA";
const FAILS: &str = "2x0000000000000000000000000000000AA";
const SPENT: &str = "3x0000000000000000000000000000000AA";
/// Tokens that are remembered.
const MOST: usize = 10_000;

/// A script that does what the widget does for a person: it puts a token into the form. `2x…` keys show no token, as a
/// widget that blocks.
pub const SCRIPT: &str = "(function () {
  function draw() {
    document.querySelectorAll('.cf-turnstile').forEach(function (box) {
      var key = box.getAttribute('data-sitekey') || '';
      var field = document.createElement('input');
      field.type = 'hidden';
      field.name = 'cf-turnstile-response';
      if (key.indexOf('2x') === 0) field.value = '';
      else if (key.indexOf('1x') === 0 || key.indexOf('3x') === 0) field.value = 'XXXX.DUMMY.TOKEN.XXXX';
      else field.value = 'local.' + Math.random().toString(36).slice(2);
      box.appendChild(field);
    });
  }
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', draw); else draw();
})();
";

/// The verifier, with the tokens that were used.
#[derive(Debug, Default)]
pub struct Verifier {
    used: Mutex<HashMap<(String, String), Option<String>>>,
}

impl Verifier {
    /// Answers `siteverify`: the status and the body.
    pub fn answer(&self, body: &Value, now: Timestamp) -> (u16, Value) {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (secret, token) = (text("secret"), text("response"));
        let name = body["idempotency_key"].as_str().map(str::to_owned);
        let refused = |code: &str| {
            let answer = json!({ "success": false, "error-codes": [code], "messages": [] });
            (200, answer)
        };
        let passed = || {
            let answer = json!({
                "success": true, "error-codes": [], "challenge_ts": now.to_string(),
                "hostname": "localhost", "action": "", "cdata": "",
            });
            (200, answer)
        };
        match (secret.as_str(), token.as_str()) {
            ("", _) => refused("missing-input-secret"),
            (_, "") => refused("missing-input-response"),
            ("0xDOWN", _) => (503, json!({})),
            (PASSES, _) => passed(),
            (FAILS, _) => refused("invalid-input-response"),
            (SPENT, _) => refused("timeout-or-duplicate"),
            (real, token) if real.starts_with("0x") => {
                if !token.starts_with("local.") {
                    return refused("invalid-input-response");
                }
                let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
                if used.len() >= MOST {
                    used.clear();
                }
                let key = (secret.clone(), token.to_owned());
                match used.get(&key) {
                    Some(first) if name.is_none() || *first != name => {
                        refused("timeout-or-duplicate")
                    }
                    _ => {
                        used.insert(key, name);
                        passed()
                    }
                }
            }
            _ => refused("invalid-input-secret"),
        }
    }
}
