//! The figures and their familiar table.

use std::fmt;

use serde::Serialize;

use super::accumulate::Point;

/// The points of a category for all, small, medium and large objects, one per IoU threshold; none without objects of
/// that size.
pub(super) type Cells = [Vec<Point>; 4];

/// COCO's twelve figures, `0..=1`. `None` where there is nothing to find (pycocotools says -1).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Metrics {
    /// Average precision: the mean over categories and IoU thresholds.
    #[serde(rename = "AP")]
    pub ap: Option<f64>,
    /// AP at an IoU of 0.5; `None` if that is not among the thresholds.
    #[serde(rename = "AP50")]
    pub ap50: Option<f64>,
    /// AP at an IoU of 0.75; `None` if that is not among the thresholds.
    #[serde(rename = "AP75")]
    pub ap75: Option<f64>,
    /// AP of objects up to 32² pixels.
    #[serde(rename = "APs")]
    pub ap_small: Option<f64>,
    /// AP of objects from 32² to 96² pixels.
    #[serde(rename = "APm")]
    pub ap_medium: Option<f64>,
    /// AP of objects from 96² pixels.
    #[serde(rename = "APl")]
    pub ap_large: Option<f64>,
    /// Average recall with the first limit of detections, 1 by default.
    #[serde(rename = "AR1")]
    pub ar1: Option<f64>,
    /// Average recall with the second limit of detections, 10 by default.
    #[serde(rename = "AR10")]
    pub ar10: Option<f64>,
    /// Average recall with the third limit of detections, 100 by default.
    #[serde(rename = "AR100")]
    pub ar100: Option<f64>,
    /// Average recall of objects up to 32² pixels.
    #[serde(rename = "ARs")]
    pub ar_small: Option<f64>,
    /// Average recall of objects from 32² to 96² pixels.
    #[serde(rename = "ARm")]
    pub ar_medium: Option<f64>,
    /// Average recall of objects from 96² pixels.
    #[serde(rename = "ARl")]
    pub ar_large: Option<f64>,
}

impl Metrics {
    /// The means over categories and thresholds.
    pub(super) fn mean(categories: &[Cells], thresholds: &[f64]) -> Self {
        let over = |area: usize, pick: &dyn Fn(usize, &Point) -> Option<f64>| {
            let points = categories.iter().flat_map(|cells| cells[area].iter().enumerate());
            let (mut sum, mut count) = (0.0, 0.0);
            for value in points.filter_map(|(threshold, point)| pick(threshold, point)) {
                sum += value;
                count += 1.0;
            }
            (count > 0.0).then(|| sum / count)
        };
        let precision = |area| over(area, &|_, point| Some(point.precision));
        let precision_at = |iou: f64| {
            let at = |threshold: usize| (thresholds[threshold] - iou).abs() < 1e-9;
            over(0, &|threshold, point| at(threshold).then_some(point.precision))
        };
        let recall = |area, limit: usize| over(area, &|_, point| Some(point.recall[limit]));
        Self {
            ap: precision(0),
            ap50: precision_at(0.5),
            ap75: precision_at(0.75),
            ap_small: precision(1),
            ap_medium: precision(2),
            ap_large: precision(3),
            ar1: recall(0, 0),
            ar10: recall(0, 1),
            ar100: recall(0, 2),
            ar_small: recall(1, 2),
            ar_medium: recall(2, 2),
            ar_large: recall(3, 2),
        }
    }

    /// All twelve in the order of the table.
    #[must_use]
    pub const fn values(&self) -> [Option<f64>; 12] {
        [
            self.ap,
            self.ap50,
            self.ap75,
            self.ap_small,
            self.ap_medium,
            self.ap_large,
            self.ar1,
            self.ar10,
            self.ar100,
            self.ar_small,
            self.ar_medium,
            self.ar_large,
        ]
    }
}

/// The figures of one category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Its id.
    pub category_id: u64,
    /// Its name.
    pub name: String,
    /// How many true objects there are, crowds apart.
    pub objects: usize,
    /// Its figures.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// The outcome of an evaluation. Displays as the table that pycocotools prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The means over all categories.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// The figures of every category, in the order of ids; empty if categories were taken as one.
    pub classes: Vec<ClassMetrics>,
    /// How many images were evaluated.
    pub images: usize,
    /// How many results were left out because the dataset lacks their category.
    pub left_out: usize,
    /// The lowest and the highest IoU threshold.
    pub iou_range: [f64; 2],
    /// The limits of detections per image and category.
    pub max_detections: [usize; 3],
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.iou_range;
        let range = format!("{low:.2}:{high:.2}");
        let ious = [range.as_str(), "0.50", "0.75"];
        let areas = ["all", "all", "all", "small", "medium", "large"];
        for (line, value) in self.metrics.values().into_iter().enumerate() {
            let (title, kind, iou, limit) = match line {
                0..6 => ("Average Precision", "(AP)", *ious.get(line).unwrap_or(&ious[0]), 2),
                _ => ("Average Recall", "(AR)", ious[0], (line - 6).min(2)),
            };
            let (area, limit) = (areas[line % 6], self.max_detections[limit]);
            let value = value.unwrap_or(-1.0);
            writeln!(
                f,
                " {title:<18} {kind} @[ IoU={iou:<9} | area={area:>6} | maxDets={limit:>3} ] = {value:.3}"
            )?;
        }
        Ok(())
    }
}
