//! The answers of Zalo: consent, tokens, account, templates, messages. A refusal has status 200 and a code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::{Asked, html, reply};
use super::{APP_ID, Account, CODE_LIFE, Code, LIFE, OA, PRICE, QUOTA, RATE, State, TEMPLATE, Zns};

/// A refusal: its status is 200.
pub(super) fn error(code: i64, message: &str) -> Response<Bytes> {
    reply(200, &json!({ "error": code, "message": message }))
}

fn access(oa_id: &str, pair: u64) -> String {
    format!("zalo-access-{oa_id}-{pair}")
}

fn refresh(oa_id: &str, pair: u64) -> String {
    format!("zalo-refresh-{oa_id}-{pair}")
}

impl Account {
    /// When an access token of the account ends; `None` for another token.
    fn end_of(&self, oa_id: &str, token: &str) -> Option<i64> {
        if token == access(oa_id, self.pair) {
            Some(self.expires_at)
        } else if self.pair > 0 && token == access(oa_id, self.pair - 1) {
            Some(self.before)
        } else {
            None
        }
    }
}

impl State {
    pub(super) fn dispatch(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        match (asked.host, asked.path) {
            ("oauth.zaloapp.com", "/v4/oa/permission") => self.consent(asked),
            ("oauth.zaloapp.com", "/v4/oa/access_token") => self.token(asked),
            ("openapi.zalo.me" | "business.openapi.zalo.me", path) => self.api(asked, path),
            _ => html(404),
        }
    }

