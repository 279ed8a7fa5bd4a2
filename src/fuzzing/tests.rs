//! What fuzzers found, and thought of, held again; and, for some seconds, what they have not.
//!
//! `FUZZ_SECONDS=60 cargo test --lib fuzzing` looks for longer. What it finds it prints, and the
//! command that finds it again.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use proptest::test_runner::RngAlgorithm;
use proptest::test_runner::TestError;
use proptest::test_runner::TestRng;
use proptest::test_runner::TestRunner;

use super::Target;
use crate::clock::Clock;

/// How long all targets together are thrown at what nobody thought of, in seconds.
const SECONDS: u64 = 2;

/// Inputs that are made of one seed.
const INPUTS_PER_SEED: u32 = 64;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// What is known of a target, by the name of its file.
fn known(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus().join(target.name());
    let files = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let data = fs::read(&file).expect("a file");
        (file, data)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn whatever_is_known_is_held() {
    for target in Target::ALL {
        let known = known(target);
        assert!(!known.is_empty(), "{target:?}");
        for (file, data) in known {
            let held = std::panic::catch_unwind(|| target.hold(&data));
            assert!(held.is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn every_target_has_its_corpus_and_its_fuzzer() {
    let mut names = Target::ALL.map(Target::name);
    names.sort_unstable();
    let listed = |folder: &str| {
        let entries = fs::read_dir(corpus().join(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let stems = paths.map(|path| path.file_stem().expect("a name").to_owned());
        let mut stems: Vec<_> = stems.collect();
        stems.sort();
        stems
    };
    assert_eq!(listed("."), names);
    assert_eq!(listed("../fuzz_targets"), names);
}

/// A change to what is known.
#[derive(Clone, Debug)]
enum Edit {
    /// Bytes of another are put in.
    Borrow(Index, Index, Index, u8),
    /// Bytes are taken out.
    Cut(Index, u8),
    /// Bytes are put in.
    Insert(Index, Vec<u8>),
    /// One byte is another.
    Replace(Index, u8),
}

impl Edit {
    fn any() -> impl Strategy<Value = Self> {
        let token = prop::sample::select(&TOKENS[..]);
        let token = token.prop_map(|token| token.as_bytes().to_vec());
        let bytes = prop::collection::vec(any::<u8>(), 0..8);
        prop_oneof![
            any::<(Index, Index, Index, u8)>()
                .prop_map(|(other, from, to, length)| Self::Borrow(other, from, to, length)),
            any::<(Index, u8)>().prop_map(|(from, length)| Self::Cut(from, length)),
            (any::<Index>(), prop_oneof![token, bytes])
                .prop_map(|(to, bytes)| Self::Insert(to, bytes)),
            any::<(Index, u8)>().prop_map(|(at, byte)| Self::Replace(at, byte)),
        ]
    }

    fn apply(&self, data: &mut Vec<u8>, known: &[Vec<u8>]) {
        let place = |index: &Index| index.index(data.len() + 1);
        match self {
            Self::Borrow(other, from, to, length) => {
                let other = other.get(known);
                let from = from.index(other.len() + 1);
                let end = (from + usize::from(*length)).min(other.len());
                let to = place(to);
                data.splice(to..to, other[from..end].to_vec());
            }
            Self::Cut(from, length) => {
                let from = place(from);
                let end = (from + usize::from(*length)).min(data.len());
                data.drain(from..end);
            }
            Self::Insert(to, bytes) => {
                let to = place(to);
                data.splice(to..to, bytes.clone());
            }
            Self::Replace(at, byte) if !data.is_empty() => {
                *at.get_mut(data) = *byte;
            }
            Self::Replace(..) => {}
        }
    }
}

/// What means something to somebody.
const TOKENS: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "9223372036854775808",
    "\"",
    "{}",
    "[]",
    "[[",
    "{\"a\":",
    "\\ud800",
    "\u{feff}",
    "\u{2212}",
    "\u{ff11}",
    "\r\n",
    "\n",
    "\0",
    ",",
    "=",
    "W/\"",
    "*",
    "password",
    "phone_number",
];

/// What is known, changed here and there; or anything at all.
fn inputs(known: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec(Edit::any(), 0..8);
    let changed = (any::<Index>(), edits).prop_map(move |(seed, edits)| {
        let mut data = seed.get(&known).clone();
        for edit in &edits {
            edit.apply(&mut data, &known);
        }
        data
    });
    prop_oneof![
        5 => changed,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "\\PC{0,60}".prop_map(String::into_bytes),
    ]
}

/// Throws so many inputs at a target. What it does not hold, made as small as can be.
fn throw(target: Target, seed: u64, inputs: &impl Strategy<Value = Vec<u8>>) -> Option<Vec<u8>> {
    let mut seeds = [0; 32];
    seeds[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: INPUTS_PER_SEED,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seeds);
    let thrown = TestRunner::new_with_rng(config, random).run(inputs, |data| {
        target.hold(&data);
        Ok(())
    });
    match thrown {
        Ok(()) => None,
        Err(TestError::Fail(_, data)) => Some(data),
        Err(TestError::Abort(why)) => panic!("{target:?}: {why}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to look, and from where, is no setting of the service"
)]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn whatever_comes_is_held() {
    let first = number("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let seconds = number("FUZZ_SECONDS").unwrap_or(SECONDS);
    println!("FUZZ_SEED={first}");
    let share = Duration::from_secs(seconds) / u32::try_from(Target::ALL.len()).expect("a few");
    let clock = Clock::of_the_machine();
    for target in Target::ALL {
        let name = target.name();
        let known = known(target).into_iter().map(|(_, data)| data).collect();
        let inputs = inputs(known);
        let end = clock.now() + share;
        let mut thrown = 0;
        for seed in (0..).map(|number| first.wrapping_add(number)) {
            let broken = throw(target, seed, &inputs);
            assert!(
                broken.is_none(),
                "{name} does not hold this, which belongs into fuzz/corpus/{name}:\n{}\n\
                 To find it again: FUZZ_SEED={seed} cargo test --lib fuzzing",
                broken.unwrap_or_default().escape_ascii(),
            );
            thrown += INPUTS_PER_SEED;
            if end < clock.now() {
                break;
            }
        }
        println!("{name}: {thrown} inputs");
    }
}
