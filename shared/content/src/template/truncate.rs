//! `truncate` that counts characters. Liquid's own compares the length with the text's bytes. So it would add dots
//! to a Vietnamese text that is short enough.

use liquid_core::{
    Display_filter, Expression, Filter, FilterParameters, FilterReflection, FromFilterParameters,
    ParseFilter, Result, Runtime, Value, ValueView,
};

#[derive(Debug, FilterParameters)]
struct TruncateArgs {
    #[parameter(
        description = "Most characters of the result, 50 if absent.",
        arg_type = "integer"
    )]
    length: Option<Expression>,
    #[parameter(
        description = "What stands for the rest and counts as part of the result, three dots if absent.",
        arg_type = "str"
    )]
    ellipsis: Option<Expression>,
}

#[derive(Clone, ParseFilter, FilterReflection)]
#[filter(
    name = "truncate",
    description = "Shortens a text to a number of characters.",
    parameters(TruncateArgs),
    parsed(TruncateFilter)
)]
pub(super) struct Truncate;

#[derive(Debug, FromFilterParameters, Display_filter)]
#[name = "truncate"]
struct TruncateFilter {
    #[parameters]
    args: TruncateArgs,
}

impl Filter for TruncateFilter {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let args = self.args.evaluate(runtime)?;
        let length = usize::try_from(args.length.unwrap_or(50)).unwrap_or(0);
        let ellipsis = args.ellipsis.unwrap_or_else(|| "...".into());
        let text = input.to_kstr();
        if text.chars().count() <= length {
            return Ok(input.to_value());
        }
        let kept = length.saturating_sub(ellipsis.chars().count());
        let shortened: String = text.chars().take(kept).chain(ellipsis.chars()).collect();
        Ok(Value::scalar(shortened))
    }
}
