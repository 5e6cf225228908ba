"""Writes tests/data/coco_synthetic.json: a made-up dataset with results, and what pycocotools says of them.

    pip install pycocotools==2.0.11
    python scripts/coco_golden.py
"""

import contextlib
import io
import json
import pathlib
import random

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

IMAGES, CATEGORIES = 14, [2, 3, 7, 11, 90]


def dataset(rng):
    truths, found = [], []
    for image in rng.sample(range(1, 100), IMAGES):
        for _ in range(rng.randint(0, 9)):
            # The last category has no objects.
            category = rng.choice(CATEGORIES[:-1])
            width, height = (round(2 ** rng.uniform(2, 8), 1) for _ in range(2))
            x, y = rng.randint(0, 300), rng.randint(0, 300)
            crowd = rng.random() < 0.15
            truths.append({
                "id": len(truths) + 1, "image_id": image, "category_id": category, "bbox": [x, y, width, height],
                "area": round(width * height * rng.uniform(0.4, 1), 1), "iscrowd": int(crowd)})
            for _ in range(rng.choice([0, 1, 1, 1, 2, 4 if crowd else 2])):
                shift = 2 ** rng.uniform(-5, -1)
                box = [round(a + rng.uniform(-shift, shift) * side / 2, 1)
                       for a, side in zip((x, y, width, height), (width, height) * 2)]
                said = category if rng.random() < 0.85 else rng.choice(CATEGORIES + [55])
                # Coarse scores, for ties.
                found.append({"image_id": image, "category_id": said, "bbox": box,
                              "score": round(rng.uniform(0.05, 1), 1)})
        if truths and rng.random() < 0.5:
            # A copy of a box, for ties of overlaps.
            truths.append({**truths[-1], "id": len(truths) + 1})
        for _ in range(rng.randint(0, 3)):
            found.append({"image_id": image, "category_id": rng.choice(CATEGORIES),
                          "bbox": [rng.randint(0, 300), rng.randint(0, 300), rng.randint(2, 150), rng.randint(2, 150)],
                          "score": round(rng.uniform(0.05, 0.9), 1)})
        images.append({"id": image, "file_name": f"{image}.jpg", "width": 500, "height": 500})
    rng.shuffle(found)
    return truths, found


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else None


def figures(evaluation, k):
    precision, recall = evaluation.eval["precision"][:, :, k], evaluation.eval["recall"][:, k]
    ious = evaluation.params.iouThrs
    half, three_quarters = (np.flatnonzero(np.isclose(ious, iou)) for iou in (0.5, 0.75))
    return ([mean(precision[..., 0, 2]), mean(precision[half][..., 0, 2]), mean(precision[three_quarters][..., 0, 2])]
            + [mean(precision[..., area, 2]) for area in (1, 2, 3)]
            + [mean(recall[..., 0, limit]) for limit in (0, 1, 2)]
            + [mean(recall[..., area, 2]) for area in (1, 2, 3)])


def evaluate(truth, found, thresholds, limits, agnostic):
    evaluation = COCOeval(truth, found, "bbox")
    if thresholds:
        evaluation.params.iouThrs = np.array(thresholds)
    evaluation.params.maxDets = limits
    evaluation.params.useCats = 0 if agnostic else 1
    evaluation.evaluate()
    evaluation.accumulate()
    classes = [] if agnostic else [figures(evaluation, [k]) for k in range(len(CATEGORIES))]
    return {"iou_thresholds": thresholds, "max_detections": limits, "class_agnostic": agnostic,
            "metrics": figures(evaluation, slice(None)), "classes": classes}


images = []
annotations, results = dataset(random.Random(20260))
document = {
    "images": images,
    "annotations": annotations,
    "categories": [{"id": category, "name": f"kind {category}"} for category in reversed(CATEGORIES)],
}
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO()
    truth.dataset = document
    truth.createIndex()
    found = truth.loadRes([dict(row) for row in results])
    cases = [
        evaluate(truth, found, None, [1, 10, 100], False),
        evaluate(truth, found, [0.25, 0.5, 0.625], [1, 2, 4], False),
        evaluate(truth, found, None, [2, 5, 9], True),
    ]
path = pathlib.Path(__file__).parent.parent / "tests/data/coco_synthetic.json"
lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in
                   [("dataset", document), ("results", results), ("cases", cases)])
path.write_text("{" + lines + "}\n")
