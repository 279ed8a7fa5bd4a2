//! The apps and their meetings. Knows neither tokens nor HTTP.

mod demo;
mod meeting;
mod timekeeping;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::meeting::Meeting;
use crate::protocol::Errcode;
use crate::protocol::Key;

/// The enterprise that every world has.
pub const DEFAULT_CORP_ID: &str = "wwsimulator00000001";

/// The secret of the app that every world has.
pub const DEFAULT_SECRET: &str = "SIMSECRET-0000000000000000000000000000000001";

/// How long a token lasts unless it is said otherwise, as WeCom has it.
const TOKEN_LIFETIME: Duration = Duration::from_hours(2);

/// An app of an enterprise: what a client shows to be given a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct App {
    /// The enterprise.
    pub corp_id: String,
    /// The secret of this one of its apps.
    pub secret: String,
}

impl App {
    /// The app that has this secret.
    pub fn new(corp_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            corp_id: corp_id.into(),
            secret: secret.into(),
        }
    }
}

impl Default for App {
    /// The app that every world has.
    fn default() -> Self {
        Self::new(DEFAULT_CORP_ID, DEFAULT_SECRET)
    }
}

/// Which app, whatever its secret is by now.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct AppNumber(usize);

/// A meeting as a person wants to see it in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The enterprise whose app created it.
    pub corp_id: String,
    /// Its `meetingid`.
    pub id: String,
    /// Its `meeting_code`.
    pub code: String,
    /// Its title, empty if it has none.
    pub title: String,
}

/// What is sent when a question has an answer.
#[derive(Debug)]
pub(crate) enum Found {
    Meeting(Arc<Meeting>),
    Raw(Bytes),
}

/// Every app and every meeting.
#[derive(Clone, Debug)]
pub struct World {
    apps: Vec<App>,
    meetings: BTreeMap<(String, AppNumber), Arc<Meeting>>,
    /// The id of the meeting that a code stands for at present.
    ids_by_code: BTreeMap<(String, AppNumber), String>,
    raw: HashMap<String, Bytes>,
    pub(crate) token_lifetime: Duration,
}

impl World {
    /// The default app, and not one meeting.
    pub fn empty() -> Self {
        Self {
            apps: vec![App::default()],
            meetings: BTreeMap::new(),
            ids_by_code: BTreeMap::new(),
            raw: HashMap::new(),
            token_lifetime: TOKEN_LIFETIME,
        }
    }

    /// Has every token last so long, unless it is revoked.
    #[must_use]
    pub fn with_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Meetings as an enterprise has them: of every status and type, in two languages, with times
    /// around now, and one that another app created.
    pub fn demo() -> Self {
        demo::world()
    }

    /// Puts an app there, unless it is there.
    pub fn put_app(&mut self, app: App) {
        self.number_of(app);
    }

    /// Puts a meeting there, in place of any that its app knows by the same id. Its code stands
    /// for it from now on, whatever it stood for before. An app that is not there is put there.
    pub fn put_meeting(&mut self, meeting: Meeting) {
        let app = self.number_of(meeting.owner.clone());
        let id = meeting.id.clone();
        let code = meeting.code.clone();
        let replaced = self.meetings.insert((id.clone(), app), Arc::new(meeting));
        if let Some(replaced) = replaced {
            self.forget_code_of(&replaced, app);
        }
        self.ids_by_code.insert((code, app), id);
    }

    /// Sends these bytes, and nothing else, to any app that asks for this `meetingid` or
    /// `meeting_code`.
    pub fn put_raw(&mut self, id_or_code: impl Into<String>, answer: impl Into<Bytes>) {
        self.raw.insert(id_or_code.into(), answer.into());
    }

    /// Takes away every meeting and every raw answer of this id.
    pub fn remove_meeting(&mut self, id: &str) {
        self.raw.remove(id);
        self.meetings.retain(|(known, _), _| known != id);
        self.ids_by_code.retain(|_, known| known != id);
    }

    /// Gives the app whose secret is `old` a `new` one. Whether or not there was such an app, the
    /// new secret is right afterwards and the old one wrong. Tokens stay good.
    pub fn set_secret(&mut self, corp_id: &str, old: &str, new: &str) {
        let AppNumber(number) = self.number_of(App::new(corp_id, old));
        if let Some(app) = self.apps.get_mut(number) {
            new.clone_into(&mut app.secret);
        }
    }

    /// Every meeting, by id.
    pub fn listed(&self) -> Vec<Listed> {
        let listed = self.meetings.iter().map(|((id, _), meeting)| Listed {
            corp_id: meeting.owner.corp_id.clone(),
            id: id.clone(),
            code: meeting.code.clone(),
            title: meeting.title().to_owned(),
        });
        listed.collect()
    }

    /// The app that this secret proves.
    pub(crate) fn app(&self, corp_id: &str, secret: &str) -> Result<AppNumber, Errcode> {
        let mut of_corp = self
            .apps
            .iter()
            .enumerate()
            .filter(|(_, app)| app.corp_id == corp_id)
            .peekable();
        if of_corp.peek().is_none() {
            return Err(Errcode::INVALID_CORP_ID);
        }
        match of_corp.find(|(_, app)| app.secret == secret) {
            Some((number, _)) => Ok(AppNumber(number)),
            None => Err(Errcode::INVALID_CREDENTIAL),
        }
    }

    /// What `app` is told when it asks for `key`. It sees the meetings that it created.
    pub(crate) fn find(&self, app: AppNumber, key: &Key) -> Result<Found, Errcode> {
        if let Some(raw) = self.raw.get(key.as_str()) {
            return Ok(Found::Raw(raw.clone()));
        }
        let id = match key {
            Key::Code(code) => owned_by(app, code, &self.ids_by_code, Errcode::NO_SUCH_CODE)?,
            Key::Id(id) => id,
        };
        let meeting = owned_by(app, id, &self.meetings, Errcode::NO_SUCH_MEETING)?;
        Ok(Found::Meeting(Arc::clone(meeting)))
    }

    fn number_of(&mut self, app: App) -> AppNumber {
        if let Some(number) = self.apps.iter().position(|known| *known == app) {
            return AppNumber(number);
        }
        self.apps.push(app);
        AppNumber(self.apps.len() - 1)
    }

    /// Frees the code of a meeting that has gone, unless it stands for another one by now.
    fn forget_code_of(&mut self, meeting: &Meeting, app: AppNumber) {
        let place = (meeting.code.clone(), app);
        if self.ids_by_code.get(&place) == Some(&meeting.id) {
            self.ids_by_code.remove(&place);
        }
    }
}

/// What `app` has under `name`. What only others have is refused, what nobody has is `absent`.
fn owned_by<'a, T>(
    app: AppNumber,
    name: &str,
    shelf: &'a BTreeMap<(String, AppNumber), T>,
    absent: Errcode,
) -> Result<&'a T, Errcode> {
    let everybody = (name.to_owned(), AppNumber(0))..=(name.to_owned(), AppNumber(usize::MAX));
    let mut refusal = absent;
    for ((_, owner), item) in shelf.range(everybody) {
        if *owner == app {
            return Ok(item);
        }
        refusal = Errcode::ANOTHER_APPS_MEETING;
    }
    Err(refusal)
}
