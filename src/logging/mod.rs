//! What is written to the log, and how: `[log]`.
//!
//! Lines go to standard error, by way of a thread of their own (`paper`): nobody waits for whoever
//! reads them. For machines they are written as `json`. What other people's crates say is capped,
//! whatever level is set: at `trace` some of them print what goes over the wire, and WeCom has us put
//! tokens into URLs. Their spans are left out altogether.

mod json;
mod paper;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use tracing::Event;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::DefaultFields;
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::Filter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt;

use self::json::Json;
use self::paper::Closing;
use self::paper::Paper;
use crate::clock::Clock;
use crate::setting::Flaw;

/// The only crate whose lines are taken at every level. All others: warnings and errors.
const OURS: &str = "wecom_meeting_proxy";

/// What is written to the log, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A level (`error` to `trace`), or a filter as [`EnvFilter`] reads it.
    pub level: String,
    /// How a line is written. Default: text on a terminal, JSON elsewhere.
    pub format: Option<Format>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: None,
        }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For machines.
    Json,
    /// For people.
    Text,
}

impl Settings {
    /// What is wrong with them.
    pub fn flaws(&self) -> Vec<Flaw> {
        let why = "not a level (error, warn, info, debug, trace) or a tracing filter";
        let good = EnvFilter::try_new(&self.level).is_ok() && !self.names_one_target();
        (!good)
            .then(|| Flaw::new("level", why))
            .into_iter()
            .collect()
    }

    /// Whether the level is one word, and that no level. As a filter it would be right and ask for
    /// the lines of a target of that name: a misspelt level would silence us.
    fn names_one_target(&self) -> bool {
        let filter = self.level.contains(['=', ',', '[', ':']);
        !filter && (self.level.is_empty() || self.level.parse::<LevelFilter>().is_err())
    }
}

/// A log that has begun. What waits to be written is written when it is dropped, within a second or
/// so.
pub struct Log {
    switch: Switch,
    /// Where no thread could be had for it, nothing is written.
    _closing: Option<Closing>,
}

impl Log {
    /// To turn what is logged, and how, and to know what it lost.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

/// Turns what is logged, and how, while lines are being written. Clones turn the same.
#[derive(Clone)]
pub struct Switch {
    level: Handle<EnvFilter, Registry>,
    is_text: Arc<AtomicBool>,
    paper: Paper,
}

impl Switch {
    /// Takes lines of that level from now on, and writes them so.
    pub fn turn_to(&self, settings: &Settings) {
        // Fails if nobody logs any more.
        let _ = self.level.reload(filter(settings));
        self.is_text.store(is_text(settings), Ordering::Relaxed);
    }

    /// Lines that were lost since the beginning, as they came faster than they were read.
    pub fn lines_lost(&self) -> u64 {
        self.paper.lost()
    }
}

fn filter(settings: &Settings) -> EnvFilter {
    EnvFilter::try_new(&settings.level).unwrap_or_default()
}

/// Whether lines are for people.
fn is_text(settings: &Settings) -> bool {
    settings.format.map_or_else(
        || std::io::stderr().is_terminal(),
        |format| format == Format::Text,
    )
}

/// What writes the lines, the one way or the other.
struct Lines {
    json: Json,
    text: fmt::Layer<Registry, DefaultFields, fmt::format::Format, Paper>,
    is_text: Arc<AtomicBool>,
}

impl Lines {
    fn new(paper: &Paper, clock: &Clock, is_text: &Arc<AtomicBool>) -> Self {
        let text = fmt::layer().with_writer(paper.clone());
        Self {
            json: Json::new(paper.clone(), clock.clone()),
            text: text.with_ansi(std::io::stderr().is_terminal()),
            is_text: Arc::clone(is_text),
        }
    }
}

impl Layer<Registry> for Lines {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, Registry>) {
        if self.is_text.load(Ordering::Relaxed) {
            self.text.on_event(event, context);
        } else {
            self.json.on_event(event, context);
        }
    }
}

/// Begins to log, for the whole process. A second call changes nothing.
pub fn begin(settings: &Settings, clock: &Clock) -> Log {
    let paper = Paper::default();
    let closing = paper.clone().begin(std::io::stderr()).ok();
    let is_text = Arc::new(AtomicBool::new(is_text(settings)));
    let lines = Lines::new(&paper, clock, &is_text);
    let (asked_for, level) = tracing_subscriber::reload::Layer::new(filter(settings));
    // Fails if somebody else logs already, as one test of many does.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(told(asked_for)))
        .try_init();
    std::panic::set_hook(Box::new(report_panic));
    Log {
        switch: Switch {
            level,
            is_text,
            paper,
        },
        _closing: closing,
    }
}

/// What lines are written of: what is asked for, and of other people's crates no more than warnings.
fn told(asked_for: impl Filter<Registry>) -> impl Filter<Registry> {
    let cap = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target(OURS, LevelFilter::TRACE);
    filter_fn(is_event).and(cap).and(asked_for)
}

/// Whether it is something that a line is written of. Spans are not.
fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Says where, not what: the message of a panic may hold anything.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(place, "a task panicked at {place}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written at that level of what `happens`.
    fn written_at(level: &str, happens: impl FnOnce()) -> String {
        let (paper, clock) = (Paper::default(), Clock::of_the_machine());
        let lines = Json::new(paper.clone(), clock);
        let filter = EnvFilter::new(level);
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(told(filter)));
        tracing::subscriber::with_default(subscriber, happens);
        paper.waiting()
    }

    #[test]
    fn of_other_peoples_crates_no_more_than_warnings_are_told_whatever_is_asked_for() {
        for level in ["trace", "trace,hyper=trace,reqwest=trace,rustls=trace"] {
            let written = written_at(level, || {
                for _ in 0..2 {
                    tracing::trace!(target: "hyper::proto", "canary");
                    tracing::debug!(target: "reqwest::connect", "canary");
                    tracing::info!(target: "rustls", "canary");
                    tracing::warn!(target: "hyper_util", "a warning of theirs");
                    tracing::trace!(target: "wecom_meeting_proxy::wecom", "of ours");
                }
            });

            assert!(!written.contains("canary"), "{written}");
            assert_eq!(written.matches("a warning of theirs").count(), 2);
            assert_eq!(written.matches("of ours").count(), 2);
        }
    }

    #[test]
    fn a_span_is_no_line_and_stands_in_none() {
        let written = written_at("trace", || {
            let span =
                tracing::info_span!(target: "wecom_meeting_proxy", "canary", field = "canary");
            let _inside = span.enter();
            tracing::info!(target: "wecom_meeting_proxy", "a line");
        });

        assert!(written.contains("a line"), "{written}");
        assert!(!written.contains("canary"), "{written}");
    }

    #[test]
    fn a_panic_is_told_by_its_place_and_not_by_its_message() {
        let before = std::panic::take_hook();
        let written = written_at("info", || {
            std::panic::set_hook(Box::new(report_panic));
            let caught = std::panic::catch_unwind(|| panic!("canary"));
            assert!(caught.is_err());
        });
        std::panic::set_hook(before);

        assert!(written.contains("a task panicked at"), "{written}");
        assert!(written.contains(file!()), "{written}");
        assert!(!written.contains("canary"), "{written}");
    }
}
