//! A short text that stands where it is kept.
//!
//! Each request brings a name, which is looked for among a great many: so it needs no memory of its
//! own, to be had and given back, and nothing else has to be read to compare it.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;

/// Bytes that stand in the word itself. Ids of meetings have 20 to 32.
const SHORT: usize = 38;

/// A text. Longer ones are kept elsewhere, and shared.
#[derive(Clone)]
pub(super) enum Word {
    Long(Arc<str>),
    Short { length: u8, bytes: [u8; SHORT] },
}

impl Word {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Long(text) => text.as_bytes(),
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
        }
    }

    /// Bytes in memory besides its own size.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            // With its counts, of those who share it.
            Self::Long(text) => text.len() + 2 * size_of::<usize>(),
            Self::Short { .. } => 0,
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        let place = bytes.get_mut(..text.len());
        match (place, u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        // It was made of text.
        str::from_utf8(self.bytes()).unwrap_or_default()
    }
}

impl Eq for Word {}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_its_text_however_long_it_is(one in ".{0,60}", other in ".{0,60}") {
            let words = [&one, &other].map(|text| Word::from(text.as_str()));

            prop_assert_eq!(&*words[0], one.as_str());
            prop_assert_eq!(words[0].cmp(&words[1]), one.cmp(&other));
            prop_assert_eq!(words[0] == words[1], one == other);
            prop_assert_eq!(words[0].heap_bytes() > 0, one.len() > SHORT);
            let [word, _] = words;
            prop_assert!(HashSet::from([word]).contains(&Word::from(one.as_str())));
        }
    }
}
