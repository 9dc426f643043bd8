//! The schemas of the kernel's types in the API's reference (docs/openapi.json).

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{Cursor, EmailAddress, Limit, Phone};

/// The schema of an id: a prefix and eleven digits of Crockford's base32, see [`crate::id`].
pub(crate) fn id(prefix: &str, name: &str) -> RefOr<Schema> {
    let title = name.strip_suffix("Id").unwrap_or(name);
    text()
        .description(Some(format!("Id of a record of the kind {title}.")))
        .pattern(Some(format!("^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{10}}$")))
        .examples([format!("{prefix}_01h4k7m2p9x")])
        .into()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

macro_rules! schemas {
    ($($type:ident => $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    )*};
}

schemas! {
    Cursor => text()
        .description(Some("A place in a list. Opaque: send back what `next` said."))
        .pattern(Some("^[!-~]+$"))
        .max_length(Some(2048));
    EmailAddress => text()
        .description(Some("An email address; compared and answered in lower case."))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
        .max_length(Some(254))
        .examples(["an@example.vn"]);
    Limit => ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .description(Some("Rows of a page."))
        .minimum(Some(1))
        .maximum(Some(100))
        .default(Some(25.into()));
    Phone => text()
        .description(Some("A Vietnamese mobile number as people write it; answered as E.164."))
        .max_length(Some(32))
        .examples(["+84912345678"]);
}
