//! WeCom, as far as this service meets it: its protocol, its tokens, its words.
//!
//! Everything that is peculiar about WeCom ends at this door: errors inside HTTP 200, tokens in
//! URLs that are revoked early, shapes that vary. What comes out is a [`Meeting`] in our shape, the
//! knowledge that there is none, or a [`Fault`]. This room remembers no meeting; it knows neither
//! the cache nor who asks.
//!
//! ```text
//! WeCom::meeting   Question -> Reply
//!   asking         the tries: renewed tokens, hiccups
//!     token        a token that WeCom accepts
//!     corp         may it be asked now? (window, block, quota)
//!     transport    bytes out, bytes in; limits
//!     body         what came, read without taking more than its due
//!     reply        is it a success?
//!     wire         WeCom's shape -> ours
//! ```

mod asking;
mod block;
mod body;
mod budget;
mod corp;
mod errcode;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod measured;
#[cfg(feature = "measuring")]
pub(crate) mod measuring;
mod quota;
mod recent;
mod reply;
mod report;
mod settings;
mod token;
mod transport;
mod window;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use url::Url;

use self::asking::Asking;
use self::budget::Budget;
use self::corp::Corp;
use self::report::LastFault;
use self::token::Keeper;
use self::token::Surroundings;
use self::transport::Transport;
use crate::dice::Chance;
use crate::meeting::Meeting;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Views;
use crate::metrics::Api;
use crate::metrics::AppGauges;
use crate::metrics::Metrics;
use crate::repeat::Repeats;
use crate::setting::Flaw;
use crate::telemetry::Tracer;

pub use self::asking::Effort;
pub use self::corp::Spare;
pub use self::errcode::Absence;
pub use self::fault::Fault;
pub use self::fault::Garbled;
pub use self::fault::Limit;
pub use self::fault::Outage;
pub use self::report::Report;
pub use self::settings::App;
pub use self::settings::AppName;
pub use self::settings::AppSettings;
pub use self::settings::DEFAULT_APP;
pub use self::settings::ProxyUrl;
pub use self::settings::Settings;
pub use self::token::Standing;

/// What WeCom can be asked about a meeting. Two equal questions have one answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Question {
    /// The app to ask as: WeCom shows an app only what that app created.
    pub app: AppName,
    /// Which meeting.
    pub selector: Selector,
    /// Which occurrence of it, if it is a recurring one.
    pub occurrence: Option<MeetingId>,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            selector,
            occurrence,
        } = self;
        write!(f, "{selector}")?;
        if let Some(occurrence) = occurrence {
            write!(f, " (occurrence {occurrence})")?;
        }
        write!(f, " of app {app}")
    }
}

/// What WeCom answered to a [`Question`].
#[derive(Debug)]
pub struct Reply {
    /// When the question was sent.
    pub asked_at: Instant,
    /// The meeting; or that there is none, which is an answer too.
    pub meeting: Result<Box<Told>, Absent>,
}

/// A meeting as WeCom told it.
#[derive(Debug)]
pub struct Told {
    /// What everybody may know of it.
    pub meeting: Meeting,
    /// All of it, as finished bytes.
    pub views: Views,
}

/// WeCom has no such meeting to show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Absent {
    /// Why not.
    pub absence: Absence,
    /// WeCom's number for it.
    pub errcode: i64,
}

/// WeCom. Clones share everything: tokens, connections, quotas.
#[derive(Clone)]
pub struct WeCom(Arc<Inner>);

struct Inner {
    base_url: Url,
    lines: HashMap<AppName, Line>,
    transport: Arc<Transport>,
    budget: Budget,
    /// What was asked in vain, by app and by what came of it.
    in_vain: Repeats<(AppName, String)>,
    /// Apps that were answered after that.
    healed: Repeats<AppName>,
    instruments: Instruments,
}

/// What a WeCom works with besides its settings. Clones share it.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// The time, and randomness.
    pub chance: Chance,
    /// Where what happens is counted.
    pub metrics: Metrics,
    /// Where it is traced.
    pub tracer: Tracer,
}

/// One app's line to WeCom.
struct Line {
    keeper: Arc<Keeper>,
    corp: Arc<Corp>,
    /// Whether WeCom did not serve it when it was last asked.
    is_down: AtomicBool,
    /// Of its questions and its tokens.
    last_fault: Arc<LastFault>,
}

