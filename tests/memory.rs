//! What the process really takes, told by the system: the bounds of the settings are bounds of that.
//!
//! Runs the real binary. Optimised, at the scale that operators have; else at an eighth of it, as the
//! same code then takes ten times as long.

// It always holds here, and is said so that clippy takes what is shared for tests too.
#![cfg(test)]

mod process;

use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;
use wecom_simulator::World;

use crate::process::MIB;
use crate::process::Service;

/// One in so many of what the full scale has.
const SCALE: usize = if cfg!(debug_assertions) { 8 } else { 1 };

/// Callers at a time.
const CALLERS: usize = 16;

/// The identity, gzip and zstd: everything that is kept of a body.
const ENCODINGS: &[&str] = &["identity", "gzip", "zstd"];

/// What meetings there are, and how they are asked for.
#[derive(Clone, Copy, Debug)]
struct Manner {
    meetings: usize,
    /// Of each meeting's description.
    bytes: usize,
    /// Of the service's cache.
    cache_bytes: usize,
    /// By the number, where WeCom tells the id: so it is kept under both names.
    by_number: bool,
    /// To callers who see everything.
    reveals: bool,
    encodings: &'static [&'static str],
}

impl Manner {
    /// A hundred thousand small meetings, of which each is kept.
    const SMALL: Self = Self {
        meetings: 100_000 / SCALE,
        bytes: 1_900,
        cache_bytes: 1024 * MIB / SCALE,
        by_number: false,
        reveals: false,
        encodings: &["identity"],
    };

    /// Ten times as much as may be kept, in bodies of so many bytes.
    const fn passing(bytes: usize) -> Self {
        let cache_bytes = 64 * MIB / SCALE;
        Self {
            meetings: 10 * cache_bytes / bytes + 1,
            bytes,
            cache_bytes,
            ..Self::SMALL
        }
    }

