//! Multi-object tracking: files of the MOT Challenge format, and HOTA, CLEAR and identity scores.
//!
//! ```
//! use eyespot_eval::mot::{self, Sequence};
//!
//! let truth = Sequence::parse("gt.txt", "1,1,10,10,50,80,1,1,1\n2,1,14,10,50,80,1,1,1\n")?;
//! let tracks = Sequence::parse("tracks.txt", "1,7,10,11,50,80,0.9\n2,7,14,9,50,80,0.9\n")?;
//! let scores = mot::evaluate(&truth, &tracks)?;
//! assert_eq!(scores.clear.mota, 1.0);
//! assert_eq!(scores.identity.idf1, 1.0);
//! print!("{scores}");
//! # Ok::<(), eyespot_eval::Error>(())
//! ```

mod clear;
mod hota;
mod identity;
mod pairing;
mod parse;
mod scores;
mod sequence;
mod table;

pub use clear::Clear;
pub use hota::{Hota, HotaAt};
pub use identity::Identity;
pub use pairing::{MOT17_DISTRACTORS, MOT20_DISTRACTORS};
pub use scores::{Counts, Scores, combine, evaluate, evaluate_with};
pub use sequence::{Row, Sequence};
pub use table::Table;
