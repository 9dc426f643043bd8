//! The schema of a draft's steps in the API's reference. The derived schema lacks their number.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::draft::{DraftNode, MAX_NODES};

/// The steps of a draft, by name.
pub(crate) struct Steps;

impl PartialSchema for Steps {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("The steps, by name."))
            .additional_properties(Some(Ref::from_schema_name(DraftNode::name())))
            .min_properties(Some(1))
            .max_properties(Some(MAX_NODES))
            .into()
    }
}

impl ToSchema for Steps {
    fn name() -> Cow<'static, str> {
        "NewWorkflowSteps".into()
    }

    fn schemas(into: &mut Vec<(String, RefOr<Schema>)>) {
        into.push((DraftNode::name().into_owned(), DraftNode::schema()));
        DraftNode::schemas(into);
    }
}
