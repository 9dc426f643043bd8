//! Products and carts of shops: told by signed requests, entered by staff, and carts that are left behind; changes of many
//! orders.

mod bulk;
mod carts;
mod least;
mod products;
mod shop;
