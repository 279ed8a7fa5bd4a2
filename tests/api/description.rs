//! What describes the API: `/openapi.json`, `/openapi-3.0.json`, `/docs` and what the page is made of.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Map;
use serde_json::Value;
use wecom_meeting_proxy::http::KeyDigest;

use crate::house::House;

/// Every route there is, and the media type of its answer.
const ROUTES: [(&str, &str); 7] = [
    ("/openapi.json", "application/json"),
    ("/openapi-3.0.json", "application/json"),
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/page.css", "text/css; charset=utf-8"),
    ("/docs/page.js", "text/javascript; charset=utf-8"),
    (
        "/docs/swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
    ),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
];

/// A house in which a key is asked for.
async fn locked() -> House {
    let digest = KeyDigest::of(b"the-key");
    let callers = format!("[{{ name = \"a\", key_sha256 = \"{digest}\" }}]");
    House::with(&[("access.callers", &callers)]).await
}

#[tokio::test]
async fn the_documents_are_those_that_are_in_the_repository() {
    let house = House::open().await;
    for (path, kept) in [
        ("/openapi.json", include_str!("../../docs/openapi.json")),
        (
            "/openapi-3.0.json",
            include_str!("../../docs/openapi-3.0.json"),
        ),
    ] {
        let served = house.get(path).await;
        // By lines: a difference is then told by the first of them.
        let differs = served
            .text
            .lines()
            .zip(kept.lines())
            .find(|(ours, kept)| ours != kept);
        assert_eq!(
            (differs, served.text.trim_end().len()),
            (None, kept.trim_end().len()),
            "docs{path} is not what the code says: renew it with `just openapi`"
        );
    }
}

/// Every key, word, header field, parameter and code that a description names.
fn names(described: &Value, into: &mut BTreeSet<String>) {
    match described {
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Object(members) => {
            for list in ["properties", "headers"] {
                let named = members.get(list).and_then(Value::as_object);
                into.extend(named.into_iter().flat_map(Map::keys).cloned());
            }
            let words = members.get("enum").and_then(Value::as_array);
            let words = words.into_iter().flatten().chain(members.get("name"));
            into.extend(words.filter_map(Value::as_str).map(str::to_owned));
            let below = members
                .iter()
                .filter(|(name, _)| !name.starts_with("example"));
            below.for_each(|(_, member)| names(member, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn what_callers_read_names_all_that_is_described() {
    let described = include_str!("../../docs/openapi.json");
    let described: Value = serde_json::from_str(described).expect("JSON");
    let mut all = BTreeSet::new();
    names(&described["paths"], &mut all);
    names(&described["components"], &mut all);
    assert!(all.len() > 150, "{}", all.len());
    for text in [
        include_str!("../../docs/api.md"),
        include_str!("../../docs/zh-CN/api.md"),
    ] {
        let missing = |name: &&String| !text.contains(&format!("`{name}"));
        let missing: Vec<_> = all.iter().filter(missing).collect();
        assert_eq!(missing, Vec::<&String>::new());
    }
}

#[tokio::test]
async fn nothing_of_it_needs_a_key_and_all_of_it_is_known_the_second_time() {
    let house = locked().await;
    for (path, media_type) in ROUTES {
        let reply = house.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(media_type), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"), "{path}");
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{path}");
        assert_eq!(
            reply.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert!(reply.header("x-request-id").is_some(), "{path}");
        assert!(!reply.text.is_empty(), "{path}");

        let etag = reply.header("etag").expect("a tag");
        let known = [("if-none-match", etag)];
        let again = house.send(Method::GET, path, &known).await;
        assert_eq!(
            (again.status.as_u16(), again.body.len()),
            (304, 0),
            "{path}"
        );
        assert_eq!(again.header("etag"), Some(etag), "{path}");

        let head = house.send(Method::HEAD, path, &[]).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("etag"), Some(etag), "{path}");
    }
    assert_eq!(house.get("/meetings/m1").await.status, 401);
}

#[tokio::test]
async fn other_methods_and_other_files_are_refused() {
    let house = House::open().await;
    for (path, _) in ROUTES {
        let reply = house.send(Method::POST, path, &[]).await;
        let refused = (405, "method_not_allowed".to_owned());
        assert_eq!(reply.outcome(), refused, "{path}");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"), "{path}");
    }
    for path in [
        "/docs/",
        "/docs/index.html",
        "/docs/%2e%2e/page.js",
        "/docs/%ff",
        "/openapi.json/",
    ] {
        let refused = (404, "no_such_route".to_owned());
        assert_eq!(house.get(path).await.outcome(), refused, "{path}");
    }
}

#[tokio::test]
async fn large_ones_come_compressed_to_who_likes_that() {
    let house = House::open().await;
    for (path, plain) in [
        ("/openapi.json", 100_000),
        ("/docs/swagger-ui-bundle.js", 1_000_000),
    ] {
        for encoding in ["gzip", "zstd"] {
            let liked = [("accept-encoding", encoding)];
            let reply = house.send(Method::GET, path, &liked).await;
            assert_eq!(reply.header("content-encoding"), Some(encoding), "{path}");
            assert!(reply.body.len() < plain / 2, "{path}: {}", reply.body.len());
        }
        assert!(house.get(path).await.body.len() > plain, "{path}");
    }
}

#[tokio::test]
async fn the_page_names_files_of_ours_alone_and_forbids_all_others() {
    let house = House::open().await;
    let page = house.get("/docs").await;

    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    let quoted = page.text.split('"').skip(1).step_by(2);
    let named: BTreeSet<&str> = quoted
        .filter(|text| text.contains("docs/") || text.contains(".json") || text.contains("//"))
        .collect();
    let expected = [
        "docs/page.css",
        "docs/page.js",
        "docs/swagger-ui-bundle.js",
        "docs/swagger-ui.css",
        "openapi.json",
    ];
    assert_eq!(named, expected.into());
}
