//! The spans of a request, by the names that OpenTelemetry has for what is in them (semantic
//! conventions for HTTP, 1.27).
//!
//! ```text
//! GET /meetings/{meeting_id}                  server     what a caller asked
//!   lookup                                    internal   what is known, asking if need be
//!     flight                                  internal   one question, for all who wait for it
//!       token                                 internal   the wait for a token that WeCom accepts
//!       POST /cgi-bin/meeting/get_info        client     one try of the question
//! GET /cgi-bin/gettoken                       client     a token, renewed for nobody in particular
//! ```
//!
//! Each is part of the one [around](Span::around) which it begins. Where nothing is traced there are
//! none, and they cost a glance each.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use super::Making;
use super::Tracer;
use super::context::Parent;
use super::context::SpanId;
use super::context::TraceId;
use super::otlp;
use super::otlp::Attributes;
use super::otlp::Kind;

tokio::task_local! {
    /// What is going on in this task.
    static CURRENT: Span;
}

/// Something that goes on for a while. It ends with the last clone.
#[derive(Clone, Debug, Default)]
pub enum Span {
    /// Of a trace that is not collected: nor is what is part of it.
    Dark,
    /// Where nothing is traced.
    #[default]
    Off,
    /// Of a trace that is collected.
    Traced(Arc<Open>),
}

/// A span that has not ended yet.
#[derive(Debug)]
pub struct Open {
    making: Arc<Making>,
    descent: Descent,
    span_id: SpanId,
    began: Instant,
    what: What,
    notes: Mutex<Notes>,
}

/// What a span is part of.
#[derive(Debug)]
struct Descent {
    trace_id: TraceId,
    parent_id: Option<SpanId>,
    trace_state: Option<Arc<str>>,
}

/// What goes on.
#[derive(Debug)]
enum What {
    Flight,
    Lookup,
    Question {
        method: &'static str,
        path: &'static str,
        app: Box<str>,
        resend_count: u32,
    },
    Request {
        method: &'static str,
        route: &'static str,
    },
    Token,
}

/// What is known only as it goes on.
#[derive(Debug, Default)]
struct Notes {
    cache: Option<&'static str>,
    errcode: Option<i64>,
    failure: Option<Cow<'static, str>>,
    server_address: Option<Box<str>>,
    server_port: Option<u16>,
    status: Option<u16>,
}

/// One request to WeCom, as far as a trace tells. Neither its query nor its body.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, which holds no name.
    pub path: &'static str,
    /// The app that is asked as.
    pub app: &'a str,
    /// How often the same was asked before, in vain.
    pub resend_count: u32,
}

impl Tracer {
    /// What a caller asked. Continues the trace that the caller began, if it did.
    pub fn request(
        &self,
        method: &'static str,
        route: &'static str,
        parent: Option<&Parent>,
    ) -> Span {
        let what = || What::Request { method, route };
        match (&self.0, parent) {
            (None, _) => Span::Off,
            (Some(making), None) => Span::root(making, what),
            (Some(_), Some(parent)) if !parent.is_sampled => Span::Dark,
            (Some(making), Some(parent)) => {
                let descent = Descent {
                    trace_id: parent.trace_id,
                    parent_id: Some(parent.span_id),
                    trace_state: parent.state.clone(),
                };
                Span::begin(making, descent, what())
            }
        }
    }

    /// One request to WeCom.
    pub fn question(&self, asked: Asked<'_>) -> Span {
        let Asked {
            method,
            path,
            app,
            resend_count,
        } = asked;
        let what = || What::Question {
            method,
            path,
            app: app.into(),
            resend_count,
        };
        match (&self.0, CURRENT.try_with(Span::clone)) {
            (None, _) => Span::Off,
            (Some(making), Err(_)) => Span::root(making, what),
            (Some(_), Ok(current)) => current.child(what),
        }
    }
}

/// What is known of a meeting, asking if need be.
pub fn lookup() -> Span {
    current().child(|| What::Lookup)
}

/// One question, for all who wait for it. Part of the trace of whoever asked first.
pub fn flight() -> Span {
    current().child(|| What::Flight)
}

/// The wait for a token.
pub fn token() -> Span {
    current().child(|| What::Token)
}

/// Notes on the current span who is asked over HTTP.
pub fn server(address: Option<&str>, port: Option<u16>) {
    current().note(|notes| {
        notes.server_address = address.map(Into::into);
        notes.server_port = port;
    });
}

/// Notes on the current span the status of an answer over HTTP.
pub fn status(status: u16) {
    current().note(|notes| notes.status = Some(status));
}

fn current() -> Span {
    CURRENT.try_with(Span::clone).unwrap_or_default()
}

impl Span {
    /// The beginning of a trace, if it is one of those that are collected.
    fn root(making: &Arc<Making>, what: impl FnOnce() -> What) -> Self {
        let descent = Descent {
            trace_id: TraceId::random(),
            parent_id: None,
            trace_state: None,
        };
        if making.collects(descent.trace_id) {
            Self::begin(making, descent, what())
        } else {
            Self::Dark
        }
    }

