//! The pictures of the tracking chapter, `docs/tracking/*.svg`: what the tracker makes of small scenes, with an option
//! at one value and at another. A picture that would not show a difference is an error.
//!
//! `cargo run -p eyespot-track --example pictures -- docs/tracking`

mod draw;
mod options;
mod scene;

use std::path::PathBuf;

use draw::Story;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("docs/tracking"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let mut alike = Vec::new();
    for (name, view, stories) in options::all()? {
        let same =
            |pair: &[Story]| (&pair[0].detections, &pair[0].tracks) == (&pair[1].detections, &pair[1].tracks);
        if stories.windows(2).any(same) {
            alike.push(name);
        }
        std::fs::write(folder.join(name).with_extension("svg"), draw::picture(view, &stories))?;
    }
    if alike.is_empty() {
        Ok(())
    } else {
        Err(format!("no difference to see in {}", alike.join(", ")).into())
    }
}
