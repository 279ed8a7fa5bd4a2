//! Every answer: its status, its header fields, its body, an example of each kind of problem.

use serde_json::Value;
use serde_json::json;

use super::super::problem::Kind;
use super::Members;
use super::example;
use super::operations;
use super::within;

/// A header field of an answer: its name, and an example.
type Field = (&'static str, &'static str);

/// Of a meeting, and of the word that the caller has it already: always there.
const OF_MEETINGS: [Field; 6] = [
    ("Age", "12"),
    ("Cache-Control", "private, max-age=60"),
    ("Cache-Status", "wecom-meeting-proxy; hit; ttl=48"),
    ("ETag", "W/\"3f2d1c0b9a8877665544332211000fed\""),
    ("Vary", "Authorization, Accept-Encoding"),
    ("X-Request-Id", "calendar-7f3a"),
];

/// Of both, where they have something to tell.
const OF_SOME_MEETINGS: [Field; 3] = [
    (
        "Content-Location",
        "/meetings/hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg",
    ),
    ("RateLimit", "\"caller\";r=199;t=1"),
    ("RateLimit-Policy", "\"caller\";q=200;w=1"),
];

/// Adds the answers to every operation. Those of HEAD have no body.
pub(super) fn add_to(document: &mut Members) {
    let answers = answers();
    let reference = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    for (method, operation) in operations(document) {
        let is_head = method == "head";
        let of_operation = answers.iter().map(|(status, name, answer)| {
            let answer = if is_head {
                without_body(answer)
            } else {
                reference(name)
            };
            (status.clone(), answer)
        });
        operation.insert(
            "responses".to_owned(),
            Value::Object(of_operation.collect()),
        );
        distinguish(method, operation);
    }
    let named = answers
        .into_iter()
        .map(|(_, name, answer)| (name.to_owned(), answer));
    if let Some(components) = within(document, &["components"]) {
        components.insert("responses".to_owned(), Value::Object(named.collect()));
    }
}

/// Names an operation after its method too, as no two may have the same name.
fn distinguish(method: &str, operation: &mut Members) {
    if let Some(Value::String(id)) = operation.get_mut("operationId") {
        *id = format!("{method}_{id}");
    }
    if let (true, Some(Value::String(summary))) = (method == "head", operation.get_mut("summary")) {
        summary.push_str(": the head of the answer alone");
    }
}

fn without_body(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(members) = answer.as_object_mut() {
        members.shift_remove("content");
    }
    answer
}

/// All answers: status, name, answer.
fn answers() -> Vec<(String, &'static str, Value)> {
    let mut answers = vec![
        ("200".to_owned(), "Meeting", meeting()),
        ("304".to_owned(), "NotModified", not_modified()),
    ];
    let statuses = Kind::of_callers().map(|kind| kind.status().as_u16());
    let mut statuses: Vec<_> = statuses.collect();
    statuses.sort_unstable();
    statuses.dedup();
    answers.extend(
        statuses
            .into_iter()
            .map(|status| (status.to_string(), name(status), problem(status))),
    );
    answers
}

/// What a status is called where it is described once for all operations.
fn name(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthenticated",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        410 => "Gone",
        414 => "UriTooLong",
        429 => "TooManyRequests",
        431 => "HeadersTooLarge",
        500 => "Internal",
        502 => "BadGateway",
        503 => "Unavailable",
        504 => "Timeout",
        _ => "Problem",
    }
}

fn meeting() -> Value {
    let coding = [("Content-Encoding", "zstd")];
    json!({
        "description": "The meeting, as far as the caller may see it.",
        "headers": headers(&OF_MEETINGS, &[&OF_SOME_MEETINGS[..], &coding].concat()),
        "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Meeting"},
            "examples": {
                "nothing_revealed": {
                    "summary": "As most callers see it",
                    "value": example::nothing_revealed(),
                },
                "all_revealed": {
                    "summary": "As a caller sees it to whom everything is revealed",
                    "value": example::all_revealed(),
                },
            },
        }},
    })
}

fn not_modified() -> Value {
    json!({
        "description": "The caller has it already: it is what `If-None-Match` named.",
        "headers": headers(&OF_MEETINGS, &OF_SOME_MEETINGS),
    })
}

/// The problems of a status.
fn problem(status: u16) -> Value {
    let kinds: Vec<_> = Kind::of_callers()
        .filter(|kind| kind.status().as_u16() == status)
        .collect();
    let lines = kinds
        .iter()
        .map(|kind| format!("* `{}`: {}", kind.code(), kind.title()));
    let examples = kinds.iter().map(|&kind| {
        let example = json!({"summary": kind.title(), "value": example::problem(kind)});
        (kind.code().to_owned(), example)
    });
    let (always, sometimes) = fields_of(status);
    json!({
        "description": lines.collect::<Vec<_>>().join("\n"),
        "headers": headers(&always, &sometimes),
        "content": {"application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": examples.collect::<Members>(),
        }},
    })
}

