//! A token that WeCom accepts, for one app.
//!
//! One task per app, [`Keeper::keep`], is the only one that ever asks for a token: so there is
//! never more than one such question under way, and nobody can hang up on it. Everybody else looks
//! at the [`State`], or waits for it to change, and inherits what it says, failure too.
//!
//! | WeCom answers | then |
//! |---|---|
//! | a token | kept for its lifetime less a margin; renewed after four fifths of it |
//! | a reason that only a person can cure | nobody asks for 5 s, doubling up to 10 min |
//! | that we ask too often (45009) | nobody asks for 60 s |
//! | nothing, or that it is busy | nobody asks for 0.5 s, doubling up to 10 s |
//! | the very token that it has refused | as a reason that only a person can cure |
//!
//! WeCom bans an address for an hour after repeated wrong secrets (document 90313): hence the pauses.

mod state;

use std::sync::Arc;
use std::time::Instant;

use secrecy::ExposeSecret;
use tokio::sync::watch;

use self::state::State;
use super::App;
use super::Fault;
use super::Transport;
use super::errcode::Class;
use super::reply;
use crate::clock::Clock;

pub(super) use self::state::AccessToken;
pub use self::state::Standing;

/// Keeps one app's token.
pub(super) struct Keeper {
    app: App,
    transport: Arc<Transport>,
    clock: Clock,
    state: watch::Sender<State>,
}

impl Keeper {
    pub(super) fn new(app: App, transport: Arc<Transport>, clock: Clock) -> Self {
        Self {
            app,
            transport,
            clock,
            state: watch::Sender::default(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.state.borrow().standing()
    }

    /// A token, once there is one; or why there is none.
    pub(super) async fn token(&self) -> Result<Arc<AccessToken>, Fault> {
        let mut state = self.state.subscribe();
        loop {
            if let Some(known) = state.borrow_and_update().known(self.clock.now()) {
                return known;
            }
            // The sender lives in `self`: this wait cannot fail.
            let _ = state.changed().await;
        }
    }

    /// Notes that WeCom has refused `token`, and drops that very token, not one that came after it.
    pub(super) fn refuse(&self, token: &AccessToken, errcode: i64) {
        let now = self.clock.now();
        self.state
            .send_if_modified(|state| state.refuse(token, errcode, now));
    }

    /// Keeps the token until it is dropped: has one at once, renews it before it runs out, and asks
    /// anew after a refusal or a failure, when the time for it has come.
    pub(super) async fn keep(&self) {
        let mut state = self.state.subscribe();
        loop {
            let due = state.borrow_and_update().due();
            tokio::select! {
                () = self.sleep_until(due) => self.renew().await,
                _ = state.changed() => {}
            }
        }
    }

    async fn sleep_until(&self, due: Option<Instant>) {
        if let Some(due) = due {
            self.clock.sleep_until(due).await;
        }
    }

    async fn renew(&self) {
        let asked_at = self.clock.now();
        let granted = self.ask(asked_at).await;
        let now = self.clock.now();
        self.state.send_modify(|state| match granted {
            Ok(token) => state.accept(token, now),
            Err(fault) => state.fail(fault, now),
        });
        self.log();
    }

    /// `GET /cgi-bin/gettoken` (document 91039).
    async fn ask(&self, asked_at: Instant) -> Result<AccessToken, Fault> {
        let App {
            corp_id, secret, ..
        } = &self.app;
        let query = [
            ("corpid", corp_id.as_str()),
            ("corpsecret", secret.expose_secret()),
        ];
        let object = self
            .transport
            .get("/cgi-bin/gettoken", &query)
            .await?
            .object;
        match reply::errcode(&object) {
            None => state::granted(&object, asked_at, self.clock.now()),
            Some(errcode) => Err(fault(errcode)),
        }
    }

    fn log(&self) {
        let state = self.state.borrow();
        let app = self.app.name.as_str();
        let Some((fault, in_a_row)) = state.failure() else {
            tracing::info!(app.name = app, "WeCom gave app {app} a token");
            return;
        };
        let errcode = fault.errcode();
        if fault.needs_a_person() {
            tracing::error!(
                app.name = app,
                wecom.errcode = errcode,
                in_a_row,
                "WeCom gave app {app} no token: {fault}"
            );
        } else {
            tracing::warn!(
                app.name = app,
                wecom.errcode = errcode,
                in_a_row,
                "WeCom gave app {app} no token: {fault}"
            );
        }
    }
}

/// What an errcode means here. The question is ours alone: no caller can have asked it wrongly.
fn fault(errcode: i64) -> Fault {
    let class = Class::of(errcode);
    if class == Class::Rejected {
        Fault::Unknown { errcode }
    } else {
        class.fault(errcode)
    }
}
