"""Writes movenet.json: what ONNX Runtime computes with MoveNet Lightning as ONNX, on noise and on a photo.

    python movenet.py movenet_lightning_dequant.onnx squat.bmp

Needs numpy, onnx, onnxruntime and opencv-python.
"""

import json
import pathlib
import sys

import cv2
import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "tests" / "golden"))
from noise import noise  # noqa: E402

SIDE = 192
weights, photo = sys.argv[1:]
model = onnx.load(weights)
# The results of the heads, which the graph does not give.
heads = ["Sigmoid_1_prequant", "Sigmoid_prequant"]
for head in ("kpt_regress_0/conv2d_6/BiasAdd", "kpt_offset_0/conv2d_7/BiasAdd"):
    heads += [node.output[0] for node in model.graph.node if node.op_type == "Conv" and node.output[0].startswith(head)]
model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(head) for head in heads)
session = onnxruntime.InferenceSession(model.SerializeToString())


def run(image):
    keypoints, *maps = session.run(None, {session.get_inputs()[0].name: image[None]})
    return keypoints.reshape(17, 3), [values[0].reshape(values.shape[1], -1) for values in maps]


image = ((noise("input", 3 * SIDE * SIDE) + 1) * 127.5).astype(np.uint8).reshape(SIDE, SIDE, 3)
keypoints, maps = run(image)
cells = list(range(0, maps[0].shape[1], 101))
document = {
    "cells": cells,
    "maps": [np.round(values[:, cells], 6).ravel().tolist() for values in maps],
    "keypoints": np.round(keypoints, 6).ravel().tolist(),
}

source = cv2.cvtColor(cv2.imread(photo), cv2.COLOR_BGR2RGB)
height, width = source.shape[:2]
ratio = min(SIDE / height, SIDE / width)
small = cv2.resize(source, (int(width * ratio), int(height * ratio)))
top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
image = np.zeros((SIDE, SIDE, 3), np.uint8)
image[top : top + small.shape[0], left : left + small.shape[1]] = small
y, x, score = run(image)[0].T
found = np.stack([(x * SIDE - left) / ratio, (y * SIDE - top) / ratio, score], -1)
document["photo"] = np.round(found, 4).ravel().tolist()
(HERE / "movenet.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")
