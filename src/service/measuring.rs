//! What is remembered, to be looked up.

#![expect(
    clippy::expect_used,
    reason = "where there is nothing to be measured, the run ends"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::Rule;
use super::VALUES;
use super::found::Finding;
use super::purge::Scope;
use crate::cache::Boarded;
use crate::cache::Cache;
use crate::cache::Fetched;
use crate::cache::Limits;
use crate::cache::Surroundings;
use crate::clock::Clock;
use crate::freshness::Answer;
use crate::meeting::Meeting;
use crate::meeting::Selector;
use crate::meeting::view::Views;
use crate::metrics::Metrics;
use crate::wecom::AppName;
use crate::wecom::Fault;
use crate::wecom::Question;

/// Those of so many meetings that are remembered, one at a time.
pub(crate) fn lookup(count: u32) -> Box<dyn FnMut()> {
    let clock = Clock::of_the_machine();
    let limits = Limits {
        bytes_max: 1 << 30,
        flights_max: 1_000,
        waiters_max: 1_000,
        stale_max: Duration::ZERO,
        fault_kept: Duration::ZERO,
        flight_max: Duration::ZERO,
    };
    let surroundings = Surroundings {
        clock: clock.clone(),
        metrics: Metrics::default(),
        tasks: TaskTracker::new(),
    };
    let cache: Cache<Question, Finding, Fault, Scope> = Cache::new(limits, VALUES, surroundings);
    let app: AppName = serde_json::from_value("default".into()).expect("a name");
    let question = |number| Question {
        app: app.clone(),
        selector: Selector::Id(
            format!("hyXG0RCQAAogMgFb9Tx_b-1-{number:08}")
                .parse()
                .expect("an id"),
        ),
        occurrence: None,
    };
    let answer = || {
        let finding = Finding {
            meeting: Ok(Arc::new(Views::of(&mut Meeting::default()))),
            rule: Rule::ByCodeMax,
            other_name: None,
        };
        Answer::new(
            finding,
            clock.now(),
            clock.now(),
            Duration::from_secs(3_600),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().expect("a runtime");
    runtime.block_on(async {
        for number in 0..count {
            let answer = answer();
            let asked = async move {
                Ok(Fetched {
                    answer,
                    other_name: None,
                })
            };
            let boarded = cache.board(&question(number), |_| None::<()>, |_| asked);
            let Boarded::Started(seat) = boarded else {
                continue;
            };
            seat.outcome()
                .await
                .expect("an answer")
                .outcome
                .expect("no fault");
        }
    });
    // One after the other: where each lies is by chance, and another one at every start.
    let questions: Vec<_> = (0..count).map(question).collect();
    let mut next = questions.into_iter().cycle();
    Box::new(move || {
        let question = next.next().expect("there are some");
        assert!(
            black_box(cache.recall(&question, clock.now()))
                .answer
                .is_some()
        );
    })
}
