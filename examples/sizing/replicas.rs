//! The service itself, as many times as there are replicas, on a clock that is turned by hand.
//!
//! Nothing of it is rebuilt: callers ask `service::Meetings`, which keeps, believes, renews, waits and
//! refuses as in production, with its own quota; only the doors in front are left out. What it asks
//! comes to a [`WeCom`] over HTTP. Between two turns of the clock everything comes to rest, so that
//! the same day runs the same way each time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Poll;
use std::time::Duration;
use std::time::Instant;

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use wecom_meeting_proxy::clock::Clock;
use wecom_meeting_proxy::dice::Chance;
use wecom_meeting_proxy::dice::Dice;
use wecom_meeting_proxy::meeting::Selector;
use wecom_meeting_proxy::metrics::Metrics;
use wecom_meeting_proxy::service::Found;
use wecom_meeting_proxy::service::Grounds;
use wecom_meeting_proxy::service::Load;
use wecom_meeting_proxy::service::Meetings;
use wecom_meeting_proxy::service::Refusal;
use wecom_meeting_proxy::service::Source;
use wecom_meeting_proxy::service::Wish;
use wecom_meeting_proxy::telemetry::Tracer;
use wecom_meeting_proxy::wecom;
use wecom_meeting_proxy::wecom::AppName;
use wecom_meeting_proxy::wecom::Instruments;
use wecom_meeting_proxy::wecom::Question;

use crate::Failure;
use crate::day::Day;
use crate::day::Lookup;
use crate::day::OPEN_MS;
use crate::day::Target;
use crate::tally::Tally;
use crate::telling;
use crate::wecom::Asked;
use crate::wecom::WeCom;

/// WeCom takes between these to answer.
const WECOM_TAKES_MS: std::ops::RangeInclusive<u64> = 80..=250;

/// `wecom.max_in_flight`
const IN_FLIGHT_MAX: usize = 64;

/// Nothing takes so many rounds of the runtime.
const ROUNDS_MAX: usize = 10_000_000;

/// How the service is set up, and how often it is there.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) replicas: usize,
    /// The same meeting always to the same replica; or any to any.
    pub(crate) by_path: bool,
    /// `[cache]`
    pub(crate) cache: Value,
    /// `wecom.calls_per_minute` and `calls_per_hour` of one replica; `None` where all is to be asked
    /// that there is to ask.
    pub(crate) quota: Option<(u32, u32)>,
    pub(crate) seed: u64,
}

/// A day that is lived through.
struct Run<'a> {
    day: &'a Day,
    setup: &'a Setup,
    clock: Clock,
    began: Instant,
    wecom: WeCom,
    replicas: Vec<Replica>,
    /// Decides who is asked, and how long WeCom takes.
    rng: Rng,
    due: BinaryHeap<Reverse<Due>>,
    asked: u64,
    waiting: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

struct Replica {
    meetings: Meetings,
    wecom: wecom::WeCom,
    app: AppName,
    /// Who keeps its token. Ended when dropped.
    _keeping: JoinSet<()>,
}

/// An answer that is on its way: of two that come together, the first that was asked for first.
struct Due {
    at_ms: u64,
    number: u64,
    text: String,
    asked: Asked,
}

/// Lives through the day, and tells what was counted.
pub(crate) async fn live(day: &Day, setup: &Setup) -> Result<Value, Failure> {
    // The service throws its dice on this thread, which is the only one.
    fastrand::seed(setup.seed);
    let mut run = Run::begin(day, setup).await?;
    for lookup in &day.lookups {
        run.answer_until(lookup.at_ms).await?;
        run.turn_to(lookup.at_ms);
        run.ask(*lookup).await?;
    }
    run.answer_until(u64::MAX).await?;
    run.end().await
}

impl<'a> Run<'a> {
    async fn begin(day: &'a Day, setup: &'a Setup) -> Result<Self, Failure> {
        let midnight = Timestamp::from_second(telling::MIDNIGHT_S.try_into()?)?;
        let clock = Clock::standing_at(midnight);
        let began = clock.now();
        clock.advance(Duration::from_millis(OPEN_MS.start));
        let wecom = WeCom::start(setup.replicas).await?;
        let mut replicas = Vec::new();
        for number in 0..setup.replicas {
            replicas.push(Replica::new(setup, &clock, &wecom.base_url(number))?);
        }
        Ok(Self {
            day,
            setup,
            clock,
            began,
            wecom,
            replicas,
            rng: Rng::with_seed(setup.seed),
            due: BinaryHeap::new(),
            asked: 0,
            waiting: JoinSet::new(),
            tally: Arc::default(),
        })
    }

    fn now_ms(&self) -> u64 {
        since(self.began, self.clock.now())
    }

