//! What we know about a meeting, asking WeCom if need be.
//!
//! Strategy (when to ask, in `plan`) and policy (how long to believe, in
//! `lifetime`) live here; how answers are kept is the cache's business, how
//! they are had is WeCom's. This is the only room that knows both. It does not know HTTP, nor who
//! asks.

mod alias;
mod ask;
mod explain;
mod finish;
mod found;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod lifetime;
#[cfg(feature = "measuring")]
pub(crate) mod measuring;
mod peek;
mod plan;
mod purge;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::plan::Plan;
use self::plan::Terms;
use self::plan::plan;
use crate::cache::Boarded;
use crate::cache::Cache;
use crate::cache::Limits;
use crate::cache::Memory;
use crate::cache::Remembered;
use crate::cache::Surroundings;
use crate::cache::Values;
use crate::clock::Clock;
use crate::dice::Chance;
use crate::dice::Dice;
use crate::freshness::Answer;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::metrics::Gauges;
use crate::metrics::Lookup;
use crate::metrics::Metrics;
use crate::metrics::Shed;
use crate::setting;
use crate::telemetry;
use crate::wecom::AppName;
use crate::wecom::Closed;
use crate::wecom::Fault;
use crate::wecom::Instruments;
use crate::wecom::Question;
use crate::wecom::Report;
use crate::wecom::Standing;
use crate::wecom::WeCom;

pub use self::explain::Explanation;
pub use self::found::Finding;
pub use self::found::Found;
pub use self::found::Refusal;
pub use self::found::Source;
pub use self::lifetime::FreshFor;
pub use self::lifetime::Rule;
pub use self::peek::AtHand;
pub use self::plan::Cause;
pub use self::plan::Grounds;
pub use self::plan::Wish;
pub use self::purge::Scope;
pub use crate::cache::Thoroughness;

/// How answers are kept: `[cache]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Bytes kept in all: of answers, their keys and their upkeep.
    #[serde(deserialize_with = "setting::size")]
    pub max_bytes: u64,
    /// How long a stale answer is served while it is renewed.
    #[serde(deserialize_with = "setting::span")]
    pub stale_while_revalidate: Duration,
    /// How long a stale answer is served when WeCom fails.
    #[serde(deserialize_with = "setting::span")]
    pub stale_if_error: Duration,
    /// How often at most callers can have one meeting asked anew.
    #[serde(deserialize_with = "setting::span")]
    pub min_refresh_interval: Duration,
    /// How long an answer is believed.
    pub fresh_for: FreshFor,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024 * 1024,
            stale_while_revalidate: Duration::from_secs(30),
            stale_if_error: Duration::from_secs(600),
            min_refresh_interval: Duration::from_secs(1),
            fresh_for: FreshFor::default(),
        }
    }
}

/// How much may go on at a time. Set by how many callers are let in.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Callers who may wait at a time.
    pub callers_max: usize,
    /// Longest time that a caller waits, and that one question may take in all.
    pub patience: Duration,
}

/// How much is kept, and how much is on its way.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Holdings {
    /// Answers kept.
    pub entries: u64,
    /// Bytes they take, with their keys and their upkeep.
    pub bytes: u64,
    /// Bytes they may take.
    pub max_bytes: u64,
    /// Questions under way.
    pub flights: usize,
    /// Purges since the start.
    pub epoch: u64,
}

/// The meetings, as far as we know them. Clones share what they know.
#[derive(Clone)]
pub struct Meetings(Arc<Inner>);

struct Inner {
    cache: Cache<Question, Finding, Fault, Scope>,
    /// Held by who makes a large form of a view: one at a time.
    finishing: Arc<Semaphore>,
    present: ArcSwap<Present>,
    clock: Clock,
    dice: Dice,
    metrics: Metrics,
}

/// When a plan is made, and how the dice fell.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Instant,
    throw: f64,
}

/// What holds at present, and can be replaced while questions are under way.
struct Present {
    wecom: WeCom,
    settings: Settings,
    load: Load,
}

