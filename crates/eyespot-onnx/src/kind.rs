//! The heads by name, and what the networks that have them are given.

use eyespot_image::{Channels, Fit};
use serde::Deserialize;

/// What the outputs of a model mean. A manifest gives its name, in the form `yolov8-seg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Cells of grids, raw: `[n, 5 + classes]`. YOLOX as its authors export it.
    Yolox,
    /// Rows of centre, size, objectness and class scores, `[n, 5 + classes]`: YOLOv5, v6, v7, and YOLOX with its boxes
    /// decoded in the graph.
    Yolov5,
    /// Rows of centre, size and class scores, `[4 + classes, n]`: YOLOv8, v9, v11, v12.
    Yolov8,
    /// The same with coefficients of masks, and their prototypes `[m, height, width]` as a second output.
    Yolov8Seg,
    /// The same with keypoints.
    Yolov8Pose,
    /// The same with an angle.
    Yolov8Obb,
    /// Rows of corners, score and class, `[n, 6]`, no suppression needed: `YOLOv10`, YOLO26.
    #[serde(alias = "yolov10", alias = "yolo26")]
    EndToEnd,
    /// The same with coefficients of masks, and their prototypes as a second output.
    #[serde(alias = "yolo26-seg")]
    EndToEndSeg,
    /// The same with keypoints.
    #[serde(alias = "yolo26-pose")]
    EndToEndPose,
    /// Rows of centre, size, score, class and angle, `[n, 7]`.
    #[serde(alias = "yolo26-obb")]
    EndToEndObb,
    /// Rows of image, corners, class and score, `[n, 7]`: `YOLOv7` with suppression in the graph.
    Yolov7EndToEnd,
    /// Class logits `[n, classes + 1]`, the last for nothing, through a softmax, and boxes `[n, 4]` in parts of the
    /// image: DETR.
    Detr,
    /// Class logits `[n, classes]` through a sigmoid, and boxes `[n, 4]` in parts of the image: RT-DETR, D-FINE, DEIM,
    /// RF-DETR.
    RtDetr,
    /// Class scores `[n, 1 + classes]`, the first for the background, and corners `[n, 4]` in parts of the image, before
    /// suppression: SSD.
    Ssd,
    /// Boxes `[n, 4]` as corners in pixels, labels and scores `[n]`: torchvision, RT-DETR with its deploy head.
    Detections,
    /// Boxes with their scores, `[n, 5]`, and labels `[n]`: `MMDetection` and RTMDet through `MMDeploy`.
    Mmdet,
    /// `detection_boxes` `[n, 4]` (top, left, bottom, right in parts of the image), `detection_classes` from 1,
    /// `detection_scores`: TensorFlow.
    TfDetections,
    /// Rows of image, class, score and corners in parts of the image, `[n, 7]`: Caffe and `OpenVINO`.
    DetectionOutput,
    /// For each stride class scores `[cells, classes]` and distances as distributions `[cells, 4 * bins]`, from the
    /// centres of the cells: NanoDet, PicoDet.
    Nanodet,
    /// The same in one output for all strides, `[cells, classes + 4 * bins]`, from the corners: NanoDet-Plus.
    NanodetPlus,
    /// For each stride class logits `[classes, height, width]` and distances in pixels `[4, height, width]`: RTMDet
    /// without its suppression.
    Rtmdet,
    /// One grid, `[5 + classes, height, width]`.
    Fastestdet,
    /// The keypoints of one person, `[keypoints, 3]` as y, x, score in parts of the image: MoveNet.
    Movenet,
    /// Rows of keypoints and a box, `[people, keypoints * 3 + 5]`: MoveNet for several people.
    MovenetMultipose,
    /// The keypoints of one object as maps, `[keypoints, height, width]`.
    Heatmaps,
    /// The keypoints of one object along both axes, `[keypoints, width * split]` and `[keypoints, height * split]`:
    /// RTMPose.
    Simcc,
    /// A score of each class, or the class, for each pixel.
    Semantic,
    /// A number for each pixel.
    Depth,
    /// A score of each class for the whole image.
    Classification,
}

/// How images become the input of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Preset {
    pub(crate) channels: Channels,
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
    pub(crate) fit: Fit,
    pub(crate) pad: u8,
}

