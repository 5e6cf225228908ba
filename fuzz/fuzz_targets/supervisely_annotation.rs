#![no_main]

use eyespot_supervisely::format::{Annotation, ProjectMeta, VideoAnnotation, subpixel};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

/// What was read is written in a form that reads the same.
fn same<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(bytes).ok()?;
    let written = serde_json::to_vec(&read).unwrap();
    assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), read);
    Some(read)
}

fuzz_target!(|bytes: &[u8]| {
    same::<ProjectMeta>(bytes);
    same::<VideoAnnotation>(bytes);
    if let Some(annotation) = same::<Annotation>(bytes) {
        for object in &annotation.objects {
            let _ = object.geometry.bounds();
        }
        let _ = subpixel::annotation_from_platform(subpixel::annotation_to_platform(annotation));
    }
});
