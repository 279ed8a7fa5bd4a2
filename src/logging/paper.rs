//! Where lines wait to be written, so that nobody else does.
//!
//! Whoever has a line leaves it here and goes on. A thread of its own takes all that is there, every
//! few milliseconds, and writes it at once. Where lines come faster than they are taken by whoever
//! reads them, the newest are lost, and counted.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that wait, at most; as many may be on their way out.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long lines are gathered, to be written together.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end waits for what is still to be written.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Paper(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Held for as long as it takes to copy a line.
    lines: Mutex<Lines>,
    /// That lines wait where none did, or that there will be no more, or that all are written.
    news: Condvar,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: Vec<u8>,
    stage: Stage,
}

#[derive(Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Open,
    /// What waits is the last.
    Closing,
    /// It is written.
    Closed,
}

/// Has what waits written when it is dropped, within [`END_PATIENCE`].
#[derive(Debug)]
pub(super) struct Closing(Paper);

impl Paper {
    /// Begins to write to `out`.
    pub(super) fn begin(self, out: impl Write + Send + 'static) -> io::Result<Closing> {
        let paper = self.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || paper.write_out(out))?;
        Ok(Closing(self))
    }

    /// Lines that were lost since the beginning.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a line to be written.
    pub(super) fn leave(&self, line: &[u8]) {
        let mut lines = self.lines();
        let is_first = lines.waiting.is_empty();
        if lines.waiting.len() + line.len() > WAITING_BYTES_MAX {
            drop(lines);
            self.lose(1);
            return;
        }
        lines.waiting.extend_from_slice(line);
        drop(lines);
        if is_first {
            self.0.news.notify_all();
        }
    }

    fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Writes what comes, until it is closed and all is written.
    fn write_out(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        while self.take(&mut taken) {
            if out.write_all(&taken).and_then(|()| out.flush()).is_err() {
                let lines = taken.split_inclusive(|&byte| byte == b'\n').count();
                self.lose(u64::try_from(lines).unwrap_or(u64::MAX));
            }
            taken.clear();
        }
        self.lines().stage = Stage::Closed;
        self.0.news.notify_all();
    }

    /// Waits for lines, and for those that come shortly after, and takes them all. `false` at the
    /// end.
    fn take(&self, taken: &mut Vec<u8>) -> bool {
        let is_quiet = |lines: &mut Lines| lines.waiting.is_empty() && lines.stage == Stage::Open;
        let first = self.0.news.wait_while(self.lines(), is_quiet);
        let first = first.unwrap_or_else(PoisonError::into_inner);
        let is_open = |lines: &mut Lines| lines.stage == Stage::Open;
        let gathered = self.0.news.wait_timeout_while(first, GATHER, is_open);
        let (mut lines, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut lines.waiting, taken);
        !taken.is_empty()
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Self(paper) = self;
        let mut lines = paper.lines();
        lines.stage = Stage::Closing;
        paper.0.news.notify_all();
        let is_writing = |lines: &mut Lines| lines.stage != Stage::Closed;
        // What cannot be written in time is lost with the process.
        let _ = paper
            .0
            .news
            .wait_timeout_while(lines, END_PATIENCE, is_writing);
    }
}

impl<'a> MakeWriter<'a> for Paper {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Takes whole lines, one a call.
impl Write for &Paper {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.leave(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Paper {
    /// What waits to be written.
    pub(super) fn waiting(&self) -> String {
        String::from_utf8(self.lines().waiting.clone()).expect("text")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes what is written when it is told to.
    struct Slow {
        may: mpsc::Receiver<io::Result<()>>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().unwrap_or(Ok(()))?;
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Slow, mpsc::Sender<io::Result<()>>, mpsc::Receiver<Vec<u8>>) {
        let (allow, may) = mpsc::channel();
        let (written, read) = mpsc::channel();
        (Slow { may, written }, allow, read)
    }

    #[test]
    fn what_is_left_is_written_in_its_order_and_the_rest_at_the_end() {
        let (out, allow, read) = slow();
        let paper = Paper::default();
        let closing = paper.clone().begin(out).expect("a thread");

        for line in ["a\n", "b\n", "c\n"] {
            paper.leave(line.as_bytes());
        }
        drop(allow);
        drop(closing);

        let written: Vec<u8> = read.iter().flatten().collect();
        assert_eq!(written, b"a\nb\nc\n");
        assert_eq!(paper.lost(), 0);
    }

    #[test]
    fn what_comes_faster_than_it_is_taken_is_lost_and_counted() {
        let (out, allow, read) = slow();
        let paper = Paper::default();
        let closing = paper.clone().begin(out).expect("a thread");
        let line = [b'x'; 1024];

        // Nothing is taken yet: as much may be on its way out as waits.
        let left = 3 * WAITING_BYTES_MAX / line.len();
        for _ in 0..left {
            paper.leave(&line);
        }
        let lost = usize::try_from(paper.lost()).expect("a number");
        drop(allow);
        drop(closing);

        let written: usize = read.iter().map(|bytes| bytes.len() / line.len()).sum();
        assert_eq!(written + lost, left);
        assert!(WAITING_BYTES_MAX / line.len() <= lost, "{lost}");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_those_after_them_are_written() {
        let (out, allow, read) = slow();
        let paper = Paper::default();
        let closing = paper.clone().begin(out).expect("a thread");

        paper.leave(b"a\n");
        allow
            .send(Err(io::ErrorKind::BrokenPipe.into()))
            .expect("heard");
        while paper.lost() == 0 {
            thread::yield_now();
        }
        paper.leave(b"b\n");
        drop(allow);
        drop(closing);

        let written: Vec<u8> = read.iter().flatten().collect();
        assert_eq!((&*written, paper.lost()), (&b"b\n"[..], 1));
    }
}
