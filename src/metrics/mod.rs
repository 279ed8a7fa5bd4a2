//! The numbers that operators watch: every series, its labels, its unit.
//!
//! Words and counts only: what happened is told here by the rooms above. Every family is there from
//! the start, at 0, so that a rate has a beginning. Labels are closed sets, or the names of apps as
//! the settings have them; no label ever holds an id.
//!
//! (`text` writes them down for a scraper; `process` adds what the system says of the process.)

mod labels;
mod process;
mod text;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use prometheus_client::registry::Unit;

pub use self::labels::Api;
pub use self::labels::Eviction;
pub use self::labels::Lookup;
pub use self::labels::Method;
pub use self::labels::Outcome;
pub use self::labels::Route;
pub use self::labels::Shed;
pub use self::process::Usage;
pub use self::text::Format;

use self::labels::ByApi;
use self::labels::ByApp;
use self::labels::ByCause;
use self::labels::ByReason;
use self::labels::ByResult;
use self::labels::ByRoute;
use self::labels::Call;
use self::labels::Renewal;
use self::labels::Request;
use self::labels::Version;

/// Upper bounds of the buckets for requests of callers, in seconds: hits take microseconds.
const REQUEST_BUCKETS_S: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// Upper bounds of the buckets for questions to WeCom, in seconds.
const QUESTION_BUCKETS_S: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0,
];

/// The numbers. Clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests of callers, by route, method and status.
    http_requests: Family<Request, Counter>,
    /// How long they took, from the head to the end of the answer's head.
    http_request_duration: Family<ByRoute, Histogram, Buckets>,
    /// What callers asked for, by where it came from.
    cache_lookups: Family<ByResult, Counter>,
    /// Answers kept.
    cache_entries: Gauge,
    /// Bytes they take, with their keys and their upkeep.
    cache_bytes: Gauge,
    /// Answers that were dropped, by why.
    cache_evictions: Family<ByCause, Counter>,
    /// Questions to WeCom, by API, app and what came of them.
    wecom_requests: Family<Call, Counter>,
    /// How long they took.
    wecom_request_duration: Family<ByApi, Histogram, Buckets>,
    /// Questions to WeCom under way.
    wecom_in_flight: Gauge,
    /// For how long WeCom is still not to be asked as an app; 0 where it may be.
    wecom_blocked: Family<ByApp, Gauge>,
    /// Until when an app's token is good; 0 where there is none.
    token_expires_in: Family<ByApp, Gauge>,
    /// Tokens asked for, by app and what came of it.
    token_renewals: Family<Renewal, Counter>,
    /// Requests that were turned away to protect the rest, by why.
    shed: Family<ByReason, Counter>,
    /// Lines of the log that were lost, as they came faster than they were read.
    log_lines_lost: Counter,
    /// Some of these again.
    at_hand: Arc<AtHand>,
}

/// The series that count what happens most: to find one among a few is quicker than by its labels.
#[derive(Debug)]
struct AtHand {
    routes: [AtRoute; Route::ALL.len()],
    /// By where an answer came from.
    lookups: [(Lookup, Counter); Lookup::ALL.len()],
}

/// The series of one route.
#[derive(Debug)]
struct AtRoute {
    route: Route,
    /// What a GET is commonly answered there, by status.
    answered: Vec<(u16, Counter)>,
    duration: Histogram,
}

/// What is measured in the moment in which it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Answers kept.
    pub cache_entries: u64,
    /// Bytes they take.
    pub cache_bytes: u64,
    /// Questions to WeCom under way.
    pub wecom_in_flight: u64,
    /// Of each app.
    pub apps: Vec<AppGauges>,
    /// Lines of the log that were lost since the beginning.
    pub log_lines_lost: u64,
}

/// What is measured of an app.
#[derive(Clone, Debug)]
pub struct AppGauges {
    /// Its name.
    pub app: String,
    /// For how long WeCom is still not to be asked as it.
    pub blocked: Duration,
    /// For how long its token is still good.
    pub token_expires_in: Duration,
}

