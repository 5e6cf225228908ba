//! Class ids and sets of them.

/// Index of a class in the label table of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClassId(pub u16);

impl ClassId {
    /// The id as an index into a label table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A class does not fit the set that it was inserted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClassSetFull {
    /// The class that does not fit.
    pub class: ClassId,
    /// How many classes the set can hold.
    pub capacity: usize,
}

impl core::fmt::Display for ClassSetFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "class {} does not fit a set of {}: use a ClassSet with more words (64 classes each)",
            self.class.0, self.capacity
        )
    }
}

impl core::error::Error for ClassSetFull {}

impl crate::Error for ClassSetFull {
    fn kind(&self) -> crate::ErrorKind {
        crate::ErrorKind::Capacity
    }
}

/// A set of classes as a bit field: `WORDS * 64` classes, one shift per test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClassSet<const WORDS: usize = 4> {
    words: [u64; WORDS],
}

impl<const WORDS: usize> ClassSet<WORDS> {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { words: [0; WORDS] }
    }

    /// Adds a class.
    ///
    /// # Errors
    /// [`ClassSetFull`] if the class index is `WORDS * 64` or more.
    pub fn insert(&mut self, class: ClassId) -> Result<(), ClassSetFull> {
        match self.words.get_mut(class.index() / 64) {
            Some(word) => {
                *word |= 1 << (class.index() % 64);
                Ok(())
            }
            None => Err(ClassSetFull { class, capacity: WORDS * 64 }),
        }
    }

    /// Is the class in the set?
    #[must_use]
    pub fn contains(&self, class: ClassId) -> bool {
        contains(&self.words, class)
    }

    /// The set as a filter for [`PredictOptions`](crate::PredictOptions).
    #[must_use]
    pub const fn as_filter(&self) -> ClassFilter<'_> {
        ClassFilter { words: Some(&self.words) }
    }
}

impl<const WORDS: usize> Default for ClassSet<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Which classes to keep: all, or those of a borrowed [`ClassSet`] of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassFilter<'a> {
    words: Option<&'a [u64]>,
}

impl ClassFilter<'_> {
    /// Keeps every class.
    pub const ALL: Self = Self { words: None };

    /// Is the class kept?
    #[must_use]
    pub fn keeps(&self, class: ClassId) -> bool {
        self.words.is_none_or(|words| contains(words, class))
    }

    /// Does the filter keep every class?
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.words.is_none()
    }
}

fn contains(words: &[u64], class: ClassId) -> bool {
    words.get(class.index() / 64).is_some_and(|word| word >> (class.index() % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_what_was_inserted_and_refuses_what_does_not_fit() {
        let mut set = ClassSet::<2>::new();
        set.insert(ClassId(0)).unwrap();
        set.insert(ClassId(127)).unwrap();
        assert_eq!(set.insert(ClassId(128)), Err(ClassSetFull { class: ClassId(128), capacity: 128 }));
        let kept = (0..200).filter(|&id| set.as_filter().keeps(ClassId(id))).collect::<std::vec::Vec<_>>();
        assert_eq!(kept, [0, 127]);
        assert!(ClassFilter::ALL.keeps(ClassId(u16::MAX)));
    }
}
