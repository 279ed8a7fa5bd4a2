//! Callers with their keys, to be told apart.

#![expect(
    clippy::expect_used,
    reason = "where there is nothing to be measured, the run ends"
)]

use std::net::Ipv4Addr;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Access;
use super::CallerSettings;
use super::KeyDigest;
use super::KeySettings;
use super::Origin;
use super::Peer;
use super::Roster;
use super::Settings;
use crate::clock::Clock;

/// The last of so many callers comes with its key.
pub(crate) fn authenticate(count: usize) -> Box<dyn FnMut()> {
    let key = |number: usize| format!("{number:043}");
    let caller = |number| CallerSettings {
        name: format!("caller-{number}"),
        key_sha256: vec![KeySettings {
            sha256: KeyDigest::of(key(number).as_bytes()),
            expires: None,
        }],
        ..CallerSettings::default()
    };
    let settings = Settings {
        callers: (1..=count).map(caller).collect(),
        ..Settings::default()
    };
    let listen = (Ipv4Addr::LOCALHOST, 1).into();
    let roster = Roster::new(&settings, &[], listen).expect("good settings");
    let access = Access::new(roster, Clock::of_the_machine());
    let origin = Origin::at(Peer::at(None));
    let mut headers = HeaderMap::new();
    let field = format!("Bearer {}", key(count));
    headers.insert(AUTHORIZATION, field.parse().expect("a value"));
    Box::new(move || {
        assert!(access.admit(&headers, &origin).is_ok());
    })
}
