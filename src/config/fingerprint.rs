//! What the files that settings come from held when they were read.
//!
//! Contents are compared, not times, and nothing waits for the file system to tell: where a folder
//! of files is replaced as a whole, as Kubernetes does with a link, there is nothing at the old file
//! that could tell.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::digest::sha256;

/// More than this of a file is not looked at: it is no settings file.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Some files, and what they held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fingerprint(Vec<(PathBuf, Option<[u8; 32]>)>);

impl Fingerprint {
    /// What these files hold now. One that cannot be read holds nothing.
    pub fn of(files: Vec<PathBuf>) -> Self {
        let taken = files.into_iter().map(|file| {
            let held = held(&file).ok();
            (file, held)
        });
        Self(taken.collect())
    }

    /// What the same files hold now.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::of(self.0.iter().map(|(file, _)| file.clone()).collect())
    }
}

fn held(file: &Path) -> io::Result<[u8; 32]> {
    let mut bytes = Vec::new();
    File::open(file)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(sha256(&bytes))
}
