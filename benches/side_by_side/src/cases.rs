//! What is measured.

use std::collections::BTreeMap;
use std::iter::Cycle;
use std::path::Path;
use std::process::Command;
use std::slice;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use clap::ValueEnum;
use fastrand::Rng;

use crate::Arguments;
use crate::Failure;
use crate::figures::AnswerSize;
use crate::figures::Figure;
use crate::figures::Hits;
use crate::figures::Latency;
use crate::figures::Results;
use crate::figures::Round;
use crate::figures::median;
use crate::figures::quantile;
use crate::figures::ratio;
use crate::load;
use crate::load::Load;
use crate::load::Request;
use crate::process;
use crate::servers;
use crate::servers::Ground;
use crate::servers::Recorded;
use crate::servers::Server;
use crate::wecom::WeCom;

/// Connections of a load of hits.
const CONNECTIONS: usize = 64;

/// Connections of a load of misses.
const MISSING: usize = 16;

/// What WeCom takes for a miss.
const MISS: Duration = Duration::from_millis(20);

/// Callers of a stampede.
const STAMPEDE: usize = 1000;

/// What WeCom takes in one: so long that all of them are there when it answers.
const STAMPEDE_MISS: Duration = Duration::from_millis(100);

/// Meetings that are some.
const SOME: u32 = 10_000;

/// Meetings from here on were never asked for by the other cases.
const UNHEARD_OF: u32 = 50_000_000;

/// Fewer answers in a round tell nothing.
const ANSWERS_MIN: u64 = 100;

/// Turns that each has in a round.
const TURNS: u32 = 8;

/// Rounds that tell nothing, until there is no hope of another.
const TRIES: usize = 5;

/// What is logged is in the file after that long.
const LOG_LAG: Duration = Duration::from_millis(1500);

/// Draws of which meeting is asked for, before they come again.
const DRAWS: usize = 1 << 20;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Case {
    /// One meeting, again and again
    Hot,
    /// 10,000 meetings, one as likely as the other
    Keys,
    /// One meeting, which the caller has already
    NotModified,
    /// Hits at a fixed rate: how long they take
    Latency,
    /// 500,000 meetings by Zipf's law, against one
    Zipf,
    /// Meetings that WeCom has to be asked for
    Miss,
    /// 1,000 callers who want the same at once
    Stampede,
    /// Start, size, memory
    Start,
}

/// Measures what is asked for.
pub fn measure(arguments: &Arguments) -> Result<Results, Failure> {
    process::allow_descriptors()?;
    process::stay_on(arguments.load_core)?;
    let bench = Bench::new(arguments)?;
    let mut results = bench.begin()?;
    if bench.wants(&[Case::Hot, Case::Keys, Case::NotModified, Case::Latency]) {
        bench.beside_peers(&mut results)?;
    }
    if bench.wants(&[Case::Zipf]) {
        bench.many(&mut results)?;
    }
    if bench.wants(&[Case::Miss]) {
        bench.misses(&mut results)?;
    }
    if bench.wants(&[Case::Stampede]) {
        bench.stampede(&mut results)?;
    }
    if bench.wants(&[Case::Start]) {
        bench.start(&mut results)?;
    }
    if arguments.smoke {
        // What is built for tests, and measured for a moment, is not to be judged.
        for figure in &mut results.figures {
            figure.bound = None;
        }
    }
    Ok(results)
}

struct Bench<'a> {
    arguments: &'a Arguments,
    ground: Ground,
    rounds: usize,
    length: Duration,
    /// How many are many.
    meetings: u32,
    /// How many are some.
    some: u32,
    /// Requests a second.
    rate: f64,
}

/// A load of hits.
struct Wanted<'a> {
    case: &'static str,
    /// The meetings that are asked for, in this order, again and again.
    draws: &'a [u32],
    /// Whether the caller has it already.
    known: bool,
}

/// That load, at the server that stands at that place among those that are measured.
#[derive(Clone, Copy)]
struct Contest<'a> {
    wanted: &'a Wanted<'a>,
    server: usize,
}

/// A contest in a round, and what was seen of it.
struct Contestant<'a> {
    server: usize,
    load: Load,
    request: Request,
    draws: Cycle<slice::Iter<'a, u32>>,
    answers: u64,
    took: Duration,
    cpu: Duration,
}

