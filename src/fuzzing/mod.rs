//! The side door for fuzzers: what reads text that others wrote, each held against any bytes at all.
//!
//! What reads such text is private to its room, and stays so: a room that has something to hold keeps
//! a file `fuzzing` of its own, which says what must be true of it, and this one lists them all. It is
//! built for tests, and with the feature `fuzzing` for the crate in `fuzz/`; the service that is run
//! is built without, and nothing in it knows whether this is here. So what libFuzzer runs for days,
//! and what a stable toolchain replays in every test run, is the same.

mod certificate;
mod meeting;

#[cfg(test)]
mod tests;

use crate::config;
use crate::http;

/// Something that reads what others wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// `Cache-Control` of a request: its lines.
    CacheControl,
    /// The names in a certificate: its DER.
    Certificate,
    /// The head of a request, and what follows it.
    Head,
    /// `If-None-Match`: its lines.
    IfNoneMatch,
    /// A set of public keys (JWKS): its JSON.
    Jwks,
    /// A token (JWT): its header and, after a newline, its claims, which are then signed; or, without
    /// a newline, a token as it is sent.
    Jwt,
    /// A meeting's number, and its id: their text.
    Name,
    /// What WeCom answers: the body.
    Normaliser,
    /// Settings: a file in which each comment that begins with `#$` is a variable, `#$ NAME=value`.
    Settings,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CacheControl,
        Self::Certificate,
        Self::Head,
        Self::IfNoneMatch,
        Self::Jwks,
        Self::Jwt,
        Self::Name,
        Self::Normaliser,
        Self::Settings,
    ];

    /// What its folder in `fuzz/corpus` is called, and its file in `fuzz/fuzz_targets`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheControl => "cache_control",
            Self::Certificate => "certificate",
            Self::Head => "head",
            Self::IfNoneMatch => "if_none_match",
            Self::Jwks => "jwks",
            Self::Jwt => "jwt",
            Self::Name => "name",
            Self::Normaliser => "normaliser",
            Self::Settings => "settings",
        }
    }

    /// Has it read this.
    ///
    /// # Panics
    ///
    /// If something is not as it must be.
    pub fn hold(self, data: &[u8]) {
        match self {
            Self::CacheControl => http::fuzzing::cache_control(data),
            Self::Certificate => certificate::names(data),
            Self::Head => http::fuzzing::head(data),
            Self::IfNoneMatch => http::fuzzing::if_none_match(data),
            Self::Jwks => http::fuzzing::jwks(data),
            Self::Jwt => http::fuzzing::jwt(data),
            Self::Name => meeting::names(data),
            Self::Normaliser => meeting::normalised(data),
            Self::Settings => config::fuzzing::settings(data),
        }
    }
}
