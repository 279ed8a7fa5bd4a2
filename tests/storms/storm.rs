//! A storm over a house of its own, from the first caller to the last, and the calm after it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wecom_simulator::Api;

use crate::caller;
use crate::house::House;
use crate::judge;
use crate::judge::Terms;
use crate::meetings::APPS;
use crate::meetings::APPS_SETTING;
use crate::meetings::Annals;
use crate::meetings::MEETINGS;
use crate::meetings::Name;
use crate::outcomes::Blow;
use crate::outcomes::NOT_FOUND;
use crate::outcomes::Outcome;
use crate::outcomes::Possible;
use crate::outcomes::REFUSED;
use crate::outcomes::TIMEOUT;
use crate::script::REQUEST_TIMEOUT;
use crate::script::RESPONSE_BYTES_MAX;
use crate::script::Script;
use crate::script::Step;

/// `wecom.max_in_flight`
const IN_FLIGHT_MAX: usize = 4;

/// `cache.stale_if_error`, the longer of the two bounds of what is stale.
pub(crate) const STALE_MAX: Duration = Duration::from_secs(10);

/// How long what is stale is kept for whoever takes it so.
pub(crate) const STALE_KEPT: Duration = Duration::from_secs(60);

/// What a caller may wait beyond the time that is set: there are two dozen storms on two processors.
const SLACK: Duration = Duration::from_millis(300);

/// A test that was kept from running for longer than this cannot tell who was slow …
const LAG: Duration = Duration::from_millis(30);

/// … and is made so often before damage is believed that others on the machine may have done.
const ATTEMPTS: usize = 5;

/// Half an hour, and a little: by how much the clock is turned after the storm, until all is well.
const CALM: Duration = Duration::from_secs(31 * 60);

/// The longest that a task was kept from running. Clones measure together.
#[derive(Clone, Default)]
struct Lag(Arc<Mutex<Duration>>);

impl Lag {
    fn longest(&self) -> Duration {
        *self.0.lock().expect("a time")
    }

    async fn measure(self) {
        const BEAT: Duration = Duration::from_millis(5);
        loop {
            let since = Instant::now();
            tokio::time::sleep(BEAT).await;
            let late = since.elapsed().saturating_sub(BEAT);
            let mut longest = self.0.lock().expect("a time");
            *longest = late.max(*longest);
        }
    }
}

/// What all in a storm share.
pub(crate) struct Sky {
    pub(crate) house: House,
    pub(crate) annals: Annals,
    pub(crate) possible: Possible,
    dawn: std::time::Instant,
    is_over: AtomicBool,
    /// The longest that a caller waited.
    longest: Mutex<Duration>,
    /// What can only be because something was slow, where nothing should have been.
    slow: Mutex<Vec<Outcome>>,
    purged_at: Mutex<Vec<Instant>>,
}

impl Sky {
    async fn over(script: &Script) -> Self {
        let wecom_timeout = format!("{}ms", script.wecom_timeout.as_millis());
        let request_timeout = format!("{}ms", REQUEST_TIMEOUT.as_millis());
        let min_refresh_interval = format!("{}s", script.min_refresh_interval.as_secs());
        let stale_max = format!("{}s", STALE_MAX.as_secs());
        let house = House::with(&[
            ("wecom.apps", APPS_SETTING),
            ("wecom.max_in_flight", &IN_FLIGHT_MAX.to_string()),
            ("wecom.calls_per_minute", "30"),
            ("wecom.timeout", &wecom_timeout),
            ("wecom.max_response_bytes", &RESPONSE_BYTES_MAX.to_string()),
            ("server.request_timeout", &request_timeout),
            ("cache.stale_while_revalidate", "3s"),
            ("cache.stale_if_error", &stale_max),
            ("cache.min_refresh_interval", &min_refresh_interval),
            ("cache.fresh_for.not_started", "2s"),
            ("cache.fresh_for.in_progress", "4s"),
            ("cache.fresh_for.by_code_max", "2s"),
            ("cache.fresh_for.absent", "1s"),
        ])
        .await;
        let annals = Annals::begin(&house.wecom);
        Self {
            dawn: house.clock.now(),
            house,
            annals,
            possible: Possible::to_begin_with(),
            is_over: AtomicBool::new(false),
            longest: Mutex::default(),
            slow: Mutex::default(),
            purged_at: Mutex::default(),
        }
    }