impl Line {
    /// Why WeCom is not being asked at present, if it is not.
    fn closed(&self) -> Option<Closed> {
        let Self { keeper, corp, .. } = self;
        let closed = |(fault, until)| Closed { fault, until };
        corp.closed().or_else(|| keeper.missing()).map(closed)
    }
}

/// Why WeCom is not being asked at present.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Why, as if it had been asked in vain.
    pub fault: Fault,
    /// From when on it may be asked again.
    pub until: Instant,
}

impl WeCom {
    /// Prepares to ask as each of the apps. Asks nothing yet; reads `ca_file`.
    pub fn new(settings: &Settings, apps: &[App], instruments: &Instruments) -> Result<Self, Flaw> {
        Self::prepare(settings, apps, instruments, None)
    }

    /// The same with other settings: tokens go on where they are of the same app, quotas used up and
    /// blocks where they are of the same corp. Whoever runs the old one's token keepers has to run the
    /// new one's instead.
    pub fn succeeding(&self, settings: &Settings, apps: &[App]) -> Result<Self, Flaw> {
        // What another WeCom said is worth nothing here.
        let before = Some(self).filter(|before| before.0.base_url == settings.base_url);
        Self::prepare(settings, apps, &self.0.instruments, before)
    }

    fn prepare(
        settings: &Settings,
        apps: &[App],
        instruments: &Instruments,
        before: Option<&Self>,
    ) -> Result<Self, Flaw> {
        let clock = &instruments.chance.clock;
        let transport = Arc::new(Transport::new(settings, clock.clone())?);
        let mut corps: HashMap<String, Arc<Corp>> = HashMap::new();
        let mut lines = HashMap::new();
        for app in apps {
            let corp = corps.entry(app.corp_id.clone()).or_insert_with(|| {
                let known = before.and_then(|before| before.corp(&app.corp_id));
                Arc::new(Corp::new(settings, clock).succeeding(known))
            });
            let name = app.name.clone();
            let known = before.and_then(|before| before.line(app, apps));
            let last_fault = known.map(|line| Arc::clone(&line.last_fault));
            let last_fault = last_fault.unwrap_or_default();
            let keeper = Keeper::new(
                app.clone(),
                Surroundings {
                    transport: Arc::clone(&transport),
                    block: Arc::clone(&corp.gettoken),
                    instruments: instruments.clone(),
                    last_fault: Arc::clone(&last_fault),
                },
            );
            let line = Line {
                keeper: Arc::new(keeper.succeeding(known.map(|line| &*line.keeper))),
                corp: Arc::clone(corp),
                is_down: AtomicBool::new(false),
                last_fault,
            };
            lines.insert(name, line);
        }
        instruments
            .metrics
            .introduce(lines.keys().map(AppName::as_str));
        Ok(Self(Arc::new(Inner {
            base_url: settings.base_url.clone(),
            lines,
            transport,
            budget: Budget::default(),
            in_vain: Repeats::default(),
            healed: Repeats::default(),
            instruments: instruments.clone(),
        })))
    }

    fn corp(&self, corp_id: &str) -> Option<&Corp> {
        let mut lines = self.0.lines.values();
        let line = lines.find(|line| line.keeper.corp_id() == corp_id)?;
        Some(&line.corp)
    }

    /// What is known of this one of those apps.
    ///
    /// A name with another secret is the same app, whose secret was rotated: unless that was the secret
    /// of another app, or another has the old one by now.
    fn line(&self, app: &App, apps: &[App]) -> Option<&Line> {
        let lines = || self.0.lines.values();
        let line = lines().find(|line| line.keeper.is_of(app))?;
        let was_anothers = || lines().any(|line| line.keeper.had_secret(&app.secret));
        let is_anothers = || {
            apps.iter()
                .any(|other| line.keeper.had_secret(&other.secret))
        };
        let is_same = line.keeper.had_secret(&app.secret) || !(was_anothers() || is_anothers());
        is_same.then_some(line)
    }

    /// The names that stand for other apps with `successor`, or for none.
    pub fn apps_gone_with<'a>(&'a self, successor: &'a Self) -> impl Iterator<Item = &'a AppName> {
        let goes_on = |name, line: &Line| {
            let next = successor.0.lines.get(name);
            next.is_some_and(|next| next.keeper.succeeds(&line.keeper))
        };
        let lines = self.0.lines.iter();
        lines
            .filter(move |&(name, line)| !goes_on(name, line))
            .map(|(name, _)| name)
    }

