//! What to do for a caller, given what is remembered. Pure: the whole strategy, and no deeds.
//!
//! | remembered | the caller | then |
//! |---|---|---|
//! | a fresh answer | takes it | it is served; if it will soon be stale and is in demand, it is renewed behind, under the same bound |
//! | a fresh answer | wants a newer one | WeCom is asked, but not more often than is set, in vain or not |
//! | a stale answer, not for long | takes it | it is served, and renewed behind |
//! | a stale answer, but younger than WeCom is asked | | it is served |
//! | a stale answer, for long | takes it so (`max-stale`) | it is served |
//! | a stale answer, for long | | WeCom is asked; if it fails, the answer is served after all |
//! | … and WeCom failed just now | | it is served: asking again would be too early |
//! | nothing | | WeCom is asked |
//! | nothing, or what is stale for too long, and WeCom failed just now | | the same fault again |
//! | nothing that will do | wants no question (`only-if-cached`) | there is nothing for it |

use std::time::Duration;
use std::time::Instant;

use serde::Serialize;

use crate::cache::Memory;
use crate::cache::Remembered;
use crate::freshness::Answer;

/// What a caller wishes of an answer's age (RFC 9111, section 5.2.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    /// `max-age`, or 0 for `no-cache`: the answer must be younger than this.
    pub max_age: Option<Duration>,
    /// `max-stale`: how long the answer may have been stale.
    pub max_stale: Option<Duration>,
    /// `min-fresh`: how long the answer must still be fresh.
    pub min_fresh: Option<Duration>,
    /// `only-if-cached`: WeCom is not to be asked.
    pub only_if_cached: bool,
}

/// For how long, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) stale_while_revalidate: Duration,
    pub(super) stale_if_error: Duration,
    pub(super) min_refresh_interval: Duration,
}

/// Why an answer from memory is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// It is fresh.
    Fresh,
    /// It is stale, and the caller takes it so.
    MaxStale,
    /// It is stale, and WeCom is not being asked at present.
    StaleIfError,
    /// It is stale, and is being renewed, or has come too short a while ago for that.
    StaleWhileRevalidate,
}

/// Why WeCom is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing is remembered.
    Miss,
    /// The caller wants a newer answer.
    Request,
    /// What is remembered is stale.
    Stale,
}

/// What to do for a caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Plan<V, E> {
    /// Ask, and wait for the answer. The answer that is remembered may be served if that fails.
    Ask(Cause, Option<Answer<V>>),
    /// Say that WeCom failed, as it did just now, when it was asked for that cause.
    Fail(Cause, Remembered<E>),
    /// Say that nothing is there: the caller wants no question.
    Refuse,
    /// Serve this.
    Serve(Answer<V>, Grounds),
    /// Serve this, and have it renewed behind the caller's back.
    ServeAndRenew(Answer<V>, Grounds),
}

impl<V, E> Plan<V, E> {
    /// Whether WeCom is to be asked, for a caller or behind one.
    pub(super) fn needs_wecom(&self) -> bool {
        match self {
            Self::Ask(..) | Self::ServeAndRenew(..) => true,
            Self::Fail(..) | Self::Refuse | Self::Serve(..) => false,
        }
    }

    /// The same without a question: it would be too early for one.
    fn held_back(self) -> Self {
        match self {
            Self::Ask(_, Some(answer)) => Self::Serve(answer, Grounds::StaleWhileRevalidate),
            Self::ServeAndRenew(answer, grounds) => Self::Serve(answer, grounds),
            Self::Ask(_, None) | Self::Fail(..) | Self::Refuse | Self::Serve(..) => self,
        }
    }
}

/// What to do for a caller with this wish, given what is remembered. `throw` is how the dice fell.
pub(super) fn plan<V, E>(
    memory: Memory<V, E>,
    wish: Wish,
    terms: Terms,
    now: Instant,
    throw: f64,
) -> Plan<V, E> {
    let Memory { answer, fault } = memory;
    let lately = |since| now.saturating_duration_since(since) < terms.min_refresh_interval;
    let only_just_failed = fault.as_ref().is_some_and(|fault| lately(fault.since));
    let fault = fault.filter(|fault| now < fault.until);
    let Some(answer) = answer else {
        return match fault {
            _ if wish.only_if_cached => Plan::Refuse,
            None => Plan::Ask(Cause::Miss, None),
            Some(remembered) => Plan::Fail(Cause::Miss, *remembered),
        };
    };
    let only_just_came = lately(answer.asked_at());
    if answer.is_fresh(now) {
        let too_early = fault.is_some() || only_just_came || only_just_failed;
        return plan_fresh(answer, wish, too_early, now, throw);
    }
    let planned = plan_stale(answer, fault, wish, terms, now);
    if only_just_came {
        planned.held_back()
    } else {
        planned
    }
}

