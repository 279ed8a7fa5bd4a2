//! The simulator through its door, in bytes. Each file is one subject.

// `cfg(test)` always holds here; it is said so that clippy takes what is shared for tests too.
#[cfg(test)]
mod client;
#[cfg(test)]
mod control;
#[cfg(test)]
mod meetings;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod troubles;
#[cfg(test)]
mod visits;
