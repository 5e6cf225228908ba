"""Writes tflite_networks.json: what the TensorFlow Lite interpreter gives for 100 synthetic inputs of each model.

    pip install "ai-edge-litert==1.0.1" "numpy<2"
    python tflite_networks.py ../../../../../shared/data/models/mcu

The reference kernels are used (OpResolverType.BUILTIN_REF): integer arithmetic throughout, rounded twice, as on
microcontrollers. The optimised kernels of x86 (XNNPACK) requantise in floating point and differ by one step here and
there; so do the fully connected layers of the interpreter's version 2, which round once.
"""

import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from images import image

MODELS = ["person_detect_96_int8", "vww_96_int8", "resnet8_cifar10_int8", "mobilenet_v1_0.25_128_uint8",
          "hello_world_int8"]
INPUTS = 100


def load(path):
    """The model's bytes. The oldest file has a wrong quantised dimension in its biases, which the interpreter refuses
    and no kernel reads: it is set to 0."""
    data = bytearray(path.read_bytes())
    number = lambda kind, at: struct.unpack_from("<" + kind, data, at)[0]

    def field(table, index):
        fields = table - number("i", table)
        offset = number("H", fields + 4 + 2 * index) if 4 + 2 * index < number("H", fields) else 0
        return table + offset if offset else None

    def target(table, index):
        at = field(table, index)
        return at + number("I", at) if at else None

    def tables(vector):
        return [vector + 4 + 4 * i + number("I", vector + 4 + 4 * i) for i in range(number("I", vector))]

    subgraph = tables(target(number("I", 0), 2))[0]
    for tensor in tables(target(subgraph, 0)):
        quantization, shape = target(tensor, 4), target(tensor, 0)
        dimension = quantization and field(quantization, 6)
        if dimension and shape and number("I", shape) == 1:
            struct.pack_into("<i", data, dimension, 0)
    return bytes(data)


def main(folder):
    results = {}
    for name in MODELS:
        interpreter = Interpreter(model_content=load(folder / f"{name}.tflite"), experimental_preserve_all_tensors=True,
                                  experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        # Values as int8: those of uint8 models move by 128.
        flip = 0x80 if source["dtype"] == np.uint8 else 0
        layers = [op["outputs"][0] for op in interpreter._get_ops_details() if op["op_name"] != "RESHAPE"]
        sums = [0] * len(layers)
        scores = []
        for index in range(INPUTS):
            levels = image(index, source["shape"])
            data = levels if flip else (levels ^ 0x80).view(np.int8)
            interpreter.set_tensor(source["index"], data)
            interpreter.invoke()
            for at, layer in enumerate(layers):
                raw = interpreter.get_tensor(layer).view(np.uint8) ^ np.uint8(flip)
                sums[at] = zlib.crc32(raw.tobytes(), sums[at])
            output = (interpreter.get_tensor(target["index"]).view(np.uint8) ^ np.uint8(flip)).view(np.int8)
            best = np.argsort(-output.flatten().astype(int), kind="stable")[:10]
            scores.append([[int(at), int(output.flatten()[at])] for at in best])
        # Per input the ten best values of the output with their index; per layer a checksum over all inputs.
        results[name] = {"layers": [f"{value:08x}" for value in sums], "best": scores}
    path = pathlib.Path(__file__).with_name("tflite_networks.json")
    path.write_text(json.dumps(results, separators=(",", ":")) + "\n")


main(pathlib.Path(sys.argv[1]))