impl Contestant<'_> {
    /// Sends its load for so long, and a little before, in which what its processor remembers comes back.
    fn turn(&mut self, server: &mut Server, length: Duration) -> Result<(), Failure> {
        let begin = Instant::now() + length / 5;
        let end = begin + length;
        let mut begun: Option<(Instant, Duration)> = None;
        let mut ended: Option<(Instant, Duration)> = None;
        let (mut answers, mut all) = (0_u64, 0_u64);
        self.load.closed(
            |into| {
                if Instant::now() >= end {
                    return false;
                }
                let number = self.draws.next().copied().unwrap_or_default();
                self.request.write(number, into);
                true
            },
            |now, _| {
                all += 1;
                if begun.is_some() && ended.is_none() {
                    answers += 1;
                }
                if begun.is_none() && now >= begin {
                    begun = Some((now, server.cpu()?));
                }
                if ended.is_none() && now >= end {
                    ended = Some((now, server.cpu()?));
                }
                Ok(())
            },
        )?;
        server.requests += all;
        let ((begin, cpu_before), (end, cpu_after)) = begun.zip(ended).ok_or("no answers")?;
        self.answers += answers;
        self.took += end - begin;
        self.cpu += cpu_after.saturating_sub(cpu_before);
        Ok(())
    }

    /// What was seen in turns that should have taken so long together, if that was much.
    fn seen(&self, length: Duration) -> Option<Round> {
        let Self {
            answers, took, cpu, ..
        } = *self;
        let is_much = answers >= ANSWERS_MIN && took >= length / 2;
        is_much.then(|| Round {
            cpu_us: cpu.as_secs_f64() * 1e6 / answers as f64,
            per_second: answers as f64 / took.as_secs_f64(),
            busy: cpu.as_secs_f64() / took.as_secs_f64(),
        })
    }
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("side-by-side-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let service = arguments.service.canonicalize()?;
        let Arguments {
            rounds,
            seconds,
            meetings,
            rate,
            ..
        } = *arguments;
        let (rounds, seconds, meetings, rate) = if arguments.smoke {
            (1, 0.5, 5_000, 500.0)
        } else {
            (rounds, seconds, meetings, rate)
        };
        Ok(Self {
            arguments,
            ground: Ground {
                key: servers::new_key(&service)?,
                service,
                folder,
                core: arguments.server_core,
                wecom: WeCom::open()?,
                layout: arguments.layout,
            },
            rounds,
            length: Duration::try_from_secs_f64(seconds)?,
            meetings,
            some: if arguments.smoke { 1_000 } else { SOME },
            rate,
        })
    }

    fn wants(&self, cases: &[Case]) -> bool {
        let only = &self.arguments.only;
        only.is_empty() || cases.iter().any(|case| only.contains(case))
    }

    fn begin(&self) -> Result<Results, Failure> {
        let ours = self.ground.ours("ours")?;
        let recorded = self.record(&ours)?;
        let service = self.ground.service.display().to_string();
        Ok(Results {
            date: said("date", &["-u", "+%F"]),
            machine: machine(),
            versions: vec![
                version("wecom-meeting-proxy", &service, "--version"),
                format!(
                    "commit {}",
                    said("git", &["describe", "--always", "--dirty"])
                ),
                version("nginx", "nginx", "-v"),
                version("Varnish", "varnishd", "-V"),
            ],
            rounds: (self.rounds, self.length.as_secs_f64()),
            answer: AnswerSize {
                wecom_bytes: self.ground.wecom.answer_bytes(),
                body_bytes: recorded.found.body.len(),
                fields: recorded
                    .found
                    .fields
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect(),
            },
            hits: Vec::new(),
            latency: None,
            lines_per_request: Vec::new(),
            figures: Vec::new(),
        })
    }

    fn request(&self, server: &Server, others: &[(&str, &str)]) -> Request {
        Request::new(server.address, &self.ground.key.0, others)
    }

    /// What that server says of meeting 0: the second time, as then it is a hit.
    fn ask(&self, server: &Server, others: &[(&str, &str)]) -> Result<load::Answer, Failure> {
        let mut request = Vec::new();
        self.request(server, others).write(0, &mut request);
        load::ask(server.address, &request)?;
        load::ask(server.address, &request)
    }

    fn record(&self, server: &Server) -> Result<Recorded, Failure> {
        let found = self.ask(server, &[])?;
        let etag = found.field("etag").ok_or("no ETag")?.to_owned();
        let unchanged = self.ask(server, &[("If-None-Match", &etag)])?;
        if (found.status, unchanged.status) != (200, 304) {
            let name = server.name;
            return Err(format!("{name}: {} {}", found.status, found.body).into());
        }
        Ok(Recorded { found, unchanged })
    }

    /// Has that server asked for the meetings below that number, each once.
    fn fill(&self, server: &mut Server, meetings: u32) -> Result<(), Failure> {
        let request = self.request(server, &[]);
        let mut numbers = 0..meetings;
        let next = |into: &mut Vec<u8>| match numbers.next() {
            Some(number) => {
                request.write(number, into);
                true
            }
            None => false,
        };
        Load::connect(server.address, CONNECTIONS, 200)?.closed(next, |_, _| Ok(()))?;
        server.requests += u64::from(meetings);
        server.turn_log()
    }

    /// Rounds of these contests. In a round each has many short turns, one after the other and over again,
    /// so that what the machine does besides is done to all of them.
    fn rounds(
        &self,
        contests: &[Contest<'_>],
        servers: &mut [&mut Server],
    ) -> Result<Vec<Vec<Round>>, Failure> {
        let mut rounds = vec![Vec::new(); contests.len()];
        for _ in 0..self.rounds {
            // Where the machine has no time for it, there is nothing to be seen.
            let tries = (0..TRIES).find_map(|_| self.round(contests, servers).transpose());
            let round = tries.ok_or("the machine has no time for this")??;
            for ((contest, rounds), round) in contests.iter().zip(&mut rounds).zip(round) {
                let (case, name) = (contest.wanted.case, servers[contest.server].name);
                let Round {
                    cpu_us,
                    per_second,
                    busy,
                } = round;
                let busy = busy * 100.0;
                progress(&format!(
                    "{case}: {name:<16} {cpu_us:6.2} us, {per_second:6.0}/s, {busy:3.0} % busy"
                ));
                rounds.push(round);
            }
        }
        Ok(rounds)
    }

    /// A round, if there was much to be seen in it.
    fn round(
        &self,
        contests: &[Contest<'_>],
        servers: &mut [&mut Server],
    ) -> Result<Option<Vec<Round>>, Failure> {
        let mut contestants = Vec::new();
        for contest in contests {
            contestants.push(self.contestant(contest, servers[contest.server])?);
        }
        for _ in 0..TURNS {
            for contestant in &mut contestants {
                let server = &mut *servers[contestant.server];
                contestant.turn(server, self.length / TURNS)?;
            }
        }
        for server in servers {
            server.turn_log()?;
        }
        let rounds = contestants.iter().map(|one| one.seen(self.length));
        Ok(rounds.collect())
    }

    fn contestant<'b>(
        &self,
        contest: &Contest<'b>,
        server: &Server,
    ) -> Result<Contestant<'b>, Failure> {
        let Contest { wanted, server: at } = *contest;
        let (request, status) = if wanted.known {
            let etag = self.record(server)?.found;
            let etag = etag.field("etag").ok_or("no ETag")?;
            (self.request(server, &[("If-None-Match", etag)]), 304)
        } else {
            (self.request(server, &[]), 200)
        };
        Ok(Contestant {
            server: at,
            load: Load::connect(server.address, CONNECTIONS, status)?.awake(),
            request,
            draws: wanted.draws.iter().cycle(),
            answers: 0,
            took: Duration::ZERO,
            cpu: Duration::ZERO,
        })
    }

    fn hits(&self, wanted: &Wanted<'_>, servers: &mut [&mut Server]) -> Result<Hits, Failure> {
        let names: Vec<_> = servers.iter().map(|server| server.name).collect();
        let contests: Vec<_> = (0..servers.len())
            .map(|server| Contest { wanted, server })
            .collect();
        let rounds = self.rounds(&contests, servers)?;
        Ok(Hits::new(
            wanted.case,
            names.into_iter().zip(rounds).collect(),
        ))
    }

    fn beside_peers(&self, results: &mut Results) -> Result<(), Failure> {
        let ground = &self.ground;
        let mut ours = ground.ours("ours")?;
        self.fill(&mut ours, self.some)?;
        let recorded = self.record(&ours)?;
        let origin = ours.address;
        let mut limit = ground.limit("limit", self.some, &recorded)?;
        let mut nginx = ground.nginx("nginx", origin, true)?;
        let mut varnish = ground.varnish("varnish", origin, true)?;
        let mut quiet_nginx = ground.nginx("nginx, no log", origin, false)?;
        let mut quiet_varnish = ground.varnish("varnish, no log", origin, false)?;
        for server in [&mut nginx, &mut varnish] {
            self.fill(server, self.some)?;
        }
        // What filled them was asked of us; and what one writes of it may take a second.
        thread::sleep(LOG_LAG);
        for server in [&mut ours, &mut nginx, &mut varnish] {
            server.count_anew()?;
        }
        let some = some(self.some);
        let keys = Wanted {
            case: if self.arguments.smoke {
                "some keys"
            } else {
                "10,000 keys"
            },
            draws: &some,
            known: false,
        };
        let hot = Wanted {
            case: "hot key",
            draws: &[0],
            known: false,
        };
        let not_modified = Wanted {
            case: "304",
            draws: &[0],
            known: true,
        };
        let questions = ground.wecom.questions();
        if self.wants(&[Case::Hot]) {
            let servers = &mut [
                &mut ours,
                &mut limit,
                &mut nginx,
                &mut varnish,
                &mut quiet_nginx,
                &mut quiet_varnish,
            ];
            results.hits.push(self.hits(&hot, servers)?);
        }
        for (case, wanted) in [(Case::Keys, keys), (Case::NotModified, not_modified)] {
            if self.wants(&[case]) {
                let servers = &mut [&mut ours, &mut limit, &mut nginx, &mut varnish];
                results.hits.push(self.hits(&wanted, servers)?);
            }
        }
        let mut servers = [ours, limit, nginx, varnish];
        if self.wants(&[Case::Latency]) {
            results.latency = Some((self.rate, self.latency(&mut servers)?));
        }
        if ground.wecom.questions() != questions {
            return Err("not all of that were hits".into());
        }
        thread::sleep(LOG_LAG);
        for server in &mut servers {
            server.turn_log()?;
        }
        let lines = servers
            .iter()
            .filter_map(|server| Some((server.name, server.lines_per_request()?)));
        results.lines_per_request.extend(lines);
        results.figures.extend(judge(&results.hits));
        Ok(())
    }

    fn latency(&self, servers: &mut [Server]) -> Result<Vec<Latency>, Failure> {
        let rate = self.rate;
        let mut rounds: BTreeMap<usize, Vec<[f64; 5]>> = BTreeMap::new();
        for _ in 0..self.rounds {
            for (place, server) in servers.iter_mut().enumerate() {
                let request = self.request(server, &[]);
                let mut load = Load::connect(server.address, CONNECTIONS, 200)?;
                let mut draws = Rng::with_seed(2);
                let mut next = |into: &mut Vec<u8>| {
                    request.write(draws.u32(0..self.some), into);
                    true
                };
                let mut asked = 0;
                load.open(rate, self.length / 5, &mut next, |_| asked += 1)?;
                let mut took = Vec::new();
                load.open(rate, self.length, &mut next, |latency| {
                    took.push(latency.as_secs_f64() * 1e3);
                })?;
                server.requests += asked + took.len() as u64;
                server.turn_log()?;
                took.sort_by(f64::total_cmp);
                let quantiles = [500, 900, 990, 999, 1000].map(|rank| quantile(&took, rank));
                rounds.entry(place).or_default().push(quantiles);
            }
        }
        let latencies = servers.iter().enumerate().map(|(place, server)| {
            let of = |rank: usize| median(rounds[&place].iter().map(|round| round[rank]));
            Latency {
                server: server.name,
                p50_ms: of(0),
                p90_ms: of(1),
                p99_ms: of(2),
                p999_ms: of(3),
                max_ms: of(4),
            }
        });
        Ok(latencies.collect())
    }

    fn many(&self, results: &mut Results) -> Result<(), Failure> {
        let meetings = self.meetings;
        let mut ours = self.ground.ours("ours")?;
        let recorded = self.record(&ours)?;
        let before = ours.resident()?;
        progress(&format!("asking for {meetings} meetings"));
        let begin = Instant::now();
        self.fill(&mut ours, meetings)?;
        progress(&format!("done, in {:?}", begin.elapsed()));
        let grown = ours.resident()?.saturating_sub(before) as f64 / f64::from(meetings);
        let kept = ours.metric_from("wecom_proxy_cache_entries", f64::from(meetings))?;
        if kept < f64::from(meetings) {
            return Err(format!("of {meetings} meetings, {kept} were kept").into());
        }
        let said = ours.metric("wecom_proxy_cache_bytes")? / kept;
        let bytes = recorded.found.body.len() as f64;
        let mut limit = self.ground.limit("limit", meetings, &recorded)?;
        let zipf = zipf(meetings);
        let many = Wanted {
            case: "many, by Zipf's law",
            draws: &zipf,
            known: false,
        };
        let one = Wanted {
            case: "one of many",
            draws: &[0],
            known: false,
        };
        let questions = self.ground.wecom.questions();
        let contests = [(&many, 0), (&many, 1), (&one, 0), (&one, 1)];
        let contests = contests.map(|(wanted, server)| Contest { wanted, server });
        let rounds = self.rounds(&contests, &mut [&mut ours, &mut limit])?;
        if self.ground.wecom.questions() != questions {
            return Err("not all of that were hits".into());
        }
        let [many_ours, many_limit, one_ours, one_limit] =
            <[_; 4]>::try_from(rounds).map_err(|_| "as many rounds as contests")?;
        let ours_over_one = ratio(&many_ours, &one_ours);
        let limit_over_one = ratio(&many_limit, &one_limit);
        results.figures.extend([
            Figure::new("many meetings over one, ours", ours_over_one, "").at_most(1.25),
            Figure::new("many meetings over one, the limit", limit_over_one, ""),
            Figure::new(
                "resident growth for each meeting, over its bytes",
                grown / bytes,
                "",
            )
            .at_most(1.5),
            Figure::new("resident growth for each meeting", grown, "bytes"),
            Figure::new("what the service itself reckons for each", said, "bytes"),
        ]);
        for (wanted, ours, limit) in [(many, many_ours, many_limit), (one, one_ours, one_limit)] {
            let rounds = vec![("ours", ours), ("limit", limit)];
            results.hits.push(Hits::new(wanted.case, rounds));
        }
        Ok(())
    }

    fn misses(&self, results: &mut Results) -> Result<(), Failure> {
        let ours = self.ground.ours("ours")?;
        let wecom = &self.ground.wecom;
        wecom.take(MISS);
        let request = self.request(&ours, &[]);
        let resident = ours.resident()?;
        let mut number = UNHEARD_OF;
        let (mut added, mut direct, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let alone = self.waits(wecom.address, |into| WeCom::question(0, into))?;
            let spent = ours.cpu()?;
            let through = self.waits(ours.address, |into| {
                request.write(number, into);
                number += 1;
            })?;
            let spent = ours.cpu()?.saturating_sub(spent);
            cpu.push(spent.as_secs_f64() * 1e6 / through.len() as f64);
            let (through, alone) = (quantile(&through, 500), quantile(&alone, 500));
            progress(&format!(
                "miss: {alone:.3} ms by WeCom alone, {through:.3} ms through us"
            ));
            added.push(through - alone);
            direct.push(alone);
        }
        wecom.take(Duration::ZERO);
        let missed = f64::from(number - UNHEARD_OF);
        let grown = ours.resident()?.saturating_sub(resident) as f64;
        results.figures.extend([
            Figure::new("added to a miss, median", median(added), "ms").at_most(1.0),
            Figure::new("WeCom asked without us, median", median(direct), "ms"),
            Figure::new("a miss, of a processor", median(cpu), "µs"),
            Figure::new("resident growth for each miss", grown / missed, "bytes"),
        ]);
        Ok(())
    }

    fn stampede(&self, results: &mut Results) -> Result<(), Failure> {
        let ours = self.ground.ours("ours")?;
        let wecom = &self.ground.wecom;
        wecom.take(STAMPEDE_MISS);
        let request = self.request(&ours, &[]);
        let (mut questions, mut slowest) = (0, Vec::new());
        for number in (UNHEARD_OF..).take(self.rounds) {
            let before = wecom.questions();
            let mut load = Load::connect(ours.address, STAMPEDE, 200)?;
            let mut left = STAMPEDE;
            let mut took = Duration::ZERO;
            load.closed(
                |into| {
                    let asks = left > 0;
                    if asks {
                        left -= 1;
                        request.write(number, into);
                    }
                    asks
                },
                |_, latency| {
                    took = took.max(latency);
                    Ok(())
                },
            )?;
            questions = questions.max(wecom.questions() - before);
            let beyond = took.saturating_sub(wecom.last_took());
            progress(&format!(
                "stampede: {took:?}, {beyond:?} beyond WeCom's own time"
            ));
            slowest.push(beyond.as_secs_f64() * 1e3);
        }
        wecom.take(Duration::ZERO);
        let (asked, slowest) = (questions as f64, median(slowest));
        results.figures.extend([
            Figure::new("stampede: questions at WeCom, at most", asked, "").at_most(1.0),
            Figure::new(
                "stampede: the slowest, beyond WeCom's own time",
                slowest,
                "ms",
            )
            .at_most(60.0),
        ]);
        Ok(())
    }

    /// How long answers take to come, in milliseconds, sorted.
    fn waits(
        &self,
        address: std::net::SocketAddr,
        mut ask: impl FnMut(&mut Vec<u8>),
    ) -> Result<Vec<f64>, Failure> {
        let mut load = Load::connect(address, MISSING, 200)?;
        let end = Instant::now() + self.length;
        let mut waits = Vec::new();
        load.closed(
            |into| {
                let asks = Instant::now() < end;
                if asks {
                    ask(into);
                }
                asks
            },
            |_, latency| {
                waits.push(latency.as_secs_f64() * 1e3);
                Ok(())
            },
        )?;
        waits.sort_by(f64::total_cmp);
        Ok(waits)
    }

    fn start(&self, results: &mut Results) -> Result<(), Failure> {
        let (mut started, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let ours = self.ground.ours("ours")?;
            started.push(ours.started_in.as_secs_f64() * 1e3);
            thread::sleep(self.length / 4);
            resident.push(ours.resident()? as f64 / f64::from(1 << 20));
        }
        let stripped = self.ground.folder.join("stripped");
        let status = Command::new("strip")
            .arg("-o")
            .args([&stripped, &self.ground.service])
            .status()?;
        if !status.success() {
            return Err("strip failed".into());
        }
        let size = std::fs::metadata(&stripped)?.len() as f64 / 1e6;
        results.figures.extend([
            Figure::new("start to ready", median(started), "ms").at_most(150.0),
            Figure::new("stripped binary", size, "MB").at_most(15.0),
            Figure::new("idle, resident", median(resident), "MiB").at_most(20.0),
        ]);
        Ok(())
    }
}

