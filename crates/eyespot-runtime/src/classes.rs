//! Class names of a model to a set of class ids.

use eyespot_core::{ClassId, ClassSet};
use eyespot_models::nearest;

use crate::RuntimeError;

/// Classes that a filter can hold: 64 words are 4,096 classes, more than any published label set.
pub type Classes = ClassSet<64>;

/// The set of the named classes.
///
/// # Errors
/// [`RuntimeError::UnknownClass`] for a name that the model does not have, with the nearest ones.
pub fn classes(names: &[String], labels: &[impl AsRef<str>]) -> Result<Classes, RuntimeError> {
    let mut set = Classes::new();
    for name in names {
        let position = labels.iter().position(|label| label.as_ref().eq_ignore_ascii_case(name.trim()));
        let class = position.and_then(|position| u16::try_from(position).ok()).map(ClassId);
        let unknown = || RuntimeError::UnknownClass {
            name: name.clone(),
            nearest: nearest(name, labels.iter().map(AsRef::as_ref)).into_iter().map(str::to_owned).collect(),
        };
        set.insert(class.ok_or_else(unknown)?).map_err(|_| unknown())?;
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_near_misses_suggested() {
        let labels = ["person", "bicycle", "traffic light"];
        let set = classes(&["Person".into(), " traffic light".into()], &labels).unwrap();
        assert!(set.contains(ClassId(0)) && !set.contains(ClassId(1)) && set.contains(ClassId(2)));
        let error = classes(&["bycicle".into()], &labels).unwrap_err();
        assert!(error.to_string().contains("bicycle"), "{error}");
    }
}
