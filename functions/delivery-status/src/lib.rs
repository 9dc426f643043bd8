//! delivery-status
