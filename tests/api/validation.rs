//! Callers who have the answer already, who want it small, and who know a meeting by another name.

use std::time::Duration;

use http::Method;
use serde_json::json;
use wecom_simulator::Meeting;

use crate::house::House;
use crate::house::Reply;

#[tokio::test]
async fn a_tag_changes_when_the_body_does_and_only_then() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let tag = |reply: &Reply| reply.header("etag").expect("a tag").to_owned();

    let first = house.get("/meetings/m1").await;
    house.advance(Duration::from_secs(100));
    let renewed = house.get("/meetings/m1").await;
    house.given_meeting("m1", "446153273", "Retrospective");
    house.advance(Duration::from_secs(100));
    let changed = house.get("/meetings/m1").await;

    assert_eq!(house.wecom.hits().get_info, 3);
    assert_eq!(tag(&first), tag(&renewed));
    assert_ne!(tag(&first), tag(&changed));
}

#[tokio::test]
async fn who_has_the_answer_already_is_told_so_without_a_body() {
    let house = House::open().await;
    house.given_meeting("m1", "446153273", "Standup");
    let tag = house
        .get("/meetings/m1")
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    house.advance(Duration::from_secs(7));

    for (if_none_match, status) in [
        (tag.clone(), 304),
        (tag.trim_start_matches("W/").to_owned(), 304),
        (format!("\"a\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"a\"".to_owned(), 200),
        ("nonsense".to_owned(), 200),
    ] {
        let reply = house
            .get_with("/meetings/m1", &[("if-none-match", &if_none_match)])
            .await;
        assert_eq!(reply.status, status, "{if_none_match}");
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
        assert_eq!(reply.header("cache-control"), Some("private, max-age=60"));
        assert_eq!(reply.header("vary"), Some("Authorization, Accept-Encoding"));
        assert_eq!(reply.header("age"), Some("7"));
        assert_eq!(reply.cache_status(), "hit; ttl=53");
        assert_eq!(reply.text.is_empty(), status == 304, "{if_none_match}");
    }
    let absent = house
        .get_with("/meetings/nobody", &[("if-none-match", "*")])
        .await;
    assert_eq!(absent.status, 404);
}

#[tokio::test]
async fn a_large_body_is_compressed_as_the_caller_likes_and_a_small_one_is_not() {
    let house = House::open().await;
    let long = json!({"title": "Standup", "description": "again and again ".repeat(200)});
    house
        .wecom
        .put_meeting(Meeting::new("long", "446153273", long));
    house.wecom.put_raw("short", r#"{"title": "x"}"#);
    let plain = house.get("/meetings/long").await;

    for (accept, expected) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, zstd", Some("zstd")),
        ("br", None),
    ] {
        let reply = house
            .get_with("/meetings/long", &[("accept-encoding", accept)])
            .await;
        assert_eq!(reply.header("content-encoding"), expected, "{accept}");
        assert_eq!(reply.header("etag"), plain.header("etag"), "{accept}");
        let length: usize = reply
            .header("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        assert_eq!(
            length < plain.text.len(),
            expected.is_some(),
            "{accept}: {length}"
        );
        assert_eq!(reply.body.len(), length, "{accept}");
        assert_eq!(decoded(&reply), plain.text, "{accept}");
    }
    let gzip = [("accept-encoding", "gzip")];
    let short = house.get_with("/meetings/short", &gzip).await;
    assert_eq!(short.header("content-encoding"), None);
    assert_eq!(decoded(&short), house.get("/meetings/short").await.text);
}

#[tokio::test]
async fn head_is_told_what_get_is_told() {
    let house = House::open().await;
    let mut info = named(0, 1);
    info["description"] = "again and again ".repeat(200).into();
    house
        .wecom
        .put_meeting(Meeting::new("m1", "446153273", info));
    let path = "/meetings/by-code/446153273";
    let headers = [("accept-encoding", "gzip")];
    house.get(path).await;

    let get = house.send(Method::GET, path, &headers).await;
    let head = house.send(Method::HEAD, path, &headers).await;

    assert_eq!(get.header("content-encoding"), Some("gzip"));
    assert_eq!(get.header("content-location"), Some("/meetings/m1"));
    for name in [
        "age",
        "cache-control",
        "cache-status",
        "content-encoding",
        "content-length",
        "content-location",
        "content-type",
        "etag",
        "vary",
    ] {
        assert_eq!(head.header(name), get.header(name), "{name}");
        assert!(get.header(name).is_some(), "{name}");
    }
    assert_eq!((head.status, head.body.len()), (get.status, 0));

    let tag = get.header("etag").expect("a tag");
    let headers = [("accept-encoding", "gzip"), ("if-none-match", tag)];
    for method in [Method::GET, Method::HEAD] {
        let known = house.send(method.clone(), path, &headers).await;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
        for name in ["age", "cache-control", "cache-status", "etag", "vary"] {
            assert_eq!(known.header(name), get.header(name), "{name} of {method}");
        }
    }
}

/// There is one thread that may be blocked, and it is busy with something else.
#[test]
fn a_large_body_is_compressed_beside_the_threads_that_serve_callers() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let house = House::open().await;
        let length = house.given_long_meeting("long");
        house.get("/meetings/long").await;
        let (release, busy) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || busy.recv());
        let gzip = &[("accept-encoding", "gzip")];
        let waiting = [(); 4].map(|()| tokio::spawn(house.asking_with("/meetings/long", gzip)));

        for _ in 0..10 {
            let served = house.get("/meetings/long").await;
            assert!(served.body.len() > length, "as it is");
        }
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        drop(release);

        for reply in waiting {
            let reply = reply.await.expect("a reply");
            assert_eq!(reply.header("content-encoding"), Some("gzip"));
        }
    });
}