/// The header fields that the problems of a status always have, and those that some have.
fn fields_of(status: u16) -> (Vec<Field>, Vec<Field>) {
    let mut always = vec![
        ("Cache-Control", "no-store"),
        ("X-Request-Id", "calendar-7f3a"),
    ];
    let absence = [
        ("Age", "3"),
        (
            "Cache-Status",
            "wecom-meeting-proxy; hit; ttl=6; detail=negative",
        ),
        ("RateLimit", "\"caller\";r=199;t=1"),
        ("RateLimit-Policy", "\"caller\";q=200;w=1"),
        ("Vary", "Authorization"),
    ];
    let asked = [("Cache-Status", "wecom-meeting-proxy; fwd=uri-miss")];
    let limited = [
        ("RateLimit", "\"caller\";r=0;t=1"),
        ("RateLimit-Policy", "\"caller\";q=200;w=1"),
    ];
    match status {
        401 => always.push(("WWW-Authenticate", "Bearer")),
        405 => always.push(("Allow", "GET, HEAD")),
        429 | 503 => always.push(("Retry-After", "1")),
        _ => {}
    }
    let sometimes = match status {
        403 | 404 | 410 => absence.to_vec(),
        400 | 502..=504 => asked.to_vec(),
        429 => limited.to_vec(),
        _ => Vec::new(),
    };
    (always, sometimes)
}

/// Header fields as they are described, by name.
fn headers(always: &[Field], sometimes: &[Field]) -> Members {
    let described = |(name, example): Field, required: bool| {
        let (description, schema) = about(name);
        let example = match schema {
            Schema::Seconds => example.parse::<u64>().map_or(Value::Null, Value::from),
            Schema::Text => Value::from(example),
        };
        let header = json!({
            "description": description,
            "required": required,
            "schema": schema.as_value(),
            "example": example,
        });
        (name.to_owned(), header)
    };
    let always = always.iter().map(|&field| described(field, true));
    let sometimes = sometimes.iter().map(|&field| described(field, false));
    let mut headers: Vec<_> = always.chain(sometimes).collect();
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    headers.into_iter().collect()
}

/// What a header field holds.
#[derive(Clone, Copy)]
enum Schema {
    Seconds,
    Text,
}

impl Schema {
    fn as_value(self) -> Value {
        match self {
            Self::Seconds => json!({"type": "integer", "minimum": 0}),
            Self::Text => json!({"type": "string"}),
        }
    }
}

/// What a header field says, and what it holds.
fn about(name: &str) -> (&'static str, Schema) {
    match name {
        "Age" => (
            "Whole seconds since the question was sent to WeCom.",
            Schema::Seconds,
        ),
        "Allow" => ("The methods that this route takes.", Schema::Text),
        "Cache-Control" => (
            "How long the answer is good for, in seconds since WeCom was asked, of which `Age` have \
             passed; `no-store` where it is not to be kept.",
            Schema::Text,
        ),
        "Cache-Status" => (
            "Where the answer came from (RFC 9211): `hit`, or `fwd` with its reason; `ttl` seconds are \
             left, or have been over; `detail` says why what is past its time was served.",
            Schema::Text,
        ),
        "Content-Encoding" => (
            "How the body is written, where `Accept-Encoding` asked for it: `gzip` or `zstd`.",
            Schema::Text,
        ),
        "Content-Location" => (
            "The same meeting by its id, where it was asked for by its number and its id is known.",
            Schema::Text,
        ),
        "ETag" => (
            "Stands for this view of the meeting: changes when it does, and only then.",
            Schema::Text,
        ),
        "RateLimit" => (
            "What is left of the caller's limit, if it has one: `r` requests; after `t` seconds \
             there are more (draft-ietf-httpapi-ratelimit-headers).",
            Schema::Text,
        ),
        "RateLimit-Policy" => (
            "The caller's limit, if it has one: `q` requests in `w` seconds.",
            Schema::Text,
        ),
        "Retry-After" => (
            "After how many seconds it is worth asking again.",
            Schema::Seconds,
        ),
        "Vary" => (
            "The header fields of a request that the answer depends on.",
            Schema::Text,
        ),
        "WWW-Authenticate" => ("How to prove who one is.", Schema::Text),
        "X-Request-Id" => (
            "The request's id: the caller's own, or a new one (UUID of version 7). The service's log \
             knows it.",
            Schema::Text,
        ),
        _ => ("", Schema::Text),
    }
}
