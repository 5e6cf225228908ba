//! What training makes small.

use burn::tensor::{Tensor, TensorData, activation};

use crate::data::{Batch, GRID, SIDE, STRIDE};
use crate::network::Output;

/// Cross-entropy of the objectness of every cell; at the cells of objects cross-entropy of the class, and of the box
/// 1 - GIoU (Rezatofighi et al., CVPR 2019). Sums per object.
pub(crate) fn total(output: Output, batch: &Batch) -> Tensor<1> {
    let objects = batch.objectness.clone().sum().clamp_min(1.0);
    let (logits, wanted) = (output.objectness, batch.objectness.clone());
    // log(1 + e^-x) without overflow, on either side.
    let yes = activation::log_sigmoid(logits.clone()) * wanted.clone();
    let no = activation::log_sigmoid(logits.neg()) * (wanted.clone().neg() + 1.0);
    let objectness = ((yes + no) * batch.weight.clone()).neg().sum();
    let classes =
        (activation::log_softmax(output.classes, 1) * batch.classes.clone() * wanted.clone()).neg().sum();
    let boxes = ((giou(output.boxes, batch.boxes.clone()).neg() + 1.0) * wanted).sum();
    (objectness + classes + boxes * 2.0) / objects
}

/// Generalised overlap of the boxes that raw values stand for with those that are to be found.
fn giou(raw: Tensor<4>, truth: Tensor<4>) -> Tensor<4> {
    let device = raw.device();
    let side = |tensor: &Tensor<4>, at: usize| tensor.clone().narrow(1, at, 1);
    // Column of each cell, and row.
    let place = |across: bool| {
        let cells = (0..GRID * GRID).map(|cell| (if across { cell % GRID } else { cell / GRID }) as f32);
        Tensor::<4>::from_data(TensorData::new(cells.collect::<Vec<f32>>(), [1, 1, GRID, GRID]), &device)
    };
    let center = |at: usize| (side(&raw, at).tanh() + place(at == 0)) * STRIDE as f32;
    let half = |at: usize| activation::sigmoid(side(&raw, at)) * (SIDE as f32 / 2.0);
    let (x, y, w, h) = (center(0), center(1), half(2), half(3));
    let (x1, y1) = (x.clone() - w.clone(), y.clone() - h.clone());
    let (x2, y2) = (x + w.clone(), y + h.clone());
    let [tx1, ty1, tx2, ty2] = [0, 1, 2, 3].map(|at| side(&truth, at));

    let width = (x2.clone().min_pair(tx2.clone()) - x1.clone().max_pair(tx1.clone())).clamp_min(0.0);
    let height = (y2.clone().min_pair(ty2.clone()) - y1.clone().max_pair(ty1.clone())).clamp_min(0.0);
    let both = width * height;
    let areas = w * h * 4.0 + (tx2.clone() - tx1.clone()) * (ty2.clone() - ty1.clone());
    let union = areas - both.clone() + 1e-6;
    let around = (x2.max_pair(tx2) - x1.min_pair(tx1)) * (y2.max_pair(ty2) - y1.min_pair(ty1)) + 1e-6;
    both / union.clone() - (around.clone() - union) / around
}
