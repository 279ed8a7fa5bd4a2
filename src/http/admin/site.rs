//! Whose page it is that has a browser send something: another site's may change nothing here.
//!
//! An operator's browser reaches this door, and may have a page of anybody's open at the same time.
//! It says of each request whose it is; who is no browser says nothing, and is taken at its word.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;

use crate::http::problem::Kind;
use crate::http::problem::Problem;

/// How the page that asks stands to what it asks (Fetch Metadata). Told where the connection is
/// trusted: over TLS, and to loopback.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets through what reads, and what is not another site's. (Such a page cannot read what it is
/// answered: nothing here says that it may.)
pub(super) async fn guard(request: Request, next: Next) -> Result<Response, Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || is_ours(request.headers()) {
        return Ok(next.run(request).await);
    }
    let detail = "it comes from a page of another site; where a gateway stands in front, it must \
                  pass Host on as it came";
    Err(Problem::new(Kind::CrossSite, detail))
}

fn is_ours(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST);
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    sites.all(|site| site == "same-origin" || site == "none")
        && origins.all(|origin| host.is_some_and(|host| is_at(origin, host)))
}

/// Whether an origin is the one that `host` names. Both leave out a port that goes without saying.
/// (`null`, which is nobody's, is at no host.)
fn is_at(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let origin = origin.as_bytes();
    let stripped = |scheme: &str| origin.strip_prefix(scheme.as_bytes());
    let authority = stripped("http://").or_else(|| stripped("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_ours_unless_the_browser_says_otherwise() {
        for (fields, ours) in [
            (vec![], true),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "")], false),
            (vec![("origin", "http://ops.example.com:9090")], true),
            (vec![("origin", "https://OPS.example.com:9090")], true),
            (vec![("origin", "http://ops.example.com")], false),
            (vec![("origin", "http://ops.example.com:9091")], false),
            (vec![("origin", "http://evil.example.com:9090")], false),
            (vec![("origin", "ops.example.com:9090")], false),
            (vec![("origin", "null")], false),
            (
                vec![
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "http://evil.example.com"),
                ],
                false,
            ),
            (
                vec![
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("host", HeaderValue::from_static("ops.example.com:9090"));
            for (name, value) in &fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_ours(&headers), ours, "{fields:?}");
        }
    }
}
