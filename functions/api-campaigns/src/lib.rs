//! api-campaigns
