"""Writes tflite_operators.json: small quantised models, one operator each, and what the TensorFlow Lite interpreter gives.

    pip install "ai-edge-litert==2.3.0" flatbuffers numpy   # writes the models (its schema)
    pip install "ai-edge-litert==1.0.1" "numpy<2"           # runs them, in another environment
    python tflite_operators.py write && python tflite_operators.py run

Everything is made up from a seed; the models hold no one's weights. Reference kernels, as in tflite_networks.py.
"""

import base64
import json
import pathlib
import sys

import numpy as np

PATH = pathlib.Path(__file__).with_name("tflite_operators.json")
RANDOM = np.random.default_rng(7)


def write():
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    op_hard_swish = s.BuiltinOperator.HARD_SWISH

    def model(name, code, options_type, options, inputs, output, constants=(), before=(), more=()):
        """A model with one operator. Tensors are (shape, scale, zero); constants lie behind the inputs or before them. Of
        several outputs the last is kept."""
        tensors, buffers = [], [s.BufferT()]

        def tensor(label, shape, kind, scale=None, zero=0, data=None):
            result = s.TensorT()
            result.name, result.shape, result.type, result.buffer = label, list(shape), kind, 0
            if scale is not None:
                result.quantization = s.QuantizationParametersT()
                result.quantization.scale, result.quantization.zeroPoint = [scale], [zero]
            if data is not None:
                buffer = s.BufferT()
                buffer.data = np.frombuffer(data.tobytes(), np.uint8)
                buffers.append(buffer)
                result.buffer = len(buffers) - 1
            tensors.append(result)
            return len(tensors) - 1

        sources = [tensor(f"in{at}", shape, s.TensorType.INT8, scale, zero)
                   for at, (shape, scale, zero) in enumerate(inputs)]
        fixed = [tensor(f"fixed{at}", data.shape, s.TensorType.INT32, data=data) for at, data in enumerate(constants)]
        first = [tensor(f"first{at}", data.shape, s.TensorType.INT32, data=data) for at, data in enumerate(before)]
        targets = [tensor(f"out{at}" if at else "out", shape, s.TensorType.INT8, scale, zero)
                   for at, (shape, scale, zero) in enumerate([output, *more])]
        graph, operator, opcode, whole = s.SubGraphT(), s.OperatorT(), s.OperatorCodeT(), s.ModelT()
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, first + sources + fixed, targets
        operator.builtinOptionsType, operator.builtinOptions = options_type, options
        opcode.builtinCode, opcode.deprecatedBuiltinCode, opcode.version = code, min(code, 127), 1 if code == op_hard_swish else 2
        graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, sources, targets[-1:], [operator]
        whole.version, whole.operatorCodes, whole.subgraphs, whole.buffers = 3, [opcode], [graph], buffers
        builder = flatbuffers.Builder(0)
        builder.Finish(whole.Pack(builder), b"TFL3")
        return {"name": name, "model": base64.b64encode(bytes(builder.Output())).decode()}

    def options(kind, **fields):
        result = getattr(s, kind + "T")()
        for field, value in fields.items():
            setattr(result, field, value)
        return getattr(s.BuiltinOptions, kind), result

    op, image = s.BuiltinOperator, (1, 5, 6, 7)
    none = (0, None)
    a, b = (image, 0.031, 5), (image, 0.0173, -11)
    channel, one = ((1, 1, 1, 7), 0.02, 3), ((1, 1, 1, 1), 0.5, 0)
    pool = dict(padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=2, fusedActivationFunction=0)
    cases = [
        model("add", op.ADD, *options("AddOptions"), [a, b], (image, 0.047, 9)),
        model("add relu6", op.ADD, *options("AddOptions", fusedActivationFunction=3), [a, b], (image, 0.0235, -128)),
        model("add channels", op.ADD, *options("AddOptions"), [a, channel], (image, 0.04, 0)),
        model("sub", op.SUB, *options("SubOptions"), [a, b], (image, 0.03, -20)),
        model("mul", op.MUL, *options("MulOptions"), [a, b], (image, 0.02, 1)),
        model("mul channels", op.MUL, *options("MulOptions", fusedActivationFunction=1), [a, channel],
              (image, 0.03, -128)),
        model("mul one", op.MUL, *options("MulOptions"), [a, one], (image, 0.01, 1)),
        model("max pool", op.MAX_POOL_2D, *options("Pool2DOptions", **pool), [a], ((1, 3, 3, 7), 0.031, 5)),
        model("average pool", op.AVERAGE_POOL_2D, *options("Pool2DOptions", **pool), [a], ((1, 3, 3, 7), 0.031, 5)),
        model("average pool valid", op.AVERAGE_POOL_2D,
              *options("Pool2DOptions", **{**pool, "padding": 1, "fusedActivationFunction": 1}), [a],
              ((1, 2, 2, 7), 0.031, 5)),
        model("mean", op.MEAN, *options("ReducerOptions", keepDims=True), [a], ((1, 1, 1, 7), 0.012, -3),
              [np.array([1, 2], np.int32)]),
        model("logistic", op.LOGISTIC, *none, [a], (image, 1 / 256, -128)),
        model("tanh", op.TANH, *none, [a], (image, 1 / 128, 0)),
        model("hard swish", op.HARD_SWISH, *none, [a], (image, 0.025, -90)),
        model("leaky relu", op.LEAKY_RELU, *options("LeakyReluOptions", alpha=0.1), [a], (image, 0.03, -60)),
        model("relu", op.RELU, *none, [a], (image, 0.0155, -128)),
        model("quantize", op.QUANTIZE, *none, [a], (image, 0.05, -7)),
        model("softmax", op.SOFTMAX, *options("SoftmaxOptions", beta=1.0), [((1, 77), 0.09, 5)],
              ((1, 77), 1 / 256, -128)),
        model("concat", op.CONCATENATION, *options("ConcatenationOptions", axis=3), [a, ((1, 5, 6, 3), 0.031, 5)],
              ((1, 5, 6, 10), 0.031, 5)),
        model("pad", op.PAD, *none, [a], ((1, 8, 9, 7), 0.031, 5),
              [np.array([[0, 0], [1, 2], [0, 3], [0, 0]], np.int32)]),
        model("transpose", op.TRANSPOSE, *none, [a], ((1, 7, 5, 6), 0.031, 5), [np.array([0, 3, 1, 2], np.int32)]),
        model("nearest", op.RESIZE_NEAREST_NEIGHBOR, *options("ResizeNearestNeighborOptions"), [a],
              ((1, 10, 18, 7), 0.031, 5), [np.array([10, 18], np.int32)]),
        model("bilinear", op.RESIZE_BILINEAR, *options("ResizeBilinearOptions"), [a], ((1, 9, 11, 7), 0.031, 5),
              [np.array([9, 11], np.int32)]),
        model("bilinear half pixel", op.RESIZE_BILINEAR, *options("ResizeBilinearOptions", halfPixelCenters=True), [a],
              ((1, 9, 11, 7), 0.031, 5), [np.array([9, 11], np.int32)]),
        model("bilinear corners", op.RESIZE_BILINEAR, *options("ResizeBilinearOptions", alignCorners=True), [a],
              ((1, 9, 11, 7), 0.031, 5), [np.array([9, 11], np.int32)]),
        model("strided slice", op.STRIDED_SLICE, *options("StridedSliceOptions"), [a], ((1, 2, 3, 7), 0.031, 5),
              [numbers(0, 1, 0, 0), numbers(1, 5, 6, 7), numbers(1, 2, 2, 1)]),
        model("strided slice, open", op.STRIDED_SLICE, *options("StridedSliceOptions", beginMask=9, endMask=9), [a],
              ((1, 3, 5, 7), 0.031, 5), [numbers(1, -4, 1, 3), numbers(0, -1, 100, 2), numbers(1, 1, 1, 1)]),
        model("strided slice, dropped", op.STRIDED_SLICE,
              *options("StridedSliceOptions", beginMask=1, endMask=1, shrinkAxisMask=4), [a], ((1, 5, 7), 0.031, 5),
              [numbers(0, 0, -2, 0), numbers(0, 5, 0, 7), numbers(1, 1, 1, 1)]),
        model("split", op.SPLIT, *options("SplitOptions", numSplits=3), [a], ((1, 5, 2, 7), 0.031, 5), (),
              [np.array(2, np.int32)], [((1, 5, 2, 7), 0.031, 5)] * 2),
        model("split in sizes", op.SPLIT_V, *options("SplitVOptions", numSplits=2), [a], ((1, 5, 6, 2), 0.031, 5),
              [numbers(2, -1), np.array(-1, np.int32)], (), [((1, 5, 6, 5), 0.031, 5)]),
    ]
    PATH.write_text(json.dumps(cases, indent=0) + "\n")


def numbers(*values):
    return np.array(values, np.int32)


def run():
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    cases = json.loads(PATH.read_text())
    for case in cases:
        interpreter = Interpreter(model_content=base64.b64decode(case["model"]),
                                  experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        case["inputs"] = []
        for source in interpreter.get_input_details():
            values = RANDOM.integers(-128, 128, source["shape"], np.int8)
            interpreter.set_tensor(source["index"], values)
            case["inputs"].append(base64.b64encode(values.tobytes()).decode())
        interpreter.invoke()
        output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        case["output"] = base64.b64encode(output.tobytes()).decode()
    PATH.write_text(json.dumps(cases, indent=0) + "\n")


{"write": write, "run": run}[sys.argv[1]]()
