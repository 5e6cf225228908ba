"""Writes onnx_operators.json: small models, an operator or two each, and what ONNX Runtime gives.

    pip install onnxruntime==1.23.2 onnx==1.23.2 numpy
    python onnx_operators.py

Everything is made up from a seed; the models hold no one's weights. Images are stored with the channels last, as the
engine has them.
"""

import base64
import json
import pathlib

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PATH = pathlib.Path(__file__).with_name("onnx_operators.json")
RANDOM = np.random.default_rng(11)
IMAGE = [1, 6, 7, 9]


def noise(*shape):
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


def node(operator, inputs, outputs="y", **attributes):
    return helper.make_node(operator, inputs.split(" "), outputs.split(" "), **attributes)


def encode(values):
    values = values.transpose(0, 2, 3, 1) if values.ndim == 4 and values.shape[0] == 1 else values
    return base64.b64encode(np.ascontiguousarray(values, np.float32).tobytes()).decode()


def case(name, nodes, constants=None, inputs=None, outputs=("y",), opset=17):
    """Constants and inputs by their names; `x` is the image where there are no others."""
    inputs = inputs or {"x": IMAGE}
    tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, name, [tensor(*item) for item in inputs.items()], [tensor(name, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    values = {name: 3 * noise(*shape) for name, shape in inputs.items()}
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), plain, providers=["CPUExecutionProvider"])
    results = session.run(list(outputs), values)
    return {
        "name": name,
        "model": base64.b64encode(model.SerializeToString()).decode(),
        "inputs": [encode(value) for value in values.values()],
        "outputs": [encode(value) for value in results],
    }


def conv(name, shape, bias=True, before=(), constants=None, **attributes):
    constants = dict(constants or {}, w=noise(*shape))
    if bias:
        constants["b"] = noise(shape[0])
    source = "p" if before else "x"
    return case(name, [*before, node("Conv", f"{source} w b" if bias else f"{source} w", **attributes)], constants)


def norm(channels):
    return {"scale": noise(channels), "shift": noise(channels), "mean": noise(channels),
            "variance": np.abs(noise(channels)) + np.float32(0.1)}


def one(name, operator, constants=None, inputs=None, opset=17, more="", **attributes):
    """An operator on the image `x` and on constants."""
    names = " ".join(["x", *([more] if more else []), *(constants or {})])
    return case(name, [node(operator, names, **attributes)], constants, inputs, opset=opset)


def resize(name, mode, coordinates, scales=None, sizes=None, **attributes):
    constants = {"s": floats(*scales)} if scales else {"n": ints(*sizes)}
    names = "x  s" if scales else "x   n"
    made = helper.make_node("Resize", names.split(" "), ["y"], mode=mode,
                            coordinate_transformation_mode=coordinates, **attributes)
    return case(name, [made], constants)


PADS = {"widths": ints(0, 0, 1, 2, 0, 0, 0, 3)}
PAD = node("Pad", "x widths", "p")
FLAT, ROWS, OTHER = {"x": [1, 10]}, {"x": [1, 5, 8]}, {"x": IMAGE, "z": IMAGE}
pool = dict(kernel_shape=[3, 2], strides=[2, 2])

