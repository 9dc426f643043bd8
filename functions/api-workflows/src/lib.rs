//! api-workflows
