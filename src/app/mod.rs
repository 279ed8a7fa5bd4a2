//! Wires the rooms, opens the doors, and closes them again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Checked;
use crate::config::Config;
use crate::http;
use crate::http::Desk;
use crate::http::Listener;
use crate::http::Office;
use crate::http::Readiness;
use crate::service::Chance;
use crate::service::Load;
use crate::service::Meetings;
use crate::setting::Flaw;
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
    /// A setting can be written and has no effect yet. Better not to begin than to pretend.
    #[error("{0}: not supported by this version")]
    NotSupported(&'static str),
    /// The way to WeCom cannot be prepared.
    #[error("wecom.{}: {}", .0.key, .0.why)]
    WeCom(Flaw),
}

/// The service, with its doors open: callers may come, and wait until it is served.
pub struct App {
    callers: Listener,
    operators: Listener,
    config: Config,
    desk: Desk,
    wecom: WeCom,
    /// Where questions are asked.
    questions: TaskTracker,
}

impl App {
    /// Wires the rooms and opens the doors. Asks WeCom nothing yet.
    pub fn open(checked: Checked, chance: Chance) -> Result<Self, OpenError> {
        let Checked {
            config,
            apps,
            access,
        } = checked;
        if config.server.tls.is_some() {
            return Err(OpenError::NotSupported("server.tls"));
        }
        if config
            .access
            .callers
            .iter()
            .any(|caller| caller.requests_per_second.is_some())
        {
            tracing::warn!("access.callers: requests_per_second is not enforced by this version");
        }
        let questions = TaskTracker::new();
        let wecom = WeCom::new(&config.wecom, apps, &chance.clock).map_err(OpenError::WeCom)?;
        let load = Load {
            callers_max: usize::try_from(config.server.max_connections).unwrap_or(usize::MAX),
            patience: config.server.request_timeout,
        };
        let meetings = Meetings::new(
            config.cache,
            load,
            wecom.clone(),
            chance.clone(),
            questions.clone(),
        );
        let desk = Desk {
            meetings,
            access: Arc::new(access),
            clock: chance.clock,
        };
        let callers = open(config.server.listen)?;
        let operators = open(config.admin.listen)?;
        Ok(Self {
            callers,
            operators,
            config,
            desk,
            wecom,
            questions,
        })
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
    /// leaving and goes on serving; takes no new callers and finishes with those who are here; lets
    /// the operators go; drops what is left.
    pub async fn serve(self, leave: CancellationToken) {
        let Self {
            callers,
            operators,
            config,
            desk,
            wecom,
            questions,
        } = self;
        tracing::info!(
            callers = %callers.address(), operators = %operators.address(),
            "serving callers on {} and operators on {}", callers.address(), operators.address(),
        );
        let office = Office {
            readiness: Readiness::new(wecom.clone(), leave.clone()),
            meetings: desk.meetings.clone(),
            apps: wecom.standings().map(|(app, _)| app.clone()).collect(),
        };
        let (callers_stop, operators_stop) = (CancellationToken::new(), CancellationToken::new());
        let tokens: tokio::task::JoinSet<()> = wecom.token_keepers().collect();
        let operators = tokio::spawn({
            let (settings, stop) = (config.server.clone(), operators_stop.clone());
            async move { http::serve_operators(operators, office, &settings, stop).await }
        });
        let mut callers = tokio::spawn({
            let (settings, stop) = (config.server.clone(), callers_stop.clone());
            async move { http::serve_callers(callers, desk, &settings, stop).await }
        });

        leave.cancelled().await;
        let http::Settings {
            drain_delay,
            drain_timeout,
            ..
        } = config.server;
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
        drop(tokens);
    }
}

/// How long operators are given to end what they are doing.
const OPERATORS_GRACE: Duration = Duration::from_millis(500);

fn open(address: SocketAddr) -> Result<Listener, OpenError> {
    Listener::open(address).map_err(|error| OpenError::Listen { address, error })
}
