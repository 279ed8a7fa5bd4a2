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
//! | that we ask too often (45009) | nobody of that corp asks for 60 s; if it comes straight back, for 1 h |
//! | that the secret is wrong, and the file holds another by now | that one is tried at once |
//! | nothing, or that it is busy | nobody asks for 0.5 s, doubling up to 10 s |
//! | the very token that it has refused | as a reason that only a person can cure |
//!
//! WeCom bans an address for an hour after repeated wrong secrets (document 90313): hence the pauses.

mod state;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use secrecy::ExposeSecret;
use secrecy::SecretString;
use tokio::sync::watch;

use self::state::State;
use super::App;
use super::Fault;
use super::Instruments;
use super::Transport;
use super::block::Block;
use super::block::Leave;
use super::corp::quota_spent;
use super::errcode;
use super::errcode::Class;
use super::measured::GETTOKEN;
use super::measured::Kind;
use super::measured::Measured;
use super::reply;
use super::report::LastFault;
use super::report::TokenReport;
use super::settings::read_secret;
use super::transport;
use crate::metrics::Api;
use crate::metrics::Outcome;
use crate::repeat::Repeats;

pub(super) use self::state::AccessToken;
pub use self::state::Standing;

/// Keeps one app's token.
pub(super) struct Keeper {
    app: App,
    /// The app's secret, as it was last read. Held only to be read or replaced.
    secret: Mutex<SecretString>,
    surroundings: Surroundings,
    state: Arc<watch::Sender<State>>,
    failures: Repeats<String>,
    /// Whether the secret is another than the one with which the last token was asked for.
    has_new_secret: bool,
}

/// What a keeper works with.
pub(super) struct Surroundings {
    pub(super) transport: Arc<Transport>,
    /// Whether WeCom may be asked for tokens of this corp.
    pub(super) block: Arc<Block>,
    pub(super) instruments: Instruments,
    /// What went wrong last, for people.
    pub(super) last_fault: Arc<LastFault>,
}

impl Keeper {
    pub(super) fn new(app: App, surroundings: Surroundings) -> Self {
        Self {
            secret: Mutex::new(app.secret.clone()),
            app,
            surroundings,
            state: Arc::default(),
            failures: Repeats::default(),
            has_new_secret: false,
        }
    }

    /// The same, going on from what the one before knows of the token, if there is one.
    pub(super) fn succeeding(self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let is_known = self.secret().expose_secret() == before.secret().expose_secret();
        Self {
            state: Arc::clone(&before.state),
            has_new_secret: !is_known,
            ..self
        }
    }

    /// Whether it goes on from what that one knew.
    pub(super) fn succeeds(&self, before: &Self) -> bool {
        Arc::ptr_eq(&self.state, &before.state)
    }

    /// The corp whose app it is.
    pub(super) fn corp_id(&self) -> &str {
        &self.app.corp_id
    }

    /// Whether this app has its name and its corp.
    pub(super) fn is_of(&self, app: &App) -> bool {
        (&self.app.name, &self.app.corp_id) == (&app.name, &app.corp_id)
    }

    /// Whether it was set up with this secret.
    pub(super) fn had_secret(&self, secret: &SecretString) -> bool {
        self.app.secret.expose_secret() == secret.expose_secret()
    }

    /// How old the token is, if there is one, and for how long it is still good.
    pub(super) fn token_report(&self) -> Option<TokenReport> {
        self.state.borrow().token_report(self.now())
    }

    /// Until when the token is good, if there is one.
    pub(super) fn token_good_until(&self) -> Option<Instant> {
        self.state.borrow().token_good_until()
    }

    /// Why there is no token, and from when on it is asked for again, if nobody asks for it now.
    pub(super) fn missing(&self) -> Option<(Fault, Instant)> {
        self.state.borrow().missing(self.now())
    }

    pub(super) fn standing(&self) -> Standing {
        self.state.borrow().standing(self.now())
    }

    /// What may be said without waiting: a token, or why there is none. `None` means that it is
    /// worth waiting.
    pub(super) fn known(&self) -> Option<Result<Arc<AccessToken>, Fault>> {
        self.state.borrow().known(self.now())
    }

    /// A token, once there is one; or why there is none.
    pub(super) async fn token(&self) -> Result<Arc<AccessToken>, Fault> {
        let mut state = self.state.subscribe();
        loop {
            if let Some(known) = state.borrow_and_update().known(self.now()) {
                return known;
            }
            // The sender lives in `self`: this wait cannot fail.
            let _ = state.changed().await;
        }
    }

