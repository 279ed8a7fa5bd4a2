//! What is waited for beside something that goes on all the time, and hardly ever comes.
//!
//! Whoever waits for two things looks at both whenever one of them moves. Where one is the end of the
//! house, looking means a lock that all connections share, several times for each request. So it is
//! looked at once, and then again only when it has called.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

use atomic_waker::AtomicWaker;

/// Goes on with something only when that has called: until then, being asked costs a glance.
pub(super) struct Seldom<F> {
    rare: Pin<Box<F>>,
    bell: Arc<Bell>,
}

/// By which the rare thing calls.
struct Bell {
    has_rung: AtomicBool,
    waiting: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(rare: F) -> Self {
        Self {
            rare: Box::pin(rare),
            bell: Arc::new(Bell {
                // It has not been looked at yet.
                has_rung: AtomicBool::new(true),
                waiting: AtomicWaker::new(),
            }),
        }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // First of all: whoever rings from now on is heard.
        self.bell.waiting.register(context.waker());
        if !self.bell.has_rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.bell.has_rung.swap(false, Ordering::AcqRel);
        let bell = Waker::from(Arc::clone(&self.bell));
        self.rare.as_mut().poll(&mut Context::from_waker(&bell))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    /// Whoever is not woken by then never will be.
    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn it_is_looked_at_only_when_it_has_called_and_then_comes() {
        let (event, looks) = (Notify::new(), AtomicUsize::new(0));
        let mut happens = pin!(event.notified());
        let rare = std::future::poll_fn(|context| {
            looks.fetch_add(1, Ordering::Relaxed);
            happens.as_mut().poll(context)
        });
        let mut seldom = Seldom::new(rare);

        for _ in 0..10 {
            let mut context = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut seldom).poll(&mut context).is_pending());
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);

        event.notify_one();
        timeout(SOON, seldom).await.expect("it comes");
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_waits_for_it_is_woken() {
        let event = Arc::new(Notify::new());
        let rare = Arc::clone(&event);
        let waiting = tokio::spawn(Seldom::new(async move { rare.notified().await }));
        tokio::task::yield_now().await;

        event.notify_one();

        let came = timeout(SOON, waiting).await.expect("it comes");
        came.expect("no panic");
    }
}
