//! Parts of the way of a request, each by itself: how long each takes.
//!
//! `cargo run --release --features measuring --bin micro`; `benches/instructions/run` counts the same by callgrind, for which
//! this does one of them so many times: `--count NAME TIMES`. `--names` lists them.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use divan::Bencher;
use wecom_meeting_proxy::measuring::Deed;
use wecom_meeting_proxy::measuring::Subject;

/// Who gives the service memory, too.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    match arguments.get(1..) {
        Some([option]) if option == "--names" => names(),
        Some([option, name, times]) if option == "--count" => return count(name, times),
        Some(_) | None => divan::main(),
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "it was asked for")]
fn names() {
    for subject in Subject::ALL {
        println!("{}", subject.name());
    }
}

#[divan::bench(args = Subject::ALL.map(Subject::name))]
fn way(bencher: Bencher<'_, '_>, name: &str) {
    if let Some(deed) = ready(name) {
        bencher.bench_local(deed);
    }
}

fn ready(name: &str) -> Option<Deed> {
    let mut subjects = Subject::ALL.into_iter();
    let subject = subjects.find(|subject| subject.name() == name)?;
    Some(subject.prepare())
}

fn count(name: &str, times: &str) -> ExitCode {
    let (Some(mut deed), Ok(times)) = (ready(name), times.parse()) else {
        return ExitCode::FAILURE;
    };
    // What is done the first time is not what is done each time.
    deed();
    counted(&mut *deed, times);
    ExitCode::SUCCESS
}

/// What callgrind is told to count.
#[inline(never)]
fn counted(deed: &mut dyn FnMut(), times: u32) {
    for _ in 0..black_box(times) {
        deed();
    }
}
