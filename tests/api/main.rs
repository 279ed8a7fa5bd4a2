//! The whole house, tested through its doors, with a WeCom behind it that counts what it is asked.

#[cfg(test)]
mod access;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod caching;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod house;
#[cfg(test)]
mod meetings;
#[cfg(test)]
mod model;
#[cfg(test)]
mod purging;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod staleness;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod validation;
