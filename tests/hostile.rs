//! A WeCom that means harm: whatever it sends, callers are told in time, and the process stays small.
//!
//! Runs the real binary, so that what is resident is the service's and nobody else's.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Outcome;
use wecom_simulator::Simulator;
use wecom_simulator::Trouble;
use wecom_simulator::World;

use crate::process::MIB;
use crate::process::Service;

/// Hostile answers at once: as many as may be under way.
const AT_ONCE: usize = 64;

/// What the whole process may take, at its peak.
const RESIDENT_MAX: usize = 150 * MIB;

/// Two seconds, as it is set, and some for a debug build on a busy machine.
const DEADLINE: Duration = Duration::from_secs(4);

/// One of a great many.
const ATTENDEE: &str =
    r#"{"userid":"lisi","status":1,"first_join_time":1600000000,"total_join_count":5}"#;

/// How deep an answer is nested that nests for nothing else.
const DEPTH: usize = 100_000;

/// A harm, and the problem that it comes to; none where it is odd and yet a meeting.
struct Harm {
    name: &'static str,
    trouble: Trouble,
    /// At `get_info`.
    outcome: (u16, &'static str),
    /// Whether the connection may be used again: it was read to its end.
    is_complete: bool,
}

fn harms(elsewhere: &str) -> Vec<Harm> {
    const GARBLED: (u16, &str) = (502, "wecom_garbled");
    const MEETING: (u16, &str) = (200, "");
    const TIMEOUT: (u16, &str) = (504, "wecom_timeout");
    let harm = |name, trouble, outcome, is_complete| Harm {
        name,
        trouble,
        outcome,
        is_complete,
    };
    let drip = Duration::from_millis(5);
    let nested = |open: &str, close: &str| {
        let (open, close) = (open.repeat(DEPTH), close.repeat(DEPTH));
        Trouble::raw(format!(r#"{{"errcode":0,"title":{open}1{close}}}"#))
    };
    let attendees = |item: &str, times: usize| {
        let items = vec![item; times].join(",");
        Trouble::raw(format!(
            r#"{{"errcode":0,"attendees":{{"member":[{items}]}}}}"#
        ))
    };
    // As much as may come, and as many values as may be.
    let dense = |item: &str| attendees(item, (4 * MIB - 100) / (item.len() + 1));
    vec![
        harm("512 MiB", Trouble::huge(512 << 20), GARBLED, false),
        harm(
            "1 GiB, gzipped",
            Trouble::gzip_bomb(1 << 30),
            GARBLED,
            false,
        ),
        harm(
            "an endless drip",
            Trouble::drip_forever(drip),
            TIMEOUT,
            false,
        ),
        harm("silence", Trouble::hang(), TIMEOUT, false),
        harm("lists in lists", nested("[", "]"), GARBLED, true),
        harm("objects in objects", nested(r#"{"a":"#, "}"), GARBLED, true),
        harm(
            "nothing but brackets",
            Trouble::raw("[".repeat(MIB)),
            GARBLED,
            true,
        ),
        harm("odd items", dense("0"), GARBLED, true),
        harm("empty objects", dense("{}"), GARBLED, true),
        harm(
            "odd items of a large meeting",
            attendees("0", 10_000),
            MEETING,
            true,
        ),
        harm("attendees", attendees(ATTENDEE, 1_000), MEETING, true),
        harm("a list", Trouble::array(), GARBLED, true),
        harm("a text", Trouble::raw(r#""errcode""#), GARBLED, true),
        harm("nothing", Trouble::raw(""), GARBLED, true),
        harm(
            "no UTF-8",
            Trouble::raw(&b"{\"errcode\":0,\"title\":\"\xff\xfe\"}"[..]),
            GARBLED,
            true,
        ),
        harm(
            "another place",
            Trouble::redirect_to(elsewhere),
            GARBLED,
            true,
        ),
        harm(
            "wrong types",
            Trouble::raw(
                r#"{"errcode":0,"title":{"a":[]},"settings":7,"attendees":"x","status":[]}"#,
            ),
            MEETING,
            true,
        ),
        harm(
            "a key twice",
            Trouble::raw(r#"{"errcode":0,"title":"first","title":"second","errcode":0}"#),
            MEETING,
            true,
        ),
        harm(
            "a number of many digits",
            Trouble::raw(format!(
                r#"{{"errcode":0,"meeting_start":{}}}"#,
                "9".repeat(100_000)
            )),
            MEETING,
            true,
        ),
    ]
}

/// A status, and the code of the problem if it is one.
async fn ask(service: &Service, id: &str) -> (u16, String) {
    let request = Request::get(format!("/meetings/{id}")).header("host", "proxy");
    let request = request.body(Body::empty()).expect("a request");
    let mut caller = service.caller().await;
    let answer = caller.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// So many questions at once, each about another meeting.
async fn ask_at_once(service: &Service, name: &str) -> BTreeMap<(u16, String), usize> {
    let ids = (0..AT_ONCE).map(|number| {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        format!("{}-{number}", letters.collect::<String>())
    });
    let asking = ids.map(|id| async move { ask(service, &id).await });
    let since = Instant::now();
    let mut told = BTreeMap::new();
    for outcome in futures_of(asking).await {
        *told.entry(outcome).or_default() += 1;
    }
    let took = since.elapsed();
    assert!(took < DEADLINE, "{name}: told only after {took:?}");
    told
}

/// All of them at once, in this task.
async fn futures_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if pending.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    let outputs = pending.into_iter().filter_map(|(_, output)| output);
    outputs.collect()
}

fn start(wecom: &Simulator) -> Service {
    Service::start(
        wecom,
        &[
            ("WECOM_PROXY_WECOM__TIMEOUT", "1500ms"),
            ("WECOM_PROXY_SERVER__REQUEST_TIMEOUT", "2s"),
            // What is kept is another matter.
            ("WECOM_PROXY_CACHE__MAX_BYTES", "16MiB"),
        ],
    )
}

/// A place that no redirect may lead to.
async fn elsewhere() -> (TcpListener, String) {
    let place = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = place.local_addr().expect("an address");
    (place, format!("http://{address}/cgi-bin/gettoken"))
}

async fn assert_nobody_came(place: &TcpListener) {
    let coming = tokio::time::timeout(Duration::from_millis(100), place.accept()).await;
    assert!(coming.is_err(), "somebody followed a redirect: {coming:?}");
}

fn assert_small(service: &Service, after: &str) {
    let peak = service.memory("VmHWM");
    println!("peak {} MiB after {after}", peak / MIB);
    assert!(peak <= RESIDENT_MAX, "{} MiB after {after}", peak / MIB);
}

/// No connection on which an answer was not read to its end carries another question.
fn assert_not_used_again(wecom: &Simulator, name: &str) {
    let mut cut = BTreeMap::new();
    for visit in wecom.visits() {
        let earlier = cut.get(&visit.connection);
        assert_eq!(earlier, None, "{name}: used again for {visit:?}");
        if visit
            .end
            .is_none_or(|end| end.outcome == Outcome::Abandoned)
        {
            cut.insert(visit.connection, visit);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_wecom_says_of_meetings_makes_callers_wait_or_the_process_grow() {
    let (place, url) = elsewhere().await;
    let wecom = Simulator::start(World::empty()).await.expect("a simulator");
    let service = start(&wecom);
    assert_eq!(ask(&service, "none").await.0, 404);

    for (number, harm) in harms(&url).into_iter().enumerate() {
        let Harm {
            name,
            trouble,
            outcome: (status, code),
            is_complete,
        } = harm;
        wecom.reset_counters();
        wecom.set_trouble(Api::GetInfo, trouble);

        let told = ask_at_once(&service, name).await;

        // A machine that is busy elsewhere may not get through it in time: then that is what is told.
        let late = [(503, "overloaded"), (504, "wecom_timeout")];
        let late = late.map(|(status, code)| (status, code.to_owned()));
        let expected = (status, code.to_owned());
        assert!(told.contains_key(&expected), "{name}: {told:?}");
        let others = told
            .keys()
            .find(|&told| *told != expected && !late.contains(told));
        assert_eq!(others, None, "{name}");
        assert_small(&service, name);
        wecom.clear_troubles();
        // Another each time: what is kept may be renewed into the next trouble.
        let afterwards = format!("none-after-{number}");
        assert_eq!(ask(&service, &afterwards).await.0, 404, "after {name}");
        let abandoned = wecom.visits().iter().any(|visit| {
            visit
                .end
                .is_none_or(|end| end.outcome == Outcome::Abandoned)
        });
        assert!(abandoned != is_complete, "{name}");
        assert_not_used_again(&wecom, name);
    }
    assert_nobody_came(&place).await;
    assert_eq!(wecom.redirects_followed(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_wecom_says_instead_of_a_token_makes_callers_wait_or_the_process_grow() {
    let (place, url) = elsewhere().await;
    let mut harms: Vec<_> = harms(&url);
    harms.retain(|harm| harm.outcome.0 != 200);
    let services = harms.into_iter().map(async |harm| {
        let Harm {
            name,
            trouble,
            outcome: (status, code),
            ..
        } = harm;
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        wecom.set_trouble(Api::GetToken, trouble);
        let service = start(&wecom);

        let told = ask_at_once(&service, name).await;

        let expected = BTreeMap::from([((status, code.to_owned()), AT_ONCE)]);
        assert_eq!(told, expected, "{name}");
        assert_small(&service, name);
        assert_eq!(wecom.hits().get_info, 0, "{name}");
        assert_not_used_again(&wecom, name);
        wecom.clear_troubles();
        let since = Instant::now();
        while ask(&service, "none").await.0 != 404 {
            assert!(
                since.elapsed() < Duration::from_secs(20),
                "never after {name}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_not_used_again(&wecom, name);
    });
    futures_of(services).await;
    assert_nobody_came(&place).await;
}
