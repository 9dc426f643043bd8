//! Maps requests about products to use cases. Another tenant's product is not found.

use std::sync::Arc;

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::{Entered, Product, ProductChanged};
use kernel::ProductId;
use lambda::http::{ClientIp, Code, Creation, Json, May, Path, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::{Api, custom_too_long};
use crate::product_shape::{ProductIn, ProductPage, ProductPatch, ProductQuery};

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, update))
}

/// List the products of a status, by name.
///
/// Without `status`: those for sale. `query` is the begin of a name; diacritics and case do not matter. `code` finds at most
/// fifty products by the end of their code. The stock is in `showProduct`.
#[utoipa::path(
    get,
    path = "/v1/products",
    operation_id = "listProducts",
    tag = "products",
    params(ProductQuery),
    responses((status = 200, description = "A page of products", body = ProductPage)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListProducts>,
    Query(query): Query<ProductQuery>,
) -> Result<Json<ProductPage>, Problem> {
    query.check()?;
    if let Some(code) = &query.code {
        let data = api.products.by_code(caller.tenant, code.trim()).await?;
        return Ok(Json(ProductPage { data, next: None }));
    }
    let prefix = query.query.as_deref().unwrap_or_default();
    let page = api.products.page(
        caller.tenant,
        query.status,
        prefix,
        query.limit,
        query.cursor,
    );
    let page = page.await?;
    Ok(Json(ProductPage {
        data: page.data,
        next: page.next,
    }))
}

/// Enter a product.
///
/// Its `code` stays, and is unique among the products that staff entered. The product's source is `manual`.
#[utoipa::path(
    post,
    path = "/v1/products",
    operation_id = "createProduct",
    tag = "products",
    request_body = ProductIn,
    responses(
        (status = 201, description = "Entered", body = Product),
        (status = 409, description = "Another product has the code"),
    ),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateProduct>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(body): Json<ProductIn>,
) -> Result<Response, Problem> {
    let (incoming, staff_tags) = body.incoming(origin.at)?;
    api.note_products(&caller, &ip).await?;
    let made = api.products.create(caller.tenant, &incoming, &staff_tags);
    match made.await? {
        Entered::Yes(product) => {
            let location = [(header::LOCATION, format!("/v1/products/{}", product.id))];
            Ok((StatusCode::CREATED, location, Json(*product)).into_response())
        }
        Entered::Taken => Err(Problem::new(
            Code::Conflict,
            "another product that staff entered has this code",
        )),
    }
}

/// Show a product.
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    operation_id = "showProduct",
    tag = "products",
    params(("id" = ProductId, Path, description = "The product")),
    responses((status = 200, description = "The product", body = Product)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowProduct>,
    Path(id): Path<ProductId>,
) -> Result<Json<Product>, Problem> {
    let product = api.products.get(caller.tenant, id).await?;
    product
        .map(Json)
        .ok_or_else(|| Problem::not_found("product"))
}

/// Change a product.
///
/// A JSON merge patch. `{"status": "archived"}` takes the product out of the lists of products for sale. A product of a
/// shop system is changed there: here only its `staff_tags` and `custom` may be changed.
#[utoipa::path(
    patch,
    path = "/v1/products/{id}",
    operation_id = "updateProduct",
    tag = "products",
    params(("id" = ProductId, Path, description = "The product")),
    request_body = ProductPatch,
    responses(
        (status = 200, description = "Changed", body = Product),
        (status = 409, description = "The product is changed at its source"),
    ),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateProduct>,
    ip: ClientIp,
    Path(id): Path<ProductId>,
    Json(body): Json<ProductPatch>,
) -> Result<Json<Product>, Problem> {
    let fields = if body.custom.is_empty() {
        Arc::default()
    } else {
        api.product_fields.recent(caller.tenant).await?
    };
    let change = body.change(&fields)?;
    if api.products.get(caller.tenant, id).await?.is_none() {
        return Err(Problem::not_found("product"));
    }
    api.note_products(&caller, &ip).await?;
    match api.products.change(caller.tenant, id, &change).await? {
        ProductChanged::Yes(product) => Ok(Json(*product)),
        ProductChanged::ReadOnly => Err(Problem::new(
            Code::Conflict,
            "the product is changed at its source; here only staff_tags and custom may be changed",
        )),
        ProductChanged::Full => Err(custom_too_long()),
        ProductChanged::Missing => Err(Problem::not_found("product")),
    }
}
