//! What was measured, and what is made of it.

use serde::Serialize;

/// One round of one server.
#[derive(Clone, Serialize)]
pub struct Round {
    /// Of a processor for each request, in microseconds.
    pub cpu_us: f64,
    /// Requests a second.
    pub per_second: f64,
    /// How much of its core the server had.
    pub busy: f64,
}

/// What one server did in all rounds of a case.
#[derive(Serialize)]
pub struct Row {
    /// The server.
    pub server: &'static str,
    /// Of a processor for each request, in microseconds.
    pub cpu_us: f64,
    /// Requests a second.
    pub per_second: f64,
    /// How much of its core it had.
    pub busy: f64,
    /// Of a processor for each request, over that of the bare server: the median of the rounds'.
    pub over_limit: Option<f64>,
    /// Each round.
    pub rounds: Vec<Round>,
}

/// A case of hits.
#[derive(Serialize)]
pub struct Hits {
    /// What was asked for.
    pub case: &'static str,
    /// Each server.
    pub rows: Vec<Row>,
}

impl Hits {
    /// Of these rounds of these servers.
    pub fn new(case: &'static str, rounds: Vec<(&'static str, Vec<Round>)>) -> Self {
        let limit = rounds.iter().find(|(server, _)| *server == "limit");
        let limit = limit.map(|(_, rounds)| rounds.clone());
        let rows = rounds.into_iter().map(|(server, rounds)| Row {
            server,
            cpu_us: median(rounds.iter().map(|round| round.cpu_us)),
            per_second: median(rounds.iter().map(|round| round.per_second)),
            busy: median(rounds.iter().map(|round| round.busy)),
            over_limit: limit.as_ref().map(|limit| ratio(&rounds, limit)),
            rounds,
        });
        Self {
            case,
            rows: rows.collect(),
        }
    }

    /// That server's.
    pub fn row(&self, server: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.server == server)
    }

    /// One server's cost over another's, round by round: what the machine did to one round, it did to
    /// both.
    pub fn ratio(&self, one: &str, other: &str) -> Option<f64> {
        Some(ratio(&self.row(one)?.rounds, &self.row(other)?.rounds))
    }
}

/// The median of the rounds' ratios of cost.
pub fn ratio(one: &[Round], other: &[Round]) -> f64 {
    let pairs = one.iter().zip(other);
    median(pairs.map(|(one, other)| one.cpu_us / other.cpu_us))
}

/// The one in the middle, or between the two there.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (_, None) => f64::NAN,
        (0, Some(upper)) => f64::midpoint(values[middle - 1], *upper),
        (_, Some(value)) => *value,
    }
}

/// The value that so many of a thousand are not above. They are sorted.
pub fn quantile(sorted: &[f64], per_mille: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

/// How long answers took at a rate, in milliseconds since they were due: the median of the rounds'.
#[derive(Serialize)]
pub struct Latency {
    /// The server.
    pub server: &'static str,
    /// Half were not above.
    pub p50_ms: f64,
    /// 90 of 100.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// A figure with a bound.
#[derive(Serialize)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// No more than this, if there is a bound.
    pub bound: Option<f64>,
}

impl Figure {
    /// Without a bound.
    pub fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            bound: None,
        }
    }

    /// With one.
    pub fn at_most(self, bound: f64) -> Self {
        Self {
            bound: Some(bound),
            ..self
        }
    }

    /// Whether it is within its bound.
    pub fn holds(&self) -> bool {
        self.bound.is_none_or(|bound| self.value <= bound)
    }
}

/// All of a run.
#[derive(Serialize)]
pub struct Results {
    /// The day.
    pub date: String,
    /// The machine's processor, its cores and its kernel.
    pub machine: String,
    /// Whose figures these are.
    pub versions: Vec<String>,
    /// Rounds of each case, and the seconds that one takes.
    pub rounds: (usize, f64),
    /// What one meeting is.
    pub answer: AnswerSize,
    /// What hits cost.
    pub hits: Vec<Hits>,
    /// Requests a second that were due, and how long their answers took.
    pub latency: Option<(f64, Vec<Latency>)>,
    /// Lines of the log for each request.
    pub lines_per_request: Vec<(&'static str, f64)>,
    /// Everything else, and what has a bound.
    pub figures: Vec<Figure>,
}

/// Bytes of an answer.
#[derive(Serialize)]
pub struct AnswerSize {
    /// WeCom's.
    pub wecom_bytes: usize,
    /// The service's, without its head.
    pub body_bytes: usize,
    /// Its head's fields.
    pub fields: Vec<String>,
}
