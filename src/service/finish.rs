//! Views that show more, and compressed forms of them: made once, when somebody first asks for one.
//!
//! A large one takes a while to make. That happens off the threads that serve callers, one at a time,
//! and whoever wants the same waits without holding up anybody.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::Finding;
use super::Meetings;
use super::Refusal;
use crate::meeting::view::Form;
use crate::metrics::Shed;
use crate::wecom::Question;

impl Meetings {
    /// Has this form of what was found made, unless it was made already, and counted with what is
    /// kept. Nobody waits longer than its patience.
    pub async fn finish(
        &self,
        question: &Question,
        finding: &Finding,
        form: Form,
    ) -> Result<(), Refusal> {
        let Ok(views) = &finding.meeting else {
            return Ok(());
        };
        if views.has(form) {
            return Ok(());
        }
        if !views.are_large() {
            views.make(form);
            self.has_grown(question, finding);
            return Ok(());
        }
        let patience = self.0.present.load().load.patience;
        let made = tokio::time::timeout(patience, self.finish_aside(question, finding, form));
        made.await.unwrap_or_else(|_| {
            self.0.metrics.shed(Shed::Waiters);
            Err(Refusal::Crowded)
        })
    }

    async fn finish_aside(
        &self,
        question: &Question,
        finding: &Finding,
        form: Form,
    ) -> Result<(), Refusal> {
        let turn = self.turn_to_finish().await;
        let (this, question, finding) = (self.clone(), question.clone(), finding.clone());
        // It is made and counted though the caller hangs up.
        let making = tokio::task::spawn_blocking(move || {
            if let Ok(views) = &finding.meeting
                && !views.has(form)
            {
                views.make(form);
                this.has_grown(&question, &finding);
            }
            drop(turn);
        });
        making.await.map_err(|_| Refusal::Broken)
    }

    /// Nobody closes the semaphore: it cannot fail, and if it did, nobody would be kept waiting.
    async fn turn_to_finish(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.finishing).acquire_owned().await.ok()
    }
}
