"""Writes onnx_networks.json: values of ONNX Runtime's outputs for synthetic inputs.

    pip install onnxruntime numpy
    python onnx_networks.py ../../../../../shared/data/models

Of each output every 499th value is kept, in the order height, width, channels for images. The inputs are those of
tflite_networks.py, as levels / 255.
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from images import image

MODELS = {"fastestdet_352": 1 / 255, "yolox_nano": 1.0, "osnet_x0_25_market1501": 1 / 255}


def main(folder):
    results = {}
    for name, scale in MODELS.items():
        session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
        port = session.get_inputs()[0]
        _, channels, height, width = [size if isinstance(size, int) else 1 for size in port.shape]
        runs = []
        for index in (2, 3, 4):
            levels = image(index, (1, height, width, channels)).astype(np.float32) * np.float32(scale)
            output = session.run(None, {port.name: levels.transpose(0, 3, 1, 2)})[0]
            if output.ndim == 4:
                output = output.transpose(0, 2, 3, 1)
            runs.append([round(float(value), 6) for value in output.flatten()[::499]])
        results[name] = runs
    path = pathlib.Path(__file__).with_name("onnx_networks.json")
    path.write_text(json.dumps(results, separators=(",", ":")) + "\n")


main(pathlib.Path(sys.argv[1]))
