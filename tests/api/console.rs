//! The operators' console: what it is made of, and that no other page can have it forget.

use http::Method;

use crate::house::House;
use crate::house::Reply;

/// What somebody loads who opens it, besides the words.
const FILES: [&str; 10] = [
    "/",
    "/console/console.css",
    "/console/console.js",
    "/console/diagnosis.js",
    "/console/explanation.js",
    "/console/figures.js",
    "/console/numbers.js",
    "/console/page.js",
    "/console/purging.js",
    "/console/words.js",
];

/// The words, in one language or the other.
const WORDS: [&str; 2] = ["/console/chinese.js", "/console/english.js"];

const POLICY: [(&str, &str); 8] = [
    ("default-src", "'none'"),
    ("script-src", "'self'"),
    ("style-src", "'self'"),
    ("connect-src", "'self'"),
    ("img-src", "'self' data:"),
    ("base-uri", "'none'"),
    ("form-action", "'none'"),
    ("frame-ancestors", "'none'"),
];

async fn purge_with(house: &House, headers: &[(&str, &str)]) -> Reply {
    let method = Method::DELETE;
    house.order_operator(method, "/cache", headers).await
}

#[tokio::test]
async fn every_file_of_the_console_is_ours_and_may_do_nothing_but_what_it_needs() {
    let house = House::open().await;
    for path in FILES.iter().chain(&WORDS) {
        let reply = house.ask_operator(path).await;

        assert_eq!(reply.status, 200, "{path}");
        let expected = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(reply.header("content-type"), Some(expected), "{path}");
        let policy = POLICY.map(|(directive, sources)| format!("{directive} {sources}"));
        assert_eq!(
            reply.header("content-security-policy"),
            Some(policy.join("; ").as_str()),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            reply.header("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(!reply.text.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_console_is_light_and_names_no_place_but_this_one() {
    let house = House::open().await;
    let mut bytes = 0;
    for path in FILES {
        let text = house.ask_operator(path).await.text;
        bytes += text.len();
        // The one address in it is the name of a vocabulary.
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        for place in ["http://", "https://", "url(", "@import"] {
            assert!(!elsewhere.contains(place), "{place} in {path}");
        }
    }
    for words in WORDS {
        let with_words = bytes + house.ask_operator(words).await.text.len();
        assert!(with_words < 60 * 1024, "{with_words} bytes with {words}");
    }
}

#[tokio::test]
async fn nothing_of_the_page_stands_in_line() {
    let house = House::open().await;

    let page = house.ask_operator("/").await.text;

    assert!(page.contains("<script type=\"module\" src=\"console/console.js\"></script>"));
    assert_eq!(page.matches("<script").count(), 1);
    for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn the_console_is_read_and_not_written_and_callers_have_none() {
    let house = House::open().await;

    let head = house.order_operator(Method::HEAD, "/", &[]).await;
    let post = house.order_operator(Method::POST, "/", &[]).await;

    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(post.outcome(), (405, "method_not_allowed".to_owned()));
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
    assert_eq!(house.get("/").await.status, 404);
    assert_eq!(house.ask_operator("/console/").await.status, 404);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    house.get("/meetings/m1").await;
    let operators = house.operators;
    let elsewhere = format!("http://evil.example.com:{}", operators.port());
    for headers in [
        [("sec-fetch-site", "cross-site")].as_slice(),
        &[("sec-fetch-site", "same-site")],
        &[("origin", &elsewhere)],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-origin"), ("origin", &elsewhere)],
    ] {
        let reply = purge_with(&house, headers).await;

        let refused = (403, "cross_site".to_owned());
        assert_eq!(reply.outcome(), refused, "{headers:?}");
    }

    assert_eq!(
        house.get("/meetings/m1").await.cache_status(),
        "hit; ttl=60"
    );
}

#[tokio::test]
async fn our_own_page_and_who_has_no_browser_may_purge() {
    let house = House::open().await;
    let ours = format!("http://{}", house.operators);
    for headers in [
        [].as_slice(),
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("origin", &ours)],
        &[("origin", &ours)],
    ] {
        let reply = purge_with(&house, headers).await;

        assert_eq!(reply.status, 204, "{headers:?}");
    }
}

#[tokio::test]
async fn a_browser_that_asks_whether_another_site_may_is_not_told_so() {
    let house = House::open().await;
    let asks = [
        ("origin", "http://evil.example.com"),
        ("access-control-request-method", "DELETE"),
    ];

    let reply = house.order_operator(Method::OPTIONS, "/cache", &asks).await;

    assert_eq!(reply.outcome(), (403, "cross_site".to_owned()));
    for field in reply.headers.keys() {
        let field = field.as_str();
        assert!(!field.starts_with("access-control-"), "{field}");
    }
}

#[tokio::test]
async fn reading_is_open_to_probes_and_to_whoever_follows_a_link() {
    let house = House::open().await;
    let follows = [("sec-fetch-site", "cross-site"), ("origin", "null")];
    for path in ["/", "/livez", "/metrics", "/status"] {
        let reply = house.ask_operator_with(path, &follows).await;

        assert_eq!(reply.status, 200, "{path}");
    }
}
