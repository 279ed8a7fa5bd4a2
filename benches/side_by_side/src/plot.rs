//! A picture of it.

use crate::figures::Results;

/// As SVG.
pub fn svg(_results: &Results) -> String {
    String::new()
}
