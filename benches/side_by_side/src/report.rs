//! Tables for people, JSON for programs.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::figures::Figure;
use crate::figures::Results;
use crate::plot;

/// Prints the tables, in Markdown.
pub fn print(results: &Results) {
    println!("{}", tables(results));
}

/// Writes `side_by_side.json` and `side_by_side.svg` into that folder.
pub fn keep(results: &Results, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(results)?;
    fs::write(folder.join("side_by_side.json"), json + "\n")?;
    fs::write(folder.join("side_by_side.svg"), plot::svg(results))?;
    Ok(())
}

fn tables(results: &Results) -> String {
    let mut lines = vec![
        format!(
            "{} · {} · {}",
            results.date,
            results.machine,
            results.versions.join(" · ")
        ),
        format!(
            "{} rounds of {} s; an answer is {} bytes and {} header fields",
            results.rounds.0,
            results.rounds.1,
            results.answer.body_bytes,
            results.answer.fields.len()
        ),
        String::new(),
        "| case | server | CPU, µs a request | over the limit | requests a second | of its core |"
            .to_owned(),
        "|---|---|--:|--:|--:|--:|".to_owned(),
    ];
    for hits in &results.hits {
        for row in &hits.rows {
            let over = row
                .over_limit
                .map(|over| format!("{over:.2}"))
                .unwrap_or_default();
            lines.push(format!(
                "| {} | {} | {:.2} | {over} | {:.0} | {:.0} % |",
                hits.case,
                row.server,
                row.cpu_us,
                row.per_second,
                row.busy * 100.0
            ));
        }
    }
    if let Some((rate, latencies)) = &results.latency {
        lines.push(String::new());
        lines.push(format!(
            "| {rate:.0} a second, ms since due | p50 | p90 | p99 | p99.9 | slowest |"
        ));
        lines.push("|---|--:|--:|--:|--:|--:|".to_owned());
        for latency in latencies {
            lines.push(format!(
                "| {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
                latency.server,
                latency.p50_ms,
                latency.p90_ms,
                latency.p99_ms,
                latency.p999_ms,
                latency.max_ms
            ));
        }
    }
    lines.push(String::new());
    lines.push("| figure | measured | bound | |".to_owned());
    lines.push("|---|--:|--:|---|".to_owned());
    lines.extend(results.figures.iter().map(row));
    for (server, lines_per_request) in &results.lines_per_request {
        lines.push(format!(
            "| lines in the log for each request, {server} | {lines_per_request:.3} | | |"
        ));
    }
    lines.join("\n")
}

fn row(figure: &Figure) -> String {
    let Figure {
        name,
        value,
        unit,
        bound,
    } = figure;
    let bound_text = bound
        .map(|bound| format!("≤ {bound} {unit}"))
        .unwrap_or_default();
    let verdict = match (bound, figure.holds()) {
        (None, _) => "",
        (Some(_), true) => "holds",
        (Some(_), false) => "does not hold",
    };
    format!("| {name} | {value:.2} {unit} | {bound_text} | {verdict} |")
}