cases = [
    conv("conv 1 x 1", [8, 6, 1, 1]),
    conv("conv 3 x 3", [8, 6, 3, 3], pads=[1, 1, 1, 1]),
    conv("conv 3 x 3, stride 2", [8, 6, 3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    conv("conv without bias", [5, 6, 2, 3], bias=False),
    conv("conv with uneven padding", [5, 6, 3, 4], pads=[2, 0, 1, 3], strides=[1, 2]),
    conv("conv, dilated", [5, 6, 3, 2], pads=[1, 1, 1, 1], dilations=[2, 3]),
    conv("conv, same upper", [5, 6, 4, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    conv("conv, same lower", [5, 6, 4, 2], auto_pad="SAME_LOWER", strides=[2, 2]),
    conv("conv, valid", [5, 6, 4, 2], auto_pad="VALID", strides=[2, 1]),
    conv("conv, padding by an operator", [5, 6, 3, 3], before=[PAD], constants=PADS),
    conv("depthwise", [6, 1, 3, 3], group=6, pads=[1, 1, 1, 1]),
    conv("depthwise 5 x 5, stride 2", [6, 1, 5, 5], group=6, pads=[2, 2, 2, 2], strides=[2, 2]),
    conv("depthwise, two outputs each", [12, 1, 3, 2], group=6, pads=[1, 0, 1, 1]),
    one("gemm", "Gemm", {"w": noise(10, 4), "b": noise(4)}, FLAT),
    one("gemm, transposed", "Gemm", {"w": noise(4, 10), "b": noise(4)}, FLAT, transB=1),
    one("gemm without bias", "Gemm", {"w": noise(10, 4)}, FLAT),
    case("conv and norm", [node("Conv", "x w", "c"), node("BatchNormalization", "c scale shift mean variance")],
         {"w": noise(5, 6, 1, 1), **norm(5)}),
    one("norm", "BatchNormalization", norm(6), epsilon=1e-3),
    one("norm of a row", "BatchNormalization", norm(10), FLAT),
    case("norm that two read", [node("Conv", "x w", "c"), node("BatchNormalization", "c scale shift mean variance", "n"),
                                node("Add", "c n")], {"w": noise(5, 6, 1, 1), **norm(5)}),
    one("relu", "Relu"),
    one("clip", "Clip", {"low": np.float32(-0.5), "high": np.float32(1.5)}),
    case("clip from above", [helper.make_node("Clip", ["x", "", "high"], ["y"])], {"high": np.float32(0.5)}),
    one("clip by attributes", "Clip", min=-0.25, max=0.75, opset=9),
    one("leaky relu", "LeakyRelu", alpha=0.2),
    one("sigmoid", "Sigmoid"),
    one("tanh", "Tanh"),
    one("hard swish", "HardSwish"),
    one("hard sigmoid", "HardSigmoid", alpha=0.25, beta=0.4),
    case("silu", [node("Sigmoid", "x", "s"), node("Mul", "x s")]),
    case("conv and silu", [node("Conv", "x w", "c"), node("Sigmoid", "c", "s"), node("Mul", "s c")],
         {"w": noise(5, 6, 1, 1)}),
    one("max pool", "MaxPool", **pool),
    one("max pool, padded", "MaxPool", **pool, pads=[1, 0, 2, 1]),
    one("max pool, ceil", "MaxPool", **pool, ceil_mode=1),
    one("max pool, padded, ceil", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    one("max pool, same lower", "MaxPool", **pool, auto_pad="SAME_LOWER"),
    case("max pool of padding", [PAD, node("MaxPool", "p", **pool)], PADS),
    one("mean pool", "AveragePool", **pool),
    one("mean pool, padded", "AveragePool", **pool, pads=[1, 0, 2, 1]),
    one("mean pool, padding counts", "AveragePool", **pool, pads=[1, 0, 2, 1], count_include_pad=1),
    one("mean pool, ceil", "AveragePool", **pool, ceil_mode=1),
    case("mean pool of padding", [PAD, node("AveragePool", "p", **pool)], PADS),
    one("mean of all", "GlobalAveragePool"),
    one("add", "Add", inputs=OTHER, more="z"),
    one("subtract", "Sub", inputs=OTHER, more="z"),
    one("multiply", "Mul", inputs=OTHER, more="z"),
    one("add one number", "Add", {"c": np.float32(0.3)}),
    one("multiply channels", "Mul", {"c": noise(1, 6, 1, 1)}),
    one("add channels of rank 3", "Add", {"c": noise(6, 1, 1)}),
    case("channels first", [node("Mul", "c x")], {"c": noise(1, 6, 1, 1)}),
    case("add to itself", [node("Add", "x x")]),
    case("a row and a column", [node("Add", "x z")], inputs={"x": [1, 6, 1, 9], "z": [1, 6, 7, 1]}),
    case("channels less image", [node("Sub", "c x")], {"c": noise(6, 1, 1)}),
    case("mean less image", [node("GlobalAveragePool", "x", "m"), node("Sub", "m x")]),
    case("rank 4 with a batch", [node("Reshape", "x s", "r"), node("Mul", "r c")],
         {"s": ints(2, 3, 7, 9), "c": noise(2, 1, 7, 9)}),
    case("rank 5", [node("Reshape", "x s", "r"), node("Mul", "r c")], {"s": ints(1, 2, 3, 7, 9), "c": noise(2, 1, 1, 9)}),
    case("number less image", [node("Sub", "c x")], {"c": floats(1.0)}),
    case("a factor per channel from the image", [node("GlobalAveragePool", "x", "m"), node("Sigmoid", "m", "s"),
                                                 node("Mul", "x s")]),
    case("a map for all channels", [node("Conv", "x w", "m"), node("Mul", "x m")], {"w": noise(1, 6, 1, 1)}),
    case("add in another order", [node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Add", "t z")],
         inputs={"x": IMAGE, "z": [1, 6, 9, 7]}),
    case("concat", [node("Relu", "x", "r"), node("Concat", "x r", axis=1)]),
    case("concat of rows", [node("Relu", "x", "r"), node("Concat", "r x r", axis=-2)]),
    case("concat of columns", [node("Relu", "x", "r"), node("Concat", "x r", axis=3)]),
    case("concat of rank 3", [node("Relu", "x", "r"), node("Concat", "x r", axis=1)], inputs=ROWS),
    case("concat with constants", [node("Concat", "x c", axis=1)], {"c": noise(1, 2, 7, 9)}),
    one("softmax of channels", "Softmax", axis=1),
    one("softmax of columns", "Softmax", axis=-1),
    one("softmax of a row", "Softmax", inputs=FLAT),
    one("softmax of rank 3", "Softmax", inputs=ROWS, axis=1),
    resize("bilinear", "linear", "half_pixel", [1, 1, 2, 2]),
    resize("bilinear, pytorch", "linear", "pytorch_half_pixel", sizes=[1, 6, 5, 13]),
    resize("bilinear, corners", "linear", "align_corners", sizes=[1, 6, 13, 17]),
    resize("bilinear, asymmetric", "linear", "asymmetric", [1, 1, 2, 3]),
    resize("nearest", "nearest", "asymmetric", [1, 1, 2, 2], nearest_mode="floor"),
    resize("nearest, half pixel", "nearest", "half_pixel", [1, 1, 3, 2]),
    resize("nearest by sizes", "nearest", "asymmetric", sizes=[1, 6, 14, 27], nearest_mode="floor"),
    one("upsample", "Upsample", {"s": floats(1, 1, 2, 2)}, opset=9, mode="nearest"),
    case("padding that is read twice", [PAD, node("Relu", "p", "r"), node("Add", "r p")], PADS),
    case("constant", [helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(noise(1, 6, 1, 1))),
                      node("Add", "x c")]),
    one("flatten", "Flatten"),
    one("reshape", "Reshape", {"s": ints(0, 3, -1)}),
    one("reshape in memory order", "Reshape", {"s": ints(1, 6, 63)}),
    one("transpose", "Transpose", perm=[0, 2, 3, 1]),
    one("transpose of rank 3", "Transpose", inputs=ROWS, perm=[0, 2, 1]),
    case("channel shuffle", [node("Reshape", "x a", "r"), node("Transpose", "r", "t", perm=[0, 2, 1, 3, 4]),
                             node("Reshape", "t b")], {"a": ints(1, 2, 3, 7, 9), "b": ints(1, 6, 7, 9)}),
    case("space to channels", [node("Slice", "x s0 e a t", "f"), node("Slice", "x s1 e a t", "g"),
                               node("Concat", "f g", axis=1)],
         {"s0": ints(0, 0), "s1": ints(1, 0), "e": ints(6, 8), "a": ints(2, 3), "t": ints(2, 2)}),
    case("squeeze", [node("GlobalAveragePool", "x", "m"), node("Squeeze", "m a")], {"a": ints(2, -1)}),
    case("squeeze all", [node("GlobalAveragePool", "x", "m"), node("Squeeze", "m")]),
    case("unsqueeze", [node("Unsqueeze", "x a")], {"a": ints(1, -1)}, ROWS),
    case("gather", [helper.make_node("Constant", [], ["i"], value=numpy_helper.from_array(np.array(-2, np.int64))),
                    node("Gather", "x i", axis=1)]),
    case("gather one of a list", [node("Gather", "x i", axis=2)], {"i": ints(3)}),
    one("slice", "Slice", {"s": ints(1, -7), "e": ints(5, 1000), "a": ints(1, 3)}),
    one("slice with steps", "Slice", {"s": ints(1, 0), "e": ints(7, 9), "a": ints(2, 3), "t": ints(2, 3)}),
    case("split", [node("Split", "x", "y z", axis=1)], outputs=("y", "z"), opset=13),
    case("split in sizes", [node("Split", "x s", "y z", axis=1)], {"s": ints(2, 4)}, outputs=("y", "z")),
    case("split by an attribute", [node("Split", "x", "y z", axis=2, split=[3, 4])], outputs=("y", "z"), opset=11),
    case("split with a smaller last part", [node("Split", "x", "y z", axis=2, num_outputs=2)], outputs=("y", "z"), opset=18),
    one("matmul", "MatMul", {"w": noise(8, 3)}, ROWS),
    case("matmul and bias", [node("MatMul", "x w", "m"), node("Add", "m b")], {"w": noise(10, 4), "b": noise(4)}, FLAT),
    case("matmul with turned weights", [node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "x t")],
         {"w": noise(4, 10)}, FLAT),
    one("divide", "Div", {"c": floats(3.0)}),
    one("divide channels", "Div", {"c": 2 + noise(6, 1, 1)}),
    case("conv and scale", [node("Conv", "x w", "c"), node("Mul", "c g", "s"), node("Sub", "s o", "o2"),
                            node("Relu", "o2")], {"w": noise(5, 6, 1, 1), "g": noise(1, 5, 1, 1), "o": floats(0.5)}),
    case("scale that two read", [node("Conv", "x w", "c"), node("Mul", "c g", "s"), node("Add", "c s")],
         {"w": noise(5, 6, 1, 1), "g": noise(1, 5, 1, 1)}),
    case("hard swish by its parts", [node("Add", "x three", "a"), node("Clip", "a zero six", "c"), node("Mul", "x c", "m"),
                                     node("Div", "m six")],
         {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}),
    one("mean over the image", "ReduceMean", axes=[2, 3], keepdims=1, opset=13),
    one("mean over the image as a row", "ReduceMean", axes=[-1, -2], keepdims=0, opset=13),
    case("mean by an input", [node("ReduceMean", "x a", keepdims=0)], {"a": ints(2, 3)}, opset=18),
    case("rows for any batch", [node("Shape", "x", "s"), node("Gather", "s i", "n", axis=0), node("Unsqueeze", "n i0", "u"),
                                node("Concat", "u rest", "t", axis=0), node("Reshape", "x t")],
         {"i": np.array(0, np.int64), "i0": ints(0), "rest": ints(-1)}),
    case("twice the size, whatever it is", [
        node("Shape", "x", "s"), node("Slice", "s two four zero", "hw"), node("Mul", "hw factor", "larger"),
        node("Slice", "s zero two zero", "nc"), node("Concat", "nc larger", "n", axis=0),
        helper.make_node("Resize", ["x", "", "", "n"], ["y"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")],
         {"zero": ints(0), "two": ints(2), "four": ints(4), "factor": ints(2)}),
    case("half of the channels, whatever they are", [
        node("Shape", "x", "s", start=1, end=2), node("Cast", "s", "f", to=TensorProto.FLOAT), node("Div", "f two", "h"),
        node("Floor", "h", "r"), node("Cast", "r", "e", to=TensorProto.INT64), node("Slice", "x zero e one")],
         {"two": floats(2.0), "zero": ints(0), "one": ints(1)}),
    case("a size as a number", [node("Shape", "x", "s"), node("Gather", "s i", "g", axis=0), node("Squeeze", "g zero", "n"),
                                node("Unsqueeze", "n zero", "u"), node("Sub", "u one", "v"), node("Slice", "x one u a", "y")],
         {"i": ints(-2), "zero": ints(0), "one": ints(1), "a": ints(2)}),
    conv("conv, padding that fits", [5, 6, 3, 3], before=[PAD], constants={"widths": ints(0, 0, 1, 2, 0, 0, 0, 1)}),
    conv("conv with padding of its own too", [5, 6, 5, 5], before=[PAD], strides=[2, 2], pads=[1, 1, 2, 2],
         constants={"widths": ints(0, 0, 1, 2, 0, 0, 0, 1)}),
    case("padding for two", [PAD, node("Conv", "p w", "c"), node("AveragePool", "p", "m", kernel_shape=[3, 3]),
                             node("Concat", "c m", axis=1)],
         {"widths": ints(0, 0, 1, 2, 0, 0, 0, 1), "w": noise(5, 6, 3, 3)}),
    case("mean pool of padding, same upper", [PAD, node("AveragePool", "p", kernel_shape=[3, 3], strides=[2, 2],
                                                        auto_pad="SAME_UPPER")],
         {"widths": ints(0, 0, 0, 0, 0, 0, 1, 1)}),
    case("mean pool of padding, ceil", [PAD, node("AveragePool", "p", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
         {"widths": ints(0, 0, 1, 1, 0, 0, 0, 0)}),
]
PATH.write_text(json.dumps(cases, indent=0) + "\n")
print(len(cases), "cases,", PATH.stat().st_size, "bytes")
