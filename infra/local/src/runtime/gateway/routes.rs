//! Finds the route of the HTTP API for a request.
//!
//! As API Gateway: a full match before a greedy one, a literal segment before a parameter, and at
//! one path the method before `ANY`. A known path with another method is not found.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::template::model::{Stack, Trigger};

/// A route and its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, ... or `ANY`.
    pub method: String,
    /// Path as in the template, e.g. `/v1/contacts/{id}`.
    pub path: String,
    /// Logical id of the function.
    pub function: String,
    /// The authorizer runs first.
    pub authorized: bool,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
    Greedy(String),
}

impl Route {
    /// A route of the template.
    pub fn new(method: &str, path: &str, function: &str, authorized: bool) -> Self {
        let segment = |text: &str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Segment::Greedy(name.to_owned()),
                None => Segment::Parameter(name.to_owned()),
            },
            None => Segment::Literal(text.to_owned()),
        };
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            function: function.to_owned(),
            authorized,
            segments: pieces(path).map(segment).collect(),
        }
    }

    /// `GET /v1/contacts`, as events name the route.
    pub fn key(&self) -> String {
        if self.path == "$default" {
            return self.path.clone();
        }
        format!("{} {}", self.method, self.path)
    }

    fn takes(&self, method: &str) -> bool {
        self.method == "ANY" || self.method == method
    }

    /// The parameters, if the path matches this route. Literal segments are compared with the path as sent;
    /// values are decoded.
    fn parameters(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        if self.path == "$default" {
            return Some(parameters);
        }
        let mut rest: Vec<&str> = pieces(path).collect();
        for segment in &self.segments {
            if let Segment::Greedy(name) = segment {
                let value = decode(&rest.join("/"));
                parameters.insert(name.clone(), value);
                return (!rest.is_empty()).then_some(parameters);
            }
            if rest.is_empty() {
                return None;
            }
            let piece = rest.remove(0);
            match segment {
                Segment::Literal(text) if text == piece => {}
                Segment::Parameter(name) if !piece.is_empty() => {
                    parameters.insert(name.clone(), decode(piece));
                }
                _ => return None,
            }
        }
        rest.is_empty().then_some(parameters)
    }

    /// More specific routes come first.
    fn rank(&self) -> impl Ord + use<> {
        let kind = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter(_) => 1,
            Segment::Greedy(_) => 2,
        };
        let greedy = self
            .segments
            .iter()
            .any(|s| matches!(s, Segment::Greedy(_)));
        let kinds: Vec<u8> = self.segments.iter().map(kind).collect();
        let length = Reverse(kinds.len());
        let (last, any) = (self.path == "$default", self.method == "ANY");
        (
            last,
            greedy,
            if greedy { length } else { Reverse(0) },
            kinds,
            any,
        )
    }
}

/// All routes of the HTTP API.
#[derive(Debug, Clone, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The routes that the template declares.
    pub fn of(stack: &Stack) -> Self {
        let mut routes = Vec::new();
        for function in &stack.functions {
            for trigger in &function.triggers {
                if let Trigger::Http {
                    method,
                    path,
                    authorized,
                } = trigger
                {
                    routes.push(Route::new(method, path, &function.logical_id, *authorized));
                }
            }
        }
        routes.sort_by_key(Route::rank);
        Self(routes)
    }

    /// The route that takes the request, with its path parameters.
    pub fn find(&self, method: &str, path: &str) -> Option<(&Route, BTreeMap<String, String>)> {
        self.0
            .iter()
            .filter(|route| route.takes(method))
            .find_map(|route| Some((route, route.parameters(path)?)))
    }

    /// All of them, most specific first.
    pub fn all(&self) -> &[Route] {
        &self.0
    }
}

fn pieces(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Undoes percent-encoding; bytes that are not UTF-8 become the replacement character.
pub fn decode(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = match tail {
            [high, low, ..] if first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = pair {
            out.push((high * 16 + low) as u8);
            rest = &tail[2..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(list: &[(&str, &str)]) -> Routes {
        let route = |(method, path): &(&str, &str)| Route::new(method, path, "F", false);
        let mut routes: Vec<_> = list.iter().map(route).collect();
        routes.sort_by_key(Route::rank);
        Routes(routes)
    }

    fn hit(routes: &Routes, method: &str, path: &str) -> Option<String> {
        routes.find(method, path).map(|(route, _)| route.key())
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = routes(&[
            ("ANY", "/{proxy+}"),
            ("ANY", "/v1/{proxy+}"),
            ("GET", "/v1/{id}"),
            ("GET", "/v1/contacts"),
            ("ANY", "/v1/contacts"),
            ("GET", "/v1/contacts/{id}"),
            ("GET", "/v1/{kind}/new"),
        ]);
        let cases = [
            ("GET", "/v1/contacts", "GET /v1/contacts"),
            ("POST", "/v1/contacts", "ANY /v1/contacts"),
            ("GET", "/v1/lists", "GET /v1/{id}"),
            ("POST", "/v1/lists", "ANY /v1/{proxy+}"),
            ("GET", "/v1/contacts/new", "GET /v1/contacts/{id}"),
            ("GET", "/v1/lists/new", "GET /v1/{kind}/new"),
            ("GET", "/v1/a/b/c", "ANY /v1/{proxy+}"),
            ("GET", "/other", "ANY /{proxy+}"),
        ];
        for (method, path, expected) in cases {
            assert_eq!(
                hit(&routes, method, path).as_deref(),
                Some(expected),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn another_method_or_an_empty_parameter_is_not_found() {
        let routes = routes(&[("GET", "/o/{token}"), ("GET", "/w/{proxy+}")]);
        assert_eq!(hit(&routes, "POST", "/o/x"), None);
        assert_eq!(hit(&routes, "GET", "/o/"), None);
        assert_eq!(hit(&routes, "GET", "/o/x/"), None);
        assert_eq!(hit(&routes, "GET", "/w"), None);
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = routes(&[("GET", "/a/{x}/b/{rest+}")]);
        let (_, parameters) = routes.find("GET", "/a/%C4%91%2F1/b/c/d%20e").unwrap();
        assert_eq!(parameters["x"], "đ/1");
        assert_eq!(parameters["rest"], "c/d e");
    }
}
