//! One provider's API as the worker sees it: each call is a request and the reading of its answer.

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;

use super::{Access, ApiError, Credentials, Object, done_well, read};
use crate::Provider;
use crate::inbound::RawRequest;
use crate::source::Settings;
use crate::{getfly, haravan, kiotviet, sapo, shopee};
use kernel::SourceId;

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The objects, as the provider's API has them.
    pub objects: Vec<Value>,
    /// Where the next page begins; `None` after the last page.
    pub next: Option<String>,
    /// The number of all objects, if the provider tells.
    pub total: Option<u64>,
}

/// The API of a source's provider, with its credentials and its tokens.
#[derive(Debug, Clone)]
pub struct Client {
    /// The provider.
    pub provider: Provider,
    /// The owner's entries.
    pub credentials: Credentials,
    /// The tokens, if there are any.
    pub access: Option<Access>,
    /// The shop's name in webhooks, once it is known.
    pub shop: Option<String>,
}

/// The question to a list.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Which objects.
    pub object: Object,
    /// Only objects that changed since.
    pub since: Option<Timestamp>,
    /// Where the page begins; `None` is the first page.
    pub cursor: Option<&'a str>,
    /// The end of the list's time: the begin of the back-fill.
    pub until: Timestamp,
    /// The time of the call.
    pub now: Timestamp,
}

impl Client {
    /// The token of calls; empty if there is none.
    pub fn token(&self) -> &str {
        let own = self.access.as_ref().map(|access| access.token.as_str());
        own.or(self.credentials.access_token.as_deref())
            .unwrap_or_default()
    }

    /// The name in front of the provider's host.
    pub(crate) fn host_name(&self) -> &str {
        Credentials::text(&self.credentials.shop)
    }

