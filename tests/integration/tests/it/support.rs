//! The world of a test, under the name that all tests use.

pub use tests_world::*;
