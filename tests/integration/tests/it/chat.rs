//! Chat from both sides: the widget, the API, the workers and the sockets, over the templates' tables
//! and queues.

mod desk;
mod follow;
mod hooks;
mod kills;
mod live;
pub(crate) mod shop;
mod snooze;
mod talk;
mod tenants;
mod units;
mod widget;
