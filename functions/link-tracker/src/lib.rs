//! link-tracker
