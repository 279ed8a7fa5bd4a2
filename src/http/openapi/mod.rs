//! What the callers' door is like, in OpenAPI.
//!
//! Paths, parameters and shapes are derived from the handlers and the types by utoipa; the kinds of
//! problem come from the table that answers are made from. What cannot be read off them is added
//! here, step by step:
//!
//! ```text
//! derived    utoipa            paths, parameters, shapes
//!   fields     what a request may say besides
//!   answers    every status, with its fields, its problems and an example of each
//!   shapes     which keys are always there, which words there are, an example for each
//! older      the same in OpenAPI 3.0.3
//! ```
//!
//! Nothing here is needed to answer a request for a meeting.

mod answers;
mod example;
mod fields;
mod older;
mod shapes;

use serde_json::Map;
use serde_json::Value;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::Http;
use utoipa::openapi::security::HttpAuthScheme;
use utoipa::openapi::security::SecurityScheme;

use super::meetings;
use super::problem;

/// The members of an object of JSON.
type Members = Map<String, Value>;

/// What can be read off the code.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "wecom-meeting-proxy",
        description = "Meeting details from WeCom (企业微信) for a company's internal services. \
            Everything that is not a meeting is a problem (RFC 9457) with a `code`. Answers are \
            kept: `Age` tells how old one is, `Cache-Status` (RFC 9211) where it came from. Where \
            the service lists no callers, no key is asked for.",
        contact(name = "The people who run this service"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document came from")),
    tags((name = "meetings", description = "Meetings, as WeCom tells of them")),
    paths(meetings::by_id, meetings::by_code),
    components(schemas(problem::Document)),
    modifiers(&Keys),
)]
struct Derived;

/// How a caller proves who it is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "An API key of the caller's, or a token (JWT) where the service takes some. A caller \
             with a client certificate that names it needs neither."
                .to_owned(),
        );
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(bearer));
    }
}

/// What the API is like, in OpenAPI 3.1.
pub fn openapi() -> String {
    written(&Value::Object(described()))
}

/// The same in OpenAPI 3.0.3, for generators that know no other.
pub fn openapi_3_0() -> String {
    written(&Value::Object(older::made_from(described())))
}

/// For people to read, too: a change is to be seen in review.
fn written(document: &Value) -> String {
    // JSON is always written.
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn described() -> Members {
    // What is derived is an object, and always serialises.
    let derived = serde_json::to_value(Derived::openapi());
    let Ok(Value::Object(mut document)) = derived else {
        return Members::new();
    };
    fields::add_to(&mut document);
    answers::add_to(&mut document);
    shapes::settle(&mut document);
    document
}

/// What stands in an object under these names, one in the other, if it is an object.
fn within<'a>(members: &'a mut Members, names: &[&str]) -> Option<&'a mut Members> {
    names.iter().try_fold(members, |members, &name| {
        members.get_mut(name)?.as_object_mut()
    })
}

/// Changes every object in a value, from the inside out; what examples show is left alone.
fn change_each(value: &mut Value, change: &impl Fn(&mut Members)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| change_each(item, change)),
        Value::Object(members) => {
            let is_shown = |name: &str| matches!(name, "example" | "examples" | "value");
            for (name, member) in members.iter_mut() {
                if !is_shown(name) {
                    change_each(member, change);
                }
            }
            change(members);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The operations of every path, with the method of each.
fn operations(document: &mut Members) -> impl Iterator<Item = (&String, &mut Members)> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Members::values_mut);
    items
        .filter_map(Value::as_object_mut)
        .flat_map(Members::iter_mut)
        .filter_map(|(method, operation)| Some((method, operation.as_object_mut()?)))
}

#[cfg(test)]
mod tests;
