//! The whole house, tested through its doors, with a WeCom behind it that counts what it is asked.

#[cfg(test)]
mod access;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod at_once;
#[cfg(test)]
mod caching;
#[cfg(test)]
#[path = "../callers/mod.rs"]
mod callers;
#[cfg(test)]
#[path = "../certificates/mod.rs"]
mod certificates;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crowding;
#[cfg(test)]
mod description;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod habits;
#[cfg(test)]
mod house;
#[cfg(test)]
mod jwt;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod meetings;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod model;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod purging;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rereading;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod staleness;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod validation;
