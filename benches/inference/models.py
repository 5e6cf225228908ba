"""Writes YOLOX networks with random weights as ONNX, in the shape of the official exports: for sizes and variants whose
real weights are not at hand. What a network costs does not depend on its weights.

Usage: models.py VARIANT SIDE PATH    (VARIANT: nano, tiny or s)
       models.py focus FROM TO        (the same network without strided slices, which ncnn has not)
       models.py rtdetr ONNX SAFETENSORS    (RT-DETRv2-r18 for 640, by torch and transformers)
"""

import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

VARIANTS = {"nano": (0.33, 0.25, True), "tiny": (0.33, 0.375, False), "s": (0.33, 0.5, False)}
CLASSES = 80


class Network:
    """Nodes and weights, added one after the other; a value is its name and its channels."""

    def __init__(self):
        self.nodes, self.weights = [], []
        self.random = numpy.random.default_rng(7)

    def constant(self, array):
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind, inputs, **attributes):
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def plain(self, x, channels, kernel=1, stride=1, groups=1):
        """A convolution with a bias: batch norm is folded into it."""
        name, depth = x
        fan_in = depth // groups * kernel * kernel
        shape = (channels, depth // groups, kernel, kernel)
        weights = self.random.normal(0, (1.5 / fan_in) ** 0.5, shape).astype(numpy.float32)
        bias = self.random.normal(0, 0.1, channels).astype(numpy.float32)
        inputs = [name, self.constant(weights), self.constant(bias)]
        pad = (kernel - 1) // 2
        return (
            self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4,
                      dilations=[1, 1], group=groups),
            channels,
        )

    def conv(self, x, channels, kernel=1, stride=1, groups=1):
        name, channels = self.plain(x, channels, kernel, stride, groups)
        return self.node("Mul", [name, self.node("Sigmoid", [name])]), channels

    def concat(self, *parts):
        return self.node("Concat", [name for name, _ in parts], axis=1), sum(c for _, c in parts)

    def add(self, a, b):
        return self.node("Add", [a[0], b[0]]), a[1]

    def slice(self, name, axis, start):
        ends = [self.constant(numpy.array([value], numpy.int64)) for value in (start, 2**31 - 1, axis, 2)]
        return self.node("Slice", [name, *ends])

    def up(self, x):
        scales = self.constant(numpy.array([1, 1, 2, 2], numpy.float32))
        return (
            self.node("Resize", [x[0], "", scales], mode="nearest", nearest_mode="floor",
                      coordinate_transformation_mode="asymmetric"),
            x[1],
        )

    def pool(self, x, kernel):
        return self.node("MaxPool", [x[0]], kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, strides=[1, 1]), x[1]


