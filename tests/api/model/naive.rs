//! The naive cache: what a caller must be told, and how often WeCom must have been asked.

use super::*;

/// What a caller is told.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// The status, and the code of the problem if it is one.
    pub(super) outcome: (u16, String),
    pub(super) title: Option<String>,
    pub(super) cache_status: Option<String>,
    pub(super) cache_control: String,
    pub(super) age: Option<String>,
}

impl Told {
    pub(super) fn by(reply: &Reply) -> Self {
        let header = |name| reply.header(name).map(str::to_owned);
        let title = |reply: &Reply| reply.json()["title"].as_str().map(str::to_owned);
        Self {
            outcome: reply.outcome(),
            title: (reply.status == 200).then(|| title(reply)).flatten(),
            cache_status: header("cache-status"),
            cache_control: header("cache-control").expect("every answer has one"),
            age: header("age"),
        }
    }

    pub(super) fn fault(failure: Failure, why: &str) -> Self {
        Self {
            outcome: (failure.status, failure.code.to_owned()),
            cache_status: Some(format!("wecom-meeting-proxy; {why}")),
            cache_control: "no-store".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn not_cached() -> Self {
        Self {
            outcome: (504, "not_cached".to_owned()),
            cache_control: "no-store".to_owned(),
            ..Self::default()
        }
    }
}

/// What WeCom tells of a meeting that was not deleted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    pub(super) change: Change,
    pub(super) version: u64,
    pub(super) begins_ms: Option<u64>,
}

/// What WeCom says about a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finding {
    Gone,
    Meeting {
        sheet: Sheet,
        /// The id that it is known to have.
        known_id: Option<&'static str>,
    },
    NotFound,
}

/// An answer that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) finding: Finding,
    /// The other name under which it was kept as well.
    pub(super) other_name: Option<Name>,
    pub(super) asked_ms: u64,
    /// When it ceases to be fresh.
    pub(super) ends_ms: u64,
}

/// What is kept under one name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) kept: Option<Kept>,
    pub(super) fault: Option<(Failure, u64)>,
}

/// The naive cache, and the WeCom behind it.
pub(super) struct Model {
    pub(super) terms: Terms,
    pub(super) now_ms: u64,
    pub(super) sheets: HashMap<&'static str, Option<Sheet>>,
    pub(super) ids_by_code: HashMap<&'static str, &'static str>,
    pub(super) failure: Option<Failure>,
    pub(super) versions: u64,
    pub(super) entries: HashMap<Name, Entry>,
    pub(super) questions: u64,
    pub(super) last: Name,
}

/// What follows from a lookup.
pub(super) struct Expected {
    pub(super) told: Told,
    /// Whether WeCom is asked behind the caller's back.
    pub(super) renews: bool,
}

impl From<Told> for Expected {
    fn from(told: Told) -> Self {
        Self {
            told,
            renews: false,
        }
    }
}

