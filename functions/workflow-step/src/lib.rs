//! workflow-step
