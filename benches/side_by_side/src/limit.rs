//! The limit: a bare hyper server that knows finished answers and looks at nothing but the path.
//!
//! It stands on what the service stands on (the same runtime and memory), and sends the same header fields and
//! the same bytes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use clap::ValueEnum;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime;

use crate::Failure;
use crate::load;
use crate::load::Answer;

/// What it serves, and where.
#[derive(Args)]
pub struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    /// An answer that the service gave about meeting 0.
    #[arg(long)]
    recorded: PathBuf,
    /// What the service said when asked whether that had changed.
    #[arg(long)]
    unchanged: PathBuf,
    /// Meetings that it knows.
    #[arg(long)]
    meetings: u32,
    #[arg(long)]
    layout: Layout,
}

/// How the runtime is laid out.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Layout {
    /// One thread for all.
    Current,
    /// One that takes connections, and as many workers as there are cores.
    Multi,
}

impl Layout {
    /// As the command line has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Multi => "multi",
        }
    }
}

/// What is sent.
struct Finished {
    /// By path.
    bodies: HashMap<String, Bytes>,
    found: HeaderMap,
    unchanged: HeaderMap,
    etag: HeaderValue,
}

/// Serves until it is ended.
pub fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let found: Answer = serde_json::from_slice(&fs::read(&arguments.recorded)?)?;
    let unchanged: Answer = serde_json::from_slice(&fs::read(&arguments.unchanged)?)?;
    let first = load::meeting_id(0);
    let bodies = (0..arguments.meetings).map(|number| {
        let id = load::meeting_id(number);
        let body = found.body.replace(&first, &id);
        (format!("/meetings/{id}"), Bytes::from(body))
    });
    let headers = fields(&found)?;
    let finished = Arc::new(Finished {
        bodies: bodies.collect(),
        etag: headers.get(header::ETAG).ok_or("no ETag")?.clone(),
        found: headers,
        unchanged: fields(&unchanged)?,
    });
    let mut runtime = match arguments.layout {
        Layout::Current => runtime::Builder::new_current_thread(),
        Layout::Multi => runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let finished = Arc::clone(&finished);
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let answer = finished.answer(&request);
                    async { Ok::<_, Infallible>(answer) }
                });
                // A caller who has gone needs nothing any more.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    })
}

/// The header fields that hyper does not send by itself.
fn fields(answer: &Answer) -> Result<HeaderMap, Failure> {
    let by_itself = ["connection", "content-length", "date"];
    let ours = answer
        .fields
        .iter()
        .filter(|(name, _)| !by_itself.contains(&name.as_str()));
    let mut headers = HeaderMap::new();
    for (name, value) in ours {
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(headers)
}

impl Finished {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        let Some(body) = self.bodies.get(request.uri().path()) else {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        };
        let known = request.headers().get(header::IF_NONE_MATCH);
        if known.is_some_and(|known| *known == self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = self.unchanged.clone();
        } else {
            *response.body_mut() = Full::new(body.clone());
            *response.headers_mut() = self.found.clone();
        }
        response
    }
}