impl Model {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            now_ms: 0,
            sheets: HashMap::new(),
            ids_by_code: HashMap::new(),
            failure: None,
            versions: 0,
            entries: HashMap::new(),
            questions: 0,
            last: NAMES[0],
        }
    }

    /// Sections 2.3, 2.4 and 4 of the contract, for a caller who comes alone.
    pub(super) fn lookup(&mut self, name: Name, wish: Directives) -> Expected {
        self.last = name;
        let Entry { kept, fault } = self.recall(name);
        let Some(kept) = kept else {
            return match fault {
                _ if wish.only_if_cached => Told::not_cached().into(),
                Some((failure, _)) => Told::fault(failure, "fwd=uri-miss").into(),
                None => self.ask_and_wait(name, "uri-miss").into(),
            };
        };
        let age_ms = self.now_ms - kept.asked_ms;
        let fresh_for_ms = kept.ends_ms.saturating_sub(self.now_ms);
        let stale_for_ms = self.now_ms.saturating_sub(kept.ends_ms);
        let younger_than_s = if wish.no_cache {
            Some(0)
        } else {
            wish.max_age_s
        };
        let will_do = younger_than_s.is_none_or(|s| age_ms < s * 1_000)
            && wish.min_fresh_s.is_none_or(|s| s * 1_000 <= fresh_for_ms);
        if self.now_ms < kept.ends_ms {
            // Asked in vain, it was asked.
            let tried_ms = self.tried_ms(name).max(kept.asked_ms);
            let held_back = fault.is_some() || self.now_ms - tried_ms < self.terms.min_refresh_ms;
            return if will_do || held_back {
                self.hit(kept, None).into()
            } else if wish.only_if_cached {
                Told::not_cached().into()
            } else {
                self.ask_and_wait(name, "request").into()
            };
        }
        let takes_it_stale = will_do
            && match wish.max_stale {
                MaxStale::However => true,
                MaxStale::Seconds(s) => stale_for_ms <= s * 1_000,
                MaxStale::Unsaid => false,
            };
        let in_window = will_do && stale_for_ms < self.terms.while_revalidate_ms;
        if wish.only_if_cached && !in_window && !takes_it_stale {
            return Told::not_cached().into();
        }
        if let Some((failure, _)) = fault {
            // The contract does not say whether a caller who wants a newer answer takes this one:
            // there is no better to be had at present.
            let is_usable = stale_for_ms <= self.terms.if_error_ms;
            return if is_usable || (wish.only_if_cached && in_window) {
                self.hit(kept, Some("stale-if-error")).into()
            } else if takes_it_stale {
                self.hit(kept, Some("max-stale")).into()
            } else {
                // WeCom was asked for the one who came first; this one is told the same.
                Told::fault(failure, "fwd=stale").into()
            };
        }
        let held_back = age_ms < self.terms.min_refresh_ms;
        let stale_while_revalidate = self.hit(kept, Some("stale-while-revalidate"));
        if in_window && !held_back {
            // `only-if-cached` keeps a caller from waiting for a question; it does not forbid that
            // one is asked behind. What becomes of it is seen by whoever comes next.
            let _ = self.ask(name);
            Expected {
                told: stale_while_revalidate,
                renews: true,
            }
        } else if in_window {
            stale_while_revalidate.into()
        } else if takes_it_stale {
            self.hit(kept, Some("max-stale")).into()
        } else if held_back {
            stale_while_revalidate.into()
        } else {
            self.ask_and_wait(name, "stale").into()
        }
    }

    /// When WeCom was last asked in vain for what is kept.
    fn tried_ms(&self, name: Name) -> u64 {
        let fault = self.entries.get(&name).and_then(|entry| entry.fault);
        fault.map_or(0, |(_, until_ms)| until_ms - FAULT_MS)
    }

    /// What is kept and may be of use to anybody: until the later of the two stale windows has
    /// passed, both with their last millisecond, and for a minute at least. What is older is as if it
    /// were not there, for `max-stale` too.
    pub(super) fn recall(&self, name: Name) -> Entry {
        let Entry { kept, fault } = self.entries.get(&name).copied().unwrap_or_default();
        let stale_max_ms = self.terms.stale_max_ms();
        Entry {
            kept: kept.filter(|kept| self.now_ms <= kept.ends_ms + stale_max_ms),
            fault: fault.filter(|(_, until_ms)| self.now_ms < *until_ms),
        }
    }

    pub(super) fn hit(&self, kept: Kept, detail: Option<&str>) -> Told {
        let ttl = if self.now_ms < kept.ends_ms {
            format!("ttl={}", (kept.ends_ms - self.now_ms) / 1_000)
        } else {
            // What is stale says so, from its first moment on.
            format!("ttl=-{}", ((self.now_ms - kept.ends_ms) / 1_000).max(1))
        };
        let is_negative = !matches!(kept.finding, Finding::Meeting { .. });
        match detail.or(is_negative.then_some("negative")) {
            Some(detail) => self.tell(kept, &format!("hit; {ttl}; detail={detail}")),
            None => self.tell(kept, &format!("hit; {ttl}")),
        }
    }

    pub(super) fn tell(&self, kept: Kept, how: &str) -> Told {
        let (outcome, title) = match kept.finding {
            Finding::Gone => ((410, "meeting_gone"), None),
            Finding::Meeting { sheet, .. } => ((200, ""), Some(format!("v{}", sheet.version))),
            Finding::NotFound => ((404, "meeting_not_found"), None),
        };
        let (status, code) = outcome;
        let lifetime_s = (kept.ends_ms - kept.asked_ms) / 1_000;
        let age_s = (self.now_ms - kept.asked_ms) / 1_000;
        Told {
            outcome: (status, code.to_owned()),
            title,
            cache_status: Some(format!("wecom-meeting-proxy; {how}")),
            cache_control: format!("private, max-age={lifetime_s}"),
            age: Some(age_s.to_string()),
        }
    }

    pub(super) fn ask_and_wait(&mut self, name: Name, why: &str) -> Told {
        let before = self.recall(name).kept;
        let Err(failure) = self.ask(name) else {
            let kept = self.recall(name).kept.expect("it was just kept");
            let ttl = (kept.ends_ms - self.now_ms) / 1_000;
            return self.tell(kept, &format!("fwd={why}; stored; ttl={ttl}"));
        };
        // The contract has no row for a caller who wanted a newer answer than a fresh one, in
        // vain: it is told as one that is stale.
        let usable = before.filter(|kept| self.now_ms <= kept.ends_ms + self.terms.if_error_ms);
        match usable {
            Some(kept) => self.tell(kept, "fwd=stale; detail=stale-if-error"),
            None => Told::fault(failure, &format!("fwd={why}")),
        }
    }

    /// Asks WeCom, and keeps what it says.
    pub(super) fn ask(&mut self, name: Name) -> Result<(), Failure> {
        self.questions += 1;
        if let Some(failure) = self.failure {
            let entry = Entry {
                fault: Some((failure, self.now_ms + FAULT_MS)),
                ..self.recall(name)
            };
            self.entries.insert(name, entry);
            return Err(failure);
        }
        let finding = self.wecom_says(name);
        let other = other_name(name, finding);
        self.keep(name, finding, self.lifetime_ms(name, finding), other);
        if let Some(other) = other {
            let newest = self.recall(other).kept;
            if newest.is_none_or(|newest| newest.asked_ms < self.now_ms) {
                // One of the two is a number.
                let lifetime_ms = self.lifetime_ms(other, finding);
                let lifetime_ms = lifetime_ms.min(self.lifetime_ms(name, finding));
                self.keep(other, finding, lifetime_ms, Some(name));
            }
        }
        Ok(())
    }

    fn keep(&mut self, name: Name, finding: Finding, lifetime_ms: u64, other_name: Option<Name>) {
        let kept = Kept {
            finding,
            other_name,
            asked_ms: self.now_ms,
            ends_ms: self.now_ms + lifetime_ms,
        };
        let entry = Entry {
            kept: Some(kept),
            fault: None,
        };
        self.entries.insert(name, entry);
    }

    pub(super) fn wecom_says(&self, name: Name) -> Finding {
        let (id, asked_id) = match name {
            Name::Code(code) => (self.ids_by_code.get(code).copied(), None),
            Name::Id(id) => (Some(id), Some(id)),
        };
        match id.and_then(|id| self.sheets.get(id)) {
            Some(Some(sheet)) => {
                let told_id = sheet.change.tells_names.then_some(sheet.change.who.id);
                Finding::Meeting {
                    sheet: *sheet,
                    known_id: told_id.or(asked_id),
                }
            }
            Some(None) => Finding::Gone,
            None => Finding::NotFound,
        }
    }

    pub(super) fn lifetime_ms(&self, name: Name, finding: Finding) -> u64 {
        let lifetime_ms = match finding {
            Finding::Gone | Finding::NotFound => ABSENT_MS,
            Finding::Meeting { sheet, .. } => {
                let by_name_ms = match name {
                    Name::Code(_) => BY_CODE_MAX_MS,
                    Name::Id(_) => u64::MAX,
                };
                let begins_ms = sheet.begins_ms.into_iter();
                let boundaries = begins_ms.flat_map(|ms| [ms, ms + MEETING_S * 1_000]);
                let to_boundary = boundaries.filter_map(|ms| ms.checked_sub(self.now_ms));
                let to_boundary_ms = to_boundary.filter(|ms| *ms > 0).min();
                by_status_ms(sheet.change)
                    .min(by_name_ms)
                    .min(to_boundary_ms.unwrap_or(u64::MAX))
            }
        };
        lifetime_ms.max(LIFETIME_MIN_MS)
    }

    /// A fault is forgotten together with the answer it stands beside, softly too: who purges wants
    /// WeCom asked.
    pub(super) fn purge(&mut self, what: Option<Name>, softly: bool) {
        let now_ms = self.now_ms;
        let is_meant = |name: &Name, entry: &Entry| {
            let known_as = |what: Name| {
                let known_id = entry.kept.and_then(|kept| match kept.finding {
                    Finding::Meeting { known_id, .. } => known_id,
                    Finding::Gone | Finding::NotFound => None,
                });
                let other_name = entry.kept.and_then(|kept| kept.other_name);
                [Some(*name), known_id.map(Name::Id), other_name].contains(&Some(what))
            };
            what.is_none_or(known_as)
        };
        for (name, entry) in &mut self.entries {
            if is_meant(name, entry) {
                let kept = entry.kept.filter(|_| softly);
                let kept = kept.map(|kept| Kept {
                    ends_ms: kept.ends_ms.min(now_ms),
                    ..kept
                });
                *entry = Entry { kept, fault: None };
            }
        }
    }

    /// How far it is to that edge of what was looked up last.
    pub(super) fn distance_ms(&self, edge: Edge, off_ms: i64) -> u64 {
        let entry = self.entries.get(&self.last).copied().unwrap_or_default();
        let of_kept = |when: fn(Kept, Terms) -> u64| entry.kept.map(|kept| when(kept, self.terms));
        let at_ms = match edge {
            Edge::Aged { seconds } => entry.kept.map(|kept| kept.asked_ms + seconds * 1_000),
            Edge::FaultForgotten => entry.fault.map(|(_, until_ms)| until_ms),
            Edge::Forgotten => of_kept(|kept, terms| kept.ends_ms + terms.stale_max_ms()),
            Edge::Refreshable => {
                let tried_ms = self.tried_ms(self.last);
                let tried_ms = entry.kept.map(|kept| kept.asked_ms.max(tried_ms));
                tried_ms.map(|tried_ms| tried_ms + self.terms.min_refresh_ms)
            }
            Edge::Stale => of_kept(|kept, _| kept.ends_ms),
            Edge::StaleFor { seconds } => entry.kept.map(|kept| kept.ends_ms + seconds * 1_000),
            Edge::StaleForErrors => of_kept(|kept, terms| kept.ends_ms + terms.if_error_ms),
            Edge::StaleForRevalidation => {
                of_kept(|kept, terms| kept.ends_ms + terms.while_revalidate_ms)
            }
        };
        let at_ms = at_ms.and_then(|at_ms| at_ms.checked_add_signed(off_ms));
        at_ms.unwrap_or_default().saturating_sub(self.now_ms)
    }

    pub(super) fn change(&mut self, change: Change) -> Sheet {
        self.versions += 1;
        let sheet = Sheet {
            change,
            version: self.versions,
            begins_ms: change
                .begins_in_s
                .map(|s| (self.now_ms / 1_000 + s) * 1_000),
        };
        self.sheets.insert(change.who.id, Some(sheet));
        self.ids_by_code.insert(change.who.code, change.who.id);
        sheet
    }

    pub(super) fn delete(&mut self, who: Character) {
        self.sheets.insert(who.id, None);
        self.ids_by_code.insert(who.code, who.id);
    }
}