    /// What the clock that is turned says, since dawn.
    pub(crate) fn time(&self) -> Duration {
        self.house.clock.now() - self.dawn
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Notes how long a caller waited.
    pub(crate) fn waited(&self, time: Duration) {
        let mut longest = self.longest.lock().expect("a time");
        *longest = time.max(*longest);
    }

    /// Notes what should not have been, unless the test itself was slow.
    pub(crate) fn should_not_be_slow(&self, outcome: Outcome) {
        self.slow.lock().expect("a list").push(outcome);
    }

    async fn take(&self, step: Step) {
        let Self { house, annals, .. } = self;
        match step {
            Step::Change { meeting } => annals.change(&house.wecom, meeting, self.time()),
            Step::Clear => house.wecom.clear_troubles(),
            Step::Purge { what, softly } => self.purge(what, softly).await,
            Step::Remove { meeting } => {
                self.possible.add(&[NOT_FOUND]);
                Annals::remove(&house.wecom, meeting);
            }
            Step::Revoke => {
                // Twice in the way of one question: that is one refused token too many.
                self.possible.add(&[REFUSED]);
                house.wecom.revoke_tokens();
            }
            Step::Trouble(api, Blow { trouble, outcomes }) => {
                self.possible.add(&outcomes);
                house.wecom.set_trouble(api, trouble);
            }
            Step::Turn(by) => {
                // Tokens may run out on their way: used, they are refused; and one that comes when it
                // has run out is renewed a second later, which by a clock that stands is never.
                self.possible.add(&[REFUSED, TIMEOUT]);
                house.advance(by);
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
        }
    }

    async fn purge(&self, what: Option<Name>, softly: bool) {
        let path = what.map_or("/cache".to_owned(), |name| format!("/cache{}", name.path()));
        let joint = if path.contains('?') { '&' } else { '?' };
        let reply = self
            .house
            .purge(&format!("{path}{joint}soft={softly}"))
            .await;
        assert_eq!(reply.status, 204, "{reply:?}");
        self.purged_at.lock().expect("times").push(Instant::now());
    }

    /// Clears the sky, and turns the clock until every meeting is told of as it is now.
    async fn clear_up(&self, rounds: usize) {
        let Self { house, annals, .. } = self;
        house.wecom.clear_troubles();
        for meeting in 0..MEETINGS {
            annals.change(&house.wecom, meeting, self.time());
        }
        house
            .until("WeCom is not being asked any more", async |house| {
                house.wecom.visits().iter().all(|visit| visit.end.is_some())
            })
            .await;
        let mut bad = Vec::new();
        for _ in 0..rounds {
            bad.clear();
            house.advance(CALM);
            for name in Name::all() {
                let reply = house.get(&name.path()).await;
                let is_good = reply.status == 200
                    && reply.json()["title"].as_str().is_some_and(|title| {
                        title.ends_with(&format!(" {}", annals.version(name)))
                    });
                if !is_good {
                    bad.push(format!("{name:?}: {reply:?}"));
                }
            }
            if bad.is_empty() {
                return;
            }
        }
        panic!("not well again after {rounds} × {CALM:?}: {bad:#?}");
    }
}

/// Has the storm blow over a house, and panics if it does damage.
pub(crate) async fn blow(script: Script) {
    let mut damage = Vec::new();
    for _ in 0..ATTEMPTS {
        let lag = Lag::default();
        let weather = tokio::spawn(weather(script.clone(), lag.clone()));
        damage = match weather.await {
            Ok(damage) => damage,
            Err(error) => vec![error.to_string()],
        };
        if damage.is_empty() || lag.longest() < LAG {
            break;
        }
        eprintln!(
            "made again, as the machine was busy for {:?}, the storm of seed {}: {damage:#?}",
            lag.longest(),
            script.seed
        );
    }
    assert!(damage.is_empty(), "{damage:#?} after {script:#?}");
}

async fn weather(script: Script, lag: Lag) -> Vec<String> {
    let sky = Arc::new(Sky::over(&script).await);
    let mut pulse = JoinSet::new();
    pulse.spawn(lag.clone().measure());
    let callers: Vec<_> = (0..script.callers)
        .map(|number| Rng::with_seed(script.seed << 8 | number))
        .map(|dice| tokio::spawn(caller::call(Arc::clone(&sky), dice)))
        .collect();
    let rounds = if is_token_refused_for_nothing(&script.steps) {
        6
    } else {
        3
    };

    for step in &script.steps {
        sky.take(step.clone()).await;
    }
    sky.is_over.store(true, Ordering::Relaxed);
    let mut damage = Vec::new();
    for caller in callers {
        damage.extend(caller.await.err().map(|error| format!("a caller: {error}")));
    }
    sky.clear_up(rounds).await;

    let lag = lag.longest();
    let terms = Terms {
        in_flight_max: IN_FLIGHT_MAX,
        apps: APPS.len(),
        wecom_timeout: script.wecom_timeout,
        request_timeout: REQUEST_TIMEOUT,
        lag,
        purged_at: sky.purged_at.lock().expect("times").clone(),
    };
    let visits = sky.house.wecom.visits();
    damage.extend(judge::questions(&visits, &terms));
    damage.extend(judge::tokens(&visits, &terms));
    damage.extend(judge::repetitions(&visits, &terms));
    for api in [Api::GetInfo, Api::GetToken] {
        damage.extend(judge::blocks(&visits, api, &terms));
    }
    damage.extend(judge::connections(sky.house.wecom.connections(), &terms));
    if sky.house.wecom.redirects_followed() > 0 {
        damage.push("a redirect was followed".to_owned());
    }
    let longest = *sky.longest.lock().expect("a time");
    if REQUEST_TIMEOUT + SLACK + lag < longest {
        damage.push(format!("a caller waited {longest:?}"));
    }
    let slow = sky.slow.lock().expect("a list").clone();
    if lag < LAG && !slow.is_empty() {
        damage.push(format!("{slow:?}, and nothing was slow"));
    }
    if !damage.is_empty() {
        damage.extend(visits.iter().map(judge::line));
    }
    damage
}

/// Whether WeCom may have refused a token that it goes on giving, until that has run out: it is not
/// used again, and there is no other.
fn is_token_refused_for_nothing(steps: &[Step]) -> bool {
    steps.iter().any(
        |step| matches!(step, Step::Trouble(_, Blow { outcomes, .. }) if outcomes.contains(&REFUSED)),
    )
}