    fn turn_to(&self, moment_ms: u64) {
        let by_ms = moment_ms.saturating_sub(self.now_ms());
        self.clock.advance(Duration::from_millis(by_ms));
    }

    /// A caller asks one of the replicas. Whoever has to wait, does so in a task.
    async fn ask(&mut self, Lookup { target, .. }: Lookup) -> Result<(), Failure> {
        let now_ms = self.now_ms();
        self.tally().count_lookup(now_ms);
        let number = self.replica_for(target);
        let replica = self.replicas.get(number).ok_or("no replica")?;
        let question = replica.question(target)?;
        let meetings = replica.meetings.clone();
        let lookup = async move { meetings.lookup(&question, Wish::default()).await };
        let mut lookup = Box::pin(lookup);
        let ready = std::future::poll_fn(|context| match lookup.as_mut().poll(context) {
            Poll::Ready(found) => Poll::Ready(Some(found)),
            Poll::Pending => Poll::Ready(None),
        });
        let meeting = match target {
            Target::ByCode(index) | Target::ById(index) => Some(index),
            Target::Mistyped(_) => None,
        };
        if let Some(found) = ready.await {
            self.count(meeting, &found, self.clock.now());
        } else {
            self.wait_for(meeting, lookup);
        }
        self.settle(number).await
    }

    fn wait_for(
        &mut self,
        meeting: Option<usize>,
        lookup: impl Future<Output = Result<Found, Refusal>> + Send + 'static,
    ) {
        let (tally, clock, began) = (Arc::clone(&self.tally), self.clock.clone(), self.began);
        let meeting = meeting
            .and_then(|index| self.day.meetings.get(index))
            .cloned();
        self.waiting.spawn(async move {
            let found = lookup.await;
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            count(&mut tally, meeting.as_ref(), &found, began, clock.now());
        });
    }

    fn replica_for(&mut self, target: Target) -> usize {
        let replicas = self.setup.replicas;
        if !self.setup.by_path {
            return self.rng.usize(0..replicas);
        }
        // Its id is one path, and its number another.
        let path = match target {
            Target::ByCode(index) | Target::Mistyped(index) => 2 * index + 1,
            Target::ById(index) => 2 * index,
        };
        Rng::with_seed(path as u64).usize(0..replicas)
    }

    /// Has WeCom answer what it answers until then.
    async fn answer_until(&mut self, moment_ms: u64) -> Result<(), Failure> {
        while self
            .due
            .peek()
            .is_some_and(|Reverse(due)| due.at_ms <= moment_ms)
        {
            let Some(Reverse(Due {
                at_ms, text, asked, ..
            })) = self.due.pop()
            else {
                break;
            };
            self.turn_to(at_ms);
            let replica = asked.replica;
            asked.answer(text);
            self.settle(replica).await?;
        }
        Ok(())
    }

    /// Waits until all that this replica does comes to rest: each question under way has come to WeCom,
    /// or waits for its turn. Then WeCom looks at what came.
    async fn settle(&mut self, number: usize) -> Result<(), Failure> {
        let replica = self.replicas.get(number).ok_or("no replica")?;
        let mut rounds = 0;
        while !replica.is_at_rest(self.wecom.open(number)) {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                return Err("the service does not come to rest".into());
            }
            tokio::task::yield_now().await;
        }
        if rounds > 0 {
            // Those who waited for what has landed are told, each in a task of its own.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        while let Some(told) = self.waiting.try_join_next() {
            told?;
        }
        self.look_at_what_came()
    }

    fn look_at_what_came(&mut self) -> Result<(), Failure> {
        while let Some(asked) = self.wecom.next() {
            let now_ms = self.now_ms();
            self.tally().count_question(now_ms);
            let text = match telling::target(&asked.question) {
                None => telling::nobody(),
                Some(Target::ByCode(index) | Target::ById(index) | Target::Mistyped(index)) => {
                    let meeting = self.day.meetings.get(index).ok_or("no such meeting")?;
                    telling::told(index, meeting, now_ms).ok_or("a meeting without a state")?
                }
            };
            self.asked += 1;
            self.due.push(Reverse(Due {
                at_ms: now_ms + self.rng.u64(WECOM_TAKES_MS),
                number: self.asked,
                text,
                asked,
            }));
        }
        Ok(())
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, meeting: Option<usize>, found: &Result<Found, Refusal>, now: Instant) {
        let meeting = meeting.and_then(|index| self.day.meetings.get(index));
        count(&mut self.tally(), meeting, found, self.began, now);
    }

    async fn end(mut self) -> Result<Value, Failure> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        while let Some(told) = self.waiting.try_join_next() {
            told?;
        }
        if !self.waiting.is_empty() {
            return Err("somebody is still waiting".into());
        }
        let first = self.replicas.first().ok_or("no replica")?;
        first.meetings.tidy();
        let holdings = first.meetings.holdings();
        let mut tally = std::mem::take(&mut *self.tally());
        (tally.entries, tally.bytes) = (holdings.entries, holdings.bytes);
        Ok(tally.told())
    }
}