impl Meetings {
    /// Knows nothing yet. Questions are asked in `tasks`.
    pub fn new(
        settings: Settings,
        load: Load,
        wecom: WeCom,
        instruments: Instruments,
        tasks: TaskTracker,
    ) -> Self {
        let Instruments {
            chance, metrics, ..
        } = instruments;
        let Chance { clock, dice } = chance;
        let surroundings = Surroundings {
            clock: clock.clone(),
            metrics: metrics.clone(),
            tasks,
        };
        let cache = Cache::new(limits(settings, load), VALUES, surroundings);
        let present = Present {
            wecom,
            settings,
            load,
        };
        Self(Arc::new(Inner {
            cache,
            finishing: Arc::new(Semaphore::new(1)),
            present: ArcSwap::from_pointee(present),
            clock,
            dice,
            metrics,
        }))
    }

    /// Goes on with other settings, and with that WeCom. What is known stays known, but of a name that
    /// stands for another app there, or for none; how many callers may wait stays as it is. Questions
    /// under way are finished as they were begun, once they have a token.
    pub fn adjust(&self, settings: Settings, load: Load, wecom: &WeCom) {
        self.0.cache.adjust(limits(settings, load));
        let present = Present {
            wecom: wecom.clone(),
            settings,
            load,
        };
        let before = self.0.present.swap(Arc::new(present));
        // Not before: who asks from now on has the new one asked, and what the old one says is meant.
        for app in before.wecom.apps_gone_with(wecom) {
            tracing::info!(
                app.name = %app,
                "app {app} is gone, or is another by now: what was kept of its answers is dropped",
            );
            let scope = Scope {
                meeting: None,
                app: Some(app.clone()),
            };
            self.purge(&scope, Thoroughness::Drop);
        }
    }

    /// The apps there are, and how each stands with WeCom.
    pub fn standings(&self) -> Vec<(AppName, Standing)> {
        let present = self.0.present.load();
        let standings = present.wecom.standings();
        standings
            .map(|(app, standing)| (app.clone(), standing))
            .collect()
    }

    /// How each app stands with WeCom, for people.
    pub fn reports(&self) -> Vec<Report> {
        self.0.present.load().wecom.reports()
    }

    /// Gives back what is too old to be of use, which may take a while. Done by and by anyway, by those
    /// who ask.
    pub fn tidy(&self) {
        self.0.cache.tidy();
    }

    /// The same, off the threads that serve callers.
    pub async fn tidy_aside(&self) {
        let this = self.clone();
        // Fails only if it panics, and the hook has told that.
        let _ = tokio::task::spawn_blocking(move || this.tidy()).await;
    }

    /// How much is kept, for people; as of when it was last tidied.
    pub fn holdings(&self) -> Holdings {
        let Inner { cache, present, .. } = &*self.0;
        let (entries, bytes) = cache.size();
        Holdings {
            entries,
            bytes,
            max_bytes: present.load().settings.max_bytes,
            flights: cache.under_way(),
            epoch: cache.epoch(),
        }
    }

    /// What we know about one meeting, asking WeCom if need be.
    ///
    /// A fresh answer is served from memory. A stale one is served too, while WeCom is asked again
    /// behind the caller's back, or if WeCom fails. Whoever finds nothing waits for WeCom, together
    /// with all who ask the same, and no longer than its patience.
    pub async fn lookup(&self, question: &Question, wish: Wish) -> Result<Found, Refusal> {
        let span = telemetry::lookup();
        let found = span.around(pin!(self.find(question, wish))).await;
        let result = found.as_ref().map_or(Lookup::Error, Found::lookup);
        span.looked_up(result.as_str());
        self.0.metrics.looked_up(result);
        self.count_shed(&found);
        found
    }

    async fn find(&self, question: &Question, wish: Wish) -> Result<Found, Refusal> {
        let now = self.0.clock.now();
        let memory = self.0.cache.recall(question, now);
        match self.plan(question, memory, wish, now) {
            Plan::Ask(cause, stale) => self.ask_and_wait(question, wish, cause, stale).await,
            Plan::ServeAndRenew(answer, grounds) => {
                self.renew(question, &answer);
                Ok(Found {
                    answer,
                    source: Source::Remembered(grounds),
                })
            }
            settled @ (Plan::Fail(..) | Plan::Refuse | Plan::Serve(..)) => settle(settled),
        }
    }

