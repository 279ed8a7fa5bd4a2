//! A picture of it: what a hit costs, and how long it takes. It has a ground of its own, and can be read on
//! light and dark.

use std::fmt::Write;

use crate::figures::Hits;
use crate::figures::Latency;
use crate::figures::Results;

const WIDTH: f64 = 760.0;

/// Where bars begin: to the left of it are names.
const LEFT: f64 = 190.0;

/// The longest bar.
const LONGEST: f64 = 500.0;

/// From the shortest time to the longest, which is followed by what it says.
const SPREAD: f64 = 390.0;

/// From one row to the next.
const ROW: f64 = 22.0;

/// Cases that others are measured in too.
const SHOWN: [&str; 3] = ["hot key", "10,000 keys", "304"];

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .note { font-size: 11px; fill: #57606a }
  .ground { fill: #ffffff; stroke: #d0d7de } .axis { stroke: #d0d7de }
  .bar { fill: #8c959f } .ours { fill: #0969da } .limit { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 }
    .ground { fill: #0d1117; stroke: #3d444d } .axis { stroke: #3d444d }
    .bar { fill: #656c76 } .ours { fill: #4493f8 } .limit { fill: #3fb950 }
  }";

/// As SVG.
pub fn svg(results: &Results) -> String {
    let mut page = Page {
        y: 18.0,
        marks: String::new(),
    };
    let shown: Vec<_> = results
        .hits
        .iter()
        .filter(|hits| SHOWN.contains(&hits.case))
        .collect();
    let costs = shown.iter().flat_map(|hits| &hits.rows);
    let most = costs.map(|row| row.cpu_us).fold(0.0, f64::max);
    page.title(
        "What a request that is answered from memory takes of a processor, in µs (less is better)",
    );
    for hits in shown {
        page.costs(hits, most);
    }
    if let Some((rate, latencies)) = &results.latency {
        page.title(&format!(
            "How long it takes at {rate:.0} requests a second, in ms: half, 99 of 100, 999 of 1,000 (logarithmic)"
        ));
        page.latencies(latencies);
    }
    let versions = results.versions.join(" · ");
    page.note(&format!("{} · {}", results.date, results.machine));
    page.note(&versions);
    let height = page.y + 4.0;
    let marks = page.marks;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         <style>{STYLE}\n</style>\n\
         <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n{marks}</svg>\n",
        WIDTH - 1.0,
        height - 1.0
    )
}

struct Page {
    /// How far down it is.
    y: f64,
    marks: String,
}

impl Page {
    fn costs(&mut self, hits: &Hits, most: f64) {
        self.heading(hits.case);
        for row in &hits.rows {
            let width = row.cpu_us / most * LONGEST;
            let (y, class) = (self.y, class(row.server));
            self.name(row.server);
            self.mark(&format!(
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"14\" rx=\"2\"/>",
                y - 11.0
            ));
            self.text(LEFT + width + 6.0, "", &format!("{:.1}", row.cpu_us));
            self.y += ROW;
        }
        self.y += 4.0;
    }

    fn latencies(&mut self, latencies: &[Latency]) {
        let least = latencies
            .iter()
            .map(|of| of.p50_ms)
            .fold(f64::MAX, f64::min);
        let most = latencies.iter().map(|of| of.p999_ms).fold(0.0, f64::max);
        let place =
            |value: f64| LEFT + 8.0 + (value / least).ln() / (most / least).ln().max(1e-9) * SPREAD;
        for of in latencies {
            let (y, class) = (self.y - 4.0, class(of.server));
            self.name(of.server);
            let (from, to) = (place(of.p50_ms), place(of.p999_ms));
            self.mark(&format!(
                "<line class=\"axis\" stroke-width=\"2\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y}\" y2=\"{y}\"/>"
            ));
            for value in [of.p50_ms, of.p99_ms, of.p999_ms] {
                let x = place(value);
                self.mark(&format!(
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"5\"/>"
                ));
            }
            let values = format!("{:.2} · {:.2} · {:.2}", of.p50_ms, of.p99_ms, of.p999_ms);
            self.text(to + 9.0, "note", &values);
            self.y += ROW;
        }
        self.y += 4.0;
    }

    fn title(&mut self, text: &str) {
        self.y += 6.0;
        self.text(12.0, "title", text);
        self.y += 24.0;
    }

    fn heading(&mut self, text: &str) {
        self.text(12.0, "", text);
    }

    fn note(&mut self, text: &str) {
        self.text(12.0, "note", text);
        self.y += 16.0;
    }

    fn name(&mut self, server: &str) {
        let y = self.y;
        let server = match server {
            "ours" => "this service",
            "limit" => "bare hyper",
            other => other,
        };
        self.mark(&format!(
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{server}</text>",
            LEFT - 8.0
        ));
    }

    fn text(&mut self, x: f64, class: &str, text: &str) {
        let y = self.y;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.mark(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{text}</text>"
        ));
    }

    fn mark(&mut self, mark: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.marks, "{mark}");
    }
}

fn class(server: &str) -> &'static str {
    match server {
        "ours" => "ours",
        "limit" => "limit",
        _ => "bar",
    }
}
