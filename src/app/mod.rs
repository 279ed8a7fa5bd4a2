//! Wires the rooms, opens the doors, and closes them again.

mod herald;
mod steward;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::TaskTracker;

use self::herald::Herald;
use self::steward::Steward;
use crate::clock::Clock;
use crate::config::Checked;
use crate::config::Config;
use crate::config::Sources;
use crate::dice::Chance;
use crate::http;
use crate::http::Access;
use crate::http::Desk;
use crate::http::Limits;
use crate::http::Listener;
use crate::http::Office;
use crate::logging::Switch;
use crate::metrics::Metrics;
use crate::service::Load;
use crate::service::Meetings;
use crate::setting::Flaw;
use crate::supervisor::Supervisor;
use crate::telemetry::Tracer;
use crate::tls;
use crate::wecom::Instruments;
use crate::wecom::WeCom;

/// Why the service could not begin.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A door could not be opened.
    #[error("listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The way to WeCom cannot be prepared.
    #[error("wecom.{}: {}", .0.key, .0.why)]
    WeCom(Flaw),
}

/// The service, with its doors open: callers may come, and wait until it is served.
pub struct App {
    callers: Listener,
    operators: Listener,
    limits: Limits,
    config: Arc<ArcSwap<Config>>,
    desk: Desk,
    steward: Steward,
    /// Where questions are asked.
    questions: TaskTracker,
    supervisor: Supervisor,
}

/// How the settings can be read again, and the log be turned to them.
pub struct Rereading {
    /// Where they are read from.
    pub sources: Sources,
    /// `None` where somebody else logs.
    pub log: Option<Switch>,
}

impl App {
    /// Wires the rooms and opens the doors. Asks WeCom nothing yet.
    pub fn open(
        checked: Checked,
        rereading: Rereading,
        chance: Chance,
        tracer: Tracer,
    ) -> Result<Self, OpenError> {
        let Checked {
            config,
            apps,
            roster,
            credentials,
            fingerprint,
        } = checked;
        let questions = TaskTracker::new();
        let instruments = Instruments {
            chance: chance.clone(),
            metrics: Metrics::default(),
            tracer,
        };
        let wecom = WeCom::new(&config.wecom, &apps, &instruments).map_err(OpenError::WeCom)?;
        let meetings = Meetings::new(
            config.cache,
            load(&config),
            wecom.clone(),
            instruments.clone(),
            questions.clone(),
        );
        let access = Access::new(roster, chance.clock.clone());
        let access = Arc::new(ArcSwap::from_pointee(access));
        let tls = credentials.map(|credentials| {
            let (protocols, clock) = (config.server.protocols(), chance.clock.clone());
            Arc::new(tls::Server::new(credentials, protocols, clock))
        });
        let callers = open(config.server.listen)?.speaking(tls.clone());
        let operators = open(config.admin.listen)?;
        let limits = Limits::of(&config.server);
        let config = Arc::new(ArcSwap::from_pointee(config));
        let Rereading { sources, log } = rereading;
        let steward = Steward {
            sources,
            clock: chance.clock.clone(),
            bell: Arc::default(),
            log,
            config: Arc::clone(&config),
            access: Arc::clone(&access),
            limits: limits.clone(),
            tls,
            meetings: meetings.clone(),
            wecom,
            fingerprint,
        };
        let desk = Desk {
            meetings,
            access,
            clock: chance.clock,
            metrics: instruments.metrics,
            tracer: instruments.tracer,
        };
        Ok(Self {
            callers,
            operators,
            limits,
            config,
            desk,
            steward,
            questions,
            supervisor: Supervisor::default(),
        })
    }

    /// The same, and no more connections at a time than that: those of callers, of operators, and to
    /// WeCom, which has a quarter at most.
    #[must_use]
    pub fn within(self, connections: u64) -> Self {
        let to_wecom = u64::from(self.config.load().wecom.max_in_flight);
        let left = connections - to_wecom.min(connections / 4);
        let limits = self
            .limits
            .within(usize::try_from(left).unwrap_or(usize::MAX));
        Self { limits, ..self }
    }

    /// The same, and it tells them how it stands.
    #[must_use]
    pub fn under(self, supervisor: Supervisor) -> Self {
        Self { supervisor, ..self }
    }

