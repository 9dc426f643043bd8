//! Definitions of a contact's custom fields: what a field is called, and which values it takes.
//!
//! A field without a definition takes any storable value. A definition changes no stored value: it holds for the
//! values that come after it. [`check`] is the only judge of a value, at every door.

mod check;
mod definition;
mod store;
mod uses;
mod values;

pub use check::{FieldFault, check};
pub(crate) use definition::is_colour;
pub use definition::{
    Definition, Flaw, Format, KEY_PATTERN, Kind, MAX_CHOICES, MAX_DEFINITIONS, MAX_UNIQUE, Opt,
    Pattern, Place, Target,
};
pub use store::{Definitions, FieldRefusal, Fields};
pub use uses::{FieldUser, FieldUses, mentioned};
pub use values::{MAX_VALUES_BYTES, TooLong, Values, change_values};

#[cfg(test)]
mod tests;
