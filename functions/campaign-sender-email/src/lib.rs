//! campaign-sender-email
