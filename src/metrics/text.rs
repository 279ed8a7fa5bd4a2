//! Writes the numbers down for a scraper.
//!
//! The library writes OpenMetrics. The older text format of Prometheus is the same line by line, but
//! that it names a family as its samples are named, and knows neither units nor an end.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// How the numbers are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
}

impl Format {
    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

pub(super) fn written(registry: &Registry, format: Format) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = encode(&mut text, registry);
    match format {
        Format::OpenMetrics => text,
        Format::Prometheus => older(&text),
    }
}

/// The same in the older format.
fn older(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    // A family's HELP comes before its TYPE, which tells how both are to be named.
    let mut help: Option<&str> = None;
    for line in text.lines() {
        if line.starts_with("# EOF") || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = Some(described);
            continue;
        }
        let Some(typed) = line.strip_prefix("# TYPE ") else {
            older.push_str(line);
            older.push('\n');
            continue;
        };
        let (name, kind) = typed.rsplit_once(' ').unwrap_or((typed, "untyped"));
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            other => ("", other),
        };
        let words = help.take().and_then(|help| help.split_once(' '));
        if let Some((_, words)) = words {
            older.extend(["# HELP ", name, suffix, " ", words, "\n"]);
        }
        older.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
    }
    older
}