/// Counts what a caller was told at `now`.
fn count(
    tally: &mut Tally,
    meeting: Option<&crate::day::Meeting>,
    found: &Result<Found, Refusal>,
    began: Instant,
    now: Instant,
) {
    let Ok(Found { answer, source }) = found else {
        tally.failed += 1;
        return;
    };
    match source {
        Source::Remembered(Grounds::Fresh) => tally.fresh += 1,
        Source::Remembered(Grounds::MaxStale | Grounds::StaleWhileRevalidate) => tally.stale += 1,
        Source::Remembered(Grounds::StaleIfError) | Source::StaleIfError => {
            tally.stale_if_error += 1;
        }
        Source::Collapsed(_) | Source::Fetched { .. } => tally.waited += 1,
    }
    let (Some(meeting), Ok(_)) = (meeting, &answer.value.meeting) else {
        return;
    };
    let (asked_ms, now_ms) = (since(began, answer.asked_at()), since(began, now));
    tally.meetings += 1;
    tally.count_age(now_ms - asked_ms);
    if first_between(&meeting.touches_ms, asked_ms, now_ms).is_some() {
        tally.touched += 1;
    }
    if let Some(turn_ms) = first_between(&meeting.turns_ms, asked_ms, now_ms) {
        tally.lags_ms.push(now_ms - turn_ms);
    }
}

/// The first of these moments after `from_ms` and not after `to_ms`.
fn first_between(moments_ms: &[u64], from_ms: u64, to_ms: u64) -> Option<u64> {
    let next = moments_ms.partition_point(|&moment_ms| moment_ms <= from_ms);
    moments_ms
        .get(next)
        .copied()
        .filter(|&moment_ms| moment_ms <= to_ms)
}

fn since(began: Instant, moment: Instant) -> u64 {
    let since = moment.saturating_duration_since(began).as_millis();
    u64::try_from(since).unwrap_or(u64::MAX)
}

impl Replica {
    fn new(setup: &Setup, clock: &Clock, base_url: &str) -> Result<Self, Failure> {
        let (per_minute, per_hour) = setup.quota.unwrap_or((50_000_000, 50_000_000));
        let settings: wecom::Settings = serde_json::from_value(json!({
            "base_url": base_url,
            "calls_per_minute": per_minute,
            "calls_per_hour": per_hour,
            "max_in_flight": IN_FLIGHT_MAX,
            "apps": [{"name": "default", "corp_id": "ww1", "secret": "s"}],
        }))?;
        let apps = settings.apps().map_err(|flaws| format!("{flaws:?}"))?;
        let app = apps.first().ok_or("no app")?.name.clone();
        let instruments = Instruments {
            chance: Chance {
                clock: clock.clone(),
                dice: Dice::fair(),
            },
            metrics: Metrics::default(),
            tracer: Tracer::default(),
        };
        let wecom = wecom::WeCom::new(&settings, &apps, &instruments)
            .map_err(|flaw| format!("{flaw:?}"))?;
        let mut keeping = JoinSet::new();
        for keeper in wecom.token_keepers() {
            keeping.spawn(keeper);
        }
        let load = Load {
            callers_max: 10_000,
            patience: Duration::from_secs(10),
        };
        let cache = serde_json::from_value(setup.cache.clone())?;
        let tasks = TaskTracker::new();
        let meetings = Meetings::new(cache, load, wecom.clone(), instruments, tasks);
        Ok(Self {
            meetings,
            wecom,
            app,
            _keeping: keeping,
        })
    }

    fn question(&self, target: Target) -> Result<Question, Failure> {
        let selector = match target {
            Target::ByCode(index) => Selector::Code(telling::code(index).parse()?),
            Target::ById(index) => Selector::Id(telling::id(index).parse()?),
            Target::Mistyped(index) => Selector::Code(telling::code_of_nobody(index).parse()?),
        };
        Ok(Question {
            app: self.app.clone(),
            selector,
            occurrence: None,
        })
    }

    /// Whether each question under way has come to WeCom, where so many are, or waits for its turn.
    fn is_at_rest(&self, open: usize) -> bool {
        self.meetings.tidy();
        let in_flight = self.wecom.in_flight();
        let is_full = in_flight == IN_FLIGHT_MAX;
        open == in_flight && (is_full || self.meetings.holdings().flights == in_flight)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.number) == (other.at_ms, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}
