//! campaigns.
