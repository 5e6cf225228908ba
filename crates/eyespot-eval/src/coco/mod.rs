//! Average precision and recall of boxes as COCO defines them.
//!
//! ```
//! use eyespot_core::{BBox, ClassId, Detection};
//! use eyespot_eval::coco::{self, Dataset, Params, Results};
//!
//! let mut dataset = Dataset::with_classes(["person", "car"]);
//! let truth = BBox::new(10.0, 10.0, 60.0, 90.0);
//! let image = dataset.push_image([(truth, ClassId(0))])?;
//! let mut results = Results::default();
//! results.push(&dataset, image, &[Detection::new(truth, 0.9, ClassId(0))])?;
//!
//! let summary = coco::evaluate(&dataset, &results, &Params::default())?;
//! assert!(summary.metrics.ap.is_some_and(|ap| ap > 0.999));
//! print!("{summary}");
//! # Ok::<(), eyespot_eval::Error>(())
//! ```

mod accumulate;
mod data;
mod evaluate;
mod matching;
mod summary;

pub use data::{Annotation, Category, Dataset, Found, Image, Results};
pub use evaluate::{Params, ap50, evaluate};
pub use summary::{ClassMetrics, Metrics, Summary};