    fn count_shed(&self, found: &Result<Found, Refusal>) {
        let Inner { metrics, .. } = &*self.0;
        match found {
            Err(Refusal::Crowded) => metrics.shed(Shed::Waiters),
            Err(Refusal::Fault {
                fault: Fault::Crowded,
                ..
            }) => metrics.shed(Shed::Queue),
            Ok(_) | Err(Refusal::Broken | Refusal::Fault { .. } | Refusal::NotCached) => {}
        }
    }

    /// What is measured at this moment.
    pub fn gauges(&self) -> Gauges {
        let (cache_entries, cache_bytes) = self.0.cache.size();
        let wecom = &self.0.present.load().wecom;
        Gauges {
            cache_entries,
            cache_bytes,
            wecom_in_flight: u64::try_from(wecom.in_flight()).unwrap_or(u64::MAX),
            apps: wecom.gauges(),
            ..Gauges::default()
        }
    }

    /// Has the bytes of an answer counted again: a view of it was made that was not there before.
    /// Whichever of its names it was asked by, it is one of them that carries the bytes.
    fn has_grown(&self, question: &Question, finding: &Finding) {
        let is_same = |known: &Finding| known.is_same(finding);
        self.0.cache.reweigh(question, is_same);
        if let Some(other) = finding.by_other_name(question) {
            self.0.cache.reweigh(&other, is_same);
        }
    }

    /// What to do. A plan that needs WeCom is made anew if WeCom is not being asked at present: as
    /// if it had just been asked in vain.
    fn plan(
        &self,
        question: &Question,
        memory: Memory<Finding, Fault>,
        wish: Wish,
        now: Instant,
    ) -> Plan<Finding, Fault> {
        let throw = self.0.dice.throw();
        self.plan_with(question, memory, wish, Moment { now, throw })
    }

    fn plan_with(
        &self,
        question: &Question,
        memory: Memory<Finding, Fault>,
        wish: Wish,
        moment: Moment,
    ) -> Plan<Finding, Fault> {
        let Moment { now, throw } = moment;
        let Inner { cache, .. } = &*self.0;
        let present = self.0.present.load();
        let Present {
            wecom, settings, ..
        } = &**present;
        let terms = Terms {
            stale_while_revalidate: settings.stale_while_revalidate,
            stale_if_error: settings.stale_if_error,
            min_refresh_interval: settings.min_refresh_interval,
        };
        let plan = |memory| plan(memory, wish, terms, now, throw);
        let planned = plan(memory);
        if !planned.needs_wecom() {
            return planned;
        }
        let Some(Closed { fault, until }) = wecom.closed(&question.app) else {
            return planned;
        };
        plan(Memory {
            fault: Some(Box::new(Remembered {
                fault,
                since: now,
                until,
            })),
            ..cache.recall(question, now)
        })
    }

    async fn ask_and_wait(
        &self,
        question: &Question,
        wish: Wish,
        cause: Cause,
        stale: Option<Answer<Finding>>,
    ) -> Result<Found, Refusal> {
        let clock = &self.0.clock;
        let look_again = |memory| match self.plan(question, memory, wish, clock.now()) {
            Plan::Ask(..) => None,
            settled @ (Plan::Fail(..)
            | Plan::Refuse
            | Plan::Serve(..)
            | Plan::ServeAndRenew(..)) => Some(settle(settled)),
        };
        let ask = |memory: &_| self.ask(question, memory, None);
        let (seat, is_ours) = match self.0.cache.board(question, look_again, ask) {
            Boarded::Full => return self.serve_after_all(stale, Refusal::Crowded),
            Boarded::Joined(seat) => (seat, false),
            Boarded::Settled(settled) => return settled,
            Boarded::Started(seat) => (seat, true),
        };
        let patience = self.0.present.load().load.patience;
        let refusal = match tokio::time::timeout(patience, seat.outcome()).await {
            Ok(Some(landed)) => match landed.outcome {
                Ok(answer) => {
                    let is_stored = landed.is_kept;
                    let source = if is_ours {
                        Source::Fetched { cause, is_stored }
                    } else {
                        Source::Collapsed(cause)
                    };
                    return Ok(Found { answer, source });
                }
                Err(fault) => self.refusal(fault, cause),
            },
            Ok(None) => Refusal::Broken,
            Err(_) => self.refusal(Fault::TimedOut, cause),
        };
        self.serve_after_all(stale, refusal)
    }

