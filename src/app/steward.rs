//! Keeps the house to its settings: reads them again when told, or when they have changed.
//!
//! New settings are taken as a whole or not at all. What cannot be changed while the doors are open
//! is named, and waits for the next start.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::herald::Herald;
use crate::clock::Clock;
use crate::config;
use crate::config::Checked;
use crate::config::Config;
use crate::config::Fault;
use crate::config::Fingerprint;
use crate::config::Sources;
use crate::http::Access;
use crate::http::Limits;
use crate::logging::Switch;
use crate::service::Meetings;
use crate::setting::Flaw;
use crate::tls;
use crate::wecom::WeCom;

/// How often the files are looked at.
const LOOKS_EVERY: Duration = Duration::from_secs(30);

/// Keeps the house to its settings, and runs what keeps its tokens.
pub(super) struct Steward {
    pub(super) sources: Sources,
    pub(super) clock: Clock,
    /// Rung to have the settings read again.
    pub(super) bell: Arc<Notify>,
    /// `None` where somebody else logs.
    pub(super) log: Option<Switch>,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) access: Arc<ArcSwap<Access>>,
    pub(super) limits: Limits,
    /// `None` where callers come in without it, which stays so.
    pub(super) tls: Option<Arc<tls::Server>>,
    pub(super) meetings: Meetings,
    pub(super) wecom: WeCom,
    /// Of the settings that were last taken, or tried to.
    pub(super) fingerprint: Fingerprint,
}

/// Why new settings were not taken, as it was told.
type Complaint = Vec<String>;

impl Steward {
    /// Does so until it is dropped.
    pub(super) async fn serve(mut self, herald: Herald) {
        let mut keepers: JoinSet<()> = self.wecom.token_keepers().collect();
        let mut complaint = Complaint::new();
        loop {
            let look_at = self.clock.now() + LOOKS_EVERY;
            let told = tokio::select! {
                () = self.bell.notified() => true,
                () = self.clock.sleep_until(look_at) => false,
            };
            // What was not taken may have been mended elsewhere than in a file that we know of.
            if !told && complaint.is_empty() && !self.has_changed().await {
                continue;
            }
            if told {
                herald.reloading().await;
            }
            match self.reread().await {
                Ok(()) => {
                    // Ended before their successors begin: they know none but the old secrets.
                    keepers.shutdown().await;
                    keepers = self.wecom.token_keepers().collect();
                    complaint.clear();
                    herald.taken();
                    tracing::info!("took the settings that were read again");
                }
                Err(why) => {
                    if told || why != complaint {
                        complain(&why);
                    }
                    complaint = why;
                    herald.not_taken();
                }
            }
            if told {
                herald.reloaded().await;
            }
        }
    }

    async fn has_changed(&self) -> bool {
        let known = self.fingerprint.clone();
        let looking = tokio::task::spawn_blocking(move || known.again() != known);
        looking.await.unwrap_or(false)
    }

    async fn reread(&mut self) -> Result<(), Complaint> {
        let sources = self.sources.clone();
        let reading = tokio::task::spawn_blocking(move || config::load(&sources));
        let checked = reading
            .await
            .map_err(|_| vec!["they could not be read".to_owned()])?
            .map_err(|faults| faults.iter().map(Fault::to_string).collect::<Complaint>())?;
        self.take(checked)
            .await
            .map_err(|Flaw { key, why }| vec![format!("wecom.{key}: {why}")])
    }

    async fn take(&mut self, checked: Checked) -> Result<(), Flaw> {
        let Checked {
            config,
            apps,
            roster,
            credentials,
            fingerprint,
        } = checked;
        let wecom = self.wecom.succeeding(&config.wecom, &apps)?;
        let (meetings, next) = (self.meetings.clone(), wecom.clone());
        let (settings, load) = (config.cache, super::load(&config));
        // What is kept may have to move, which takes a while.
        let adjusting = tokio::task::spawn_blocking(move || meetings.adjust(settings, load, &next));
        // Fails only if it panics, which the hook has told: then questions go on as they did.
        if adjusting.await.is_ok() {
            self.wecom = wecom;
        }
        self.limits.adjust(&config.server);
        let access = Access::new(roster, self.clock.clone());
        let access = access.carrying_over(&self.access.load());
        self.access.store(Arc::new(access));
        if let (Some(tls), Some(credentials)) = (&self.tls, credentials) {
            tls.renew(credentials);
        }
        if let Some(log) = &self.log {
            log.turn_to(&config.log);
        }
        let before = self.config.swap(Arc::new(config));
        for key in config::fixed_while_running(&before, &self.config.load()) {
            tracing::warn!("{key} has changed: that takes effect at the next start");
        }
        self.fingerprint = fingerprint;
        Ok(())
    }
}

fn complain(why: &[String]) {
    for why in why {
        tracing::error!("the settings were read again and not taken: {why}");
    }
}
