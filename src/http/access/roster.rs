//! Who there is, as the settings say: callers, by what they prove who they are, and what they may do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::super::fields::Fields;
use super::jwt::Verifier;
use super::keys;
use super::keys::Keys;
use super::limits::Limit;
use super::settings::CallerSettings;
use super::settings::Settings;
use crate::meeting::view::Part;
use crate::meeting::view::Reveal;
use crate::setting::Flaw;
use crate::tls::Name;
use crate::wecom::AppName;

/// Who may ask, as the settings list them.
#[derive(Debug)]
pub struct Roster {
    apps: Vec<AppName>,
    policy: Policy,
}

#[derive(Debug)]
enum Policy {
    /// Anybody may ask.
    Open(Arc<Rights>),
    /// Those may who are listed and prove who they are.
    Proven(Box<Proven>),
}

/// Callers, and by what they prove who they are: each proof leads to the number of a caller.
#[derive(Debug)]
struct Proven {
    callers: Vec<Arc<Rights>>,
    keys: Keys,
    certificates: HashMap<Name, usize>,
    tokens: Option<Verifier>,
}

/// That somebody proved who they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http) struct Proof {
    /// The number of the caller.
    pub(super) caller: usize,
    /// From then on, it proves nothing any more.
    pub(in crate::http) good_until: Timestamp,
}

impl Proof {
    /// One that does not end by itself.
    fn lasting(caller: usize) -> Self {
        Self {
            caller,
            good_until: Timestamp::MAX,
        }
    }
}

/// What a caller may do.
#[derive(Debug)]
pub(super) struct Rights {
    pub(super) name: Arc<str>,
    /// At least one, where there is any. The first is the default.
    pub(super) apps: Vec<AppName>,
    pub(super) reveal: Reveal,
    pub(super) limit: Option<Limit>,
}

impl Rights {
    /// What anybody may do where no proof is asked for.
    fn of_anybody(apps: &[AppName], reveal: &[Part]) -> Self {
        Self {
            name: "".into(),
            apps: apps.to_vec(),
            reveal: reveal.iter().copied().collect(),
            limit: None,
        }
    }

    fn of_caller(settings: &CallerSettings, apps: &[AppName]) -> Self {
        let apps = if settings.apps.is_empty() {
            apps
        } else {
            &settings.apps
        };
        let limit = settings.requests_per_second.map(|per_second| Limit {
            per_second,
            burst: settings.burst.unwrap_or(per_second),
        });
        Self {
            name: settings.name.as_str().into(),
            apps: apps.to_vec(),
            reveal: settings.reveal.iter().copied().collect(),
            limit,
        }
    }
}

impl Roster {
    /// Who may ask, given the apps there are and where callers come in; or every flaw. Reads the
    /// files that the settings name.
    pub fn new(
        settings: &Settings,
        apps: &[AppName],
        listen: SocketAddr,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = settings.flaws(apps);
        let tokens = settings.jwt.as_ref().map(Verifier::read).transpose();
        let tokens = tokens.map_err(|found| {
            flaws.extend(found.into_iter().map(|flaw| flaw.below("jwt")));
        });
        let asks_for_proof = settings.asks_for_proof(listen);
        let asks_for_proof = asks_for_proof.map_err(|flaw| flaws.push(flaw));
        let policy = match (asks_for_proof, tokens) {
            (Ok(false), Ok(_)) => {
                Policy::Open(Arc::new(Rights::of_anybody(apps, &settings.reveal)))
            }
            (Ok(true), Ok(tokens)) => Policy::Proven(Box::new(Proven::new(settings, apps, tokens))),
            _ => return Err(flaws),
        };
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let apps = apps.to_vec();
        Ok(Self { apps, policy })
    }

    /// What each caller may do.
    pub(super) fn callers(&self) -> impl Iterator<Item = &Arc<Rights>> {
        let callers = match &self.policy {
            Policy::Open(anybody) => std::slice::from_ref(anybody),
            Policy::Proven(proven) => &proven.callers,
        };
        callers.iter()
    }

    /// Who sends a request with these header fields on a connection whose certificate has these names,
    /// if that is known. What it says with the request counts, even against it: a gateway with a
    /// certificate of its own passes on the keys of others.
    pub(super) fn recognise(
        &self,
        fields: &(impl Fields + ?Sized),
        names: &[Name],
        now: Timestamp,
    ) -> Option<Proof> {
        match &self.policy {
            Policy::Open(_) => Some(Proof::lasting(0)),
            Policy::Proven(proven) if fields.lines(AUTHORIZATION).next().is_some() => {
                proven.bearer(keys::bearer(fields)?, now)
            }
            Policy::Proven(proven) => proven.certified(names).map(Proof::lasting),
        }
    }

    /// The app of this name.
    pub(super) fn app(&self, name: &str) -> Option<&AppName> {
        self.apps.iter().find(|app| app.as_str() == name)
    }
}

impl Proven {
    fn new(settings: &Settings, apps: &[AppName], tokens: Option<Verifier>) -> Self {
        let mut proven = Self {
            callers: Vec::new(),
            keys: Keys::default(),
            certificates: HashMap::new(),
            tokens,
        };
        for (number, caller) in settings.callers.iter().enumerate() {
            for key in &caller.key_sha256 {
                proven.keys.add(*key, number, caller.expires);
            }
            let names = caller.tls_san.iter().map(|san| Name::written(san));
            proven.certificates.extend(names.map(|name| (name, number)));
            let rights = Rights::of_caller(caller, apps);
            proven.callers.push(Arc::new(rights));
        }
        proven
    }

    /// The number of the one caller whom all names of a certificate mean that mean any.
    fn certified(&self, names: &[Name]) -> Option<usize> {
        let known = |name| self.certificates.get(name);
        let mut numbers = names.iter().filter_map(known);
        let number = *numbers.next()?;
        numbers.all(|other| *other == number).then_some(number)
    }

    /// Who bears this: a key, even if it looks like a token, or a token.
    fn bearer(&self, borne: &[u8], now: Timestamp) -> Option<Proof> {
        self.keys.owner(borne, now).or_else(|| {
            let (name, good_until) = self.tokens.as_ref()?.subject(borne, now)?;
            let caller = self
                .callers
                .iter()
                .position(|caller| *caller.name == *name)?;
            Some(Proof { caller, good_until })
        })
    }
}
