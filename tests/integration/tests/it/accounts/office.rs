//! An installation with its first account, called as API Gateway calls it: the authorizer first.

use std::time::Duration;

use serde_json::{Value, json};

use tanigo_local::aws::Kind;

use crate::support::{World, http_event};

pub const EMAIL: &str = "chu@example.vn";
pub const PASSWORD: &str = "mật khẩu của chủ";
pub const GUEST: &str = "khach@example.vn";
pub const HOUR: Duration = Duration::from_hours(1);

/// An installation that was just set up.
pub struct Office {
    pub world: World,
    pub workspace: String,
}

/// Status and body.
pub type Answer = (u64, Value);

impl Office {
    pub async fn open() -> Self {
        let world = World::new();
        let (status, made) = setup(&world, EMAIL).await;
        assert_eq!(status, 201, "{made}");
        let workspace = made["workspace_id"].as_str().unwrap().to_owned();
        Self { world, workspace }
    }

    /// A request as API Gateway makes it: the authorizer first, then the function.
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let workspace = self.workspace.clone();
        self.ask_in(&workspace, token, method, path, body).await
    }

    pub async fn ask_in(
        &self,
        workspace: &str,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut event = http_event(method, path, body.as_ref(), None);
        event["headers"]["authorization"] = json!(format!("Bearer {token}"));
        event["headers"]["x-workspace"] = json!(workspace);
        let verdict = self
            .world
            .invoke("authorizer", event.clone())
            .await
            .unwrap();
        event["requestContext"]["authorizer"] = json!({ "lambda": verdict["context"] });
        let function = match path.split('/').nth(2).unwrap_or_default() {
            "contacts" | "lists" => "api-contacts",
            "conversations" | "inboxes" => "api-chat",
            _ => "api-accounts",
        };
        self.world.ask(function, event).await
    }

    pub async fn login(&self, email: &str, password: &str, ip: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        let mut event = http_event("POST", "/v1/auth/login", Some(&body), None);
        event["requestContext"]["http"]["sourceIp"] = json!(ip);
        self.world.ask("api-accounts", event).await
    }

    /// A request without a credential.
    pub async fn ask_openly(&self, path: &str, body: &Value) -> Answer {
        let event = http_event("POST", path, Some(body), None);
        self.world.ask("api-accounts", event).await
    }

    /// The token in the last mail to an address.
    pub fn mailed_token(&self, email: &str) -> Option<String> {
        self.mailed_tokens(email).pop()
    }

    /// The tokens in all mails to an address.
    pub fn mailed_tokens(&self, email: &str) -> Vec<String> {
        let outbox = self.world.aws.outbox();
        let mails = outbox.all(Kind::Mail).into_iter();
        let tokens = mails.filter(|mail| mail.to == [email]).filter_map(|mail| {
            let raw = outbox.mime(mail.id)?;
            let parsed = mail_parser::MessageParser::default().parse(&raw)?;
            let text = parsed.body_text(0)?;
            let link = text
                .split_whitespace()
                .find(|word| word.starts_with("http"))?;
            link.rsplit_once('/').map(|(_, token)| token.to_owned())
        });
        tokens.collect()
    }

    /// Lets the account mailer work through its queue.
    pub async fn mail(&self) {
        while self.world.deliver("account-mailer", true).await.is_some() {}
    }

    pub async fn token(&self) -> String {
        let (status, body) = self.login(EMAIL, PASSWORD, "203.0.113.1").await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }

    /// Another user of the account, who may enter its workspace.
    pub async fn colleague(&self, email: &str, role: kernel::Role) -> String {
        let resources = self.world.resources();
        let account = self.account().await;
        let new = accounts::NewUser {
            email: email.parse().unwrap(),
            name: "Đồng nghiệp".into(),
            role,
            chat_role: None,
            workspaces: vec![self.workspace.parse().unwrap()],
            password: PASSWORD.into(),
        };
        let made = accounts::Users::over(&resources).create(account, new).await;
        made.unwrap().unwrap().to_string()
    }

    pub async fn account(&self) -> kernel::AccountId {
        let (_, me) = self.ask(&self.token().await, "GET", "/v1/me", None).await;
        me["account_id"].as_str().unwrap().parse().unwrap()
    }
}

/// Actions of people.
impl Office {
    pub async fn invite(&self, email: &str) -> Value {
        let body =
            json!({ "email": email, "role": "contributor", "workspace_ids": [self.workspace] });
        let (status, made) = self
            .ask(&self.token().await, "POST", "/v1/invitations", Some(body))
            .await;
        assert_eq!(status, 201, "{made}");
        made
    }

    pub async fn accept(&self, token: &str, password: &str) -> (u64, Value) {
        let body = json!({ "token": token, "name": "Khách", "password": password });
        self.ask_openly("/v1/auth/invitations/accept", &body).await
    }

    pub async fn forgot(&self, email: &str) -> u64 {
        let body = json!({ "email": email });
        self.ask_openly("/v1/auth/password/forgot", &body).await.0
    }

    pub async fn reset(&self, token: &str, password: &str) -> u64 {
        let body = json!({ "token": token, "password": password });
        self.ask_openly("/v1/auth/password/reset", &body).await.0
    }

    pub async fn login_with(&self, password: &str, code: &str) -> (u64, Value) {
        let body = json!({ "email": EMAIL, "password": password, "code": code });
        self.ask_openly("/v1/auth/login", &body).await
    }

    /// Draws and confirms a second factor; the authenticator app and the recovery codes.
    pub async fn second_factor(&self) -> (totp_rs::Totp, Vec<String>) {
        let token = self.token().await;
        let (status, drawn) = self
            .ask(
                &token,
                "POST",
                "/v1/auth/totp",
                Some(json!({ "password": PASSWORD })),
            )
            .await;
        assert_eq!(status, 201, "{drawn}");
        let app = totp_rs::Totp::from_url(drawn["otpauth_url"].as_str().unwrap()).unwrap();
        let body = json!({ "code": self.code(&app) });
        let path = "/v1/auth/totp/confirm";
        let (status, confirmed) = self.ask(&token, "POST", path, Some(body)).await;
        assert_eq!(status, 200, "{confirmed}");
        assert_eq!(self.ask(&token, "GET", "/v1/me", None).await.0, 401);
        let codes = confirmed["recovery_codes"].as_array().unwrap().iter();
        let codes = codes.map(|code| code.as_str().unwrap().to_owned());
        (app, codes.collect())
    }

    pub fn code(&self, app: &totp_rs::Totp) -> String {
        let now = u64::try_from(self.world.now().as_second()).unwrap();
        app.generate(now).to_string()
    }
}

pub async fn setup(world: &World, email: &str) -> Answer {
    let body = json!({
        "token": world.spec("api-accounts").environment["SETUP_TOKEN"], "account_name": "Công ty",
        "workspace_name": "Cửa hàng", "name": "Chủ", "email": email, "password": PASSWORD,
    });
    let event = http_event("POST", "/v1/setup", Some(&body), None);
    world.ask("api-accounts", event).await
}
