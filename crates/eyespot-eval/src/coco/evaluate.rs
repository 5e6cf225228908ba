//! The evaluation: all categories, sizes, thresholds and limits.

use std::cmp::Ordering;
use std::collections::HashMap;

use eyespot_core::{BBox, ClassId, Detection};

use super::accumulate::{Point, Pool};
use super::matching::{AreaRange, Matcher, Outcome};
use super::summary::{Cells, ClassMetrics, Metrics, Summary};
use super::{Dataset, Results};
use crate::Error;

/// All, small, medium, large.
const AREAS: [AreaRange; 4] = [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];

/// How to evaluate. The default is COCO's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// IoU from which a detection is true, `0..=1`, ascending; results are the mean over them. COCO: 0.5, 0.55, ...,
    /// 0.95.
    pub iou_thresholds: Vec<f64>,
    /// Three limits of detections per image and category, ascending. AP and the last AR use the third. COCO: 1, 10,
    /// 100.
    pub max_detections: [usize; 3],
    /// Takes all categories as one.
    pub class_agnostic: bool,
}

impl Default for Params {
    fn default() -> Self {
        let step = (0.95 - 0.5) / 9.0;
        let mut iou_thresholds: Vec<f64> = (0..10_u8).map(|i| 0.5 + f64::from(i) * step).collect();
        iou_thresholds[9] = 0.95;
        Self { iou_thresholds, max_detections: [1, 10, 100], class_agnostic: false }
    }
}

impl Params {
    fn check(&self) -> Result<(), Error> {
        if self.iou_thresholds.is_empty() {
            return Err(Error::Params("at least one IoU threshold is needed"));
        }
        if !self.iou_thresholds.iter().all(|iou| (0.0..=1.0).contains(iou)) {
            return Err(Error::Params("IoU thresholds lie in 0..=1"));
        }
        if !self.iou_thresholds.is_sorted() || !self.max_detections.is_sorted() {
            return Err(Error::Params("IoU thresholds and limits of detections ascend"));
        }
        Ok(())
    }
}

/// A true object, with its image and category by rank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    group: usize,
    image: usize,
    category: usize,
    pub(super) bbox: [f64; 4],
    pub(super) area: f64,
    pub(super) crowd: bool,
}

/// A detection, with its image and category by rank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detected {
    group: usize,
    image: usize,
    category: usize,
    pub(super) bbox: [f64; 4],
    pub(super) area: f64,
    score: f64,
}

