//! The meetings that are asked for in a storm: each version has its number in its title.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use wecom_simulator::App;
use wecom_simulator::Meeting;
use wecom_simulator::Simulator;

/// The enterprise.
const CORP_ID: &str = "ww1";

/// Two apps of one corp, which share its quotas and its blocks.
pub(crate) const APPS: [&str; 2] = ["one", "two"];

/// The same, as the settings have it.
pub(crate) const APPS_SETTING: &str = r#"[
    { name = "one", corp_id = "ww1", secret = "secret-one" },
    { name = "two", corp_id = "ww1", secret = "secret-two" },
]"#;

/// How many meetings each app has.
pub(crate) const MEETINGS: usize = 3;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name {
    pub(crate) app: usize,
    pub(crate) meeting: usize,
    pub(crate) by_code: bool,
}

impl Name {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let names =
            (0..APPS.len()).flat_map(|app| (0..MEETINGS).map(move |meeting| (app, meeting)));
        names.flat_map(|(app, meeting)| {
            [false, true].map(|by_code| Self {
                app,
                meeting,
                by_code,
            })
        })
    }

    pub(crate) fn any(dice: &mut fastrand::Rng) -> Self {
        Self {
            app: dice.usize(..APPS.len()),
            meeting: dice.usize(..MEETINGS),
            by_code: dice.bool(),
        }
    }

    pub(crate) fn path(self) -> String {
        let Self {
            app,
            meeting,
            by_code,
        } = self;
        let app = APPS[app];
        if by_code {
            format!("/meetings/by-code/{}?app={app}", code(meeting))
        } else {
            format!("/meetings/{}?app={app}", id(meeting))
        }
    }
}

fn id(meeting: usize) -> String {
    format!("m{meeting}")
}

fn code(meeting: usize) -> String {
    format!("44615327{meeting}")
}

fn secret(app: usize) -> String {
    format!("secret-{}", APPS[app])
}

fn title(app: usize, meeting: usize, version: usize) -> String {
    format!("{} {} {version}", APPS[app], id(meeting))
}

/// What WeCom knows, and since when it no longer knows what it knew.
#[derive(Debug, Default)]
pub(crate) struct Annals(Mutex<HashMap<(usize, usize), Vec<Duration>>>);

impl Annals {
    /// Has WeCom know every meeting in its first version.
    pub(crate) fn begin(wecom: &Simulator) -> Self {
        for app in 0..APPS.len() {
            wecom.put_app(App::new(CORP_ID, secret(app)));
            for meeting in 0..MEETINGS {
                put(wecom, app, meeting, 0);
            }
        }
        Self::default()
    }

    /// Changes a meeting, of every app, at this time on the clock.
    pub(crate) fn change(&self, wecom: &Simulator, meeting: usize, at: Duration) {
        for app in 0..APPS.len() {
            let version = {
                let mut annals = self.0.lock().expect("annals");
                let ends = annals.entry((app, meeting)).or_default();
                ends.push(at);
                ends.len()
            };
            put(wecom, app, meeting, version);
        }
    }

    /// Takes a meeting away, of every app.
    pub(crate) fn remove(wecom: &Simulator, meeting: usize) {
        wecom.remove_meeting(&id(meeting));
    }

    /// The version that WeCom knows.
    pub(crate) fn version(&self, name: Name) -> usize {
        let annals = self.0.lock().expect("annals");
        annals.get(&(name.app, name.meeting)).map_or(0, Vec::len)
    }

    /// When a version was superseded, if it was.
    pub(crate) fn superseded(&self, name: Name, version: usize) -> Option<Duration> {
        let annals = self.0.lock().expect("annals");
        annals.get(&(name.app, name.meeting))?.get(version).copied()
    }
}

/// The version that a title tells of; it must be of the meeting that was asked for, of that app.
pub(crate) fn version_in(title: &str, name: Name) -> usize {
    let (meeting, version) = title.rsplit_once(' ').expect("a title of ours");
    let expected = format!("{} {}", APPS[name.app], id(name.meeting));
    assert_eq!(meeting, expected, "another meeting than was asked for");
    version.parse().expect("a version")
}

fn put(wecom: &Simulator, app: usize, meeting: usize, version: usize) {
    let info = json!({
        "title": title(app, meeting, version),
        "status": 1 + version % 2,
        "meeting_type": 0,
        "meetingid": id(meeting),
        "meeting_code": code(meeting),
    });
    let meeting = Meeting::new(id(meeting), code(meeting), info);
    wecom.put_meeting(meeting.of_app(CORP_ID, secret(app)));
}