    /// What is remembered, if it will do where there is no better; else the refusal.
    fn serve_after_all(
        &self,
        remembered: Option<Answer<Finding>>,
        refusal: Refusal,
    ) -> Result<Found, Refusal> {
        let Some(answer) = remembered.filter(|answer| self.is_usable_if_error(answer)) else {
            return Err(refusal);
        };
        let source = match refusal {
            Refusal::Crowded if answer.is_fresh(self.0.clock.now()) => {
                Source::Remembered(Grounds::Fresh)
            }
            Refusal::Crowded => Source::Remembered(Grounds::StaleIfError),
            Refusal::Broken | Refusal::Fault { .. } | Refusal::NotCached => Source::StaleIfError,
        };
        Ok(Found { answer, source })
    }

    fn is_usable_if_error(&self, answer: &Answer<Finding>) -> bool {
        answer.staleness(self.0.clock.now()) <= self.0.present.load().settings.stale_if_error
    }

    /// A fault that came just now: it is remembered for a while, and may itself last longer.
    fn refusal(&self, fault: Fault, cause: Cause) -> Refusal {
        let remembered_until = self.0.clock.now() + self.0.present.load().settings.fresh_for.fault;
        Refusal::Fault {
            until: fault
                .until()
                .max(Some(remembered_until))
                .unwrap_or(remembered_until),
            fault,
            cause,
        }
    }

    /// Has an answer renewed behind the caller's back, unless that is under way or was just tried,
    /// or WeCom has its hands full with questions that callers wait for.
    fn renew(&self, question: &Question, served: &Answer<Finding>) {
        let Some(spare) = self.0.present.load().wecom.spare(&question.app) else {
            return;
        };
        let now = self.0.clock.now();
        let unless_tried = |memory: Memory<Finding, Fault>| {
            let is_newer = |answer: &Answer<Finding>| answer.asked_at() > served.asked_at();
            let tried = memory.fault_in_force(now).is_some()
                || memory.answer.as_ref().is_some_and(is_newer);
            tried.then_some(())
        };
        let ask = |memory: &_| self.ask(question, memory, Some(spare));
        // Nobody waits for it.
        drop(self.0.cache.board(question, unless_tried, ask));
    }
}

/// How long at least an answer is kept after it is no longer fresh, however short the windows are in
/// which it is served so: a caller may take it (`max-stale`).
const STALE_KEPT_MIN: Duration = Duration::from_secs(60);

fn limits(settings: Settings, load: Load) -> Limits {
    Limits {
        bytes_max: settings.max_bytes,
        flights_max: load.callers_max,
        waiters_max: load.callers_max,
        stale_max: settings
            .stale_while_revalidate
            .max(settings.stale_if_error)
            .max(STALE_KEPT_MIN),
        fault_kept: settings.fresh_for.fault,
        flight_max: load.patience,
    }
}

/// What a plan comes to that needs no question.
fn settle(plan: Plan<Finding, Fault>) -> Result<Found, Refusal> {
    match plan {
        Plan::Fail(cause, Remembered { fault, until, .. }) => Err(Refusal::Fault {
            until: fault.until().max(Some(until)).unwrap_or(until),
            fault,
            cause,
        }),
        Plan::Ask(..) | Plan::Refuse => Err(Refusal::NotCached),
        Plan::Serve(answer, grounds) | Plan::ServeAndRenew(answer, grounds) => Ok(Found {
            answer,
            source: Source::Remembered(grounds),
        }),
    }
}

/// What the cache must know of questions and findings.
const VALUES: Values<Question, Finding, Scope> = Values {
    key_bytes: |question| {
        let Question {
            app: _,
            selector,
            occurrence,
        } = question;
        let occurrence = occurrence.as_ref().map_or(0, MeetingId::heap_bytes);
        size_of::<Question>() + selector.heap_bytes() + occurrence
    },
    bytes: |finding| {
        let other_name = finding.other_name.as_ref();
        let other_name = other_name.map_or(0, Selector::heap_bytes);
        finding.meeting.as_ref().map_or(0, |views| views.bytes()) + other_name
    },
    is_minor: |finding| finding.meeting.is_err(),
    other_name: |question, finding| finding.by_other_name(question),
    lend: Finding::lent,
    scopes: Scope::of,
};