    fn consent(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        if asked.pair("app_id") != APP_ID {
            return error(-14_002, "App is not active");
        }
        let Ok(mut to) = url::Url::parse(asked.pair("redirect_uri")) else {
            return error(-14_003, "Invalid redirect uri");
        };
        let oa_id = self.next.take().unwrap_or_else(|| OA.to_owned());
        let code = format!("zalo-code-{}", self.calls.len());
        let kept = Code {
            oa_id: oa_id.clone(),
            challenge: asked.pair("code_challenge").to_owned(),
            at: asked.now,
        };
        self.codes.insert(code.clone(), kept);
        to.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("oa_id", &oa_id)
            .append_pair("state", asked.pair("state"));
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(to) = header::HeaderValue::from_str(to.as_str()) {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    fn token(&mut self, asked: &Asked<'_>) -> Response<Bytes> {
        if asked.header("secret_key") != self.secret || asked.field("app_id") != APP_ID {
            return error(-14_004, "Invalid app id or secret key");
        }
        if asked.field("grant_type") == "refresh_token" {
            let given = asked.field("refresh_token");
            let mut parts = given.rsplitn(2, '-');
            let pair: Option<u64> = parts.next().and_then(|pair| pair.parse().ok());
            let oa_id = parts.next().unwrap_or_default();
            let oa_id = oa_id.trim_start_matches("zalo-refresh-").to_owned();
            let Some(account) = self.accounts.get_mut(&oa_id) else {
                return error(-14_014, "Invalid refresh token");
            };
            if pair != Some(account.pair) {
                account.reused += 1;
                return error(-14_014, "Invalid refresh token");
            }
            return self.pair(&oa_id, asked.now);
        }
        let digest = Sha256::digest(asked.field("code_verifier").as_bytes());
        match self.codes.remove(&asked.field("code")) {
            Some(code)
                if asked.now - code.at < CODE_LIFE
                    && code.challenge == URL_SAFE_NO_PAD.encode(digest) =>
            {
                self.pair(&code.oa_id, asked.now)
            }
            _ => error(-14_019, "Invalid authorized code"),
        }
    }

    /// The next pair of tokens of an account.
    fn pair(&mut self, oa_id: &str, now: i64) -> Response<Bytes> {
        let account = self.accounts.entry(oa_id.to_owned()).or_default();
        account.pair += 1;
        account.before = account.expires_at;
        account.expires_at = now + LIFE;
        reply(
            200,
            &json!({ "access_token": access(oa_id, account.pair), "refresh_token": refresh(oa_id, account.pair),
                "expires_in": LIFE.to_string() }),
        )
    }

    fn api(&mut self, asked: &Asked<'_>, path: &str) -> Response<Bytes> {
        let token = asked.header("access_token");
        let found = self
            .accounts
            .iter_mut()
            .find(|(oa_id, account)| account.end_of(oa_id, token).is_some());
        let Some((oa_id, account)) = found else {
            return error(-124, "Access token is invalid");
        };
        if account
            .end_of(oa_id, token)
            .is_none_or(|end| asked.now >= end)
        {
            let code = if asked.host == "openapi.zalo.me" {
                -216
            } else {
                -124
            };
            return error(code, "Access token has expired");
        }
        let oa_id = oa_id.clone();
        if path == "/message/template" {
            return self.send(asked, &oa_id);
        }
        account.window.retain(|at| asked.now - at < 60);
        if account.window.len() >= RATE {
            return error(-32, "Rate limit of the OA");
        }
        account.window.push_back(asked.now);
        match path {
            "/v2.0/oa/getoa" => reply(
                200,
                &json!({ "error": 0, "message": "Success", "data": { "oa_id": oa_id, "name": format!("Cửa hàng {}", &oa_id[oa_id.len() - 1..]),
                    "description": "Gốm Chu Đậu", "avatar": "https://s160-ava-talk.zadn.vn/oa.jpg", "is_verified": true,
                    "package_name": "Gói Tăng trưởng", "num_follower": 1_200 } }),
            ),
            "/message/quota" => {
                let (quota, left) = (self.quota(), self.left(&oa_id, asked.now));
                reply(
                    200,
                    &json!({ "error": 0, "message": "Success", "data": { "dailyQuota": quota.to_string(), "remainingQuota": left.to_string() } }),
                )
            }
            "/template/all" => self.list(asked),
            "/template/info/v2" => self.info(asked.pair("template_id")),
            _ => error(-106, "Method is not supported"),
        }
    }

    fn quota(&self) -> i64 {
        self.quota.unwrap_or(QUOTA)
    }

    /// Messages of the day that are left. The day is Vietnam's.
    fn left(&self, oa_id: &str, now: i64) -> i64 {
        let day = (now + 7 * 3_600) / 86_400;
        let account = self.accounts.get(oa_id);
        let sent = account.and_then(|account| account.sent.get(&day));
        self.quota() - sent.copied().unwrap_or(0)
    }

    fn ids(&self) -> Vec<String> {
        let more = (0..self.more).map(|n| (300_000 + n).to_string());
        std::iter::once(TEMPLATE.to_owned()).chain(more).collect()
    }

    fn status(&self, id: &str) -> &'static str {
        if id == TEMPLATE && self.disabled {
            "DISABLE"
        } else {
            "ENABLE"
        }
    }

    fn list(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let (offset, limit) = (asked.number("offset", 0), asked.number("limit", 0));
        if !(1..=100).contains(&limit) {
            return error(-201, "limit is invalid");
        }
        let one = |id: String| {
            json!({ "templateId": id.parse::<u64>().unwrap_or(0), "templateName": format!("Mẫu {id}"), "status": self.status(&id),
                "templateQuality": "HIGH" })
        };
        let page: Vec<Value> = self
            .ids()
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(one)
            .collect();
        reply(
            200,
            &json!({ "error": 0, "message": "Success", "data": page, "metadata": { "total": self.ids().len() } }),
        )
    }

    fn info(&self, id: &str) -> Response<Bytes> {
        if !self.ids().iter().any(|known| known == id) {
            return error(-109, "Template is invalid");
        }
        reply(
            200,
            &json!({ "error": 0, "message": "Success", "data": { "templateId": id, "templateName": format!("Mẫu {id}"),
                "status": self.status(id), "timeout": 7_200_000, "previewUrl": format!("https://account.zalo.cloud/znspreview/{id}"),
                "templateQuality": "HIGH", "templateTag": "CUSTOMER_CARE", "price": "300.0", "price_sdt": PRICE, "price_uid": 200,
                "listParams": params() } }),
        )
    }

    fn send(&mut self, asked: &Asked<'_>, oa_id: &str) -> Response<Bytes> {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (phone, template_id, tracking_id) =
            (text("phone"), text("template_id"), text("tracking_id"));
        if let Some(code) = self.every {
            return error(code, "Refused");
        }
        if let Some((code, message)) = self.fault_of(&body, &phone, &template_id, &tracking_id) {
            return error(code, message);
        }
        let left = self.left(oa_id, asked.now);
        if left <= 0 {
            return error(-144, "OA has exceeded its daily quota");
        }
        let day = (asked.now + 7 * 3_600) / 86_400;
        if let Some(account) = self.accounts.get_mut(oa_id) {
            *account.sent.entry(day).or_default() += 1;
        }
        let zns = Zns {
            id: format!("zns{:016x}", self.sent.len() + 1),
            oa_id: oa_id.to_owned(),
            phone,
            template_id,
            data: body["template_data"].clone(),
            tracking_id,
            at: asked.now,
        };
        let answer = json!({ "error": 0, "message": "Success", "data": { "msg_id": zns.id, "sent_time": (asked.now * 1_000).to_string(),
            "sending_mode": "1", "quota": { "dailyQuota": self.quota().to_string(), "remainingQuota": (left - 1).to_string() } } });
        if let Some(sink) = &self.sink {
            sink(&zns);
        }
        self.sent.push(zns);
        reply(200, &answer)
    }

    /// The refusal of a message by its fields.
    fn fault_of(
        &self,
        body: &Value,
        phone: &str,
        template_id: &str,
        tracking_id: &str,
    ) -> Option<(i64, &'static str)> {
        let is_number = phone.len() == 11
            && phone.starts_with("84")
            && phone.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Some((-108, "Phone number is invalid"));
        }
        if !self.ids().iter().any(|known| known == template_id) {
            return Some((-109, "Template is invalid"));
        }
        if self.status(template_id) != "ENABLE" {
            return Some((-131, "Template is not approved"));
        }
        let is_plain = tracking_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if tracking_id.is_empty() || tracking_id.len() > 48 || !is_plain {
            return Some((-132, "tracking_id is invalid"));
        }
        let data = body["template_data"].as_object();
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            return Some((-111, "Template data is empty"));
        };
        for param in params() {
            let name = param["name"].as_str().unwrap_or_default();
            let value = data.get(name).and_then(Value::as_str);
            let length = value.map_or(0, |value| value.chars().count());
            if length == 0 && param["require"] == true {
                return Some((-1_122, "A parameter is missing"));
            }
            if length as u64 > param["maxLength"].as_u64().unwrap_or(0) {
                return Some((-1_121, "A parameter is too long"));
            }
        }
        let code = self.refused.get(phone)?;
        Some((*code, "Refused"))
    }
}

/// The parameters of each template.
fn params() -> Vec<Value> {
    vec![
        json!({ "name": "customer_name", "require": true, "type": "STRING", "maxLength": 30, "minLength": 0, "acceptNull": false }),
        json!({ "name": "order_code", "require": true, "type": "STRING", "maxLength": 30, "minLength": 0, "acceptNull": false }),
        json!({ "name": "note", "require": false, "type": "STRING", "maxLength": 200, "minLength": 0, "acceptNull": false }),
    ]
}
