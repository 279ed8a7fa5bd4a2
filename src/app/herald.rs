//! Tells whoever started us how it stands: at the beginning, at the end, and whatever changes between.
//!
//! That we are ready means that the doors are open, not that callers should be sent here: that waits
//! for WeCom, and is what `/readyz` tells. It is in the words for people, and in nothing that a start
//! would wait for.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::http::Office;
use crate::supervisor::News;
use crate::supervisor::Supervisor;

/// How often it is looked whether what was told still holds.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// Tells it. Clones are the same one.
#[derive(Clone)]
pub(super) struct Herald(Arc<Inner>);

struct Inner {
    supervisor: Supervisor,
    office: Office,
    /// Where we serve, in words.
    doors: String,
    /// Whether settings were read that were not taken, and others not since.
    has_bad_news: AtomicBool,
    /// What they took last, in words. Held while it is told, and that is the point: what is told last
    /// is what holds.
    told: Mutex<String>,
}

impl Herald {
    pub(super) fn new(supervisor: Supervisor, office: Office, doors: String) -> Self {
        Self(Arc::new(Inner {
            supervisor,
            office,
            doors,
            has_bad_news: AtomicBool::new(false),
            told: Mutex::default(),
        }))
    }

    /// Tells what changes, and that we are alive, until it is dropped.
    pub(super) async fn serve(self) {
        if self.0.supervisor.is_there() {
            tokio::join!(self.tell_changes(), self.tell_that_we_are_alive());
        }
    }

    async fn tell_changes(&self) {
        loop {
            self.tell(None).await;
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// As often as a task like those that serve callers has its turn when its time has come. That is
    /// what it shows, and all: whoever is busy, or cannot reach WeCom, is alive.
    async fn tell_that_we_are_alive(&self) {
        let Inner { supervisor, .. } = &*self.0;
        let Some(interval) = supervisor.watchdog_interval() else {
            return;
        };
        loop {
            supervisor.tell(&[News::Alive]).await;
            tokio::time::sleep(interval).await;
        }
    }

    /// The doors are open.
    pub(super) async fn ready(&self) {
        self.tell(Some(News::Ready)).await;
    }

    /// The settings are read again, as we were told.
    pub(super) async fn reloading(&self) {
        self.tell(Some(News::Reloading)).await;
    }

    /// ... and that is done, whatever came of it.
    pub(super) async fn reloaded(&self) {
        self.tell(Some(News::Ready)).await;
    }

    /// Settings that were read are in force.
    pub(super) fn taken(&self) {
        self.0.has_bad_news.store(false, Ordering::Relaxed);
    }

    /// Settings that were read are not, and the old ones are.
    pub(super) fn not_taken(&self) {
        self.0.has_bad_news.store(true, Ordering::Relaxed);
    }

    /// We are leaving.
    pub(super) async fn stopping(&self) {
        self.tell(Some(News::Stopping)).await;
    }

    /// The news, if there are any, and how it stands, if that is new.
    async fn tell(&self, news: Option<News<'_>>) {
        let mut told = self.0.told.lock().await;
        let status = self.status();
        let status = (*told != status).then_some(status);
        let words = status.as_deref().map(News::Status);
        let news: Vec<_> = news.into_iter().chain(words).collect();
        let was_taken = !news.is_empty() && self.0.supervisor.tell(&news).await;
        if let Some(status) = status.filter(|_| was_taken) {
            *told = status;
        }
    }

    /// How it stands, in words. Nothing in it was written by anybody else.
    fn status(&self) -> String {
        let Inner { office, doors, .. } = &*self.0;
        let mut status = match office.readiness() {
            Ok(()) => format!("{doors}; ready"),
            Err(why) => format!("{doors}; not ready: {why}"),
        };
        if self.0.has_bad_news.load(Ordering::Relaxed) {
            status.push_str("; the settings were read again and not taken: the old ones stay, and the log says why");
        }
        status
    }
}