/// Larger scores first; scores are finite.
pub(super) fn falling(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// Evaluates results. The figures equal those of pycocotools.
///
/// Results of a category that the dataset does not have are left out and counted in [`Summary::left_out`].
///
/// # Errors
///
/// [`Error::UnknownImage`] for a result of an image that the dataset does not have, [`Error::NonFinite`] and
/// [`Error::Params`].
pub fn evaluate(dataset: &Dataset, results: &Results, params: &Params) -> Result<Summary, Error> {
    params.check()?;
    let categories = dataset.category_ids();
    let (truths, detections, left_out) = collect(dataset, results, params, &categories)?;

    // Taken as one, the categories have no figures of their own.
    let groups =
        if params.class_agnostic { vec![None] } else { categories.iter().copied().map(Some).collect() };
    let mut evaluator = Evaluator::new(params);
    let mut classes = Vec::new();
    let mut all = Vec::with_capacity(groups.len());
    let (mut truths, mut detections) = (&truths[..], &detections[..]);
    for (at, category) in groups.into_iter().enumerate() {
        let mine = take(&mut truths, |truth| truth.group == at);
        let cells = evaluator.cells(mine, take(&mut detections, |detection| detection.group == at));
        if let Some(id) = category {
            let category = dataset.categories.iter().find(|category| category.id == id);
            classes.push(ClassMetrics {
                category_id: id,
                name: category.map(|category| category.name.clone()).unwrap_or_default(),
                objects: mine.iter().filter(|truth| !truth.crowd).count(),
                metrics: Metrics::mean(core::slice::from_ref(&cells), &params.iou_thresholds),
            });
        }
        all.push(cells);
    }
    Ok(Summary {
        metrics: Metrics::mean(&all, &params.iou_thresholds),
        classes,
        images: dataset.images.len(),
        left_out,
        iou_range: [params.iou_thresholds[0], params.iou_thresholds[params.iou_thresholds.len() - 1]],
        max_detections: params.max_detections,
    })
}

/// Average precision at an IoU of 0.5 of the detections of one image, of any number: the mean over the classes that
/// occur in `truths`; `None` without any.
///
/// # Errors
///
/// [`Error::NonFinite`].
pub fn ap50(truths: &[(BBox, ClassId)], detections: &[Detection]) -> Result<Option<f64>, Error> {
    let classes = truths.iter().map(|truth| truth.1).chain(detections.iter().map(|d| d.class));
    let classes = classes.map(ClassId::index).max().map_or(0, |largest| largest + 1);
    let mut dataset = Dataset::with_classes((0..classes).map(|_| ""));
    let image = dataset.push_image(truths.iter().copied())?;
    let mut results = Results::default();
    results.push(&dataset, image, detections)?;
    let params = Params {
        iou_thresholds: vec![0.5],
        max_detections: [1, 10, detections.len().max(10)],
        class_agnostic: false,
    };
    Ok(evaluate(&dataset, &results, &params)?.metrics.ap)
}

/// Truths by group, image and category, detections by group, image and score; how many results were left out.
fn collect(
    dataset: &Dataset,
    results: &Results,
    params: &Params,
    categories: &[u64],
) -> Result<(Vec<Truth>, Vec<Detected>, usize), Error> {
    let mut ids: Vec<u64> = dataset.images.iter().map(|image| image.id).collect();
    ids.sort_unstable();
    let images: HashMap<u64, usize> = ids.into_iter().zip(0..).collect();
    let group_of = |category| if params.class_agnostic { 0 } else { category };

    let mut truths = Vec::with_capacity(dataset.annotations.len());
    for annotation in &dataset.annotations {
        let Some(&image) = images.get(&annotation.image_id) else { continue };
        let Ok(category) = categories.binary_search(&annotation.category_id) else { continue };
        let area = annotation.area.unwrap_or(annotation.bbox[2] * annotation.bbox[3]);
        if !area.is_finite() || !annotation.bbox.iter().all(|v| v.is_finite()) {
            return Err(Error::NonFinite { image: annotation.image_id });
        }
        truths.push(Truth {
            group: group_of(category),
            image,
            category,
            bbox: annotation.bbox,
            area,
            crowd: annotation.iscrowd != 0,
        });
    }
    truths.sort_by_key(|truth| (truth.group, truth.image, truth.category));

    let mut left_out = 0;
    let mut detections = Vec::with_capacity(results.found.len());
    for found in &results.found {
        let &image = images.get(&found.image_id).ok_or(Error::UnknownImage { image: found.image_id })?;
        if !found.score.is_finite() || !found.bbox.iter().all(|v| v.is_finite()) {
            return Err(Error::NonFinite { image: found.image_id });
        }
        let Ok(category) = categories.binary_search(&found.category_id) else {
            left_out += 1;
            continue;
        };
        detections.push(Detected {
            group: group_of(category),
            image,
            category,
            bbox: found.bbox,
            area: found.bbox[2] * found.bbox[3],
            score: found.score,
        });
    }
    detections.sort_by(|a, b| {
        let place = (a.group, a.image).cmp(&(b.group, b.image));
        place.then(falling(a.score, b.score)).then(a.category.cmp(&b.category))
    });
    Ok((truths, detections, left_out))
}

/// Cuts off the leading items for which `is` holds.
fn take<'a, T>(items: &mut &'a [T], is: impl Fn(&T) -> bool) -> &'a [T] {
    let (taken, rest) = items.split_at(items.iter().position(|item| !is(item)).unwrap_or(items.len()));
    *items = rest;
    taken
}

/// The evaluation of one category; keeps its buffers between categories.
struct Evaluator<'a> {
    params: &'a Params,
    matcher: Matcher,
    pool: Pool,
    /// For every range of sizes and every threshold.
    outcomes: Vec<Vec<Outcome>>,
}

impl<'a> Evaluator<'a> {
    fn new(params: &'a Params) -> Self {
        let outcomes = vec![Vec::new(); AREAS.len() * params.iou_thresholds.len()];
        Self { params, matcher: Matcher::default(), pool: Pool::default(), outcomes }
    }

    fn cells(&mut self, mut truths: &[Truth], mut detections: &[Detected]) -> Cells {
        let thresholds = &self.params.iou_thresholds;
        let limits = self.params.max_detections;
        self.pool.clear();
        self.outcomes.iter_mut().for_each(Vec::clear);
        let mut objects = [0; AREAS.len()];

        loop {
            let next = truths.first().map(|truth| truth.image).into_iter();
            let Some(image) = next.chain(detections.first().map(|d| d.image)).min() else { break };
            let truths = take(&mut truths, |truth| truth.image == image);
            let detections = take(&mut detections, |detection| detection.image == image);
            let detections = &detections[..detections.len().min(limits[2])];
            self.pool.extend(detections.iter().map(|detection| detection.score));
            self.matcher.begin(truths, detections);
            for (at, &area) in AREAS.iter().enumerate() {
                objects[at] += self.matcher.begin_area(truths, area);
                for (&threshold, outcomes) in
                    thresholds.iter().zip(&mut self.outcomes[at * thresholds.len()..])
                {
                    self.matcher.run(truths, detections, area, threshold, outcomes);
                }
            }
        }

        self.pool.sort();
        core::array::from_fn(|at| {
            let outcomes = &self.outcomes[at * thresholds.len()..][..thresholds.len()];
            let points = outcomes.iter().map(|outcomes| self.pool.point(outcomes, objects[at], limits));
            if objects[at] > 0 { points.collect::<Vec<Point>>() } else { Vec::new() }
        })
    }
}