/// Makes histograms with these buckets.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let http_requests = Family::default();
        let http_request_duration = Family::new_with_constructor(Buckets(&REQUEST_BUCKETS_S));
        let cache_lookups = Family::default();
        let at_hand = AtHand {
            routes: Route::ALL
                .map(|route| AtRoute::of(route, &http_requests, &http_request_duration)),
            lookups: Lookup::ALL
                .map(|result| (result, series(&cache_lookups, &ByResult { result }))),
        };
        let metrics = Self {
            http_requests,
            http_request_duration,
            cache_lookups,
            cache_entries: Gauge::default(),
            cache_bytes: Gauge::default(),
            cache_evictions: Family::default(),
            wecom_requests: Family::default(),
            wecom_request_duration: Family::new_with_constructor(Buckets(&QUESTION_BUCKETS_S)),
            wecom_in_flight: Gauge::default(),
            wecom_blocked: Family::default(),
            token_expires_in: Family::default(),
            token_renewals: Family::default(),
            shed: Family::default(),
            log_lines_lost: Counter::default(),
            at_hand: Arc::new(at_hand),
        };
        metrics.begin();
        metrics
    }
}

impl AtRoute {
    fn of(
        route: Route,
        requests: &Family<Request, Counter>,
        durations: &Family<ByRoute, Histogram, Buckets>,
    ) -> Self {
        let answered = |&status| {
            let method = Method::Get;
            let labels = Request {
                route,
                method,
                status,
            };
            (status, series(requests, &labels))
        };
        Self {
            route,
            answered: route.statuses().iter().map(answered).collect(),
            duration: series(durations, &ByRoute { route }),
        }
    }
}

/// One series of a family, to count by.
fn series<L, M, C>(family: &Family<L, M, C>, labels: &L) -> M
where
    L: Clone + Eq + Hash,
    M: Clone,
    C: MetricConstructor<M>,
{
    family.get_or_create(labels).clone()
}

impl Metrics {
    /// Notes a request of a caller that was answered.
    pub fn answered(&self, route: Route, method: Method, status: u16, took: Duration) {
        let mut routes = self.at_hand.routes.iter();
        let Some(at_route) = routes.find(|at_route| at_route.route == route) else {
            return;
        };
        at_route.duration.observe(took.as_secs_f64());
        let mut answered = at_route.answered.iter();
        match answered.find(|(common, _)| *common == status) {
            Some((_, counter)) if method == Method::Get => counter.inc(),
            Some(_) | None => {
                let labels = Request {
                    route,
                    method,
                    status,
                };
                self.http_requests.get_or_create(&labels).inc()
            }
        };
    }

    /// Notes where an answer came from.
    pub fn looked_up(&self, result: Lookup) {
        let mut lookups = self.at_hand.lookups.iter();
        if let Some((_, counter)) = lookups.find(|(source, _)| *source == result) {
            counter.inc();
        }
    }

    /// Notes that an answer was dropped.
    pub fn evicted(&self, cause: Eviction) {
        self.cache_evictions.get_or_create(&ByCause { cause }).inc();
    }

    /// Notes a question to WeCom that has come to an end.
    pub fn asked(&self, api: Api, app: &str, outcome: Outcome, took: Duration) {
        let call = Call {
            api,
            app: app.to_owned(),
            outcome,
        };
        self.wecom_requests.get_or_create(&call).inc();
        self.wecom_request_duration
            .get_or_create(&ByApi { api })
            .observe(took.as_secs_f64());
    }

    /// Notes what came of an attempt to have a token.
    pub fn renewed(&self, app: &str, outcome: Outcome) {
        let renewal = Renewal {
            app: app.to_owned(),
            outcome,
        };
        self.token_renewals.get_or_create(&renewal).inc();
    }

    /// Notes a request that was turned away.
    pub fn shed(&self, reason: Shed) {
        self.shed.get_or_create(&ByReason { reason }).inc();
    }

