//! The filters. Each pays for the bytes that it reads and makes, and none reads anything but its input and arguments.

mod any;
mod lists;
mod markup;
mod math;
mod text;

use crate::run::{Res, Run};
use crate::value::Value;

/// A filter and the number of its arguments.
pub(crate) struct Filter {
    name: &'static str,
    pub least: usize,
    pub most: usize,
    pub apply: Apply,
}

type Out<'a> = Res<Value<'a>>;

type Apply = for<'a> fn(&mut Run<'a>, Value<'a>, &[Value<'a>]) -> Out<'a>;

const fn filter(name: &'static str, least: usize, most: usize, apply: Apply) -> Filter {
    Filter {
        name,
        least,
        most,
        apply,
    }
}

/// Sorted by name.
static FILTERS: &[Filter] = &[
    filter("abs", 0, 0, math::abs),
    filter("append", 1, 1, text::append),
    filter("at_least", 1, 1, math::at_least),
    filter("at_most", 1, 1, math::at_most),
    filter("base64_decode", 0, 0, text::base64_decode),
    filter("base64_encode", 0, 0, text::base64_encode),
    filter("base64_url_safe_decode", 0, 0, text::base64_url_safe_decode),
    filter("base64_url_safe_encode", 0, 0, text::base64_url_safe_encode),
    filter("capitalize", 0, 0, text::capitalize),
    filter("ceil", 0, 0, math::ceil),
    filter("compact", 0, 1, lists::compact),
    filter("concat", 1, 1, lists::concat),
    filter("date", 1, 1, text::date),
    filter("default", 0, 1, any::default),
    filter("divided_by", 1, 1, math::divided_by),
    filter("downcase", 0, 0, text::downcase),
    filter("escape", 0, 0, markup::escape),
    filter("escape_once", 0, 0, markup::escape_once),
    filter("find", 1, 2, lists::find),
    filter("find_index", 1, 2, lists::find_index),
    filter("first", 0, 0, any::first),
    filter("floor", 0, 0, math::floor),
    filter("has", 1, 2, lists::has),
    filter("join", 0, 1, lists::join),
    filter("last", 0, 0, any::last),
    filter("lstrip", 0, 0, text::lstrip),
    filter("map", 1, 1, lists::map),
    filter("minus", 1, 1, math::minus),
    filter("modulo", 1, 1, math::modulo),
    filter("newline_to_br", 0, 0, markup::newline_to_br),
    filter("plus", 1, 1, math::plus),
    filter("prepend", 1, 1, text::prepend),
    filter("reject", 1, 2, lists::reject),
    filter("remove", 1, 1, text::replace),
    filter("remove_first", 1, 1, text::replace_first),
    filter("remove_last", 1, 1, text::replace_last),
    filter("replace", 1, 2, text::replace),
    filter("replace_first", 1, 2, text::replace_first),
    filter("replace_last", 2, 2, text::replace_last),
    filter("reverse", 0, 0, lists::reverse),
    filter("round", 0, 1, math::round),
    filter("rstrip", 0, 0, text::rstrip),
    filter("size", 0, 0, any::size),
    filter("slice", 1, 2, any::slice),
    filter("sort", 0, 1, lists::sort),
    filter("sort_natural", 0, 1, lists::sort_natural),
    filter("split", 1, 1, text::split),
    filter("strip", 0, 0, text::strip),
    filter("strip_html", 0, 0, markup::strip_html),
    filter("strip_newlines", 0, 0, text::strip_newlines),
    filter("sum", 0, 1, lists::sum),
    filter("times", 1, 1, math::times),
    filter("truncate", 0, 2, text::truncate),
    filter("truncatewords", 0, 2, text::truncatewords),
    filter("uniq", 0, 1, lists::uniq),
    filter("upcase", 0, 0, text::upcase),
    filter("url_decode", 0, 0, text::url_decode),
    filter("url_encode", 0, 0, text::url_encode),
    filter("where", 1, 2, lists::filter_where),
];

/// The filters that a template may use, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name)
}

/// The filter of this name.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    let at = FILTERS.binary_search_by_key(&name, |filter| filter.name);
    at.ok().map(|at| &FILTERS[at])
}

/// An argument; nil if it is not given.
fn argument<'a>(arguments: &[Value<'a>], at: usize) -> Value<'a> {
    arguments.get(at).copied().unwrap_or(Value::Nil)
}
