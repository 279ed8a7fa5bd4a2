//! A collector of traces: takes OTLP over HTTP, and keeps what it is handed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A collector. Takes traces as long as its runtime lives.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
}

/// What was handed over.
#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    /// Each request as it came.
    bodies: Vec<Vec<u8>>,
    /// What the resource says of itself.
    resource: Vec<(String, String)>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let collecting = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&collecting);
                let service = service_fn(move |request| take(request, Arc::clone(&taken)));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, taken }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was handed over, as it came.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.taken().bodies.clone()
    }

    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        let taken = self.taken();
        let found = taken.resource.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    }

    /// The spans, once there are some of which `are_all` says that they are all.
    pub(crate) async fn spans(&self, are_all: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            let spans = self.taken().spans.clone();
            if are_all(&spans) {
                return spans;
            }
            let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
            let in_time = tokio::time::Instant::now() < deadline;
            assert!(in_time, "not all were handed over, but {names:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().expect("not poisoned")
    }
}

async fn take(
    request: Request<Incoming>,
    taken: Arc<Mutex<Taken>>,
) -> Result<Response<Body>, Infallible> {
    let is_for_us = request.uri().path() == "/v1/traces";
    let body = request.collect().await.expect("a body").to_bytes();
    if !is_for_us {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let told = ExportTraceServiceRequest::decode(&body[..]).expect("protobuf");
    let mut taken = taken.lock().expect("not poisoned");
    taken.bodies.push(body.to_vec());
    for of_resource in told.resource_spans {
        let attributes = of_resource.resource.unwrap_or_default().attributes;
        let attributes = attributes.into_iter();
        taken.resource = attributes
            .map(|attribute| {
                (
                    attribute.key,
                    text(attribute.value.and_then(|any| any.value)),
                )
            })
            .collect();
        let scopes = of_resource.scope_spans.into_iter();
        taken.spans.extend(scopes.flat_map(|scope| scope.spans));
    }
    Ok(Response::new(Body::empty()))
}

/// What a span says of itself under that key; empty if nothing.
pub(crate) fn attribute(span: &Span, key: &str) -> String {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.clone()?.value);
    text(value)
}

fn text(value: Option<Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

/// The only span of that name.
pub(crate) fn only<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else {
        panic!("one {name:?}: {spans:#?}");
    };
    span
}