    /// The kinds of objects that its API lists, in the order of a back-fill: people before their orders.
    pub fn objects(&self) -> &'static [Object] {
        objects_of(self.provider)
    }

    /// Reads an answer that is JSON and nothing more.
    pub fn value(&self, answer: &Response<Bytes>) -> Result<Value, ApiError> {
        match self.provider {
            Provider::Shopee => shopee::api::value(answer),
            _ => read(answer),
        }
    }

    /// Reads the answer to a deletion: an object that is gone already is deleted.
    pub fn deleted(&self, answer: &Response<Bytes>) -> Result<(), ApiError> {
        match done_well(answer) {
            Err(ApiError::Gone) => Ok(()),
            other => other,
        }
    }

    /// Calls a second that the provider allows, with room for other programs of the shop.
    pub fn rate(&self) -> f64 {
        match self.provider {
            // 5,000 an hour.
            Provider::Kiotviet => 1.25,
            // A bucket of 80 that leaks 4 a second.
            Provider::Haravan => 3.0,
            _ => 2.0,
        }
    }

    /// Whether the provider renews a token without a person.
    pub fn renews(&self) -> bool {
        match self.provider {
            Provider::Kiotviet => true,
            Provider::Shopee => self
                .access
                .as_ref()
                .is_some_and(|access| access.refresh.is_some()),
            _ => false,
        }
    }

    /// Whether the token is absent or ends soon.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let valid = self
            .access
            .as_ref()
            .is_some_and(|access| access.is_valid(now));
        self.renews() && !valid
    }

    /// The request that renews the token.
    pub fn renewal(&self, now: Timestamp) -> Result<Request<Bytes>, ApiError> {
        match self.provider {
            Provider::Kiotviet => kiotviet::api::renewal(self),
            Provider::Shopee => shopee::api::renewal(self, now),
            _ => Err(ApiError::Refused),
        }
    }

    /// The page on which a person gives consent. The provider sends that person back to `redirect`.
    pub fn consent(&self, redirect: &str, state: &str, now: Timestamp) -> Option<String> {
        // Haravan compares the address with the registered one; the others keep its query.
        let with_state = format!("{redirect}?state={state}");
        match self.provider {
            Provider::Haravan => Some(haravan::api::consent(self, redirect, state)),
            Provider::Sapo => Some(sapo::api::consent(self, &with_state)),
            Provider::Shopee => Some(shopee::api::consent(self, &with_state, now)),
            _ => None,
        }
    }

    /// Whether the query of the redirect can be the provider's. Sapo signs it. Shopee names a shop by its number, and gives
    /// a token for the shop of the code only.
    pub fn is_redirect(&self, pairs: &[(String, String)]) -> bool {
        let secret = Credentials::text(&self.credentials.client_secret);
        let is_number = |text: &str| text.parse::<u64>().is_ok();
        match self.provider {
            Provider::Sapo => sapo::api::is_signed(secret, pairs),
            Provider::Shopee => pairs
                .iter()
                .any(|(name, text)| name == "shop_id" && is_number(text)),
            _ => true,
        }
    }

    /// The request that exchanges a code for tokens. `shop` is the one that Shopee names.
    pub fn exchange(
        &self,
        code: &str,
        shop: &str,
        redirect: &str,
        now: Timestamp,
    ) -> Result<Request<Bytes>, ApiError> {
        match self.provider {
            Provider::Haravan => haravan::api::exchange(self, code, redirect),
            Provider::Sapo => sapo::api::exchange(self, code),
            Provider::Shopee => shopee::api::exchange(self, code, shop, now),
            _ => Err(ApiError::Refused),
        }
    }

    /// The tokens of an answer to [`Client::renewal`] or to the exchange of a code.
    pub fn tokens(&self, answer: &Response<Bytes>, now: Timestamp) -> Result<Access, ApiError> {
        let value = match self.provider {
            Provider::Shopee => shopee::api::value(answer)?,
            // A grant that is refused is a 400.
            _ if answer.status() == 400 => return Err(ApiError::Refused),
            _ => read(answer)?,
        };
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        let token =
            text("access_token").ok_or_else(|| ApiError::Unexpected("no access_token".into()))?;
        let life = value["expires_in"].as_i64().or(value["expire_in"].as_i64());
        Ok(Access {
            token: token.to_owned(),
            refresh: text("refresh_token").map(str::to_owned),
            until: life.and_then(|life| Timestamp::from_second(now.as_second() + life).ok()),
            shop: self.access.as_ref().and_then(|access| access.shop.clone()),
        })
    }

    /// The request that shows whether the credentials are valid, and names the shop.
    pub fn probe(&self, now: Timestamp) -> Result<Request<Bytes>, ApiError> {
        match self.provider {
            Provider::Kiotviet => kiotviet::api::probe(self),
            Provider::Haravan => haravan::api::probe(self),
            Provider::Sapo => sapo::api::probe(self),
            Provider::Getfly => getfly::api::probe(self),
            Provider::Shopee => shopee::api::probe(self, now),
            Provider::Custom | Provider::Ladipage => Err(ApiError::Refused),
        }
    }

    /// The shop's name in webhooks, by the answer to [`Client::probe`].
    pub fn shop_of(&self, answer: &Response<Bytes>) -> Result<Option<String>, ApiError> {
        Ok(match self.provider {
            Provider::Kiotviet => kiotviet::api::shop(&read(answer)?),
            Provider::Haravan => haravan::api::shop(&read(answer)?),
            Provider::Sapo => read(answer).map(|_| Some(sapo::api::host(self)))?,
            Provider::Getfly => read(answer).map(|_| Some(getfly::api::host(self)))?,
            Provider::Shopee => {
                shopee::api::value(answer)?;
                self.access.as_ref().and_then(|access| access.shop.clone())
            }
            Provider::Custom | Provider::Ladipage => None,
        })
    }

    /// The request for a page.
    pub fn list(&self, asked: &Asked<'_>) -> Result<Request<Bytes>, ApiError> {
        match self.provider {
            Provider::Kiotviet => kiotviet::api::list(self, asked),
            Provider::Haravan => haravan::api::list(self, asked),
            Provider::Sapo => sapo::api::list(self, asked),
            Provider::Getfly => getfly::api::list(self, asked),
            Provider::Shopee => shopee::api::list(self, asked),
            Provider::Custom | Provider::Ladipage => Err(ApiError::Refused),
        }
    }

    /// Reads a page.
    pub fn page(&self, asked: &Asked<'_>, answer: &Response<Bytes>) -> Result<Page, ApiError> {
        match self.provider {
            Provider::Kiotviet => kiotviet::api::page(asked, &read(answer)?),
            Provider::Haravan | Provider::Sapo => {
                crate::storefront::api::page(asked, &read(answer)?)
            }
            Provider::Getfly => getfly::api::page(asked, &read(answer)?),
            Provider::Shopee => shopee::api::page(asked, &shopee::api::value(answer)?),
            Provider::Custom | Provider::Ladipage => Err(ApiError::Refused),
        }
    }

    /// The request for the number of objects of a list that does not tell it.
    pub fn count(&self, asked: &Asked<'_>) -> Option<Result<Request<Bytes>, ApiError>> {
        match self.provider {
            Provider::Haravan => Some(haravan::api::count(self, asked)),
            Provider::Sapo => Some(sapo::api::count(self, asked)),
            _ => None,
        }
    }

    /// The request for the details of these objects, if the list of the provider holds ids only.
    pub fn details(&self, page: &Page, now: Timestamp) -> Option<Result<Request<Bytes>, ApiError>> {
        if self.provider != Provider::Shopee || page.objects.is_empty() {
            return None;
        }
        let ids = page
            .objects
            .iter()
            .filter_map(|one| one["order_sn"].as_str());
        Some(shopee::api::details(self, &ids.collect::<Vec<_>>(), now))
    }

    /// The request for one object.
    pub fn one(
        &self,
        object: Object,
        id: &str,
        now: Timestamp,
    ) -> Result<Request<Bytes>, ApiError> {
        match self.provider {
            Provider::Kiotviet => kiotviet::api::one(self, object, id),
            Provider::Getfly => getfly::api::one(self, object, id),
            Provider::Shopee => shopee::api::details(self, &[id], now),
            _ => Err(ApiError::Gone),
        }
    }

    /// The objects of an answer to [`Client::one`] or [`Client::details`].
    pub fn objects_in(&self, answer: &Response<Bytes>) -> Result<Vec<Value>, ApiError> {
        match self.provider {
            Provider::Shopee => Ok(shopee::api::detailed(&shopee::api::value(answer)?)),
            Provider::Getfly => Ok(vec![getfly::api::single(read(answer)?)]),
            _ => Ok(vec![read(answer)?]),
        }
    }

    /// The requests that a webhook of the provider would have been, so that all data goes one way. With `fetches` an order of
    /// KiotViet asks for its buyer, as that of a webhook does.
    pub fn as_requests(
        &self,
        source: SourceId,
        (settings, fetches): (&Settings, bool),
        object: Object,
        objects: &[Value],
        now: Timestamp,
    ) -> Vec<RawRequest> {
        let shop = self.shop.as_deref().unwrap_or_default();
        let told: Vec<Told> = match self.provider {
            Provider::Kiotviet => kiotviet::api::told(object, objects, shop),
            Provider::Haravan => haravan::api::told(object, objects, shop),
            Provider::Sapo => sapo::api::told(object, objects, shop),
            Provider::Getfly => getfly::api::told(object, objects, shop),
            Provider::Shopee => shopee::api::told(objects, shop),
            Provider::Custom | Provider::Ladipage => Vec::new(),
        };
        let request = |(headers, body): Told| RawRequest {
            source,
            provider: self.provider,
            received_at: now,
            headers: headers
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text))
                .collect(),
            body,
            file: None,
            replay_of: None,
            settings: Settings {
                fetches,
                ..settings.clone()
            },
        };
        told.into_iter().map(request).collect()
    }
}

/// Headers and body of a request.
pub(crate) type Told = (Vec<(&'static str, String)>, String);

/// The header that marks an object of the API. No provider's request can have it: only listed headers are kept.
pub(crate) const FETCHED: &str = "x-tanigo-object";

/// The kinds of objects that the provider's API lists.
pub fn objects_of(provider: Provider) -> &'static [Object] {
    match provider {
        Provider::Kiotviet => &[
            Object::Customers,
            Object::Orders,
            Object::Invoices,
            Object::Products,
        ],
        Provider::Shopee => &[Object::Orders],
        Provider::Haravan | Provider::Sapo => {
            &[Object::Customers, Object::Orders, Object::Products]
        }
        Provider::Getfly => &[Object::Customers, Object::Orders],
        Provider::Custom | Provider::Ladipage => &[],
    }
}
