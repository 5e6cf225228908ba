"""Writes fastestdet.json: what ONNX Runtime computes with the published FastestDet.onnx on noise, and the average precision
that it has on photos of COCO with a decoder in NumPy.

    python fastestdet.py FastestDet.onnx instances.json IMAGES

Needs numpy, onnxruntime, opencv-python and pycocotools.
"""

import json
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "tests" / "golden"))
from noise import noise  # noqa: E402

SIDE, CONF, IOU = 352, 0.01, 0.45
weights, truth, images = sys.argv[1:]
session = onnxruntime.InferenceSession(weights)


def run(x):
    return session.run(None, {session.get_inputs()[0].name: x})[0][0]


def iou(one, others):
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(1)
    area = lambda boxes: (boxes[..., 2:] - boxes[..., :2]).prod(-1)  # noqa: E731
    return shared / (area(one) + area(others) - shared)


def detect(path):
    photo = cv2.imread(str(path))
    height, width = photo.shape[:2]
    x = cv2.resize(photo, (SIDE, SIDE)).astype(np.float32).transpose(2, 0, 1)[None] / 255
    raw = run(x)
    rows, columns = np.mgrid[: raw.shape[1], : raw.shape[2]]
    objectness, classes = raw[0], raw[5:].argmax(0)
    scores = objectness**0.6 * raw[5:].max(0) ** 0.4
    x, y = (columns + np.tanh(raw[1])) / raw.shape[2], (rows + np.tanh(raw[2])) / raw.shape[1]
    w, h = 1 / (1 + np.exp(-raw[3])), 1 / (1 + np.exp(-raw[4]))
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1) * [width, height, width, height]
    keep = scores >= CONF
    boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
    for label in np.unique(classes):
        left = list(np.argsort(-np.where(classes == label, scores, -1))[: (classes == label).sum()])
        while left:
            best = left.pop(0)
            yield label, scores[best], np.clip(boxes[best], 0, [width, height, width, height])
            left = [other for other in left if iou(boxes[best], boxes[other : other + 1])[0] <= IOU]


coco = COCO(truth)
categories = sorted(coco.getCatIds())
found = []
for image in coco.loadImgs(coco.getImgIds()):
    for label, score, (x1, y1, x2, y2) in detect(pathlib.Path(images) / image["file_name"]):
        found.append(dict(image_id=image["id"], category_id=categories[label], score=float(score),
                          bbox=[float(x1), float(y1), float(x2 - x1), float(y2 - y1)]))  # fmt: skip
evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()

x = (0.5 + 0.5 * noise("input", 3 * SIDE * SIDE)).astype(np.float32).reshape(1, 3, SIDE, SIDE)
raw = run(x).reshape(85, -1).T
cells = list(range(0, len(raw), 11))
document = {"cells": cells, "values": np.round(raw[cells], 6).ravel().tolist(), "ap": round(evaluation.stats[0], 4)}
(HERE / "fastestdet.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
