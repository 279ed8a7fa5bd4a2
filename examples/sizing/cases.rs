//! The cases that are compared: each differs from the first in what its name says.

use std::ops::Range;

use serde_json::Value;
use serde_json::json;

use crate::day::HOUR_MS;
use crate::day::Model;
use crate::day::OPEN_MS;
use crate::replicas::Setup;

const SEED: u64 = 1;

/// Of the cases that do not compare sizes.
const EMPLOYEES: usize = 5_000;

/// A small day: some meetings, and the hour with the most of them.
const FEW_EMPLOYEES: usize = 300;
const ONE_HOUR_MS: Range<u64> = 10 * HOUR_MS..11 * HOUR_MS;

/// What one corp may ask by default, in a minute and in an hour.
const QUOTA: (u32, u32) = (8_000, 120_000);

/// One day, lived through once.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) group: &'static str,
    name: String,
    pub(crate) model: Model,
    pub(crate) setup: Setup,
}

impl Case {
    fn of(group: &'static str, name: impl Into<String>) -> Self {
        Self {
            group,
            name: name.into(),
            model: Model {
                employees: EMPLOYEES,
                callers: 1,
                asking_ms: OPEN_MS,
                seed: SEED,
            },
            setup: Setup {
                replicas: 1,
                by_path: false,
                cache: json!({}),
                quota: None,
                seed: SEED,
            },
        }
    }

    fn employing(mut self, employees: usize) -> Self {
        self.model.employees = employees;
        self
    }

    fn called_by(mut self, callers: usize) -> Self {
        self.model.callers = callers;
        self
    }

    fn with(mut self, cache: Value) -> Self {
        self.setup.cache = cache;
        self
    }

    fn times(mut self, replicas: usize, by_path: bool) -> Self {
        self.setup.replicas = replicas;
        self.setup.by_path = by_path;
        self
    }

    /// Each replica has its part of the quota.
    fn within_quota(mut self) -> Self {
        let replicas = u32::try_from(self.setup.replicas).unwrap_or(u32::MAX);
        let (per_minute, per_hour) = QUOTA;
        self.setup.quota = Some((per_minute / replicas, per_hour / replicas));
        self
    }

    pub(crate) fn described(&self) -> Value {
        json!({
            "group": self.group,
            "name": self.name,
            "employees": self.model.employees,
            "callers": self.model.callers,
            "replicas": self.setup.replicas,
            "by_path": self.setup.by_path,
            "within_quota": self.setup.quota.is_some(),
        })
    }
}

/// All of them, in the order of the page.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![Case::of("base", "as shipped")];
    cases.extend(lifetimes());
    cases.extend(windows());
    cases.extend(memory());
    cases.extend(replicas());
    cases.extend(callers());
    cases.extend(sizes());
    cases.extend(quotas());
    cases
}

/// One or two of each, on a small day.
pub(crate) fn small() -> Vec<Case> {
    let longer = json!({"fresh_for": {"in_progress": "30s"}});
    let waiting = json!({"stale_while_revalidate": "0s"});
    let mut within = Case::of("small", "a small quota").times(2, false);
    within.setup.quota = Some((15, 200));
    let cases = [
        Case::of("small", "as shipped"),
        Case::of("small", "fresh_for.in_progress = 30s").with(longer),
        Case::of("small", "stale_while_revalidate = 0s").with(waiting),
        Case::of("small", "4 replicas").times(4, false),
        Case::of("small", "4 replicas, by path").times(4, true),
        within,
    ];
    let shortened = |case: Case| {
        let mut case = case.employing(FEW_EMPLOYEES);
        case.model.asking_ms = ONE_HOUR_MS;
        case
    };
    cases.into_iter().map(shortened).collect()
}

fn lifetimes() -> Vec<Case> {
    let one = |key: &str, value: &str| {
        let cache = json!({"fresh_for": {key: value}});
        Case::of("lifetimes", format!("`{key}` {value}")).with(cache)
    };
    let all = |name: &str, times: [&str; 7]| {
        let [
            not_started,
            in_progress,
            ended,
            cancelled,
            expired,
            by_code_max,
            absent,
        ] = times;
        let fresh_for = json!({
            "not_started": not_started,
            "in_progress": in_progress,
            "ended": ended,
            "cancelled": cancelled,
            "expired": expired,
            "by_code_max": by_code_max,
            "absent": absent,
        });
        Case::of("lifetimes", name).with(json!({"fresh_for": fresh_for}))
    };
    vec![
        all("all halved", ["30s", "5s", "5m", "5m", "30s", "15s", "5s"]),
        all(
            "all doubled",
            ["2m", "20s", "20m", "20m", "2m", "60s", "20s"],
        ),
        one("in_progress", "5s"),
        one("in_progress", "20s"),
        one("in_progress", "30s"),
        one("in_progress", "60s"),
        one("not_started", "30s"),
        one("not_started", "2m"),
        one("not_started", "5m"),
        one("by_code_max", "10s"),
        one("by_code_max", "2m"),
        one("ended", "1m"),
    ]
}

fn windows() -> Vec<Case> {
    let spans = ["0s", "10s", "60s", "5m"];
    let case = |span| {
        let cache = json!({"stale_while_revalidate": span});
        Case::of("windows", format!("`stale_while_revalidate` {span}")).with(cache)
    };
    spans.map(case).into()
}

fn memory() -> Vec<Case> {
    let sizes = ["1MiB", "2MiB", "4MiB", "8MiB", "16MiB"];
    let case = |size| {
        let cache = json!({"max_bytes": size});
        Case::of("memory", format!("`max_bytes` {size}")).with(cache)
    };
    sizes.map(case).into()
}

fn replicas() -> Vec<Case> {
    let cases = [2, 4, 8].map(|replicas| {
        let case = |name, by_path| Case::of("replicas", name).times(replicas, by_path);
        [
            case(format!("{replicas} replicas"), false),
            case(format!("{replicas} replicas, by path"), true),
        ]
    });
    cases.into_iter().flatten().collect()
}

/// More callers of each kind, and the same meetings.
fn callers() -> Vec<Case> {
    let case = |(callers, replicas)| {
        let name = format!("{callers} times the callers");
        let case = Case::of("callers", name).called_by(callers);
        case.times(replicas, false)
    };
    [(4, 1), (4, 4), (8, 1)].map(case).into()
}

/// Other companies: the one in the middle is above, with as many replicas.
fn sizes() -> Vec<Case> {
    let cases = [2_500, 10_000, 20_000].map(|employees| {
        [1, 4].map(|replicas| {
            let name = format!("{employees} employees");
            let case = Case::of("sizes", name).employing(employees);
            case.times(replicas, false)
        })
    });
    cases.into_iter().flatten().collect()
}

/// More than may be asked, and less asked.
fn quotas() -> Vec<Case> {
    let case = |replicas| {
        let case = Case::of("quotas", "20,000 employees").employing(20_000);
        case.times(replicas, false).within_quota()
    };
    vec![case(1), case(4)]
}
