//! workflow-trigger