/// The contract goes by the status alone. A series or a personal room that is over is believed no
/// longer than a meeting that is to come: it will be held again under the same name.
pub(super) fn by_status_ms(change: Change) -> u64 {
    let by_status_ms = match change.status {
        1 => NOT_STARTED_MS,
        2 => IN_PROGRESS_MS,
        3 => ENDED_MS,
        4 => CANCELLED_MS,
        5 => EXPIRED_MS,
        _ => UNKNOWN_MS,
    };
    match change.who.r#type {
        RECURRING | PERSONAL_ROOM => by_status_ms.min(NOT_STARTED_MS),
        _ => by_status_ms,
    }
}

/// Under which other name a finding is kept: one by number under the id that WeCom tells, one by id
/// under the number that WeCom tells if it is held once and not over; never for a personal room.
pub(super) fn other_name(name: Name, finding: Finding) -> Option<Name> {
    let Finding::Meeting { sheet, .. } = finding else {
        return None;
    };
    let Change {
        who,
        status,
        tells_names,
        ..
    } = sheet.change;
    if !tells_names || who.r#type == PERSONAL_ROOM {
        return None;
    }
    match name {
        Name::Code(_) => Some(Name::Id(who.id)),
        Name::Id(_) if who.r#type == ONE_TIME && [1, 2].contains(&status) => {
            Some(Name::Code(who.code))
        }
        Name::Id(_) => None,
    }
}
