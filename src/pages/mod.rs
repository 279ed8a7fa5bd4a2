//! How large the pages are that our memory comes in.
//!
//! A processor finds what is in memory by a table of pages, and remembers some thousand entries of it.
//! A cache of many meetings is hundreds of thousands of pages of 4 KiB: nearly each meeting has to be
//! found in that table first, several times over. In pages of 2 MiB it is a thousand. But a process
//! that takes little must not be rounded up to such pages, or `cache.max_bytes` would not tell what
//! it takes.
//!
//! So the allocator is built to ask for large pages (`.cargo/config.toml`), and the kernel is told
//! here whether to give them to us: `PR_SET_THP_DISABLE` of prctl(2).

use nix::errno::Errno;
use nix::sys::prctl::set_thp_disable;

/// A cache that may hold so many bytes has large pages: it is they that are far apart then.
const LARGE_CACHE_BYTES: u64 = 1024 * 1024 * 1024;

/// Small pages only, until it is known how large the cache is; also where the kernel would give large
/// ones unasked.
pub fn begin_small() -> Result<(), Errno> {
    set_thp_disable(true)
}

/// The pages that are right for a cache of at most so many bytes, for what is taken from now on.
pub fn fit(cache_bytes: u64) -> Result<(), Errno> {
    set_thp_disable(cache_bytes < LARGE_CACHE_BYTES)
}
