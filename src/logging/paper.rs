//! Where lines wait to be written, so that nobody else does.
//!
//! Whoever has a line leaves it here and goes on. A thread of its own takes all that is there, every
//! few milliseconds, and writes it. Where lines come faster than they are taken by whoever reads them,
//! the newest are lost, and counted.
//!
//! There are several sheets, and a thread keeps to one of them, so that those who serve callers do not
//! wait for one another. Lines of one thread are written in their order; those of two, within the time
//! that it takes to gather and to write them, in any.

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that wait on one sheet, at most; those of one sheet may be on their way out besides.
const WAITING_BYTES_MAX: usize = 512 * 1024;

/// Memory that is kept for what is on its way. What was more is given back.
const TAKEN_BYTES: usize = 64 * 1024;

/// Sheets: as many as there are threads that serve callers, on most machines.
const SHEETS: usize = 16;

/// How long lines are gathered, to be written together.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end waits for what is still to be written.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Paper(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sheets: [Sheet; SHEETS],
    news: Mutex<News>,
    /// That there are news, or that all is written.
    told: Condvar,
    lost: AtomicU64,
}

/// Lines that wait. Held for as long as it takes to copy one, and far enough from the next sheet for
/// their threads to know nothing of each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Sheet(Mutex<Vec<u8>>);

#[derive(Debug, Default)]
struct News {
    /// Lines wait where none did.
    has_lines: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    #[default]
    Open,
    /// What waits is the last.
    Closing,
    /// It is written.
    Closed,
}

thread_local! {
    /// Which sheet a thread keeps to.
    static SHEET: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHEETS
    };
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

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a line to be written.
    pub(super) fn leave(&self, line: &[u8]) {
        let sheet = SHEET.with(|&place| self.0.sheets.get(place));
        match sheet.and_then(|sheet| sheet.take_in(line)) {
            None => self.lose(1),
            Some(Taken::Beside) => {}
            Some(Taken::First) => {
                self.news().has_lines = true;
                self.0.told.notify_all();
            }
        }
    }

    fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Ordering::Relaxed);
    }

    /// Writes what comes, until it is closed and all is written.
    fn write_out(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        let mut stage = Stage::Open;
        let mut is_all_written = false;
        while stage == Stage::Open || !is_all_written {
            stage = self.wait_for_lines();
            is_all_written = true;
            for sheet in &self.0.sheets {
                std::mem::swap(&mut *sheet.lines(), &mut taken);
                if !taken.is_empty() {
                    is_all_written = false;
                    self.write(&taken, &mut out);
                    taken.clear();
                    taken.shrink_to(TAKEN_BYTES);
                }
            }
        }
        self.news().stage = Stage::Closed;
        self.0.told.notify_all();
    }

    /// Waits for lines, and for those that come shortly after. Those that come from then on are news.
    fn wait_for_lines(&self) -> Stage {
        let is_quiet = |news: &mut News| !news.has_lines && news.stage == Stage::Open;
        let first = self.0.told.wait_while(self.news(), is_quiet);
        let first = first.unwrap_or_else(PoisonError::into_inner);
        let is_open = |news: &mut News| news.stage == Stage::Open;
        let gathered = self.0.told.wait_timeout_while(first, GATHER, is_open);
        let (mut news, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        news.has_lines = false;
        news.stage
    }

    fn write(&self, lines: &[u8], out: &mut impl Write) {
        if out.write_all(lines).and_then(|()| out.flush()).is_err() {
            let lines = lines.split_inclusive(|&byte| byte == b'\n').count();
            self.lose(u64::try_from(lines).unwrap_or(u64::MAX));
        }
    }
}

/// Whether a line is the first that waits on its sheet.
enum Taken {
    Beside,
    First,
}

impl Sheet {
    /// Takes in a line, if there is room.
    fn take_in(&self, line: &[u8]) -> Option<Taken> {
        let mut waiting = self.lines();
        if waiting.len() + line.len() > WAITING_BYTES_MAX {
            return None;
        }
        let taken = if waiting.is_empty() {
            Taken::First
        } else {
            Taken::Beside
        };
        waiting.extend_from_slice(line);
        Some(taken)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Self(paper) = self;
        let mut news = paper.news();
        news.stage = Stage::Closing;
        paper.0.told.notify_all();
        let is_writing = |news: &mut News| news.stage != Stage::Closed;
        // What cannot be written in time is lost with the process.
        let _ = paper
            .0
            .told
            .wait_timeout_while(news, END_PATIENCE, is_writing);
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
        let waiting: Vec<_> = self
            .0
            .sheets
            .iter()
            .map(|sheet| sheet.lines().clone())
            .collect();
        String::from_utf8(waiting.concat()).expect("text")
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

    type Allow = mpsc::Sender<io::Result<()>>;

    /// Paper that is written to such a one; what tells it to take, and what it has taken.
    fn slow() -> (Paper, Closing, Allow, mpsc::Receiver<Vec<u8>>) {
        let (allow, may) = mpsc::channel();
        let (written, read) = mpsc::channel();
        let paper = Paper::default();
        let closing = paper.clone().begin(Slow { may, written });
        (paper, closing.expect("a thread"), allow, read)
    }

    #[test]
    fn what_is_left_is_written_in_its_order_and_the_rest_at_the_end() {
        let (paper, closing, allow, read) = slow();

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
    fn a_line_is_written_soon_whether_or_not_another_was_before_it() {
        let (paper, _closing, allow, read) = slow();
        drop(allow);

        for line in ["a\n", "b\n", "c\n"] {
            paper.leave(line.as_bytes());
            let written = read.recv_timeout(Duration::from_secs(20));
            assert_eq!(written.as_deref(), Ok(line.as_bytes()));
        }
    }

    #[test]
    fn lines_of_many_threads_are_all_written_and_those_of_each_in_their_order() {
        let (paper, closing, allow, read) = slow();
        drop(allow);
        let threads = 0..2 * SHEETS;

        thread::scope(|scope| {
            for thread in threads.clone() {
                let paper = &paper;
                scope.spawn(move || {
                    for number in 0..1_000 {
                        paper.leave(format!("{thread} {number}\n").as_bytes());
                    }
                });
            }
        });
        drop(closing);

        let written: Vec<u8> = read.iter().flatten().collect();
        let written = String::from_utf8(written).expect("text");
        for thread in threads {
            let of_it = written
                .lines()
                .filter_map(|line| line.strip_prefix(&format!("{thread} ")));
            let numbers: Vec<usize> = of_it
                .map(|number| number.parse().expect("a number"))
                .collect();
            assert!(
                numbers.iter().copied().eq(0..1_000),
                "{thread}: {numbers:?}"
            );
        }
        assert_eq!(paper.lost(), 0);
    }

    #[test]
    fn what_comes_faster_than_it_is_taken_is_lost_and_counted() {
        let (paper, closing, allow, read) = slow();
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
        let (paper, closing, allow, read) = slow();

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