    /// Has every series of these apps, at 0 where nothing has happened yet; none of any other.
    pub fn introduce<'a>(&self, apps: impl Iterator<Item = &'a str>) {
        for app in apps {
            for outcome in Outcome::ALL {
                for api in Api::ALL {
                    let app = app.to_owned();
                    let call = Call { api, app, outcome };
                    drop(self.wecom_requests.get_or_create(&call));
                }
                let app = app.to_owned();
                drop(self.token_renewals.get_or_create(&Renewal { app, outcome }));
            }
        }
    }

    /// Everything there is to tell, as a scraper takes it, with what is measured just now.
    pub fn text(&self, gauges: &Gauges, format: Format) -> String {
        self.measure(gauges);
        text::written(&self.registry(), format)
    }

    /// Has every other series whose labels are known, at 0.
    fn begin(&self) {
        for cause in Eviction::ALL {
            drop(self.cache_evictions.get_or_create(&ByCause { cause }));
        }
        for api in Api::ALL {
            drop(self.wecom_request_duration.get_or_create(&ByApi { api }));
        }
        for reason in Shed::ALL {
            drop(self.shed.get_or_create(&ByReason { reason }));
        }
    }

    fn measure(&self, gauges: &Gauges) {
        let Gauges {
            cache_entries,
            cache_bytes,
            wecom_in_flight,
            apps,
            log_lines_lost,
        } = gauges;
        self.cache_entries.set(whole(*cache_entries));
        self.cache_bytes.set(whole(*cache_bytes));
        self.wecom_in_flight.set(whole(*wecom_in_flight));
        self.log_lines_lost
            .inner()
            .fetch_max(*log_lines_lost, Ordering::Relaxed);
        // An app that is gone has no token any more.
        self.wecom_blocked.clear();
        self.token_expires_in.clear();
        for measured in apps {
            let app = ByApp {
                app: measured.app.clone(),
            };
            let seconds = |span: Duration| whole(span.as_secs());
            self.wecom_blocked
                .get_or_create(&app)
                .set(seconds(measured.blocked));
            self.token_expires_in
                .get_or_create(&app)
                .set(seconds(measured.token_expires_in));
        }
    }

    fn registry(&self) -> Registry {
        let mut all = Registry::default();
        let ours = all.sub_registry_with_prefix("wecom_proxy");
        let Self {
            http_requests,
            http_request_duration,
            cache_lookups,
            cache_entries,
            cache_bytes,
            cache_evictions,
            wecom_requests,
            wecom_request_duration,
            wecom_in_flight,
            wecom_blocked,
            token_expires_in,
            token_renewals,
            shed,
            log_lines_lost,
            at_hand: _,
        } = self.clone();
        ours.register("http_requests", "Requests of callers", http_requests);
        ours.register_with_unit(
            "http_request_duration",
            "How long requests of callers took",
            Unit::Seconds,
            http_request_duration,
        );
        ours.register(
            "cache_lookups",
            "What callers asked for, by where it came from",
            cache_lookups,
        );
        ours.register("cache_entries", "Answers kept", cache_entries);
        ours.register(
            "cache_bytes",
            "Bytes that answers take, with their keys and upkeep",
            cache_bytes,
        );
        ours.register(
            "cache_evictions",
            "Answers that were dropped, by why",
            cache_evictions,
        );
        ours.register(
            "wecom_requests",
            "Questions to WeCom, by what came of them",
            wecom_requests,
        );
        ours.register_with_unit(
            "wecom_request_duration",
            "How long questions to WeCom took",
            Unit::Seconds,
            wecom_request_duration,
        );
        ours.register(
            "wecom_in_flight",
            "Questions to WeCom under way",
            wecom_in_flight,
        );
        ours.register_with_unit(
            "wecom_blocked",
            "For how long WeCom is still not to be asked",
            Unit::Seconds,
            wecom_blocked,
        );
        ours.register_with_unit(
            "token_expires_in",
            "For how long the token is still good",
            Unit::Seconds,
            token_expires_in,
        );
        ours.register(
            "token_renewals",
            "Tokens asked for, by what came of it",
            token_renewals,
        );
        ours.register(
            "shed",
            "Requests turned away to protect the rest, by why",
            shed,
        );
        ours.register(
            "log_lines_lost",
            "Lines of the log that were lost, as they came faster than they were read",
            log_lines_lost,
        );
        let version = env!("CARGO_PKG_VERSION");
        ours.register("build", "What is running", Info::new(Version { version }));
        all.register_collector(Box::new(process::Process));
        all
    }
}

/// Gauges are signed; nothing here comes near.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