    fn child(&self, what: impl FnOnce() -> What) -> Self {
        let Self::Traced(parent) = self else {
            return self.clone();
        };
        let descent = Descent {
            trace_id: parent.descent.trace_id,
            parent_id: Some(parent.span_id),
            trace_state: parent.descent.trace_state.clone(),
        };
        Self::begin(&parent.making, descent, what())
    }

    fn begin(making: &Arc<Making>, descent: Descent, what: What) -> Self {
        Self::Traced(Arc::new(Open {
            making: Arc::clone(making),
            descent,
            span_id: SpanId::random(),
            began: making.clock.now(),
            what,
            notes: Mutex::default(),
        }))
    }

    /// Does something that is part of it. What is large is better pinned where it is, as it is moved.
    pub async fn around<T>(&self, doing: impl Future<Output = T>) -> T {
        match self {
            Self::Off => doing.await,
            Self::Dark | Self::Traced(_) => CURRENT.scope(self.clone(), doing).await,
        }
    }

    /// The trace that it belongs to; `None` where nothing is traced.
    pub fn trace_id(&self) -> Option<TraceId> {
        match self {
            Self::Dark | Self::Off => None,
            Self::Traced(open) => Some(open.descent.trace_id),
        }
    }

    /// Notes what a caller was answered.
    pub fn answered(&self, status: u16) {
        self.note(|notes| {
            notes.status = Some(status);
            notes.failure = (status >= 500).then(|| status.to_string().into());
        });
    }

    /// Notes where an answer came from.
    pub fn looked_up(&self, result: &'static str) {
        self.note(|notes| notes.cache = Some(result));
    }

    /// Notes what came of a question: the word for why it failed, if it did, and WeCom's number for
    /// it.
    pub fn asked(&self, failure: Option<&'static str>, errcode: Option<i64>) {
        self.note(|notes| {
            notes.failure = failure.map(Cow::from);
            notes.errcode = errcode;
        });
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        if let Self::Traced(open) = self {
            note(&mut open.notes.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Drop for Open {
    /// It has ended.
    fn drop(&mut self) {
        let notes = self.notes.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (began_ns, ended_ns) = self.making.since(self.began);
        let Descent {
            trace_id,
            parent_id,
            trace_state,
        } = &self.descent;
        let span = otlp::Span {
            trace_id: trace_id.to_bytes(),
            id: self.span_id.to_bytes(),
            parent_id: parent_id.map(SpanId::to_bytes),
            trace_state: trace_state.as_deref(),
            name: self.what.name(),
            kind: self.what.kind(),
            began_ns,
            ended_ns,
            is_error: notes.failure.is_some(),
        };
        let what = &self.what;
        self.making.outbox.leave(|out| {
            span.write(out, |attributes| {
                what.write(attributes);
                notes.write(attributes);
            });
        });
    }
}

impl What {
    fn name(&self) -> [&'static str; 3] {
        match self {
            Self::Flight => ["flight", "", ""],
            Self::Lookup => ["lookup", "", ""],
            Self::Question { method, path, .. } => [method, " ", path],
            Self::Request { method, route } => [method, " ", route],
            Self::Token => ["token", "", ""],
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Flight | Self::Lookup | Self::Token => Kind::Internal,
            Self::Question { .. } => Kind::Client,
            Self::Request { .. } => Kind::Server,
        }
    }

    fn write(&self, attributes: &mut Attributes<'_, '_>) {
        match self {
            Self::Flight | Self::Lookup | Self::Token => {}
            Self::Question {
                method,
                path,
                app,
                resend_count,
            } => {
                attributes.text("http.request.method", method);
                attributes.text("url.template", path);
                attributes.text("wecom.app", app);
                if *resend_count > 0 {
                    attributes.number("http.request.resend_count", (*resend_count).into());
                }
            }
            Self::Request { method, route } => {
                attributes.text("http.request.method", method);
                attributes.text("http.route", route);
            }
        }
    }
}

impl Notes {
    fn write(&self, attributes: &mut Attributes<'_, '_>) {
        let Self {
            cache,
            errcode,
            failure,
            server_address,
            server_port,
            status,
        } = self;
        if let Some(cache) = cache {
            attributes.text("wecom_proxy.cache", cache);
        }
        if let Some(errcode) = errcode {
            attributes.number("wecom.errcode", *errcode);
        }
        if let Some(failure) = failure {
            attributes.text("error.type", failure);
        }
        if let Some(address) = server_address {
            attributes.text("server.address", address);
        }
        if let Some(port) = server_port {
            attributes.number("server.port", (*port).into());
        }
        if let Some(status) = status {
            attributes.number("http.response.status_code", (*status).into());
        }
    }
}