fn decoded(reply: &Reply) -> String {
    use std::io::Read;
    let mut text = String::new();
    match reply.header("content-encoding") {
        None => text.push_str(&reply.text),
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(&*reply.body);
            decoder.read_to_string(&mut text).expect("gzip");
        }
        Some("zstd") => {
            let bytes = zstd::decode_all(&*reply.body).expect("zstd");
            text = String::from_utf8(bytes).expect("text");
        }
        Some(other) => panic!("an encoding that was not asked for: {other}"),
    }
    text
}

fn named(meeting_type: i64, status: i64) -> serde_json::Value {
    json!({"title": "Standup", "meetingid": "m1", "meeting_code": "446153273",
           "meeting_type": meeting_type, "status": status})
}

#[tokio::test]
async fn one_meeting_found_by_one_name_is_known_by_the_other_where_that_is_safe() {
    let (id, code) = ("/meetings/m1", "/meetings/by-code/446153273");
    for (case, info, first, second, questions) in [
        ("by number, then by id", named(0, 1), code, id, 1),
        ("a series by number, then by id", named(1, 1), code, id, 1),
        ("by id, then by number", named(0, 1), id, code, 1),
        ("a series by id, then by number", named(1, 1), id, code, 2),
        (
            "one that is over by id, then by number",
            named(0, 3),
            id,
            code,
            2,
        ),
        (
            "a personal room by id, then by number",
            named(5, 1),
            id,
            code,
            2,
        ),
        (
            "a personal room by number, then by id",
            named(5, 1),
            code,
            id,
            2,
        ),
    ] {
        let house = House::open().await;
        house
            .wecom
            .put_meeting(Meeting::new("m1", "446153273", info));

        house.get(first).await;
        let reply = house.get(second).await;

        assert_eq!(reply.json()["title"], "Standup", "{case}");
        assert_eq!(house.wecom.hits().get_info, questions, "{case}");
        let lifetime = reply.header("cache-control").expect("told");
        assert!(
            second == id || lifetime == "private, max-age=30",
            "{case}: {lifetime}"
        );
    }
}

#[tokio::test]
async fn who_asks_by_number_is_told_where_the_meeting_is_if_its_id_is_known() {
    let house = House::open().await;
    let meeting = Meeting::new("m1", "446153273", named(0, 1));
    house
        .wecom
        .put_meeting(meeting.with_occurrence("s-1", named(0, 1)));
    house.given_meeting("m2", "912384056", "No id is told");
    let odd = json!({"title": "No id of ours", "meetingid": "by-code"});
    house
        .wecom
        .put_meeting(Meeting::new("m3", "555000111", odd));
    let location = async |path: &str| {
        house
            .get(path)
            .await
            .header("content-location")
            .map(str::to_owned)
    };

    for (path, expected) in [
        ("446153273", Some("/meetings/m1")),
        ("446153273?app=default", Some("/meetings/m1?app=default")),
        (
            "446153273?sub_meeting_id=s-1",
            Some("/meetings/m1?sub_meeting_id=s-1"),
        ),
        (
            "446153273?sub_meeting_id=s-1&app=default",
            Some("/meetings/m1?app=default&sub_meeting_id=s-1"),
        ),
        ("912384056", None),
        ("555000111", None),
    ] {
        let path = format!("/meetings/by-code/{path}");
        assert_eq!(location(&path).await.as_deref(), expected, "{path}");
        if let Some(expected) = expected {
            assert_eq!(house.get(expected).await.status, 200, "{expected}");
        }
    }
    assert_eq!(location("/meetings/m1").await, None);
    let known = [("if-none-match", "*")];
    let known = house.get_with("/meetings/by-code/446153273", &known).await;
    assert_eq!(known.status, 304);
    assert_eq!(known.header("content-location"), Some("/meetings/m1"));
}
