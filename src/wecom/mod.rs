//! WeCom, as far as this service meets it: its protocol, its tokens, its words.
//!
//! Everything that is peculiar about WeCom ends at this door: errors inside HTTP 200, tokens in
//! URLs that are revoked early, shapes that vary. What comes out is a [`Meeting`] in our shape, the
//! knowledge that there is none, or a [`Fault`]. This room remembers no meeting; it knows neither
//! the cache nor who asks.
//!
//! ```text
//! WeCom::meeting   Question -> Reply
//!   token          a token that WeCom accepts
//!   transport      bytes out, bytes in; limits
//!   reply          is it a success?
//!   wire           WeCom's shape -> ours
//! ```

mod errcode;
mod fault;
mod reply;
mod settings;
mod token;
mod transport;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use tokio::sync::Semaphore;

use self::errcode::Class;
use self::token::AccessToken;
use self::token::Keeper;
use self::transport::Transport;
use self::wire::MeetingInfo;
use crate::clock::Clock;
use crate::meeting::Meeting;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::setting::Flaw;

pub use self::errcode::Absence;
pub use self::fault::Fault;
pub use self::fault::Garbled;
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
#[derive(Clone, Debug)]
pub struct Reply {
    /// When the question was sent.
    pub asked_at: Instant,
    /// The meeting; or that there is none, which is an answer too.
    pub meeting: Result<Box<Meeting>, Absent>,
}

/// WeCom has no such meeting to show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Absent {
    /// Why not.
    pub absence: Absence,
    /// WeCom's number for it.
    pub errcode: i64,
}

/// WeCom. Clones share their tokens and their connections.
#[derive(Clone)]
pub struct WeCom {
    keepers: Arc<HashMap<AppName, Arc<Keeper>>>,
    transport: Arc<Transport>,
    /// One permit for each question that may be under way. Whoever waits for one is bounded by its
    /// own deadline, and their number by the bound on flights.
    in_flight: Arc<Semaphore>,
    in_flight_max: usize,
}

/// One attempt at an answer.
enum Attempt {
    /// WeCom refused the token.
    TokenRefused { errcode: i64 },
    /// Anything else.
    Done(Result<Reply, Fault>),
}

impl Attempt {
    /// A question that was asked in vain. (Why there is no token to ask with, its keeper says.)
    fn failed(question: &Question, fault: Fault) -> Self {
        tracing::warn!(
            wecom.errcode = fault.errcode(),
            "no answer about meeting {question}: {fault}"
        );
        Self::Done(Err(fault))
    }
}

impl WeCom {
    /// Prepares to ask as each of the apps. Asks nothing yet; reads `ca_file`.
    pub fn new(settings: &Settings, apps: Vec<App>, clock: &Clock) -> Result<Self, Flaw> {
        let transport = Arc::new(Transport::new(settings, clock.clone())?);
        let keeper = |app: App| {
            let name = app.name.clone();
            (
                name,
                Arc::new(Keeper::new(app, Arc::clone(&transport), clock.clone())),
            )
        };
        let in_flight_max = usize::try_from(settings.max_in_flight)
            .map_or(Semaphore::MAX_PERMITS, |max| {
                max.min(Semaphore::MAX_PERMITS)
            });
        Ok(Self {
            keepers: Arc::new(apps.into_iter().map(keeper).collect()),
            in_flight: Arc::new(Semaphore::new(in_flight_max)),
            in_flight_max,
            transport,
        })
    }

    /// For each app, the task that keeps its token. Without it, nobody gets one. It never ends by
    /// itself: whoever runs it ends it.
    pub fn token_keepers(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send + 'static> {
        self.keepers
            .values()
            .cloned()
            .map(|keeper| async move { keeper.keep().await })
    }

    /// Whether fewer than half of the questions that may be under way are. The other half is for
    /// questions that callers wait for.
    pub fn has_time_to_spare(&self) -> bool {
        self.in_flight.available_permits() > self.in_flight_max / 2
    }

    /// How each app stands with WeCom.
    pub fn standings(&self) -> impl Iterator<Item = (&AppName, Standing)> {
        self.keepers
            .iter()
            .map(|(name, keeper)| (name, keeper.standing()))
    }

    /// Asks for a meeting: `POST /cgi-bin/meeting/get_info` (document 98149).
    ///
    /// A token that WeCom refuses is renewed once, and the question repeated once. If that token is
    /// refused too, a third would be: a person must look.
    pub async fn meeting(&self, question: &Question) -> Result<Reply, Fault> {
        let Some(keeper) = self.keepers.get(&question.app) else {
            return Err(Fault::NoSuchApp);
        };
        let token = keeper.token().await?;
        let errcode = match self.attempt(question, &token).await {
            Attempt::TokenRefused { errcode } => errcode,
            Attempt::Done(done) => return done,
        };
        tracing::info!(app.name = %question.app, wecom.errcode = errcode,
            "WeCom refused the token of app {}: renewing it", question.app);
        keeper.refuse(&token, errcode);

        let token = keeper.token().await?;
        match self.attempt(question, &token).await {
            Attempt::TokenRefused { errcode } => {
                keeper.refuse(&token, errcode);
                Err(Fault::Refused { errcode })
            }
            Attempt::Done(done) => done,
        }
    }

    async fn attempt(&self, question: &Question, token: &AccessToken) -> Attempt {
        let reply = match self.post(question, token).await {
            Ok(reply) => reply,
            Err(fault) => return Attempt::failed(question, fault),
        };
        let transport::Reply { asked_at, object } = reply;
        let meeting = match reply::errcode(&object) {
            None => Ok(question.meeting_in(object)),
            Some(errcode) => match Class::of(errcode) {
                Class::Token => return Attempt::TokenRefused { errcode },
                Class::Absent(absence) => Err(Absent { absence, errcode }),
                class @ (Class::Busy
                | Class::Concurrency
                | Class::Configuration
                | Class::Rate
                | Class::Rejected
                | Class::Size
                | Class::Unknown) => return Attempt::failed(question, class.fault(errcode)),
            },
        };
        token.accepted();
        Attempt::Done(Ok(Reply { asked_at, meeting }))
    }

    async fn post(
        &self,
        question: &Question,
        token: &AccessToken,
    ) -> Result<transport::Reply, Fault> {
        // Nobody closes the semaphore: it cannot fail.
        let _permit = self.in_flight.acquire().await;
        let query = [("access_token", token.reveal())];
        self.transport
            .post("/cgi-bin/meeting/get_info", &query, question.body())
            .await
    }
}

/// What `get_info` is asked with: exactly one of id and code.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    meetingid: Option<&'a MeetingId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_code: Option<&'a MeetingCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_meetingid: Option<&'a MeetingId>,
}

impl Question {
    /// The question as WeCom takes it: JSON in raw UTF-8. Nothing in it can need a `\u` escape,
    /// which WeCom would refuse (40033): ids and codes are plain ASCII.
    fn body(&self) -> Vec<u8> {
        let (meetingid, meeting_code) = match &self.selector {
            Selector::Code(code) => (None, Some(code)),
            Selector::Id(id) => (Some(id), None),
        };
        let body = Body {
            meetingid,
            meeting_code,
            sub_meetingid: self.occurrence.as_ref(),
        };
        // Three texts always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    fn meeting_in(&self, object: Map<String, Value>) -> Box<Meeting> {
        let info = MeetingInfo(object);
        Box::new(wire::normalise(
            info,
            &self.selector,
            self.occurrence.as_ref(),
        ))
    }
}
