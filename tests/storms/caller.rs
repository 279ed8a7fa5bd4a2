//! One caller in a storm, who asks one thing after another and looks closely at what it is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tokio::time::Instant;
use wecom_simulator::TOKEN_PREFIX;

use crate::house::Reply;
use crate::meetings::Name;
use crate::meetings::version_in;
use crate::outcomes::MEETING;
use crate::outcomes::NOT_CACHED;
use crate::outcomes::OVERLOADED;
use crate::outcomes::Outcome;
use crate::outcomes::TIMEOUT;
use crate::storm::STALE_KEPT;
use crate::storm::STALE_MAX;
use crate::storm::Sky;

/// Requests of one caller, at most.
const REQUESTS: usize = 6;

/// One in so many hangs up before it can have an answer that is not kept.
const IMPATIENT: u8 = 5;

/// What callers wish, the ordinary more often.
const WISHES: [&[(&str, &str)]; 9] = [
    &[],
    &[],
    &[],
    &[],
    &[("cache-control", "no-cache")],
    &[("cache-control", "no-cache")],
    &[("cache-control", "max-age=1")],
    &[("cache-control", "max-stale")],
    &[("cache-control", "only-if-cached")],
];

/// A request, and the times at which it was made and answered on the clock that is turned.
struct Call {
    name: Name,
    only_if_cached: bool,
    takes_stale: bool,
    began: Duration,
    ended: Duration,
}

/// Asks until the storm is over, or often enough.
pub(crate) async fn call(sky: Arc<Sky>, mut dice: Rng) {
    let mut seen: HashMap<Name, usize> = HashMap::new();
    for _ in 0..REQUESTS {
        if sky.is_over() {
            return;
        }
        let name = Name::any(&mut dice);
        let wish = *dice.choice(&WISHES).expect("some");
        let asking = sky.house.asking_with(&name.path(), wish);
        if dice.u8(..IMPATIENT) == 0 {
            let patience = Duration::from_millis(dice.u64(1..20));
            // Whatever it is: nobody is there any more to be told.
            let _ = tokio::time::timeout(patience, asking).await;
            continue;
        }
        let (began, since) = (sky.time(), Instant::now());
        let reply = asking.await;
        sky.waited(since.elapsed());
        let call = Call {
            name,
            only_if_cached: wish.contains(&("cache-control", "only-if-cached")),
            takes_stale: wish.contains(&("cache-control", "max-stale")),
            began,
            ended: sky.time(),
        };
        if let Some(version) = call.check(&sky, &reply) {
            let newest = seen.entry(name).or_default();
            assert!(*newest <= version, "{name:?}: {version} after {newest}");
            *newest = version;
        }
        tokio::time::sleep(Duration::from_millis(dice.u64(..40))).await;
    }
}

impl Call {
    /// The version that was told of, if it was one.
    fn check(&self, sky: &Sky, reply: &Reply) -> Option<usize> {
        let (status, code) = reply.outcome();
        let outcome: Outcome = (status, known(&code));
        let is_possible = match outcome {
            NOT_CACHED => self.only_if_cached,
            // A test that is not given the processor is slow, and so is all that it holds.
            TIMEOUT | OVERLOADED if !sky.possible.has(outcome) => {
                sky.should_not_be_slow(outcome);
                true
            }
            outcome => sky.possible.has(outcome),
        };
        assert!(
            is_possible,
            "{outcome:?} where only {:?} can be: {reply:?}",
            sky.possible.all()
        );
        assert!(
            !reply.text.contains(TOKEN_PREFIX) && !reply.text.contains("secret-"),
            "a secret: {reply:?}"
        );
        if outcome == MEETING {
            return Some(self.check_meeting(sky, reply));
        }
        check_problem(reply, outcome);
        None
    }

    fn check_meeting(&self, sky: &Sky, reply: &Reply) -> usize {
        let Self {
            name, began, ended, ..
        } = self;
        reply.cache_status();
        let meeting = reply.json();
        let version = version_in(meeting["title"].as_str().expect("a title"), *name);
        let age = seconds(reply.header("age").expect("an age"));
        let max_age = reply
            .header("cache-control")
            .and_then(|value| value.strip_prefix("private, max-age="));
        let lifetime = seconds(max_age.expect("a lifetime"));

        // Both are rounded down; and the clock may have been turned while the answer was made.
        let turned = ended.saturating_sub(*began);
        let stale_max = if self.takes_stale {
            STALE_KEPT
        } else {
            STALE_MAX
        };
        let second = Duration::from_secs(1);
        assert!(
            age <= lifetime + stale_max + second + turned,
            "older than may be, {turned:?} passed meanwhile: {reply:?}"
        );
        let asked_at = began.saturating_sub(age + second);
        let superseded = sky.annals.superseded(*name, version);
        assert!(
            superseded.is_none_or(|superseded| asked_at <= superseded),
            "asked at {asked_at:?}, and yet {version}, which was superseded at {superseded:?}: {reply:?}"
        );
        version
    }
}

/// As the contract has it, whatever has gone wrong.
fn check_problem(reply: &Reply, (status, code): Outcome) {
    let problem = reply.json();
    let urn = format!("urn:wecom-meeting-proxy:problem:{code}");
    assert_eq!(problem["type"], urn, "{reply:?}");
    assert_eq!(problem["status"], status, "{reply:?}");
    let id = reply.header("x-request-id").expect("an id");
    assert_eq!(problem["instance"], id, "{reply:?}");
    let is_retryable = status == 503 || code == "wecom_timeout";
    assert_eq!(problem["retryable"], is_retryable, "{reply:?}");
    for member in ["title", "detail"] {
        assert!(problem[member].is_string(), "{member}: {reply:?}");
    }
    let errcode = &problem["wecom_errcode"];
    assert!(errcode.is_null() || errcode.is_i64(), "{reply:?}");

    let is_remembered = matches!(status, 403 | 404 | 410);
    let cache_control = reply.header("cache-control").expect("told");
    assert_eq!(cache_control == "no-store", !is_remembered, "{reply:?}");
    let is_ours = matches!(code, "overloaded" | "not_cached");
    assert_eq!(reply.header("cache-status").is_none(), is_ours, "{reply:?}");
    if !is_ours {
        reply.cache_status();
    }
    let retry_after = reply.header("retry-after").map(seconds);
    assert_eq!(retry_after.is_some(), status == 503, "{reply:?}");
    let is_waiting = |wait: Duration| Duration::from_secs(1) <= wait;
    assert!(retry_after.is_none_or(is_waiting), "{reply:?}");
    assert!(matches!(problem, Value::Object(_)));
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().expect("whole seconds"))
}

/// The code, as one that the contract names.
fn known(code: &str) -> &'static str {
    let codes = [
        "",
        "meeting_gone",
        "meeting_not_found",
        "not_accessible",
        "not_cached",
        "overloaded",
        "rejected_by_wecom",
        "wecom_garbled",
        "wecom_rate_limited",
        "wecom_refused_us",
        "wecom_timeout",
        "wecom_unavailable",
        "wecom_unknown_error",
    ];
    let known = codes.into_iter().find(|known| *known == code);
    known.unwrap_or_else(|| panic!("no caller should be told {code}"))
}