/// Levels as they are.
const LEVELS: ([f32; 3], [f32; 3]) = ([0.0; 3], [1.0; 3]);
/// `0..=1`.
const UNIT: ([f32; 3], [f32; 3]) = ([0.0; 3], [255.0; 3]);
/// The statistics of ImageNet, red first.
const IMAGENET: ([f32; 3], [f32; 3]) = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]);
/// The same, blue first.
const IMAGENET_BGR: ([f32; 3], [f32; 3]) = ([103.53, 116.28, 123.675], [57.375, 57.12, 58.395]);

impl Kind {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::Yolox,
        Self::Yolov5,
        Self::Yolov8,
        Self::Yolov8Seg,
        Self::Yolov8Pose,
        Self::Yolov8Obb,
        Self::EndToEnd,
        Self::EndToEndSeg,
        Self::EndToEndPose,
        Self::EndToEndObb,
        Self::Yolov7EndToEnd,
        Self::Detr,
        Self::RtDetr,
        Self::Ssd,
        Self::Detections,
        Self::Mmdet,
        Self::TfDetections,
        Self::DetectionOutput,
        Self::Nanodet,
        Self::NanodetPlus,
        Self::Rtmdet,
        Self::Fastestdet,
        Self::Movenet,
        Self::MovenetMultipose,
        Self::Heatmaps,
        Self::Simcc,
        Self::Semantic,
        Self::Depth,
        Self::Classification,
    ];

    /// Its name in a manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yolox => "yolox",
            Self::Yolov5 => "yolov5",
            Self::Yolov8 => "yolov8",
            Self::Yolov8Seg => "yolov8-seg",
            Self::Yolov8Pose => "yolov8-pose",
            Self::Yolov8Obb => "yolov8-obb",
            Self::EndToEnd => "end-to-end",
            Self::EndToEndSeg => "end-to-end-seg",
            Self::EndToEndPose => "end-to-end-pose",
            Self::EndToEndObb => "end-to-end-obb",
            Self::Yolov7EndToEnd => "yolov7-end-to-end",
            Self::Detr => "detr",
            Self::RtDetr => "rt-detr",
            Self::Ssd => "ssd",
            Self::Detections => "detections",
            Self::Mmdet => "mmdet",
            Self::TfDetections => "tf-detections",
            Self::DetectionOutput => "detection-output",
            Self::Nanodet => "nanodet",
            Self::NanodetPlus => "nanodet-plus",
            Self::Rtmdet => "rtmdet",
            Self::Fastestdet => "fastestdet",
            Self::Movenet => "movenet",
            Self::MovenetMultipose => "movenet-multipose",
            Self::Heatmaps => "heatmaps",
            Self::Simcc => "simcc",
            Self::Semantic => "semantic",
            Self::Depth => "depth",
            Self::Classification => "classification",
        }
    }

    /// How the networks that usually have this head are given images. A manifest changes what differs.
    pub(crate) const fn preset(self) -> Preset {
        use Channels::{Bgr, Rgb};
        use Fit::{Center, Stretch, TopLeft};
        let (channels, (mean, std), fit, pad) = match self {
            Self::Yolox => (Bgr, LEVELS, TopLeft, 114),
            Self::Yolov5
            | Self::Yolov8
            | Self::Yolov8Seg
            | Self::Yolov8Pose
            | Self::Yolov8Obb
            | Self::EndToEnd
            | Self::EndToEndSeg
            | Self::EndToEndPose
            | Self::EndToEndObb
            | Self::Yolov7EndToEnd => (Rgb, UNIT, Center, 114),
            Self::RtDetr | Self::Detections => (Rgb, UNIT, Stretch, 0),
            Self::Ssd => (Rgb, ([127.0; 3], [128.0; 3]), Stretch, 0),
            Self::TfDetections => (Rgb, LEVELS, Stretch, 0),
            Self::DetectionOutput => (Bgr, LEVELS, Stretch, 0),
            Self::Mmdet | Self::Rtmdet => (Bgr, IMAGENET_BGR, TopLeft, 114),
            Self::Nanodet | Self::NanodetPlus => (Bgr, IMAGENET_BGR, Center, 0),
            Self::Fastestdet => (Bgr, UNIT, Stretch, 0),
            Self::Movenet | Self::MovenetMultipose => (Rgb, LEVELS, Center, 0),
            Self::Heatmaps | Self::Simcc => (Rgb, IMAGENET, Center, 0),
            Self::Detr | Self::Semantic | Self::Depth | Self::Classification => (Rgb, IMAGENET, Stretch, 0),
        };
        Preset { channels, mean, std, fit, pad }
    }
}
