//! change-relay
