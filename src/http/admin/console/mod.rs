//! `GET /`: the console, one page for whoever looks after us. It shows what the other routes here
//! tell, and brings along everything it is made of: no request of it leaves this door.
//!
//! Nothing is known here of what it shows. That is the scripts' business, who ask for it:
//!
//! ```text
//! index.html      what stands where
//! console.js      the watch: asks, and has it shown
//!   figures       how it stands                   numbers   what follows from counters
//!   diagnosis     what is the matter              words     in English or in Chinese
//!   explanation   what is kept under a name       page      what is put into the page
//!   purging       let it forget, once confirmed
//! ```

use axum::response::IntoResponse;
use axum::response::Response;
use http::HeaderName;
use http::header;

/// What the page may do: run our scripts, look as we say, and ask this door. Nothing of it stands in
/// line, so that nothing that is told can become a script; and nobody may frame it, so that no click
/// on a purge was meant for something else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                                       connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                                       form-action 'none'; frame-ancestors 'none'";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// A file that the page is made of.
#[derive(Clone, Copy)]
pub(super) struct Asset {
    /// Where it is asked for.
    pub(super) path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// Declares the files, one row each.
macro_rules! assets {
    ($($path:literal = $file:literal, $content_type:ident;)*) => {
        /// All of them.
        pub(super) const ASSETS: [Asset; [$($path),*].len()] = [$(Asset {
            path: $path,
            content_type: $content_type,
            text: include_str!($file),
        }),*];
    };
}

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

assets! {
    "/" = "index.html", HTML;
    "/console/chinese.js" = "chinese.js", JAVASCRIPT;
    "/console/console.css" = "console.css", CSS;
    "/console/console.js" = "console.js", JAVASCRIPT;
    "/console/diagnosis.js" = "diagnosis.js", JAVASCRIPT;
    "/console/english.js" = "english.js", JAVASCRIPT;
    "/console/explanation.js" = "explanation.js", JAVASCRIPT;
    "/console/figures.js" = "figures.js", JAVASCRIPT;
    "/console/numbers.js" = "numbers.js", JAVASCRIPT;
    "/console/page.js" = "page.js", JAVASCRIPT;
    "/console/purging.js" = "purging.js", JAVASCRIPT;
    "/console/words.js" = "words.js", JAVASCRIPT;
}

impl IntoResponse for Asset {
    /// Not to be stored: the page must fit the service that it shows, and that may be another after
    /// the next start.
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        ];
        (headers, self.text).into_response()
    }
}
