//! What describes the API to people and programs: `/openapi.json`, `/openapi-3.0.json`, and `/docs`, a
//! page to read and try it.
//!
//! Nothing of it needs a key, and the page asks nobody but us. Each body is made when it is first
//! asked for, and kept.

use std::io::Read;
use std::sync::Arc;
use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use axum::routing::any;
use flate2::read::GzDecoder;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::encoding;
use super::meetings::ROUTES;
use super::openapi::openapi;
use super::openapi::openapi_3_0;
use super::problem::Problem;
use super::reading::Reading;
use super::validation;
use crate::meeting::view::Text;

/// Nothing but what we serve ourselves, and no script or style that stands in the page: what a
/// meeting's title says can then do nothing. (Swagger UI's icons are images in its style sheet.)
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a page may tell others of where its reader came from: nothing.
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// A body may be kept, and is asked after each time: a new version of ours is then seen at once.
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// What the page is made of besides itself, by the names it uses. Swagger UI's own come compressed out
/// of the archive that its makers publish.
const FILES: [(&str, &str, Source); 4] = [
    (
        "page.css",
        "text/css; charset=utf-8",
        Source::Ours(include_str!("page.css")),
    ),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        Source::Ours(include_str!("page.js")),
    ),
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        Source::Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/swagger-ui-bundle.js.gz"
        ))),
    ),
    (
        "swagger-ui.css",
        "text/css; charset=utf-8",
        Source::Packed(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/swagger-ui.css.gz"
        ))),
    ),
];

/// The routes, and what is told whoever takes none.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/openapi.json", any(show_openapi))
        .route("/openapi-3.0.json", any(show_openapi_3_0))
        .route("/docs", any(show_page))
        .route("/docs/{file}", any(show_file))
        .fallback(async || Problem::no_such_route(ROUTES))
        .with_state(Arc::new(Shelf::new()))
}

/// `GET /openapi.json`
async fn show_openapi(request: Reading, State(shelf): State<Arc<Shelf>>) -> Response {
    shelf.openapi.show(&request.headers)
}

/// `GET /openapi-3.0.json`
async fn show_openapi_3_0(request: Reading, State(shelf): State<Arc<Shelf>>) -> Response {
    shelf.openapi_3_0.show(&request.headers)
}

/// `GET /docs`
async fn show_page(request: Reading, State(shelf): State<Arc<Shelf>>) -> Response {
    let mut response = shelf.page.show(&request.headers);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /docs/{file}`
async fn show_file(
    request: Reading,
    State(shelf): State<Arc<Shelf>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let named = |Path(name)| shelf.files.iter().find(move |(known, _)| *known == name);
    let file = name.ok().and_then(named);
    let (_, file) = file.ok_or_else(|| Problem::no_such_route("the page is /docs"))?;
    Ok(file.show(&request.headers))
}

/// All there is to show.
struct Shelf {
    openapi: Sheet,
    openapi_3_0: Sheet,
    page: Sheet,
    files: [(&'static str, Sheet); FILES.len()],
}

impl Shelf {
    fn new() -> Self {
        let page = Source::Ours(include_str!("page.html"));
        Self {
            openapi: Sheet::new("application/json", Source::Made(openapi)),
            openapi_3_0: Sheet::new("application/json", Source::Made(openapi_3_0)),
            page: Sheet::new("text/html; charset=utf-8", page),
            files: FILES.map(|(name, media_type, source)| (name, Sheet::new(media_type, source))),
        }
    }
}

/// Where a body comes from.
#[derive(Clone, Copy)]
enum Source {
    /// It is written down by the code.
    Made(fn() -> String),
    /// It is ours.
    Ours(&'static str),
    /// It is somebody else's, with gzip around it.
    Packed(&'static [u8]),
}

impl Source {
    fn text(self) -> Text {
        match self {
            Self::Made(make) => Text::new(make().as_bytes()),
            Self::Ours(text) => Text::new(text.as_bytes()),
            Self::Packed(gzip) => Text::new(&unpacked(gzip)),
        }
    }
}

/// What we packed ourselves can be unpacked.
fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match GzDecoder::new(gzip).read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(_) => Vec::new(),
    }
}

/// A body that is the same for everybody, as long as we run.
struct Sheet {
    media_type: &'static str,
    source: Source,
    text: OnceLock<Text>,
}

impl Sheet {
    const fn new(media_type: &'static str, source: Source) -> Self {
        Self {
            media_type,
            source,
            text: OnceLock::new(),
        }
    }

    /// The body, in an encoding that the caller likes, or word that it has it already.
    fn show(&self, request: &HeaderMap) -> Response {
        let text = self.text.get_or_init(|| self.source.text());
        let etag = validation::etag(text.digest());
        let mut response = Response::new(Body::empty());
        if validation::is_known(request, etag.as_bytes()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            let (encoding, bytes) = text.encoded(encoding::preferred(request));
            *response.body_mut() = Body::from(bytes.clone());
            let headers = response.headers_mut();
            let media_type = HeaderValue::from_static(self.media_type);
            headers.insert(header::CONTENT_TYPE, media_type);
            if let Some(coding) = encoding::coding(encoding) {
                headers.insert(header::CONTENT_ENCODING, coding);
            }
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, etag.value());
        headers.insert(header::CACHE_CONTROL, ASK_EACH_TIME);
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response
    }
}
