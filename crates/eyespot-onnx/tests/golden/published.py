"""Average precision of ONNX models on photos of COCO, through ONNX Runtime and decoders in NumPy: the figures in
`../heads/published.rs`.

    python published.py MODELS instances.json IMAGES

Needs numpy, onnxruntime, opencv-python and pycocotools.
"""

import contextlib
import io
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

models, truth, images = map(pathlib.Path, sys.argv[1:])
MEAN, STD = np.float32([103.53, 116.28, 123.675]), np.float32([57.375, 57.12, 58.395])
CONF = 0.05


def prepare(photo, side, fit, pad=0):
    """The photo in a square, and where it lies there: left, top, and the ratio of each axis."""
    height, width = photo.shape[:2]
    if fit == "stretch":
        return cv2.resize(photo, (side, side)), (0, 0, side / width, side / height)
    ratio = min(side / width, side / height)
    w, h = int(width * ratio), int(height * ratio)
    left, top = ((side - w) // 2, (side - h) // 2) if fit == "center" else (0, 0)
    canvas = np.full((side, side, 3), pad, np.uint8)
    canvas[top : top + h, left : left + w] = cv2.resize(photo, (w, h))
    return canvas, (left, top, ratio, ratio)


def planar(x):
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)


def suppress(boxes, scores, labels, limit):
    area, kept = (boxes[:, 2:] - boxes[:, :2]).prod(1), []
    for label in np.unique(labels):
        left = np.flatnonzero(labels == label)
        left = left[np.argsort(-scores[left], kind="stable")]
        while len(left):
            best, left = left[0], left[1:]
            kept.append(best)
            sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
            shared = np.clip(sides, 0, None).prod(1)
            left = left[shared / (area[best] + area[left] - shared) <= limit]
    return kept


def nanodet(session, photo, side, fit):
    x, place = prepare(photo, side, fit)
    outputs = session.run(None, {session.get_inputs()[0].name: planar((x - MEAN) / STD)})
    outputs = [output.reshape(-1, output.shape[-1]) for output in outputs]
    boxes, scores = [], []
    for stride in (8, 16, 32):
        cells = side // stride
        level = [output for output in outputs if len(output) == cells**2]
        classes = next(output for output in level if output.shape[1] == 80)
        bins = next(output for output in level if output.shape[1] == 32).reshape(-1, 4, 8)
        e = np.exp(bins - bins.max(-1, keepdims=True))
        d = (e / e.sum(-1, keepdims=True) * np.arange(8)).sum(-1) * stride
        y, x = np.mgrid[:cells, :cells].reshape(2, -1) * stride + stride / 2
        boxes.append(np.stack([x - d[:, 0], y - d[:, 1], x + d[:, 2], y + d[:, 3]], 1))
        scores.append(classes)
    return np.concatenate(boxes), np.concatenate(scores), place


def fastestdet(session, photo, side, fit):
    x, place = prepare(photo, side, fit)
    raw = session.run(None, {session.get_inputs()[0].name: planar(x / np.float32(255))})[0][0]
    row, column = np.mgrid[: raw.shape[1], : raw.shape[2]]
    x, y = (column + np.tanh(raw[1])) * 16, (row + np.tanh(raw[2])) * 16
    w, h = 352 / (1 + np.exp(-raw[3])), 352 / (1 + np.exp(-raw[4]))
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(-1, 4)
    return boxes, (raw[0] ** 0.6 * raw[5:] ** 0.4).reshape(80, -1).T, place


def yolox(session, photo, side, fit):
    x, place = prepare(photo, side, fit, 114)
    out = session.run(None, {session.get_inputs()[0].name: planar(x)})[0][0]
    grid = [(x, y, s) for s in (8, 16, 32) for y in range(side // s) for x in range(side // s)]
    grid = np.array(grid, np.float32)
    centre, size = (out[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(out[:, 2:4]) * grid[:, 2:]
    return np.concatenate([centre - size / 2, centre + size / 2], 1), out[:, 4:5] * out[:, 5:], place


def rtmdet(session, photo, side, fit):
    x, place = prepare(photo, side, fit, 114)
    boxes, labels = session.run(None, {session.get_inputs()[0].name: planar((x - MEAN) / STD)})
    scores = np.zeros((len(boxes[0]), 80), np.float32)
    scores[np.arange(len(scores)), labels[0]] = boxes[0][:, 4]
    return boxes[0][:, :4], scores, place


def evaluate(name, decode, side, fit, limit, only=None):
    session = onnxruntime.InferenceSession(models / name)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
    categories = sorted(coco.getCatIds())
    found = []
    for image in coco.loadImgs(coco.getImgIds()):
        photo = cv2.imread(str(images / image["file_name"]))
        boxes, scores, (left, top, sx, sy) = decode(session, photo, side, fit)
        labels, best = scores.argmax(1), scores.max(1)
        keep = best >= CONF
        boxes, labels, best = boxes[keep], labels[keep], best[keep]
        for at in suppress(boxes, best, labels, limit) if limit else range(len(best)):
            x1, y1, x2, y2 = (boxes[at] - [left, top, left, top]) / [sx, sy, sx, sy]
            x1, x2 = np.clip([x1, x2], 0, photo.shape[1])
            y1, y2 = np.clip([y1, y2], 0, photo.shape[0])
            if x2 > x1 and y2 > y1:
                found.append(dict(image_id=image["id"], category_id=categories[labels[at]], score=float(best[at]),
                                  bbox=[float(x1), float(y1), float(x2 - x1), float(y2 - y1)]))  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        if only:
            evaluation.params.catIds = only
        evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
    print(f"{name} {side} {fit}: AP {evaluation.stats[0]:.4f}, AP50 {evaluation.stats[1]:.4f}")


evaluate("yolox_nano.onnx", yolox, 416, "top-left", 0.65)
evaluate("fastestdet_352.onnx", fastestdet, 352, "stretch", 0.45)
evaluate("nanodet_m_320.onnx", nanodet, 320, "center", 0.6)
evaluate("nanodet_m_416.onnx", nanodet, 416, "center", 0.6)
for side in (320, 640):
    evaluate("rtmdet_nano_person.onnx", rtmdet, side, "top-left", None, only=[1])
