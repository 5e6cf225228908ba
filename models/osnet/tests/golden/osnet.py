"""Writes osnet.json: features that ONNX Runtime computes with synthetic weights, for all four widths.

The graph is written down from the paper and the layer names of torchreid, normalisation unfolded. Weights and input
are noise that depends on names alone, so that a test makes the same. Needs numpy, onnx and onnxruntime.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "tests" / "golden"))
from noise import noise, weight  # noqa: E402

WIDTHS = {"x0-25": [16, 64, 96, 128], "x0-5": [32, 128, 192, 256], "x0-75": [48, 192, 288, 384], "x1-0": [64, 256, 384, 512]}


class Graph:
    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, name, shape):
        if all(constant.name != name for constant in self.constants):
            self.constants.append(numpy_helper.from_array(weight(name, shape), name))
        return name

    def add(self, operator, inputs, **attributes):
        self.count += 1
        output = f"t{self.count}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def conv(self, x, name, shape, stride=1, groups=1, bias=False):
        inputs = [x, self.constant(f"{name}.weight", shape)]
        if bias:
            inputs.append(self.constant(f"{name}.bias", shape[:1]))
        pad = shape[2] // 2
        return self.add("Conv", inputs, pads=[pad] * 4, strides=[stride] * 2, group=groups)

    def norm(self, x, name, channels):
        parts = ["weight", "bias", "running_mean", "running_var"]
        return self.add("BatchNormalization", [x, *(self.constant(f"{name}.{part}", [channels]) for part in parts)], epsilon=1e-5)

    def conv_norm(self, x, name, shape, stride=1, relu=True):
        x = self.norm(self.conv(x, f"{name}.conv", shape, stride), f"{name}.bn", shape[0])
        return self.add("Relu", [x]) if relu else x

    def light(self, x, name, channels):
        x = self.conv(x, f"{name}.conv1", [channels, channels, 1, 1])
        x = self.conv(x, f"{name}.conv2", [channels, 1, 3, 3], groups=channels)
        return self.add("Relu", [self.norm(x, f"{name}.bn", channels)])

    def gate(self, x, name, channels):
        hidden = channels // 16
        y = self.add("GlobalAveragePool", [x])
        y = self.add("Relu", [self.conv(y, f"{name}.fc1", [hidden, channels, 1, 1], bias=True)])
        y = self.conv(y, f"{name}.fc2", [channels, hidden, 1, 1], bias=True)
        return self.add("Mul", [x, self.add("Sigmoid", [y])])

    def block(self, x, name, inputs, outputs):
        channels = outputs // 4
        reduced = self.conv_norm(x, f"{name}.conv1", [channels, inputs, 1, 1])
        streams = [self.light(reduced, f"{name}.conv2a", channels)]
        for letter, length in zip("bcd", (2, 3, 4)):
            y = reduced
            for index in range(length):
                y = self.light(y, f"{name}.conv2{letter}.{index}", channels)
            streams.append(y)
        gated = [self.gate(stream, f"{name}.gate", channels) for stream in streams]
        total = gated[0]
        for other in gated[1:]:
            total = self.add("Add", [total, other])
        y = self.conv_norm(total, f"{name}.conv3", [outputs, channels, 1, 1], relu=False)
        if inputs != outputs:
            x = self.conv_norm(x, f"{name}.downsample", [outputs, inputs, 1, 1], relu=False)
        return self.add("Relu", [self.add("Add", [y, x])])


def model(channels):
    graph = Graph()
    x = graph.conv_norm("input", "conv1", [channels[0], 3, 7, 7], stride=2)
    x = graph.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage in range(3):
        name, inputs, outputs = f"conv{stage + 2}", channels[stage], channels[stage + 1]
        x = graph.block(x, f"{name}.0", inputs, outputs)
        x = graph.block(x, f"{name}.1", outputs, outputs)
        if stage < 2:
            x = graph.conv_norm(x, f"{name}.2.0", [outputs, outputs, 1, 1])
            x = graph.add("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = graph.conv_norm(x, "conv5", [channels[3], channels[3], 1, 1])
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    weight, bias = graph.constant("fc.0.weight", [512, channels[3]]), graph.constant("fc.0.bias", [512])
    x = graph.norm(graph.add("Gemm", [x, weight, bias], transB=1), "fc.1", 512)
    graph.nodes.append(helper.make_node("Relu", [x], ["output"]))
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    made = helper.make_graph(
        graph.nodes, "osnet", [value("input", ["n", 3, 256, 128])], [value("output", ["n", 512])], graph.constants
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


features = {}
image = (2.0 * noise("input", 3 * 256 * 128)).astype(np.float32).reshape(1, 3, 256, 128)
for name, channels in WIDTHS.items():
    made = model(channels)
    onnx.checker.check_model(made)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    [output] = session.run(None, {"input": image})
    parameters = sum(
        np.prod(constant.dims) for constant in made.graph.initializer if not constant.name.endswith(("_mean", "_var"))
    )
    features[name] = {
        "parameters": int(parameters),
        # Every eighth number.
        "feature": [round(float(value), 5) for value in output[0, ::8]],
    }
    print(name, parameters, output.std(), output.max())
pathlib.Path(__file__).with_name("osnet.json").write_text(json.dumps(features) + "\n")
