//! How many files and connections the system lets us have open.
//!
//! A process begins with a soft limit, often of 1,024, and may raise it by itself up to a hard one,
//! which an operator sets (`ulimit -Hn`, `LimitNOFILE=`).

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;

/// What we need besides connections: listeners, the log, the runtime's own, files that are read.
const OURS: u64 = 64;

/// Raises the soft limit to the hard one, and warns if so many connections do not fit under it. How
/// many do.
pub fn make_room_for(connections: u64) -> u64 {
    let limit = raise();
    let needed = connections.saturating_add(OURS);
    if limit < needed {
        tracing::warn!(
            needed,
            limit,
            "up to {needed} descriptors are needed and the system gives us {limit}: raise its \
             limit, or lower server.max_connections",
        );
    }
    // Where there are very few, we make do with less.
    limit - OURS.min(limit / 2)
}

/// What the limit is then. The system's way to say that there is none is a number too.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        // Some systems do not give what they promise. Then it stays as it was.
        Err(_) => limit.current,
    };
    limit.unwrap_or(u64::MAX)
}
