//! Products and carts of shops: told by signed requests, entered by staff, and carts that are left behind; changes of many
//! orders; files of orders and products.

mod bulk;
mod carts;
mod files;
mod least;
mod products;
mod shop;
