//! The arguments of the command line. Their names are those of the Prediction API.

// The comments are the help texts: back-ticks would be printed.
#![allow(clippy::doc_markdown)]

mod output;
#[cfg(feature = "serve")]
pub(crate) mod serve;
mod values;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use eyespot_media::VideoDecoder;

pub(crate) use output::{Anchor, ColorBy, Drawing, Output, Places};
pub(crate) use values::{Overlap, Setting, Shape, Size};

use crate::outbox::OutboxCommand;
use crate::upload::{FromPlatform, UploadArgs};

/// The whole command line.
#[derive(Debug, Parser)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Print results only: no progress, no summary.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render a scene with known truth, detect, track, score, and write an annotated video. Needs nothing.
    Demo(Demo),
    /// Find (and track) objects in images, directories, videos and streams.
    #[command(after_help = PREDICT_EXAMPLES)]
    Predict(Box<Predict>),
    /// List, fetch and describe models.
    #[command(subcommand)]
    Models(Models),
    /// Score results against the truth.
    #[command(subcommand)]
    Evaluate(Evaluate),
    /// Measure how fast this machine runs models, on a rendered scene. Needs no weights.
    Bench(Bench),
    /// Convert a TensorFlow Lite or ONNX model for the fixed-memory engine, and say what it needs.
    Convert(Convert),
    /// Show, record and upload what boards send over serial ports and networks.
    Gateway(Box<Gateway>),
    /// Look after the results that wait for their upload.
    Outbox(OutboxCommand),
    /// Let others use a model over HTTP, in the protocol of the Supervisely SDK. Ends with Ctrl-C.
    #[cfg(feature = "serve")]
    Serve(Box<serve::Serve>),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// What runs without a command.
    pub(crate) fn demo() -> Self {
        Self::Demo(Demo {
            frames: DEMO_FRAMES,
            seed: DEMO_SEED,
            objects: DEMO_OBJECTS,
            save_dir: DEMO_DIR.into(),
        })
    }
}

const PREDICT_EXAMPLES: &str = "\
Examples:
  predict photos --save-dir out                            pictures with boxes, and predictions.jsonl
  predict street.mp4 --tracking --classes person,car --save-dir out
  predict door.mp4 --model motion --tracking --line 'door=320,360;320,0'
  predict aerial.jpg --sliding-window --window-size 640 --overlap 0.25 --json -
  predict street_project --save-project street_found       a Supervisely project into another one
  predict rtsp://camera/live --tracking --mqtt mqtt://broker/camera --show

What is not given is the model's own. Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 done but some frames or files
were skipped.";