    /// For each app, the task that keeps its token. Without it, nobody gets one. It never ends by
    /// itself: whoever runs it ends it.
    pub fn token_keepers(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send + 'static> {
        let keepers = self.0.lines.values().map(|line| Arc::clone(&line.keeper));
        keepers.map(|keeper| async move { keeper.keep().await })
    }

    /// How each app stands with WeCom.
    pub fn standings(&self) -> impl Iterator<Item = (&AppName, Standing)> {
        self.0
            .lines
            .iter()
            .map(|(name, line)| (name, line.keeper.standing()))
    }

    /// How many questions are under way.
    pub fn in_flight(&self) -> usize {
        let mut corps: Vec<_> = self.0.lines.values().map(|line| &line.corp).collect();
        corps.sort_by_key(|corp| Arc::as_ptr(corp));
        corps.dedup_by_key(|corp| Arc::as_ptr(corp));
        corps.iter().map(|corp| corp.window.under_way()).sum()
    }

    /// What is measured of each app.
    pub fn gauges(&self) -> Vec<AppGauges> {
        let now = self.0.instruments.chance.clock.now();
        let until = |moment: Option<Instant>| {
            moment.map_or(Duration::ZERO, |moment| {
                moment.saturating_duration_since(now)
            })
        };
        let of_app = |(name, line): (&AppName, &Line)| AppGauges {
            app: name.as_str().to_owned(),
            blocked: until(line.closed().map(|closed| closed.until)),
            token_expires_in: until(line.keeper.token_good_until()),
        };
        self.0.lines.iter().map(of_app).collect()
    }

    /// Why WeCom is not being asked as this app at present, if it is not: it has told us to stop,
    /// our quota is spent, or there is no token.
    pub fn closed(&self, app: &AppName) -> Option<Closed> {
        self.0.lines.get(app)?.closed()
    }

    /// How each app stands, for people, in the order of their names.
    pub fn reports(&self) -> Vec<Report> {
        let mut lines: Vec<_> = self.0.lines.iter().collect();
        lines.sort_by_key(|(app, _)| *app);
        let clock = &self.0.instruments.chance.clock;
        let reports = lines.into_iter();
        reports
            .map(|(app, line)| line.report(app.as_str(), clock))
            .collect()
    }

    /// Leave to renew an answer that nobody waits for; `None` while WeCom, or we, have our hands
    /// full with questions that somebody waits for.
    pub fn spare(&self, app: &AppName) -> Option<Spare> {
        self.0.lines.get(app)?.corp.spare()
    }

    /// Asks for a meeting: `POST /cgi-bin/meeting/get_info` (document 98149).
    pub async fn meeting(&self, question: &Question, effort: Effort) -> Result<Reply, Fault> {
        let Inner {
            lines,
            transport,
            budget,
            instruments,
            ..
        } = &*self.0;
        let line = lines.get(&question.app).ok_or(Fault::NoSuchApp)?;
        let asking = Asking {
            question,
            effort,
            line,
            transport,
            budget,
            dice: instruments.chance.dice,
            instruments,
        };
        let answer = tokio::time::timeout_at(effort.deadline, asking.answer()).await;
        let answer = answer.unwrap_or(Err(Fault::TimedOut));
        self.tell(question, line, answer.as_ref().err());
        answer
    }

    /// Logs a question that was asked in vain, and the first that is answered after that. (Why there
    /// is no token to ask with, its keeper says.)
    fn tell(&self, question: &Question, line: &Line, fault: Option<&Fault>) {
        let app = &question.app;
        let now = self.0.instruments.chance.clock.now();
        let Some(fault) = fault else {
            let was_down = line.is_down.swap(false, Ordering::Relaxed);
            if was_down && self.0.healed.note(app.clone(), now).is_some() {
                tracing::info!(app.name = %app, "WeCom answers app {app} again");
            }
            return;
        };
        if fault.is_of_wecom_as_a_whole() {
            line.is_down.store(true, Ordering::Relaxed);
        }
        line.last_fault.note(fault, Api::GetInfo, now);
        let kind = (app.clone(), fault.to_string());
        if let Some(times) = self.0.in_vain.note(kind, now) {
            tracing::warn!(
                wecom.errcode = fault.errcode(),
                app.name = %app,
                times,
                "no answer about meeting {question}: {fault}"
            );
        }
    }
}