    /// A WeCom that knows the meetings. Their descriptions do not compress to nothing.
    async fn wecom(self) -> Simulator {
        let wecom = Simulator::start(World::empty()).await.expect("a simulator");
        for number in 0..self.meetings {
            let id = format!("m{number}");
            let mut dice = fastrand::Rng::with_seed(number as u64);
            let description: String = std::iter::repeat_with(|| dice.alphanumeric())
                .take(self.bytes)
                .collect();
            if self.by_number {
                let info = serde_json::json!({"meetingid": id, "description": description});
                wecom.put_meeting(Meeting::new(&id, code(number), info));
            } else {
                wecom.put_raw(id, format!(r#"{{"description":"{description}"}}"#));
            }
        }
        wecom
    }

    /// A service that believes what it keeps for longer than the test takes.
    fn start(self, wecom: &Simulator) -> Service {
        let cache_bytes = self.cache_bytes.to_string();
        let everything = r#"["secrets", "phones", "extra"]"#;
        let variables = [
            ("WECOM_PROXY_CACHE__MAX_BYTES", cache_bytes.as_str()),
            ("WECOM_PROXY_CACHE__FRESH_FOR__UNKNOWN", "1h"),
            ("WECOM_PROXY_CACHE__FRESH_FOR__BY_CODE_MAX", "1h"),
            ("WECOM_PROXY_WECOM__CALLS_PER_MINUTE", "10000000"),
            ("WECOM_PROXY_WECOM__CALLS_PER_HOUR", "10000000"),
            // It is memory that is judged, however busy the machine.
            ("WECOM_PROXY_SERVER__REQUEST_TIMEOUT", "60s"),
            ("WECOM_PROXY_WECOM__TIMEOUT", "30s"),
            (
                "WECOM_PROXY_ACCESS__REVEAL",
                if self.reveals { everything } else { "[]" },
            ),
        ];
        Service::start(wecom, &variables)
    }

    /// Asks for the first so many of the meetings in each encoding, and tells the bytes of their
    /// bodies as they are.
    async fn ask(self, service: &Service, meetings: usize) -> usize {
        let mut asking = tokio::task::JoinSet::new();
        for first in 0..CALLERS {
            let mut caller = service.caller().await;
            asking.spawn(async move {
                let mut bytes = 0;
                for number in (first..meetings).step_by(CALLERS) {
                    for (turn, encoding) in self.encodings.iter().enumerate() {
                        let length = fetch(&mut caller, &self.path(number), encoding).await;
                        bytes += if turn == 0 { length } else { 0 };
                    }
                }
                bytes
            });
        }
        asking.join_all().await.into_iter().sum()
    }

    fn path(self, number: usize) -> String {
        if self.by_number {
            format!("/meetings/by-code/{}", code(number))
        } else {
            format!("/meetings/m{number}")
        }
    }
}

fn code(number: usize) -> String {
    (100_000_000 + number).to_string()
}

async fn fetch(caller: &mut SendRequest<Body>, path: &str, encoding: &str) -> usize {
    let request = Request::get(path)
        .header("host", "proxy")
        .header("accept-encoding", encoding);
    let request = request.body(Body::empty()).expect("a request");
    // Between two requests, the connection may have something to do yet.
    caller.ready().await.expect("a connection");
    let answer = caller.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    let body = answer.into_body().collect().await.expect("a body");
    body.to_bytes().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_as_much_as_may_be_kept_passes_through_and_the_process_stays_small() {
    let by_number = Manner {
        by_number: true,
        reveals: true,
        encodings: ENCODINGS,
        ..Manner::passing(31_000)
    };
    for manner in [
        Manner::passing(32 * 1024),
        by_number,
        Manner::passing(387_000),
        Manner::passing(1_900_000),
        Manner::passing(3_500_000),
    ] {
        let wecom = manner.wecom().await;
        let service = manner.start(&wecom);

        let passed = manner.ask(&service, manner.meetings).await;

        let cache_bytes = manner.cache_bytes;
        assert!(passed >= 10 * cache_bytes, "{passed} bytes passed");
        let peak = service.memory("VmHWM").div_ceil(MIB);
        // Each answer on its way is there as WeCom wrote it, as it was read, as we write it, and sent.
        let on_their_way = 4 * CALLERS * manner.bytes;
        let bound = (cache_bytes * 3 / 2 + 40 * MIB + on_their_way) / MIB;
        println!("peak {peak} MiB of at most {bound}: {manner:?}");
        assert!(peak <= bound, "{peak} MiB, of at most {bound}: {manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_meeting_takes_little_more_than_its_bytes() {
    let by_number = Manner {
        by_number: true,
        ..Manner::SMALL
    };
    // What is known by two names stands in two entries, one of which carries the body; and what
    // everybody may see is kept beside what some may: it is what that was made of.
    let revealed = Manner {
        reveals: true,
        ..Manner::SMALL
    };
    for (manner, bodies, bound) in [
        (Manner::SMALL, 1, 150),
        (by_number, 1, 180),
        (revealed, 2, 150),
    ] {
        let wecom = manner.wecom().await;
        let service = manner.start(&wecom);
        let warm = manner.ask(&service, CALLERS);
        let warm = tokio::time::timeout(Duration::from_secs(60), warm).await;
        warm.expect("warm");
        let before = service.memory("VmRSS");

        let bytes = manner.ask(&service, manner.meetings).await;

        let growth = service.memory("VmRSS") - before;
        let percent = growth * 100 / (bodies * bytes);
        println!("{percent} % of {bodies} times {bytes} bytes: {manner:?}");
        assert!(percent <= bound, "{growth} bytes for {bytes}: {manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_cache_has_large_pages_if_the_system_has_any_and_a_small_one_has_not() {
    let file = "/sys/kernel/mm/transparent_hugepage/enabled";
    let setting = std::fs::read_to_string(file).unwrap_or_default();
    let has_any = setting.contains("[madvise]") || setting.contains("[always]");
    let some = Manner {
        meetings: 2_500,
        ..Manner::SMALL
    };
    let wecom = some.wecom().await;
    for (cache_bytes, is_large) in [(1024 * MIB, true), (1024 * MIB - 1, false)] {
        let manner = Manner {
            cache_bytes,
            ..some
        };
        let service = manner.start(&wecom);

        manner.ask(&service, manner.meetings).await;

        // One was given before anything could be said about it.
        let first = 2 * MIB;
        let has_more = service.figure("smaps_rollup", "AnonHugePages") > first;
        assert_eq!(has_more, is_large && has_any, "{manner:?}, {setting}");
    }
}