/// What the hits must be.
fn judge(hits: &[Hits]) -> Vec<Figure> {
    let of = |case: &str, other: &str| {
        let hits = hits.iter().find(|hits| hits.case == case)?;
        hits.ratio("ours", other)
    };
    let figures = [
        ("a hit, ours over the limit", of("hot key", "limit"), 1.25),
        (
            "a hit among 10,000, ours over the limit",
            of("10,000 keys", "limit"),
            1.35,
        ),
        ("a 304, ours over the limit", of("304", "limit"), 1.25),
        ("a hit, ours over nginx", of("hot key", "nginx"), 0.75),
        ("a hit, ours over Varnish", of("hot key", "varnish"), 0.60),
    ];
    let figures = figures
        .into_iter()
        .filter_map(|(name, value, bound)| Some(Figure::new(name, value?, "").at_most(bound)));
    figures.collect()
}

/// Meetings below that number, one as likely as the other.
fn some(meetings: u32) -> Vec<u32> {
    let mut dice = Rng::with_seed(1);
    (0..DRAWS).map(|_| dice.u32(0..meetings)).collect()
}

/// Meetings below that number, the second asked for half as often as the first, the third a third: by
/// Zipf's law. Which is which is drawn too, as those that are asked for most did not come first.
fn zipf(meetings: u32) -> Vec<u32> {
    let mut dice = Rng::with_seed(1);
    let mut numbers: Vec<u32> = (0..meetings).collect();
    dice.shuffle(&mut numbers);
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=meetings)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    let draw = |_| {
        let at = dice.f64() * sum;
        let rank = sums.partition_point(|sum| *sum <= at);
        numbers[rank.min(numbers.len() - 1)]
    };
    (0..DRAWS).map(draw).collect()
}

/// Says how far it is, to who waits.
fn progress(what: &str) {
    eprintln!("{what}");
}

/// What a program says, on one line.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat());
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Its name, and the number among what it says of its version.
fn version(name: &str, program: &str, flag: &str) -> String {
    let text = said(program, &[flag]);
    let mut words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let number = words.find(|word| word.contains('.')).unwrap_or_default();
    format!("{name} {number}")
}

/// Its processor, cores and kernel.
fn machine() -> String {
    let cpu = std::fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("a processor");
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!("{model}, {cores} cores, Linux {}", said("uname", &["-r"]))
}