def yolox(variant, side):
    depth, width, depthwise = VARIANTS[variant]
    net = Network()
    base, count = int(64 * width), max(round(depth * 3), 1)

    def spatial(x, channels, stride=1):
        if depthwise:
            return net.conv(net.conv(x, x[1], 3, stride, x[1]), channels)
        return net.conv(x, channels, 3, stride)

    def csp(x, channels, repeats, shortcut):
        hidden = channels // 2
        a, b = net.conv(x, hidden), net.conv(x, hidden)
        for _ in range(repeats):
            y = spatial(net.conv(a, hidden), hidden)
            a = net.add(y, a) if shortcut else y
        return net.conv(net.concat(a, b), channels)

    quarters = []
    for start_y, start_x in ((0, 0), (1, 0), (0, 1), (1, 1)):
        quarters.append((net.slice(net.slice("images", 2, start_y), 3, start_x), 3))
    x = net.conv(net.concat(*quarters), base, 3)
    x = csp(spatial(x, base * 2, 2), base * 2, count, True)
    small = csp(spatial(x, base * 4, 2), base * 4, count * 3, True)
    middle = csp(spatial(small, base * 8, 2), base * 8, count * 3, True)
    x = spatial(middle, base * 16, 2)
    x = net.conv(x, base * 8)
    x = net.conv(net.concat(x, *(net.pool(x, kernel) for kernel in (5, 9, 13))), base * 16)
    large = csp(x, base * 16, count, False)

    out_large = net.conv(large, base * 8)
    x = csp(net.concat(net.up(out_large), middle), base * 8, count, False)
    out_middle = net.conv(x, base * 4)
    small = csp(net.concat(net.up(out_middle), small), base * 4, count, False)
    middle = csp(net.concat(spatial(small, base * 4, 2), out_middle), base * 8, count, False)
    large = csp(net.concat(spatial(middle, base * 8, 2), out_large), base * 16, count, False)

    outputs = []
    for x, stride in ((small, 8), (middle, 16), (large, 32)):
        x = net.conv(x, int(256 * width))
        scores, boxes = x, x
        for _ in range(2):
            scores, boxes = spatial(scores, x[1]), spatial(boxes, x[1])
        box, objectness = net.plain(boxes, 4), net.plain(boxes, 1)
        objectness = (net.node("Sigmoid", [objectness[0]]), 1)
        classes = (net.node("Sigmoid", [net.plain(scores, CLASSES)[0]]), CLASSES)
        whole, _ = net.concat(box, objectness, classes)
        cells = (side // stride) ** 2
        outputs.append(net.node("Reshape", [whole, net.constant(numpy.array([1, CLASSES + 5, cells], numpy.int64))]))
    joined = net.node("Concat", outputs, axis=2)
    cells = sum((side // stride) ** 2 for stride in (8, 16, 32))
    net.nodes.append(helper.make_node("Transpose", [joined], ["output"], perm=[0, 2, 1]))
    graph = helper.make_graph(
        net.nodes,
        f"yolox_{variant}",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, cells, CLASSES + 5])],
        net.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def without_focus(model):
    """The convolution over every second pixel of four shifted images is one over all pixels, twice as large."""
    graph = model.graph
    made_by = {output: node for node in graph.node for output in node.output}
    values = {tensor.name: tensor for tensor in graph.initializer}

    def constant(name):
        if name in values:
            return numpy_helper.to_array(values[name])
        return numpy_helper.to_array(made_by[name].attribute[0].t)

    def start(name):
        """Image and first row and column of a quarter."""
        place = [0, 0]
        while name in made_by and made_by[name].op_type == "Slice":
            slice_ = made_by[name]
            place[int(constant(slice_.input[3])[0]) - 2] = int(constant(slice_.input[1])[0])
            name = slice_.input[0]
        return name, place

    for node in graph.node:
        source = made_by.get(node.input[0]) if node.op_type == "Conv" else None
        if source is None or source.op_type != "Concat" or len(source.input) != 4:
            continue
        quarters = [start(name) for name in source.input]
        if any(name != quarters[0][0] for name, _ in quarters):
            continue
        weights = constant(node.input[1])
        outputs, depth, side, _ = weights.shape
        wide = numpy.zeros((outputs, depth // 4, 2 * side, 2 * side), numpy.float32)
        for quarter, (_, (y, x)) in enumerate(quarters):
            wide[:, :, y::2, x::2] = weights[:, quarter * depth // 4 : (quarter + 1) * depth // 4]
        graph.initializer.append(numpy_helper.from_array(wide, "focus"))
        bias = node.input[2:]
        kept = [other for other in graph.node if other is not node]
        merged = helper.make_node(
            "Conv", [quarters[0][0], "focus", *bias], list(node.output), kernel_shape=[2 * side] * 2, strides=[2, 2],
            pads=[2 * (side // 2)] * 4,
        )
        at = list(graph.node).index(node)
        del graph.node[:]
        graph.node.extend([*kept[:at], merged, *kept[at:]])
        break
    # What nothing reads any more.
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if not read.intersection(node.output):
            graph.node.remove(node)
            read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    onnx.checker.check_model(model)
    return model


def write_rtdetr(path, weights):
    """The network and weights of noise of the test of parity, for ONNX and as Hugging Face saves them."""
    import pathlib
    import shutil
    import tempfile

    import torch
    from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "models/rtdetr/tests/golden"))
    from rtdetr import NETWORKS

    backbone, rest, _ = NETWORKS["r18"]
    backbone = RTDetrResNetConfig(out_indices=[2, 3, 4], **backbone)
    config = RTDetrV2Config(
        backbone_config=backbone, encoder_in_channels=backbone.hidden_sizes[1:], num_labels=80, **rest
    )
    torch.manual_seed(7)
    model = RTDetrV2ForObjectDetection(config).eval()

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, images):
            output = self.model(images)
            return output.logits, output.pred_boxes

    # As files on the hub name their tensors, which is not how the class does.
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copy(pathlib.Path(folder) / "model.safetensors", weights)
    with torch.no_grad():
        torch.onnx.export(
            Outputs(), (torch.rand(1, 3, 640, 640),), path, opset_version=17, dynamo=False,
            input_names=["images"], output_names=["logits", "boxes"],
        )


if __name__ == "__main__":
    if sys.argv[1] == "rtdetr":
        write_rtdetr(*sys.argv[2:])
        sys.exit()
    if sys.argv[1] == "focus":
        onnx.save(without_focus(onnx.load(sys.argv[2])), sys.argv[3])
        sys.exit()
    onnx.save(yolox(sys.argv[1], int(sys.argv[2])), sys.argv[3])
