//! Bad days: whatever WeCom does, callers are answered in time, and WeCom is left alone.
//!
//! A seed makes a storm: a script of troubles at both APIs, revoked tokens, changed meetings, purges
//! and turned clocks, under callers some of whom are impatient. What must hold is held at every
//! answer (`caller`), by what the simulator saw (`judge`), and once the storm is over (`storm`).
//!
//! `STORM_SEED=17 cargo test --test storms` replays one storm; `STORM_SEEDS=20000` goes through as
//! many. The script is the same each time; who comes first on the sockets is not.

#[cfg(test)]
mod caller;
#[cfg(test)]
#[expect(
    dead_code,
    reason = "what the other tests do with a house is not all done here"
)]
#[path = "../api/house.rs"]
mod house;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod meetings;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod script;
#[cfg(test)]
mod storm;

#[cfg(test)]
mod storms {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use crate::script::Script;
    use crate::storm;

    /// Storms that every run goes through.
    const SEEDS: u64 = 500;

    /// Storms at a time: they wait more than they work.
    const AT_A_TIME: usize = 10;

    #[expect(
        clippy::disallowed_methods,
        reason = "which storm to replay is no setting of the service"
    )]
    fn number(variable: &str) -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(text.parse().expect("a number"))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_storm_takes_more_than_it_is_due() {
        let seeds = match number("STORM_SEED") {
            Some(seed) => seed..seed + 1,
            None => 0..number("STORM_SEEDS").unwrap_or(SEEDS),
        };
        let at_a_time = Arc::new(Semaphore::new(AT_A_TIME));
        let mut storms = JoinSet::new();
        for seed in seeds {
            let at_a_time = Arc::clone(&at_a_time);
            storms.spawn(async move {
                let _place = at_a_time.acquire_owned().await.expect("it is never closed");
                let blowing = tokio::spawn(storm::blow(Script::of(seed)));
                (seed, blowing.await.is_ok())
            });
        }

        let mut survived = 0;
        let mut failed = Vec::new();
        while let Some(ended) = storms.join_next().await {
            match ended.expect("a storm of its own") {
                (_, true) => survived += 1,
                (seed, false) => failed.push(seed),
            }
        }

        failed.sort_unstable();
        let commands = failed
            .iter()
            .map(|seed| format!("STORM_SEED={seed} cargo test --test storms"));
        let commands = commands.collect::<Vec<_>>().join("\n");
        assert!(
            failed.is_empty(),
            "{} of {} storms did damage; why is told above. To replay them:\n{commands}",
            failed.len(),
            survived + failed.len()
        );
        assert!(0 < survived);
    }
}
