//! Zalo Official Accounts and campaigns by ZNS through public doors, against the provider of the local stack.

mod accounts;
mod crashes;
mod receipts;
mod sending;
mod shop;

pub use shop::{TEMPLATE, connect};