const DEMO_FRAMES: u64 = 300;
const DEMO_SEED: u32 = 9;
const DEMO_OBJECTS: u8 = 4;
const DEMO_DIR: &str = "out";

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Frames to render.
    #[arg(long, default_value_t = DEMO_FRAMES, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) frames: u64,
    /// Another number is another scene.
    #[arg(long, default_value_t = DEMO_SEED)]
    pub(crate) seed: u32,
    /// Objects that take part. Where they touch, the motion predictor sees one.
    #[arg(long, default_value_t = DEMO_OBJECTS, value_parser = clap::value_parser!(u8).range(1..=24))]
    pub(crate) objects: u8,
    /// Where the video and the results go.
    #[arg(long, default_value = DEMO_DIR, value_name = "DIR")]
    pub(crate) save_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Models by name, which run on noise in place of weights, or files of weights [default: one of each size].
    #[arg(value_name = "NAME|FILE")]
    pub(crate) models: Vec<String>,
    /// Where they run: auto, cpu, wgpu or wgpu:N, wgpu-f16 in half precision; flex is Burn on the CPU [default: the board's].
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// Sizes of the models' input: one number, or HEIGHTxWIDTH [default: the model's].
    #[arg(long, value_name = "N|HxW,..", value_delimiter = ',')]
    pub(crate) img_size: Vec<Size>,
    /// Size of the frames, from 16 pixels on.
    #[arg(long, default_value = "720x1280", value_name = "N|HxW")]
    pub(crate) frame_size: Size,
    /// Time for each model.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// A time that something can be measured in.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "give 0.01 to 3600 seconds".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Images, directories, videos, patterns ("photos/*.jpg"), addresses (https://.., rtsp://..), cameras (/dev/video0) or
    /// Supervisely projects on disk. What is no MP4 with H.264 goes through ffmpeg, where there is one.
    #[arg(required_unless_present_any = ["project_id", "dataset_id", "image_id", "video_id"], value_name = "INPUT")]
    pub(crate) input: Vec<OsString>,
    #[command(flatten)]
    pub(crate) platform: FromPlatform,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Keep detections with at least this score, 0 to 1 [default: the model's].
    #[arg(long)]
    pub(crate) conf: Option<f32>,
    /// Suppress a detection that overlaps a better one of its class by more than this IoU, 0 to 1 [default: the
    /// model's].
    #[arg(long)]
    pub(crate) iou: Option<f32>,
    /// Frames, or windows of a frame, that the model gets at once [default: 1].
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<NonZeroUsize>,
    /// Size of the model's input: one number, or HEIGHTxWIDTH [default: the model's]. With --sliding-window: the size
    /// that each frame gets before it is cut.
    #[arg(long, value_name = "N|HxW")]
    pub(crate) img_size: Option<Size>,
    /// Keep only these classes.
    #[arg(long, value_delimiter = ',', value_name = "NAME,..")]
    pub(crate) classes: Vec<String>,
    /// Search directories inside directories too.
    #[arg(long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) video: Video,
    #[command(flatten)]
    pub(crate) window: Window,
    /// Give objects an identity over time.
    #[arg(long)]
    pub(crate) tracking: bool,
    /// A setting of the tracker, for example tracker=bytetrack, cmc_method=sparseOptFlow, with_reid=true or
    /// track_buffer=60. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", requires = "tracking")]
    pub(crate) tracking_config: Vec<String>,
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
    #[command(flatten)]
    pub(crate) upload: UploadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A model by name (see `models list`), a file of weights, or a model elsewhere: the address of a server
    /// (http://host:8000, its token in EYESPOT_TOKEN) or a task of a Supervisely platform (task:1234).
    #[arg(long, short, default_value = "yolox/yolox-nano", value_name = "NAME|FILE|URL")]
    pub(crate) model: String,
    /// A model of this computer that takes over while the one elsewhere can't be reached.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) fallback: Option<String>,
    /// Certificate of a server that signed its own, PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Where it runs: auto, cpu, wgpu or wgpu:N, wgpu-f16 in half precision; flex is Burn on the CPU, onnxruntime and tract are for ONNX files [default: the
    /// board's].
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// A setting of the model: of motion (min_area=0.01), of an ONNX file (head=yolov8), or whatever a model elsewhere
    /// knows. What has a flag of its own can be said here too (conf=0.4). May be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<Setting>,
    /// Never fetch weights.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Video")]
pub(crate) struct Video {
    /// Step between frames.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stride: u32,
    /// First frame, from 0.
    #[arg(long, default_value_t = 0)]
    pub(crate) start_frame: u64,
    /// End before this frame.
    #[arg(long)]
    pub(crate) end_frame: Option<u64>,
    /// Process so many frames at most.
    #[arg(long)]
    pub(crate) num_frames: Option<u64>,
    /// Process so many seconds at most.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) duration: Option<f64>,
    /// What decodes it: auto (H.264 in MP4 built in, all else by ffmpeg), ffmpeg (faster, where there is one), or ffmpeg:NAME
    /// with one of its decoders, such as h264_v4l2m2m for the hardware of a board. Builds with the feature libav also take libav
    /// and libav:NAME: H.264 in MP4 by ffmpeg's library within this program, the fastest.
    #[arg(long, default_value = "auto")]
    pub(crate) decoder: VideoDecoder,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Sliding window")]
pub(crate) struct Window {
    /// Look at large frames window by window.
    #[arg(long)]
    pub(crate) sliding_window: bool,
    /// Size of a window: one number, or HEIGHTxWIDTH [default: the model's input size].
    #[arg(long, value_name = "N|HxW", requires = "sliding_window")]
    pub(crate) window_size: Option<Size>,
    /// Overlap of windows: a fraction below 1, or pixels [default: 0].
    #[arg(long, value_name = "FRACTION|PIXELS", requires = "sliding_window")]
    pub(crate) overlap: Option<Overlap>,
    /// How detections of neighbouring windows become one.
    #[arg(long, value_enum, default_value_t = Merge::Nmm, requires = "sliding_window")]
    pub(crate) merge: Merge,
    /// What counts as the same object: IoU, or IoS (overlap over the smaller box).
    #[arg(long, value_enum, default_value_t = Metric::Iou, requires = "sliding_window")]
    pub(crate) merge_metric: Metric,
    /// Overlap from which two detections are the same object, 0 to 1.
    #[arg(long, default_value_t = 0.5, requires = "sliding_window")]
    pub(crate) merge_threshold: f32,
    /// Look at the whole frame once as well, for objects larger than a window.
    #[arg(long, requires = "sliding_window")]
    pub(crate) whole_frame: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// What there is, and what of it is on this computer.
    List,
    /// Fetch the weights of models.
    Pull {
        /// Names, see `models list`.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// All that is known about a model; of an ONNX file, what its outputs were recognised as.
    Info {
        /// Its name, or a file of weights.
        #[arg(value_name = "NAME|FILE")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Evaluate {
    /// COCO average precision of detections.
    Coco {
        /// Annotations, instances.json.
        #[arg(long)]
        gt: PathBuf,
        /// Results: a list of image_id, category_id, bbox and score.
        #[arg(long)]
        results: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// HOTA, MOTA, IDF1 and the like of tracks.
    Mot {
        /// Ground truth in MOT format. May be given several times.
        #[arg(long, required = true)]
        gt: Vec<PathBuf>,
        /// Tracks in MOT format, one file per ground truth, in the same order.
        #[arg(long, required = true)]
        tracks: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The model: .tflite or .onnx.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Where the result goes [default: beside the model, with the extension .eye].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What its outputs mean.
    #[arg(long, value_enum, default_value_t = Task::Raw)]
    pub(crate) task: Task,
    /// Order of the channels of its input [default: the task's, else rgb].
    #[arg(long, value_enum)]
    pub(crate) color: Option<Color>,
    /// How an image is fitted into its input [default: the task's, else stretch].
    #[arg(long, value_enum)]
    pub(crate) fit: Option<Fit>,
    /// Level that becomes 0, one number or one per channel [default: that of a quantised input, else 0].
    #[arg(long, value_delimiter = ',', value_name = "LEVEL,..")]
    pub(crate) mean: Vec<f32>,
    /// Levels per step of 1, one number or one per channel [default: those of a quantised input, else 1 for yolox, else
    /// 255].
    #[arg(long, value_delimiter = ',', value_name = "LEVELS,..")]
    pub(crate) std: Vec<f32>,
    /// Another size of the input of an .onnx model: one number, or HEIGHTxWIDTH.
    #[arg(long, value_name = "N|HxW")]
    pub(crate) img_size: Option<Size>,
    /// Quantise a floating-point model to int8 with the photos of this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) calibrate: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Not said: for programs that read the outputs themselves.
    Raw,
    /// A score per class for the whole image.
    Classify,
    /// The head of FastestDet.
    Fastestdet,
    /// The head of YOLOX, for hosts.
    Yolox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Gray,
    Rgb,
    Bgr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fit {
    /// Fills the input; the aspect ratio changes.
    Stretch,
    /// Keeps the aspect ratio; the padding at the right and below.
    TopLeft,
    /// Keeps the aspect ratio; in the middle of the padding.
    Center,
}

#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// Where boards are: /dev/ttyACM0[@BAUD], tcp://HOST:PORT, tcp-listen://ADDRESS:PORT (any number of them),
    /// mqtt://HOST[:PORT]/TOPIC (a board per topic, + and # allowed), or - for standard input. May be given several times.
    #[arg(long, required = true, value_name = "PORT")]
    pub(crate) port: Vec<eyespot_gateway::Endpoint>,
    /// Write one line of JSON per result to this file, or to standard output with `-`.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub(crate) json: PathBuf,
    /// End at the first disconnection instead of connecting again.
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) upload: UploadArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Merge {
    /// Non-maximum suppression: the best detection stays as it is.
    Nms,
    /// Non-maximum merging: the best detection grows around those that it absorbs.
    Nmm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Metric {
    /// Intersection over union.
    Iou,
    /// Intersection over the smaller area.
    Ios,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn window_settings_without_a_window_are_refused() {
        let parse = |text: &str| Cli::try_parse_from(text.split(' '));
        assert!(parse("eyespot predict a.jpg --window-size 640").is_err());
        assert!(parse("eyespot predict a.jpg --sliding-window --window-size 640").is_ok());
        assert!(parse("eyespot predict a.jpg --tracking-config track_buffer=3").is_err());
        assert!(parse("eyespot predict").is_err());
        assert!(parse("eyespot predict --image-id 5,6").is_ok());
        assert!(parse("eyespot predict a.jpg --image-id 5,6").is_err());
        assert!(parse("eyespot predict --video-ids 7").is_ok());
        assert!(parse("eyespot predict --project-id 1,2 --video-id 7").is_err());
        assert!(parse("eyespot predict a.jpg --iou-merge-threshold 0.5").is_err());
        assert!(parse("eyespot gateway --port - --port /dev/ttyACM0").is_ok());
    }
}