fn plan_fresh<V, E>(
    answer: Answer<V>,
    wish: Wish,
    too_early: bool,
    now: Instant,
    throw: f64,
) -> Plan<V, E> {
    let young_enough = wish.max_age.is_none_or(|max_age| answer.age(now) < max_age);
    let long_enough = wish
        .min_fresh
        .is_none_or(|min_fresh| answer.remaining(now) >= min_fresh);
    if too_early {
        Plan::Serve(answer, Grounds::Fresh)
    } else if !young_enough || !long_enough {
        if wish.only_if_cached {
            Plan::Refuse
        } else {
            Plan::Ask(Cause::Request, Some(answer))
        }
    } else if renews_early(&answer, now, throw) {
        Plan::ServeAndRenew(answer, Grounds::Fresh)
    } else {
        Plan::Serve(answer, Grounds::Fresh)
    }
}

fn plan_stale<V, E>(
    answer: Answer<V>,
    fault: Option<Box<Remembered<E>>>,
    wish: Wish,
    terms: Terms,
    now: Instant,
) -> Plan<V, E> {
    let staleness = answer.staleness(now);
    let wants_newer = wish
        .max_age
        .is_some_and(|max_age| answer.age(now) >= max_age)
        || wish.min_fresh.is_some_and(|min_fresh| !min_fresh.is_zero());
    let takes_stale = wish
        .max_stale
        .is_some_and(|max_stale| !wants_newer && staleness <= max_stale);
    let renewable = !wants_newer && staleness < terms.stale_while_revalidate;
    let usable_if_error = staleness <= terms.stale_if_error;
    match fault {
        // Nobody asks WeCom for this caller: so it does not matter that it would be in vain.
        _ if wish.only_if_cached && !renewable && !takes_stale => Plan::Refuse,
        Some(_) if usable_if_error || (wish.only_if_cached && renewable) => {
            Plan::Serve(answer, Grounds::StaleIfError)
        }
        Some(_) if takes_stale => Plan::Serve(answer, Grounds::MaxStale),
        Some(remembered) => Plan::Fail(Cause::Stale, *remembered),
        None if renewable => Plan::ServeAndRenew(answer, Grounds::StaleWhileRevalidate),
        None if takes_stale => Plan::Serve(answer, Grounds::MaxStale),
        None => Plan::Ask(Cause::Stale, Some(answer)),
    }
}

/// Whether a fresh answer is renewed already: the more likely, the nearer its end, the longer it
/// takes to have a new one, and the more are asking (each throws the dice). So an answer in demand
/// is renewed before it is stale, and one that nobody asks for is not (Vattani, Chierichetti,
/// Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
fn renews_early<V>(answer: &Answer<V>, now: Instant, throw: f64) -> bool {
    let head_start = answer.on_its_way().as_secs_f64() * -(1.0 - throw).ln();
    answer.remaining(now).as_secs_f64() <= head_start
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        stale_while_revalidate: Duration::from_secs(30),
        stale_if_error: Duration::from_secs(600),
        min_refresh_interval: Duration::from_secs(1),
    };

    /// An answer that took a second to arrive and is believed for a minute, at this age.
    fn aged(age: Duration) -> (Answer<&'static str>, Instant) {
        let asked_at = crate::clock::Clock::of_the_machine().now();
        let arrived_at = asked_at + Duration::from_secs(1);
        let answer = Answer::new("a", asked_at, arrived_at, Duration::from_secs(60));
        (answer, asked_at + age)
    }

    #[test]
    fn an_answer_in_demand_is_renewed_a_little_before_its_end() {
        for (age_s, throw, renewed) in [
            (59, 0.0, false),
            (59, 0.63, false),
            (59, 0.64, true),
            (55, 0.99, false),
            (56, 0.99, true),
            (1, 0.999_999, false),
        ] {
            let (answer, now) = aged(Duration::from_secs(age_s));
            let memory = Memory::<_, ()> {
                answer: Some(answer.clone()),
                fault: None,
            };

            let plan = plan(memory, Wish::default(), TERMS, now, throw);

            let expected = if renewed {
                Plan::ServeAndRenew(answer, Grounds::Fresh)
            } else {
                Plan::Serve(answer, Grounds::Fresh)
            };
            assert_eq!(plan, expected, "at {age_s} s, for a throw of {throw}");
        }
    }

    #[test]
    fn after_a_fault_nothing_is_asked_whoever_wishes_what() {
        let wishes = [
            Wish::default(),
            Wish {
                max_age: Some(Duration::ZERO),
                ..Wish::default()
            },
            Wish {
                min_fresh: Some(Duration::MAX),
                ..Wish::default()
            },
            Wish {
                max_stale: Some(Duration::MAX),
                ..Wish::default()
            },
            Wish {
                only_if_cached: true,
                ..Wish::default()
            },
        ];
        for age_s in [2, 59, 61, 100, 659, 661, 10_000] {
            for wish in wishes {
                let (answer, now) = aged(Duration::from_secs(age_s));
                for answer in [Some(answer), None] {
                    let until = now + Duration::from_secs(1);
                    let fault = Some(Box::new(Remembered {
                        fault: "down",
                        since: now,
                        until,
                    }));
                    let plan = plan(Memory { answer, fault }, wish, TERMS, now, 0.999);
                    let asks = matches!(plan, Plan::Ask(..) | Plan::ServeAndRenew(..));
                    assert!(!asks, "{plan:?} at {age_s} s for {wish:?}");
                }
            }
        }
    }
}
