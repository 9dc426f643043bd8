//! A workspace to try things in, made at the first start.
//!
//! The seed uses the same crates as the API. These crates show a secret only once. So the seed keeps the secrets
//! in `credentials.json` in the data folder, and a later start reads them from this file.

use std::path::Path;

use accounts::{Accounts, ApiKeys, NewUser, Senders, Users, WorkspaceSettings, Workspaces};
use anyhow::{Context, Result};
use chat::{InboxDoors, InboxSettings, Inboxes};
use cloud::Resources;
use kernel::{InboxId, Role, Scope, TenantKey};
use serde_json::{Value, json};
use sources::{NewSource, Provider, Settings, Sources};

use crate::runtime::LocalStack;

const EMAIL: &str = "admin@example.vn";
/// Local parts of the addresses that the workspace may send from.
const SENDERS: [&str; 5] = ["shop", "tin", "chao", "khuyen-mai", "tet"];
/// Header that the demo's LadiPage form sends its token in.
const HEADER: &str = "x-tanigo-token";

/// Makes the workspace if the data folder has none, and publishes its credentials.
pub async fn ensure(stack: &LocalStack, data_dir: &Path) -> Result<()> {
    let kept = std::fs::read(data_dir.join("credentials.json")).ok();
    let kept = kept.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let credentials = match kept.filter(|kept| kept.get("api_key").is_some()) {
        Some(kept) => moved(kept, &stack.addresses().api),
        None => create(stack).await?,
    };
    stack.set_credentials(credentials)
}

/// The kept credentials with the addresses of this start, because the port may have changed.
fn moved(mut kept: Value, api: &str) -> Value {
    let base = kept["api"].as_str().unwrap_or_default().to_owned();
    for pointer in ["/sources/ladipage/url", "/widget/url"] {
        if let Some(Value::String(url)) = kept.pointer_mut(pointer)
            && let Some(path) = url.strip_prefix(&base)
        {
            *url = format!("{api}{path}");
        }
    }
    if let Some(fields) = kept.as_object_mut() {
        fields.retain(|name, _| !["api", "websocket", "aws"].contains(&name.as_str()));
    }
    kept
}

async fn create(stack: &LocalStack) -> Result<Value> {
    let resources = stack.resources();
    let account = Accounts::over(&resources).create("Cửa hàng mẫu").await?;
    let settings = WorkspaceSettings {
        postal_address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh".into(),
        permission_reminder: "Bạn nhận thư này vì đã mua hàng tại Cửa hàng mẫu.".into(),
        ..WorkspaceSettings::named("Cửa hàng mẫu")
    };
    let workspaces = Workspaces::over(&resources);
    let tenant = workspaces.create(account, settings).await?;
    let tenant = tenant.context("the account has the workspace already")?;
    let senders = Senders::over(&resources);
    for name in SENDERS {
        let address = format!("{name}@example.vn").parse()?;
        senders.trust(tenant, &address).await?;
    }
    let password = resources.entropy().nonce();
    let admin = NewUser {
        email: EMAIL.parse()?,
        name: "Quản trị".into(),
        role: Role::AccountAdmin,
        chat_role: None,
        workspaces: vec![tenant.workspace()],
        password: password.clone(),
    };
    let user = Users::over(&resources).create(account, admin).await?;
    user.with_context(|| {
        format!("{EMAIL} exists without its credentials; start afresh with --fresh")
    })?;
    let key = ApiKeys::over(&resources)
        .create(account, tenant, "local", &[Scope::Admin])
        .await?;
    let source = NewSource {
        name: "LadiPage".into(),
        settings: Settings {
            tags: vec!["ladipage".into()],
            ..Settings::default()
        },
        ..NewSource::of(Provider::Ladipage)
    };
    let sources = Sources::over(&resources);
    let (source, secret) = sources.create(tenant, source, HEADER).await?;
    let inbox = create_inbox(tenant, &resources).await?;
    let api = &stack.addresses().api;
    Ok(json!({
        "workspace_id": tenant.workspace(),
        "email": EMAIL,
        "password": password,
        "api_key": key.token,
        "sources": { "ladipage": {
            "url": format!("{api}/w/ladipage/{source}"), "header": HEADER, "token": secret,
        } },
        "widget": { "inbox_id": inbox, "url": format!("{api}/chat/{inbox}") },
    }))
}

/// A website inbox that any page may show.
async fn create_inbox(tenant: TenantKey, resources: &Resources) -> Result<InboxId> {
    let settings = InboxSettings {
        name: "Website".into(),
        allowed_origins: Vec::new(),
    };
    let (doors, inboxes) = (InboxDoors::over(resources), Inboxes::over(resources));
    loop {
        let id = InboxId::new(resources.clock(), resources.entropy());
        if doors
            .create(tenant, id, &settings.name, &settings.allowed_origins)
            .await?
            && inboxes
                .create(tenant, id, resources.clock().now(), &settings)
                .await?
                .is_some()
        {
            return Ok(id);
        }
    }
}
