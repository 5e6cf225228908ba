//! Videos and streams through an ffmpeg that is installed beside us.

mod file;
mod nut;
mod playlist;
mod probe;
mod process;
mod stream;
mod tool;

pub use file::FfmpegSource;
pub(crate) use playlist::is_playlist_of_a_file;
pub use process::Stopper;
pub use stream::{StreamOptions, StreamSource};
pub(crate) use tool::player;
