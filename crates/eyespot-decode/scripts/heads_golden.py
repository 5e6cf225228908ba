"""Makes up outputs of networks, decodes them with NumPy and OpenCV, and writes both to tests/data/heads.json.

    pip install numpy opencv-python-headless
    python3 crates/eyespot-decode/scripts/heads_golden.py

Nothing here is shared with the crate: the decoders follow the published descriptions of each output.
"""

import json
import pathlib

import cv2
import numpy as np

rng = np.random.default_rng(7)
INPUT = 64  # pixels of the model's input, square
VIEW = (100, 80)  # width and height of the image
RATIO = min(INPUT / VIEW[0], INPUT / VIEW[1])  # letterbox, centred
PAD = ((INPUT - int(VIEW[0] * RATIO)) // 2, (INPUT - int(VIEW[1] * RATIO)) // 2)
CONF, IOU = 0.3, 0.5


def numbers(array):
    return [round(float(value), 4) for value in np.asarray(array, np.float32).ravel()]


def rounded(array):
    """What the test reads back is what is decoded here."""
    return np.round(np.asarray(array, np.float32), 4).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def corners(cxcywh):
    cx, cy, w, h = np.moveaxis(cxcywh, -1, 0)
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def rotated_iou(a, b):
    rect = lambda o: ((float(o[0]), float(o[1])), (float(o[2]), float(o[3])), float(np.degrees(o[4])))
    kind, points = cv2.rotatedRectangleIntersection(rect(a), rect(b))
    both = cv2.contourArea(cv2.convexHull(points)) if kind else 0.0
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def suppress(shapes, scores, classes, overlap=iou):
    kept = []
    for at in np.argsort(-scores, kind="stable"):
        if all(classes[k] != classes[at] or overlap(shapes[k], shapes[at]) <= IOU for k in kept):
            kept.append(int(at))
    return kept


def best(scores):
    """Rows that reach the threshold, their classes and scores."""
    classes = scores.argmax(1)
    top = scores.max(1)
    rows = np.flatnonzero(top >= CONF)
    return rows, classes, top


def found(boxes, rows, classes, scores):
    return [{"row": int(r), "class": int(classes[r]), "score": float(scores[r]), "box": numbers(boxes[r])} for r in rows]


def scattered(n):
    centre = rng.uniform(8, 56, (n, 2))
    size = rng.uniform(4, 30, (n, 2))
    return rounded(np.concatenate([centre, size], 1))


def class_scores(n, classes):
    return rounded(rng.uniform(0, 1, (n, classes)) ** 3)


def view_of(boxes):
    out = (boxes - np.tile(PAD, 2)) / RATIO
    return np.clip(out, 0, np.tile(VIEW, 2))


def bits(mask):
    return np.packbits(mask, axis=1).tobytes().hex()


def bilinear(field, x, y):
    """Without aligned corners, the edge repeated: what OpenCV's and PyTorch's resizing do."""
    h, w = field.shape
    fx, fy = x / INPUT * w - 0.5, y / INPUT * h - 0.5
    x0, y0 = np.floor(fx).astype(int), np.floor(fy).astype(int)
    tx, ty = fx - x0, fy - y0
    at = lambda yy, xx: field[np.clip(yy, 0, h - 1), np.clip(xx, 0, w - 1)]
    top = at(y0, x0) * (1 - tx) + at(y0, x0 + 1) * tx
    return top * (1 - ty) + (at(y0 + 1, x0) * (1 - tx) + at(y0 + 1, x0 + 1) * tx) * ty


def view_pixels():
    xs, ys = np.meshgrid(np.arange(VIEW[0]) + 0.5, np.arange(VIEW[1]) + 0.5)
    return xs * RATIO + PAD[0], ys * RATIO + PAD[1], xs, ys


golden = {"input": INPUT, "view": VIEW, "conf": CONF, "iou": IOU}

# YOLOv8: [4 + classes, n], with prototype masks and with keypoints.
n, classes, coefficients = 40, 3, 4
cxcywh, scores = scattered(n), class_scores(n, classes)
weights = rounded(rng.normal(0, 1, (n, coefficients)))
protos = rounded(rng.normal(0, 1, (coefficients, 16, 16)))
protos = rounded(np.stack([cv2.GaussianBlur(p, (5, 5), 0) * 4 for p in protos]))
boxes = corners(cxcywh)
rows, cls, top = best(scores)
kept = rows[suppress(boxes[rows], top[rows], cls[rows])]
detections = found(boxes, kept, cls, top)
px, py, xs, ys = view_pixels()
for detection in detections:
    field = np.tensordot(weights[detection["row"]], protos, 1)
    x1, y1, x2, y2 = view_of(np.array(detection["box"]))
    inside = (xs > x1) & (xs < x2) & (ys > y1) & (ys < y2)
    whole = (bilinear(field, px, py) > 0) & inside
    detection["view"] = numbers([x1, y1, x2, y2])
    detection["mask"] = bits(whole)
golden["yolo_masks"] = {
    "values": numbers(np.concatenate([cxcywh, scores, weights], 1).T),
    "prototypes": numbers(protos),
    "detections": detections,
}

keypoints = rounded(np.concatenate([rng.uniform(0, 64, (n, 5, 2)), rng.uniform(0, 1, (n, 5, 1))], 2))
rows, cls, top = best(scores[:, :1])
kept = rows[suppress(boxes[rows], top[rows], cls[rows])]
golden["yolo_keypoints"] = {
    "values": numbers(np.concatenate([cxcywh, scores[:, :1], keypoints.reshape(n, -1)], 1).T),
    "detections": [{**d, "keypoints": numbers(keypoints[d["row"]])} for d in found(boxes, kept, cls, top)],
}

# YOLOv5: [n, 5 + classes].
objectness = rounded(rng.uniform(0, 1, (n, 1)))
rows, cls, top = best(objectness * scores)
kept = rows[suppress(boxes[rows], top[rows], cls[rows])]
golden["yolo_objectness"] = {
    "values": numbers(np.concatenate([cxcywh, objectness, scores], 1)),
    "detections": found(boxes, kept, cls, top),
}

# Oriented boxes: [4 + classes + 1, n].
angles = rounded(rng.uniform(-np.pi / 4, 3 * np.pi / 4, (n, 1)))
turned = np.concatenate([cxcywh, angles], 1)
rows, cls, top = best(scores)
kept = rows[suppress(turned[rows], top[rows], cls[rows], rotated_iou)]
golden["oriented"] = {
    "values": numbers(np.concatenate([cxcywh, scores, angles], 1).T),
    "detections": [{**d, "angle": float(angles[d["row"], 0])} for d in found(boxes, kept, cls, top)],
}

# DETR: logits with a last class for "nothing", softmax; RT-DETR: sigmoid. Boxes in parts of the input, no suppression.
queries = 20
unit = rounded(np.concatenate([rng.uniform(0.2, 0.8, (queries, 2)), rng.uniform(0.05, 0.4, (queries, 2))], 1))
logits = rounded(rng.normal(0, 2, (queries, classes + 1)))
boxes = corners(unit * INPUT)
for name, probabilities in (("detr", softmax(logits)[:, :-1]), ("rt_detr", sigmoid(logits))):
    rows, cls, top = best(probabilities)
    order = sorted(rows, key=lambda r: -top[r])
    golden[name] = {"boxes": numbers(unit), "logits": numbers(logits), "detections": found(boxes, order, cls, top)}

# Distances: NanoDet (distributions, in strides, from the centre of a cell), RTMDet (numbers in pixels, from its corner).
for name, bins, offset, activate in (("nanodet", 8, 0.5, False), ("rtmdet", 1, 0.0, True)):
    levels, all_boxes, all_scores = [], [], []
    for stride in (8, 16, 32):
        side = -(-INPUT // stride)
        cells = side * side
        raw = rounded(rng.normal(-1, 1.5, (cells, classes)) if activate else class_scores(cells, classes))
        distances = rounded(rng.normal(0, 2, (cells, 4, bins)) if bins > 1 else rng.uniform(2, 20, (cells, 4, 1)))
        values = (softmax(distances) * np.arange(bins)).sum(2) * stride if bins > 1 else distances[:, :, 0]
        gy, gx = np.divmod(np.arange(cells), side)
        x, y = (gx + offset) * stride, (gy + offset) * stride
        all_boxes.append(np.stack([x - values[:, 0], y - values[:, 1], x + values[:, 2], y + values[:, 3]], 1))
        all_scores.append(sigmoid(raw) if activate else raw)
        levels.append({"stride": stride, "scores": numbers(raw), "distances": numbers(distances)})
    boxes, probabilities = np.concatenate(all_boxes), np.concatenate(all_scores)
    rows, cls, top = best(probabilities)
    kept = rows[suppress(boxes[rows], top[rows], cls[rows])]
    golden[name] = {"levels": levels, "detections": found(boxes, kept, cls, top)}

# SSD with the suppression in the graph: top, left, bottom, right in parts of the input, labels from 1.
corner = rng.uniform(0, 0.5, (10, 2))
yxyx = rounded(np.concatenate([corner, corner + rng.uniform(0.1, 0.5, (10, 2))], 1))
labels, top = rng.integers(0, 4, 10), rounded(np.sort(rng.uniform(0, 1, 10))[::-1])
rows = [r for r in range(10) if top[r] >= CONF and labels[r] > 0]
golden["ssd"] = {
    "boxes": numbers(yxyx),
    "labels": numbers(labels),
    "scores": numbers(top),
    "detections": found(yxyx[:, [1, 0, 3, 2]] * INPUT, rows, labels - 1, top),
}

# Semantic segmentation: the class with the highest bilinear score among those of the four cells around.
cells = 8
logits = rounded(np.stack([cv2.GaussianBlur(rng.normal(0, 1, (cells, cells)), (3, 3), 0) * 6 for _ in range(4)]))
label = logits.argmax(0)
probability = softmax(logits, 0)
fields = np.stack([bilinear(field, px, py) for field in logits])
fx, fy = px / INPUT * cells - 0.5, py / INPUT * cells - 0.5
x0, y0 = np.floor(fx).astype(int), np.floor(fy).astype(int)
around = np.stack([label[np.clip(y0 + dy, 0, 7), np.clip(x0 + dx, 0, 7)] for dy in (0, 1) for dx in (0, 1)])
allowed = np.stack([(around == c).any(0) for c in range(4)])
winner = np.where(allowed, fields, -np.inf).argmax(0)
# Cells that the image covers: those between the bars of the letterbox.
cell = INPUT / cells
centre_ys = np.arange(cells) * cell
covered = (centre_ys + cell > PAD[1]) & (centre_ys < PAD[1] + VIEW[1] * RATIO)
regions = []
for c in range(1, 4):
    mine = (label == c) & covered[:, None]
    if not mine.any() or not (winner == c).any():
        continue
    yy, xx = np.nonzero(winner == c)
    regions.append({
        "class": c,
        "score": float(probability[c][mine].mean()),
        "view": [int(xx.min()), int(yy.min()), int(xx.max()) + 1, int(yy.max()) + 1],
        "mask": bits(winner == c),
    })
golden["semantic"] = {"values": numbers(logits), "cells": cells, "background": 0, "detections": regions}

# Poses: MoveNet (y, x, score in parts of the input), heat maps and SimCC.
movenet = rounded(rng.uniform(0.1, 0.9, (17, 3)))
visible = movenet[movenet[:, 2] >= CONF]
golden["movenet"] = {
    "values": numbers(movenet),
    "keypoints": numbers(np.stack([movenet[:, 1] * INPUT, movenet[:, 0] * INPUT, movenet[:, 2]], 1)),
    "box": numbers([f(visible[:, k] * INPUT) for f in (np.min, np.max) for k in (1, 0)]),
    "score": float(movenet[:, 2].mean()),
}
maps = rounded(rng.uniform(0, 1.1, (5, 16, 12)))
points = []
for heat in maps:
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    dx = np.sign(heat[y, x + 1] - heat[y, x - 1]) * 0.25 if 0 < x < 11 else 0
    dy = np.sign(heat[y + 1, x] - heat[y - 1, x]) * 0.25 if 0 < y < 15 else 0
    points.append([(x + dx) * 4, (y + dy) * 4, min(heat.max(), 1)])
golden["heatmaps"] = {"values": numbers(maps), "width": 12, "height": 16, "keypoints": numbers(points)}
x, y = rounded(rng.uniform(0, 1, (5, 128))), rounded(rng.uniform(0, 1, (5, 96)))
golden["simcc"] = {
    "x": numbers(x),
    "y": numbers(y),
    "keypoints": numbers(np.stack([x.argmax(1) / 2, y.argmax(1) / 2, np.minimum(x.max(1), y.max(1))], 1)),
}

path = pathlib.Path(__file__).parent.parent / "tests" / "data" / "heads.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, {k: len(v["detections"]) for k, v in golden.items() if isinstance(v, dict) and "detections" in v})
