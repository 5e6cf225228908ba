//! What becomes of results: counts, files, addresses, pictures.

#![allow(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::Shape;
use super::values::Color;

#[derive(Debug, Args)]
#[command(next_help_heading = "Zones and lines")]
pub(crate) struct Places {
    /// Count who is in this polygon, who comes and goes, and how long they stay. Pixels of the frame; may be given
    /// several times.
    #[arg(long, value_name = "NAME=x,y;x,y;x,y;..", requires = "tracking")]
    pub(crate) zone: Vec<Shape>,
    /// Count who crosses this line, and which way. Its right side is that of someone who walks from its start to its
    /// end. May be given several times.
    #[arg(long, value_name = "NAME=x,y;x,y", requires = "tracking")]
    pub(crate) line: Vec<Shape>,
    /// The point of a box that stands for the object: where it meets the ground, its centre, or its upper edge.
    #[arg(long, value_enum, default_value_t = Anchor::Bottom)]
    pub(crate) anchor: Anchor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Anchor {
    Bottom,
    Center,
    Top,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write annotated pictures or video, and predictions.jsonl, to this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) save_dir: Option<PathBuf>,
    /// Save results as JSON only, no pictures.
    #[arg(long, requires = "save_dir")]
    pub(crate) no_visualize: bool,
    /// Write one line of JSON per frame to this file, or to standard output with `-`.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) json: Option<PathBuf>,
    /// Write a table with a row per object to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write detections as COCO results to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) coco: Option<PathBuf>,
    /// Write tracks in MOT format to this folder, a file per input.
    #[arg(long, value_name = "DIR", requires = "tracking")]
    pub(crate) mot: Option<PathBuf>,
    /// Write a Supervisely project to this folder: the images or videos with their annotations.
    #[arg(long, value_name = "DIR")]
    pub(crate) save_project: Option<PathBuf>,
    /// Send one line of JSON per frame to this address, in batches.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// A header of each request to the webhook, for example "Authorization: Bearer ..". May be given several times.
    #[arg(long, value_name = "NAME: VALUE", requires = "webhook")]
    pub(crate) webhook_header: Vec<String>,
    /// Publish one message of JSON per frame: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC.
    #[arg(long, value_name = "URL")]
    pub(crate) mqtt: Option<String>,
    /// Show the frames: in a window where there are a screen and ffplay, in this terminal otherwise.
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Drawing")]
pub(crate) struct Drawing {
    /// One colour for all, as on web pages [default: one per class or track].
    #[arg(long, value_name = "RRGGBB", conflicts_with = "color_by")]
    pub(crate) color: Option<Color>,
    /// What gives an object its colour [default: its track with --tracking, else its class].
    #[arg(long, value_enum)]
    pub(crate) color_by: Option<ColorBy>,
    /// Thickness of lines in pixels [default: by the size of the picture].
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) thickness: Option<u16>,
    /// Opacity of filled boxes and masks, 0 to 1.
    #[arg(long, default_value_t = 0.2, value_parser = opacity)]
    pub(crate) opacity: f32,
    /// Write class, score and track above each object.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) draw_tags: bool,
    /// Fill boxes, not only outline them.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) fill_rectangles: bool,
    /// Draw masks.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) draw_masks: bool,
    /// Draw keypoints and the lines between them.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pub(crate) draw_keypoints: bool,
    /// Leave out keypoints with a lower score, 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.3)]
    pub(crate) keypoint_conf: f32,
    /// How many of its last positions a track shows; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) trails: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorBy {
    Class,
    Track,
}

fn opacity(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(opacity) if (0.0..=1.0).contains(&opacity) => Ok(opacity),
        _ => Err("it is a number from 0 to 1".to_owned()),
    }
}
