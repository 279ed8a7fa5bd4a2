//! Tells whoever started us how it stands, where they want to know: systemd, in the words of
//! `sd_notify(3)`.
//!
//! Knows nothing of the service: it is handed the news, and delivers them. Nobody waits long for
//! whoever is told, and nothing depends on it: where it fails, that is a warning.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::net::SocketAddrUnix;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use tokio::net::UnixDatagram;

/// How long to wait for whoever is told to take what is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// What we were started with, as the environment has it; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// `NOTIFY_SOCKET`: where the news are wanted.
    pub socket: Option<&'a OsStr>,
    /// `WATCHDOG_USEC`: how long we may be silent, in microseconds.
    pub watchdog_usec: Option<&'a OsStr>,
    /// `WATCHDOG_PID`: who must not be silent. Everybody, if it says nothing.
    pub watchdog_pid: Option<&'a OsStr>,
}

/// Whoever started us. Clones are the same one; the default is somebody who wants to know nothing.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    line: Option<Arc<Line>>,
    watchdog: Option<Duration>,
}

/// A piece of news.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// We can be used; also: again, with the settings that we have now.
    Ready,
    /// We were told to read our settings again, and do.
    Reloading,
    /// We are about to leave.
    Stopping,
    /// How it stands, in words for people.
    Status(&'a str),
    /// We are still alive.
    Alive,
}

/// The way to them.
#[derive(Debug)]
struct Line {
    /// Open from the beginning: when descriptors run out, we are busy and not dead.
    socket: UnixDatagram,
    address: SocketAddrUnix,
    /// Whether it was told that it is broken, since it last was not.
    is_told: AtomicBool,
}

impl Supervisor {
    /// Whoever is meant by this. Says so if they cannot be told anything. To be called in a runtime.
    pub fn given(given: Given<'_>) -> Self {
        let socket = given.socket.filter(|socket| !socket.is_empty());
        let Some(socket) = socket else {
            return Self::default();
        };
        match Line::to(socket) {
            Ok(line) => Self {
                line: Some(Arc::new(line)),
                watchdog: given.watchdog(),
            },
            Err(error) => {
                warn(&error);
                Self::default()
            }
        }
    }

    /// Whether anybody wants to know.
    pub fn is_there(&self) -> bool {
        self.line.is_some()
    }

    /// How often to say that we are alive: twice as often as we must. `None` if nobody minds.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|usec| usec / 2)
    }

    /// Tells them all this at once. Whether they took it; where they did not, that is a warning, but
    /// not again until they have.
    pub async fn tell(&self, news: &[News<'_>]) -> bool {
        let Some(line) = &self.line else { return false };
        let message: String = news.iter().map(News::written).collect();
        let sent = line.send(message.as_bytes()).await;
        let was_told = line.is_told.swap(sent.is_err(), Ordering::Relaxed);
        if let Err(error) = &sent
            && !was_told
        {
            warn(error);
        }
        sent.is_ok()
    }
}

impl Given<'_> {
    fn watchdog(&self) -> Option<Duration> {
        let number = |text: &OsStr| text.to_str()?.parse().ok();
        let usec: u64 = self.watchdog_usec.and_then(number)?;
        let pid = self.watchdog_pid.and_then(number);
        let is_us = pid.is_none_or(|pid| pid == u64::from(std::process::id()));
        (is_us && 0 < usec).then(|| Duration::from_micros(usec))
    }
}

impl News<'_> {
    /// As a supervisor reads it: lines of assignments.
    fn written(&self) -> String {
        match self {
            Self::Ready => "READY=1\n".to_owned(),
            Self::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_usec()),
            Self::Stopping => "STOPPING=1\n".to_owned(),
            // A line of its own would be taken for another assignment.
            Self::Status(text) => format!("STATUS={}\n", text.replace('\n', " ")),
            Self::Alive => "WATCHDOG=1\n".to_owned(),
        }
    }
}

impl Line {
    fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddrUnix::new(name)?,
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
            _ => {
                let why = "it is neither a path nor an abstract name";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        };
        Ok(Self {
            socket: UnixDatagram::unbound()?,
            address,
            is_told: AtomicBool::new(false),
        })
    }

    /// Sends one datagram, or none.
    async fn send(&self, message: &[u8]) -> io::Result<()> {
        let sending = async {
            if self.socket.send(message).await.is_err() {
                // Not connected yet, or not to anybody any more: somebody else may be there by now.
                rustix::net::connect(&self.socket, &self.address)?;
                self.socket.send(message).await?;
            }
            Ok(())
        };
        let sent = tokio::time::timeout(PATIENCE, sending).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The time as the supervisor has it, who compares it with when it told us to reload. It is the
/// machine's own, whatever clock others are given.
fn monotonic_usec() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "whoever NOTIFY_SOCKET names cannot be told how it stands: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_lines_of_assignments_and_words_are_never_more_than_one() {
        assert_eq!(News::Ready.written(), "READY=1\n");
        assert_eq!(News::Stopping.written(), "STOPPING=1\n");
        assert_eq!(News::Alive.written(), "WATCHDOG=1\n");
        let forged = News::Status("well\nMAINPID=1").written();
        assert_eq!(forged, "STATUS=well MAINPID=1\n");
    }

    #[test]
    fn whether_we_must_not_be_silent_is_read_as_it_is_written() {
        let us = std::process::id().to_string();
        for (usec, pid, expected) in [
            (Some("30000000"), None, Some(30_000_000)),
            (Some("30000000"), Some(us.as_str()), Some(30_000_000)),
            (Some("30000000"), Some("0"), None),
            (Some("0"), None, None),
            (Some("-1"), None, None),
            (Some("30s"), None, None),
            (None, Some(us.as_str()), None),
        ] {
            let given = Given {
                socket: None,
                watchdog_usec: usec.map(OsStr::new),
                watchdog_pid: pid.map(OsStr::new),
            };
            let expected = expected.map(Duration::from_micros);
            assert_eq!(given.watchdog(), expected, "{usec:?} {pid:?}");
        }
    }
}
