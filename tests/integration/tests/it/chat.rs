//! Chat from both sides: the widget, the API, the workers and the sockets, over the templates' tables
//! and queues.

mod desk;
mod follow;
mod kills;
mod live;
mod shop;
mod snooze;
mod talk;
mod tenants;
mod units;
mod widget;