    /// Notes that WeCom has refused `token`, and drops that very token, not one that came after it.
    pub(super) fn refuse(&self, token: &AccessToken, errcode: i64) {
        let now = self.now();
        self.state
            .send_if_modified(|state| state.refuse(token, errcode, now));
    }

    /// Keeps the token until it is dropped: has one at once, renews it before it runs out, and asks
    /// anew after a refusal or a failure, when the time for it has come. If the secret is a new one, a
    /// person has acted: then at once.
    pub(super) async fn keep(&self) {
        if self.has_new_secret {
            self.state.send_modify(State::take_heart);
        }
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
            self.surroundings
                .instruments
                .chance
                .clock
                .sleep_until(due)
                .await;
        }
    }

    async fn renew(&self) {
        let granted = self.ask().await;
        let outcome = granted
            .as_ref()
            .map_or_else(Fault::outcome, |_| Outcome::Ok);
        self.surroundings
            .instruments
            .metrics
            .renewed(self.app.name.as_str(), outcome);
        let now = self.now();
        self.state.send_modify(|state| match granted {
            Ok(token) => state.accept(token, now),
            Err(fault) => {
                self.surroundings
                    .last_fault
                    .note(&fault, Api::GetToken, now);
                state.fail(fault, now);
            }
        });
        self.log();
    }

    /// A token, or why WeCom gives us none. If it takes the secret for a wrong one, and another is
    /// written down by now, that one is tried before we give up.
    async fn ask(&self) -> Result<AccessToken, Fault> {
        let secret = self.secret().clone();
        let granted = self.ask_with(&secret).await;
        if !matches!(granted, Err(Fault::Refused { errcode }) if errcode::is_wrong_secret(errcode))
        {
            return granted;
        }
        let Some(newer) = self.reread(secret).await else {
            return granted;
        };
        let app = self.app.name.as_str();
        tracing::info!(
            app.name = app,
            "app {app} has a new secret in its file: trying it"
        );
        *self.secret() = newer.clone();
        self.ask_with(&newer).await
    }

    /// The secret in the file, if it is another than `known`.
    async fn reread(&self, known: SecretString) -> Option<SecretString> {
        let file = self.app.secret_file.clone()?;
        let reading = tokio::task::spawn_blocking(move || read_secret(&file));
        let secret = reading.await.ok()?.ok()?;
        (secret.expose_secret() != known.expose_secret()).then_some(secret)
    }

    /// `GET /cgi-bin/gettoken` (document 91039).
    async fn ask_with(&self, secret: &SecretString) -> Result<AccessToken, Fault> {
        let leave = self.surroundings.block.admit().map_err(quota_spent)?;
        let query = [
            ("corpid", self.app.corp_id.as_str()),
            ("corpsecret", secret.expose_secret()),
        ];
        let kind = Kind {
            api: Api::GetToken,
            app: &self.app.name,
            resend_count: 0,
        };
        let measured = Measured::begin(&self.surroundings.instruments, kind);
        let asking = self.surroundings.transport.get(GETTOKEN, &query);
        let reply = measured.ask(asking).await;
        let granted = match reply {
            Ok(reply) => self.read(reply, leave).await,
            Err(fault) => Err(fault),
        };
        let fault = granted.as_ref().err();
        measured.end(
            fault.map_or(Outcome::Ok, Fault::outcome),
            fault.and_then(Fault::errcode),
        );
        granted
    }

    /// What WeCom's answer says, about the token and about who may ask for the next.
    async fn read(&self, reply: transport::Reply, leave: Leave) -> Result<AccessToken, Fault> {
        let transport::Reply { asked_at, body } = reply;
        let object = body.read(|object| object).await?;
        let Some(errcode) = reply::errcode(&object) else {
            leave.answered();
            return state::granted(&object, asked_at, self.now());
        };
        if Class::of(errcode) == Class::Rate {
            return Err(quota_spent(leave.refused()));
        }
        leave.answered();
        Err(fault(errcode))
    }

    fn now(&self) -> Instant {
        self.surroundings.instruments.chance.clock.now()
    }

    fn secret(&self) -> MutexGuard<'_, SecretString> {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) {
        let state = self.state.borrow();
        let app = self.app.name.as_str();
        let Some((fault, in_a_row)) = state.failure() else {
            tracing::info!(app.name = app, "WeCom gave app {app} a token");
            return;
        };
        if self.failures.note(fault.to_string(), self.now()).is_none() {
            return;
        }
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
