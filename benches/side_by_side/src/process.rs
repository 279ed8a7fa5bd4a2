//! Processes on a core of their own, and what the system keeps account of for them.

use std::fs;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::sched::CpuSet;
use nix::sched::sched_setaffinity;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::time::ClockId;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::Failure;

/// A process, and those that it starts. Ended when dropped.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `program` on that core, with what it says on standard error in `said`.
    pub fn start(
        core: usize,
        program: &str,
        arguments: &[&str],
        said: File,
    ) -> Result<Self, Failure> {
        // Ends when we do, however we do; and as its own process, not as one of a process between.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "--cpu-list"])
            .args([&core.to_string(), program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            // A group of its own: what a terminal sends to us is ours to pass on.
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// It, and all that it started.
    pub fn family(&self) -> Result<Vec<i32>, Failure> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            // One that has ended since has no parent any more.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit(')').next().and_then(|rest| {
                let mut fields = rest.split_whitespace();
                fields.nth(1)?.parse::<i32>().ok()
            });
            parents.extend(parent.map(|parent| (pid, parent)));
        }
        let mut family = vec![i32::try_from(self.child.id())?];
        let mut looked_at = 0;
        while let Some(&parent) = family.get(looked_at) {
            let children = parents.iter().filter(|(_, of)| *of == parent);
            family.extend(children.map(|(pid, _)| *pid));
            looked_at += 1;
        }
        Ok(family)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else {
            return;
        };
        let pid = Pid::from_raw(pid);
        // Fails if it has ended: then there is nothing to do.
        let _ = kill(pid, Signal::SIGTERM);
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What these processes, with all their threads and those that have ended, have had of a processor.
/// To the nanosecond: `/proc/PID/stat` has the same account in hundredths of a second.
pub fn cpu(family: &[i32]) -> Result<Duration, Failure> {
    family.iter().try_fold(Duration::ZERO, |sum, pid| {
        let clock = clock_getcpuclockid(Pid::from_raw(*pid));
        match clock.and_then(ClockId::now) {
            Ok(spent) => Ok(sum + Duration::from(spent)),
            // nginx's loader, which has next to nothing to do and ends after a minute.
            Err(Errno::ESRCH) => Ok(sum),
            Err(error) => Err(error.into()),
        }
    })
}

/// What these processes hold in memory, in bytes.
pub fn resident(family: &[i32]) -> Result<u64, Failure> {
    family.iter().try_fold(0, |sum, pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        let kib: u64 = kib.ok_or("no VmRSS")?.parse()?;
        Ok(sum + kib * 1024)
    })
}

/// Has this process, and whatever threads it begins from now on, run on that core.
pub fn stay_on(core: usize) -> Result<(), Failure> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

/// Allows this process, and those it starts, as many descriptors as it may have.
pub fn allow_descriptors() -> Result<(), Failure> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
