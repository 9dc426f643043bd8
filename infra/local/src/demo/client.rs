//! HTTP client of the demo: it knows only addresses and credentials, as any client.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// An HTTP client of the running stack.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Base address of the API.
    pub base: String,
    key: String,
}

impl Client {
    /// Speaks to `base` with this API key.
    pub fn new(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Self {
            http: http.unwrap_or_default(),
            base: base.to_owned(),
            key: key.to_owned(),
        }
    }

    /// GET with the API key.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        answer("GET", path, request).await
    }

    /// POST of JSON with the API key.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        answer("POST", path, request.json(body)).await
    }

    /// PUT of JSON with the API key.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .put(format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        answer("PUT", path, request.json(body)).await
    }

    /// The address to which a page sends the browser.
    pub async fn redirect(&self, url: &str) -> Result<String> {
        let response = self.http.get(url).send().await?;
        let to = response.headers().get(reqwest::header::LOCATION);
        let to = to.and_then(|to| to.to_str().ok()).map(str::to_owned);
        to.with_context(|| format!("{url} redirects nobody"))
    }

    /// Any request without the API key: providers, mail readers, visitors. Gives status and text.
    pub async fn outside(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<(u16, String)> {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}{url}", self.base)
        };
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = self.http.request(method, &url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| url.clone())?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.unwrap_or_default()))
    }
}

async fn answer(method: &str, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let response = request
        .send()
        .await
        .with_context(|| format!("{method} {path}"))?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{method} {path} answered {status}: {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("{method} {path} answered no JSON: {text}"))
}