    /// Whoever rings it has the settings read again.
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.steward.bell)
    }

    /// Where callers come in.
    pub fn callers_address(&self) -> SocketAddr {
        self.callers.address()
    }

    /// Where operators come in.
    pub fn operators_address(&self) -> SocketAddr {
        self.operators.address()
    }

    /// Serves until `leave`, and then in four steps, each of a bounded time: announces that we are
    /// leaving and goes on serving; takes no new callers, finishes with those who are here and loses
    /// none of their requests; lets the operators go; drops what is left.
    pub async fn serve(self, leave: CancellationToken) {
        let Self {
            callers,
            operators,
            limits,
            config,
            desk,
            steward,
            questions,
            supervisor,
        } = self;
        let doors = format!(
            "serving callers on {} and operators on {}",
            callers.address(),
            operators.address()
        );
        tracing::info!(
            callers = %callers.address(), operators = %operators.address(), "{doors}",
        );
        tell_if_lowered(&limits, &config.load());
        let (meetings, clock) = (desk.meetings.clone(), desk.clock.clone());
        let office = office(&desk, steward.log.clone(), leave.clone());
        let herald = Herald::new(supervisor, office.clone(), doors);
        let (callers_stop, operators_stop) = (CancellationToken::new(), CancellationToken::new());
        let steward = AbortOnDropHandle::new(tokio::spawn(steward.serve(herald.clone())));
        let operators =
            http::serve_operators(operators, office, limits.clone(), operators_stop.clone());
        let operators = tokio::spawn(operators);
        let callers = http::serve_callers(callers, desk, limits, callers_stop.clone());
        let mut callers = tokio::spawn(callers);
        herald.ready().await;
        let heralding = AbortOnDropHandle::new(tokio::spawn(herald.clone().serve()));
        let tidying = AbortOnDropHandle::new(tokio::spawn(tidy(meetings, clock)));

        leave.cancelled().await;
        herald.stopping().await;
        let http::Settings {
            drain_delay,
            drain_timeout,
            ..
        } = config.load().server;
        tracing::info!(
            drain_delay_ms = drain_delay.as_millis(),
            "leaving: unready from now on, and then finishing what is under way"
        );
        tokio::time::sleep(drain_delay).await;
        callers_stop.cancel();
        let finished = tokio::time::timeout(drain_timeout, async {
            let _ = (&mut callers).await;
            questions.close();
            questions.wait().await;
        });
        if finished.await.is_ok() {
            tracing::info!("left: nothing was under way any more");
        } else {
            tracing::warn!("left after {drain_timeout:?} with requests under way");
        }
        operators_stop.cancel();
        let _ = tokio::time::timeout(OPERATORS_GRACE, operators).await;
        callers.abort();
        drop((heralding, steward, tidying));
    }
}

/// How long operators are given to end what they are doing. Longer than a connection that is quiet is
/// kept at the end, so that one that is not used is closed in peace.
const OPERATORS_GRACE: Duration = Duration::from_secs(1);

/// How often what is kept is tidied.
const TIDIED_EVERY: Duration = Duration::from_secs(5);

/// Has what is kept tidied now and then: whoever comes after a quiet time need not wait for that.
async fn tidy(meetings: Meetings, clock: Clock) {
    loop {
        clock.sleep_until(clock.now() + TIDIED_EVERY).await;
        meetings.tidy_aside().await;
    }
}

/// Says so where fewer callers are served than is set.
fn tell_if_lowered(limits: &Limits, config: &Config) {
    let (callers, set) = (limits.callers_max(), config.server.max_connections);
    if u32::try_from(callers).is_ok_and(|callers| callers < set) {
        tracing::warn!(
            callers,
            "no more than {callers} callers at a time are served, instead of {set}: there are not \
             enough descriptors for more connections",
        );
    }
}

/// What the operators' routes work with.
fn office(desk: &Desk, log: Option<Switch>, leaving: CancellationToken) -> Office {
    Office {
        meetings: desk.meetings.clone(),
        leaving,
        clock: desk.clock.clone(),
        metrics: desk.metrics.clone(),
        log,
        opened_at: desk.clock.now(),
    }
}

fn load(config: &Config) -> Load {
    Load {
        callers_max: usize::try_from(config.server.max_connections).unwrap_or(usize::MAX),
        patience: config.server.request_timeout,
    }
}

fn open(address: SocketAddr) -> Result<Listener, OpenError> {
    Listener::open(address).map_err(|error| OpenError::Listen { address, error })
}
