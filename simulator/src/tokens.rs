//! Access tokens: who holds which, and until when. Knows neither secrets nor HTTP.

use std::collections::HashMap;
use std::time::Duration;

use crate::world::AppNumber;

/// What every access token begins with, so that a test can search for one that leaked.
pub const TOKEN_PREFIX: &str = "SIMTOKEN";

/// As many tokens as are remembered before those that no longer work are dropped. A dropped one
/// is then unknown (40014) rather than expired (42001).
const REMEMBERED_MAX: usize = 1000;

/// Makes a token as long as WeCom's, which overflow the column that somebody gave them.
const FILLER: &str = "-Tm90QXNlY3JldA_9aZ";

/// Every token that was issued and may still be shown to us.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// How long a token lasts unless it is revoked.
    lifetime: Duration,
    issued: u64,
    latest: HashMap<AppNumber, String>,
    known: HashMap<String, Token>,
}

#[derive(Debug)]
struct Token {
    number: u64,
    app: AppNumber,
    expires_at: Duration,
    revoked: bool,
}

/// A token as it is handed out.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) token: String,
    pub(crate) expires_in_s: u64,
}

/// What a token that somebody shows is worth.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    Expired,
    Good(AppNumber),
    /// Never issued, or revoked: WeCom does not tell the two apart.
    Unknown,
}

impl Tokens {
    /// None yet, and each to last so long.
    pub(crate) fn lasting(lifetime: Duration) -> Self {
        Self {
            lifetime,
            issued: 0,
            latest: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The app's token, or a new one if that has expired or was revoked.
    pub(crate) fn issue(&mut self, app: AppNumber, now: Duration) -> Grant {
        if let Some((grant, true)) = self.last_grant(app, now) {
            return grant;
        }
        self.issue_anew(app, now)
    }

    /// The app's last token, even if it no longer works: a client that takes it for a new one
    /// comes straight back.
    pub(crate) fn repeat(&mut self, app: AppNumber, now: Duration) -> Grant {
        match self.last_grant(app, now) {
            Some((grant, _)) => grant,
            None => self.issue_anew(app, now),
        }
    }

    pub(crate) fn standing(&self, token: &str, now: Duration) -> Standing {
        match self.known.get(token) {
            Some(token) if token.revoked => Standing::Unknown,
            Some(token) if now < token.expires_at => Standing::Good(token.app),
            Some(_) => Standing::Expired,
            None => Standing::Unknown,
        }
    }

    /// Under which number a token was issued, and to whom, whatever it is worth by now.
    pub(crate) fn issue_of(&self, token: &str) -> Option<(u64, AppNumber)> {
        let Token { number, app, .. } = self.known.get(token)?;
        Some((*number, *app))
    }

    /// Makes every token that was issued so far unknown.
    pub(crate) fn revoke_all(&mut self) {
        for token in self.known.values_mut() {
            token.revoked = true;
        }
    }

    /// The last token that `app` was given, and whether it still works for a second or more.
    fn last_grant(&self, app: AppNumber, now: Duration) -> Option<(Grant, bool)> {
        let text = self.latest.get(&app)?;
        let token = self.known.get(text)?;
        let expires_in_s = token.expires_at.saturating_sub(now).as_secs();
        let grant = Grant {
            token: text.clone(),
            expires_in_s,
        };
        Some((grant, !token.revoked && 0 < expires_in_s))
    }

    fn issue_anew(&mut self, app: AppNumber, now: Duration) -> Grant {
        if REMEMBERED_MAX <= self.known.len() {
            self.known
                .retain(|_, token| !token.revoked && now < token.expires_at);
        }
        self.issued += 1;
        let text = format!("{TOKEN_PREFIX}-{:012}_{}", self.issued, FILLER.repeat(10));
        let token = Token {
            number: self.issued,
            app,
            expires_at: now.saturating_add(self.lifetime),
            revoked: false,
        };
        self.known.insert(text.clone(), token);
        self.latest.insert(app, text.clone());
        Grant {
            token: text,
            expires_in_s: self.lifetime.as_secs(),
        }
    }
}
