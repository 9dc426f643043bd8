//! Products and carts of a source.

use cloud::Timers;
use commerce::{Carts, IncomingCart, Outcome, Products};
use jiff::SignedDuration;
use kernel::commerce::CartDue;
use kernel::{ContactId, TenantKey};
use lambda::{Failure, metrics};
use sources::{CART_MINUTES, Fact, Inbound, RawRequest};

/// The stores of products and carts.
pub struct Goods {
    pub products: Products,
    pub carts: Carts,
    pub timers: Timers,
}

/// Records a fact about a product; another fact changes nothing.
pub async fn product(goods: &Goods, tenant: TenantKey, fact: &Fact) -> Result<(), Failure> {
    let products = &goods.products;
    let outcome = match fact {
        Fact::Product(product) => products.record(tenant, product).await?,
        Fact::Stock(level) => products.stock(tenant, level).await?,
        Fact::ProductGone(gone) => products.gone(tenant, gone).await?,
        _ => return Ok(()),
    };
    let name = match outcome {
        Outcome::Created => "ProductsCreated",
        Outcome::Changed => "ProductsChanged",
        Outcome::Older | Outcome::Same => "ProductsRepeated",
    };
    metrics::count(name, 1);
    Ok(())
}

/// Records a version of a cart. Its timer is written first: a version without a timer would never be told.
pub async fn cart(
    goods: &Goods,
    tenant: TenantKey,
    contact: Option<ContactId>,
    cart: &IncomingCart,
    request: &RawRequest,
) -> Result<(), Failure> {
    let minutes = request.settings.cart_minutes.unwrap_or(CART_MINUTES);
    let idle = SignedDuration::from_mins(i64::from(minutes));
    let Some(next) = goods.carts.next(tenant, contact, cart, idle).await? else {
        metrics::count("CartsRepeated", 1);
        return Ok(());
    };
    if let Some((at, due)) = &next.timer {
        let CartDue {
            source,
            shop,
            external_id,
            mark,
        } = due;
        let name = kernel::hash::name(&["cart", source.name(), shop, external_id, mark]);
        let message = Inbound::CartDue(Box::new(due.clone()));
        goods.timers.schedule(tenant, &name, *at, &message).await?;
    }
    goods.carts.store(next).await?;
    metrics::count("CartsRecorded", 1);
    Ok(())
}

/// The end of a cart's wait.
pub async fn fall_due(goods: &Goods, tenant: TenantKey, due: CartDue) -> Result<(), Failure> {
    let is_told = goods.carts.fall_due(tenant, &due).await?;
    metrics::count("CartsAbandoned", u64::from(is_told));
    Ok(())
}
