//! What the system says of the process, as every exporter names it (`process_*`). Where the system
//! does not say (there is no `/proc`), nothing is told.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::param::clock_ticks_per_second;
use rustix::param::page_size;
use serde::Serialize;

/// Measures the process when it is asked.
#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self/stat` says (proc(5)), counted from the field after the name.
struct Stat {
    ticks: u64,
    threads: u64,
    started_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// What the process takes, for people.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    /// Memory in use.
    pub resident_bytes: u64,
    /// Descriptors open; `None` where the system does not say.
    pub open_descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// What it takes now; `None` where the system does not say.
    pub fn now() -> Option<Self> {
        let stat = Stat::read()?;
        Some(Self {
            resident_bytes: stat.resident_pages * page_size() as u64,
            open_descriptors: descriptors().map(|(open, _)| open),
            threads: stat.threads,
        })
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(stat) = Stat::read() {
            #[expect(clippy::cast_precision_loss, reason = "ticks of centuries are exact")]
            let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
            let encoder = &mut encoder;
            counter(
                encoder,
                "process_cpu",
                "Time the processor spent",
                seconds(stat.ticks),
            )?;
            if let Some(booted_s) = booted_s() {
                let started = ConstGauge::new(booted_s + seconds(stat.started_ticks));
                let help = "When the process began, since the Unix epoch";
                gauge(
                    encoder,
                    "process_start_time",
                    help,
                    Some(&Unit::Seconds),
                    &started,
                )?;
            }
            let bytes = Some(&Unit::Bytes);
            let resident = ConstGauge::new(stat.resident_pages * page_size() as u64);
            gauge(
                encoder,
                "process_resident_memory",
                "Memory in use",
                bytes,
                &resident,
            )?;
            let virtual_memory = ConstGauge::new(stat.virtual_bytes);
            gauge(
                encoder,
                "process_virtual_memory",
                "Memory promised",
                bytes,
                &virtual_memory,
            )?;
            let threads = ConstGauge::new(stat.threads);
            gauge(encoder, "process_threads", "Threads", None, &threads)?;
        }
        if let Some((open, max)) = descriptors() {
            let (open, max) = (ConstGauge::new(open), ConstGauge::new(max));
            gauge(
                &mut encoder,
                "process_open_fds",
                "Descriptors open",
                None,
                &open,
            )?;
            gauge(
                &mut encoder,
                "process_max_fds",
                "Descriptors at most",
                None,
                &max,
            )?;
        }
        Ok(())
    }
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    seconds: f64,
) -> Result<(), std::fmt::Error> {
    let counter = ConstCounter::new(seconds);
    let metric =
        encoder.encode_descriptor(name, help, Some(&Unit::Seconds), counter.metric_type())?;
    counter.encode(metric)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    gauge: &impl EncodeMetric,
) -> Result<(), std::fmt::Error> {
    let metric = encoder.encode_descriptor(name, help, unit, gauge.metric_type())?;
    gauge.encode(metric)
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name stands in brackets, and may hold anything.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<u64> = fields
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            ticks: field(14)? + field(15)?,
            threads: field(20)?,
            started_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was started, since the Unix epoch.
fn booted_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let booted = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    booted.trim().parse().ok()
}

/// Descriptors open, and open at most.
fn descriptors() -> Option<(u64, u64)> {
    // The folder that is being read is one of them.
    let open = fs::read_dir("/proc/self/fd")
        .ok()?
        .count()
        .saturating_sub(1);
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let max = line.split_whitespace().next()?.parse().unwrap_or(u64::MAX);
    Some((u64::try_from(open).ok()?, max))
}
