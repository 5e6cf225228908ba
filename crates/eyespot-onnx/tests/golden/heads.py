"""Graphs with every head, and what they find, for `../heads.rs`.

Writes `NAME.onnx` and `heads.json` beside this file. A graph gives a table of numbers of its own plus a part of the mean of
its input, so that wrong preprocessing shows in the scores. What it finds is decoded in NumPy from the outputs of ONNX
Runtime, and the input is made by OpenCV: nothing here knows of Eyespot.

Needs onnx, onnxruntime, opencv-python and numpy.
"""

import json
import pathlib

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
SIZE, WIDTH, HEIGHT = 64, 96, 60
CONF, IOU = 0.25, 0.45
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
LEVELS, UNIT = ([0] * 3, [1] * 3), ([0] * 3, [255] * 3)


def image():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([(5 * x + 3 * y) % 256, (2 * x + 7 * y) % 256, (x + 11 * y) % 256], -1).astype(np.uint8)


def prepare(size, bgr, norm, fit, pad, nhwc):
    """The input, and the way from its pixels to those of the image: offset and ratio of each axis."""
    height, width = size
    picture = image()
    if fit == "stretch":
        resized, (left, top), ratio = (width, height), (0, 0), (width / WIDTH, height / HEIGHT)
    else:
        r = min(width / WIDTH, height / HEIGHT)
        resized, ratio = (int(WIDTH * r), int(HEIGHT * r)), (r, r)
        left, top = ((width - resized[0]) // 2, (height - resized[1]) // 2) if fit == "center" else (0, 0)
    canvas = np.full((height, width, 3), pad, np.uint8)
    canvas[top : top + resized[1], left : left + resized[0]] = cv2.resize(picture, resized, interpolation=cv2.INTER_LINEAR)
    if bgr:
        canvas = canvas[..., ::-1]
    tensor = (canvas.astype(np.float32) - np.float32(norm[0])) / np.float32(norm[1])
    return (tensor if nhwc else tensor.transpose(2, 0, 1))[None], (left, top, *ratio)


def graph(name, tables, input_shape, element=TensorProto.FLOAT, metadata=None, open_size=False):
    """`tables`: name of the output, values, values times the mean of the input, operator after it, integer?"""
    nodes, constants, outputs = [], [], []
    source = "image"
    if element != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT))
        source = "floats"
    nodes.append(helper.make_node("ReduceMean", [source], ["mean"], keepdims=0))
    for output, values, slope, operator, integer in tables:
        values = np.asarray(values, np.float32)
        constants.append(numpy_helper.from_array(values, output + "_table"))
        constants.append(numpy_helper.from_array(np.asarray(slope, np.float32), output + "_slope"))
        nodes.append(helper.make_node("Mul", ["mean", output + "_slope"], [output + "_part"]))
        last = output if not operator and not integer else output + "_sum"
        nodes.append(helper.make_node("Add", [output + "_table", output + "_part"], [last]))
        if operator:
            attributes = {"axis": 1 if values.ndim == 4 else -1} if operator == "Softmax" else {}
            nodes.append(helper.make_node(operator, [last], [output], **attributes))
        if integer:
            nodes.append(helper.make_node("Cast", [last], [output], to=TensorProto.INT64))
        kind = TensorProto.INT64 if integer else TensorProto.FLOAT
        outputs.append(helper.make_tensor_value_info(output, kind, list(values.shape)))
    shape = list(input_shape)
    if open_size:
        shape = ["batch", 3, "height", "width"]
    inputs = [helper.make_tensor_value_info("image", element, shape)]
    model = helper.make_model(
        helper.make_graph(nodes, name, inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name="eyespot",
    )
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def corners(b):
    return np.concatenate([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1)


def overlap(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    return w * h / (area(a) + area(b) - w * h)


def turned(box, angle):
    """The corners of a box of centre and size."""
    (x, y, w, h), c, s = box, np.cos(angle), np.sin(angle)
    return np.float32([(x + dx * c - dy * s, y + dx * s + dy * c) for dx, dy in
                       [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]])


def turned_overlap(a, b):
    (p, q), (r, s) = a, b
    shared = cv2.intersectConvexConvex(turned(p, q), turned(r, s))[0]
    return shared / (p[2] * p[3] + r[2] * r[3] - shared)


class Finder:
    """Collects candidates in pixels of the input and gives what is found in pixels of the image."""

    def __init__(self, place):
        self.place, self.found = place, []

    def rows(self, boxes, scores, keep=None):
        """Boxes as corners and a column of scores for each class: the best class of each."""
        for row, (box, score) in enumerate(zip(boxes, scores)):
            best = int(np.argmax(score))
            self.add(box, score[best], best, row)

    def add(self, box, score, label, row=0, **more):
        if score >= CONF:
            self.found.append(dict(box=[float(v) for v in box], score=float(score), label=int(label), row=row, **more))

    def suppress(self, iou=overlap, key=lambda one: one["box"]):
        kept = []
        for one in sorted(self.found, key=lambda one: -one["score"]):
            if all(other["label"] != one["label"] or iou(key(other), key(one)) <= IOU for other in kept):
                kept.append(one)
        self.found = kept

    def point(self, x, y):
        left, top, sx, sy = self.place
        return (x - left) / sx, (y - top) / sy

    def result(self, masks=None, keypoints=None, clip=True):
        results = []
        for one in sorted(self.found, key=lambda one: -one["score"]):
            (x1, y1), (x2, y2) = self.point(*one["box"][:2]), self.point(*one["box"][2:])
            if clip:
                x1, x2 = np.clip([x1, x2], 0, WIDTH)
                y1, y2 = np.clip([y1, y2], 0, HEIGHT)
            if x2 <= x1 or y2 <= y1:
                continue
            entry = {"box": [float(x1), float(y1), float(x2), float(y2)], "score": one["score"], "class": one["label"]}
            if "angle" in one:
                entry["angle"] = float(one["angle"])
            if keypoints is not None:
                entry["keypoints"] = [[*map(float, self.point(x, y)), float(score)] for x, y, score in keypoints[one["row"]]]
            if masks is not None:
                logits = self.sample(masks[one["row"]])
                y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
                inside = (x >= x1) & (x < x2) & (y >= y1) & (y < y2) & (logits > 0)
                entry["mask"] = runs(inside)
            results.append(entry)
        return results

    def sample(self, field):
        """A field over the input, bilinear, at the centres of the image's pixels."""
        left, top, sx, sy = self.place
        rows, columns = field.shape
        y = ((np.arange(HEIGHT) + 0.5) * sy + top) / SIZE * rows - 0.5
        x = ((np.arange(WIDTH) + 0.5) * sx + left) / SIZE * columns - 0.5
        def taps(at, count):
            low = np.floor(at).astype(int)
            return np.clip(low, 0, count - 1), np.clip(low + 1, 0, count - 1), at - low
        y0, y1, fy = taps(y, rows)
        x0, x1, fx = taps(x, columns)
        upper = field[y0][:, x0] * (1 - fx) + field[y0][:, x1] * fx
        lower = field[y1][:, x0] * (1 - fx) + field[y1][:, x1] * fx
        return upper * (1 - fy)[:, None] + lower * fy[:, None]

    def regions(self, classes, scores):
        """A class for each pixel of the image."""
        results = []
        for label in sorted(set(classes.ravel())):
            if label < 0:
                continue
            y, x = np.nonzero(classes == label)
            box = [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]
            if scores[label] >= CONF:
                results.append({"box": box, "score": float(scores[label]), "class": int(label), "mask": runs(classes == label)})
        return results


def runs(mask):
    """Lengths of runs row by row, zeros first."""
    flat = mask.ravel().astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    lengths = np.diff(bounds).tolist()
    return lengths if flat[0] == 0 else [0, *lengths]


rng = np.random.default_rng(7)
CASES = {}


def case(name, tables, decode, bgr=False, norm=UNIT, fit="center", pad=114, nhwc=False, element=TensorProto.FLOAT,
         metadata=None, manifest=None, size=(SIZE, SIZE), kind=None, open_size=False):
    shape = [1, *size, 3] if nhwc else [1, 3, *size]
    graph(name, tables, shape, element, metadata, open_size)
    tensor, place = prepare(size, bgr, norm, fit, pad, nhwc)
    if element == TensorProto.UINT8:
        tensor = tensor.astype(np.uint8)
    if element == TensorProto.INT32:
        tensor = tensor.astype(np.int32)
    session = onnxruntime.InferenceSession(HERE / f"{name}.onnx", providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"image": tensor})
    found = decode([np.asarray(output, np.float64) for output in outputs], Finder(place))
    assert found, name
    CASES[name] = {"kind": kind or name, "manifest": manifest, "found": found,
                   "outputs": [{"dims": list(o.shape), "values": [float(v) for v in np.asarray(o, np.float32).ravel()[:64]]}
                               for o in outputs]}


def names(*labels):
    return {"names": str(dict(enumerate(labels)))}


ABC = names("a", "b", "c")


def boxes(count):
    """Boxes of centre and size, some of them on one another."""
    made = np.concatenate([rng.uniform(14, 50, (count, 2)), rng.uniform(8, 26, (count, 2))], 1)
    made[1::5] = made[0::5][: len(made[1::5])] + rng.uniform(-1, 1, made[1::5].shape)
    return made


def scores(count, classes, high=0.3):
    """Mostly low, some high, never close to the threshold."""
    made = rng.uniform(0.01, 0.12, (count, classes))
    for row in np.flatnonzero(rng.uniform(size=count) < high):
        made[row, rng.integers(classes)] = rng.uniform(0.4, 0.9)
    made[0, 0] = rng.uniform(0.92, 0.97)
    made[1, 0] = rng.uniform(0.85, 0.9)
    return made


def logit(p):
    return np.log(p / (1 - p))


def slope(shape, column, value):
    """Zero but for the columns of the scores."""
    made = np.zeros(shape, np.float32)
    made[..., column] = value
    return made


def cells(*strides):
    return sum((SIZE // s) ** 2 for s in strides)


def grid(*strides):
    """Column, row and stride of each cell."""
    made = [(x, y, s) for s in strides for y in range(SIZE // s) for x in range(SIZE // s)]
    return np.array(made, np.float64)


# YOLOX, raw. The mean of levels is about 127: a slope of 1e-4 moves a score by 0.013.
n = cells(8, 16, 32)
raw = np.concatenate([rng.uniform(0, 1, (n, 2)), rng.uniform(-0.3, 0.9, (n, 2)), scores(n, 1), scores(n, 3, 0.9)], 1)[None]


def decode_yolox(outputs, find):
    out, g = outputs[0][0], grid(8, 16, 32)
    b = np.concatenate([(out[:, :2] + g[:, :2]) * g[:, 2:], np.exp(out[:, 2:4]) * g[:, 2:]], 1)
    find.rows(corners(b), out[:, 4:5] * out[:, 5:])
    find.suppress()
    return find.result()


case("yolox", [("output", raw, slope(raw.shape, slice(4, None), 1e-4), None, False)], decode_yolox, bgr=True,
     norm=LEVELS, fit="top-left", metadata=ABC)

table = np.concatenate([boxes(3 * n), scores(3 * n, 1), scores(3 * n, 3, 0.9)], 1)[None]


def decode_yolov5(outputs, find):
    out = outputs[0][0]
    find.rows(corners(out[:, :4]), out[:, 4:5] * out[:, 5:])
    find.suppress()
    return find.result()


case("yolov5", [("output0", table, slope(table.shape, slice(4, None), 0.02), None, False)], decode_yolov5, metadata=ABC)


def v8(columns):
    return columns.T[None]


def decode_yolov8(outputs, find):
    out = outputs[0][0].T
    find.rows(corners(out[:, :4]), out[:, 4:7])
    find.suppress()
    return find.result()


table = v8(np.concatenate([boxes(n), scores(n, 3)], 1))
shift = np.zeros(table.shape, np.float32)
shift[:, 4:] = 0.02
case("yolov8", [("output0", table, shift, None, False)], decode_yolov8, metadata=ABC)
# Sizes that are left open, and a manifest that says what nothing else does.
case("told", [("output0", table, shift, None, False)], decode_yolov8, bgr=True, norm=IMAGENET, fit="top-left", pad=0,
     open_size=True, kind="yolov8",
     manifest={"head": "yolov8", "classes": ["a", "b", "c"],
               "input": {"size": [SIZE, SIZE], "channels": "bgr", "mean": IMAGENET[0], "std": IMAGENET[1],
                         "fit": "top-left", "pad": 0}})

few = 12
table = np.concatenate([corners(boxes(few)), scores(few, 1, 0.5), rng.integers(0, 3, (few, 1))], 1)[None]


def decode_end_to_end(outputs, find):
    for row, one in enumerate(outputs[0][0]):
        find.add(one[:4], one[4], one[5], row)
    return find.result()


case("end-to-end", [("output0", table, slope(table.shape, 4, 0.02), None, False)], decode_end_to_end, metadata=ABC)

table = np.concatenate([np.zeros((few, 1)), corners(boxes(few)), rng.integers(0, 3, (few, 1)), scores(few, 1, 0.5)], 1)


def decode_yolov7(outputs, find):
    for row, one in enumerate(outputs[0]):
        find.add(one[1:5], one[6], one[5], row)
    return find.result()


case("yolov7-end-to-end", [("output", table, slope(table.shape, 6, 0.02), None, False)], decode_yolov7, metadata=ABC)

table = np.concatenate([np.zeros((few, 1)), rng.integers(0, 3, (few, 1)), scores(few, 1, 0.5), corners(boxes(few)) / SIZE], 1)[None, None]


def decode_detection_output(outputs, find):
    for row, one in enumerate(outputs[0][0, 0]):
        find.add(one[3:] * SIZE, one[2], one[1], row)
    return find.result()


case("detection-output", [("detection_out", table, slope(table.shape, 2, 1e-4), None, False)], decode_detection_output,
     bgr=True, norm=LEVELS, fit="stretch", metadata=ABC)

square = boxes(few)[None] / SIZE
logits = logit(scores(few, 4, 0.8))[None]


def decode_detr(outputs, find):
    find.rows(corners(outputs[1][0] * SIZE), softmax(outputs[0][0])[:, :-1])
    return find.result()


def decode_rt_detr(outputs, find):
    find.rows(corners(outputs[1][0] * SIZE), sigmoid(outputs[0][0]))
    return find.result()


case("detr", [("logits", 2 * logits, slope(logits.shape, 0, 0.2), None, False), ("pred_boxes", square, 0, None, False)],
     decode_detr, norm=IMAGENET, fit="stretch", pad=0, metadata=ABC)
logits = logit(scores(few, 3, 0.8))[None]
case("rt-detr", [("logits", logits, slope(logits.shape, slice(0, 3), 0.2), None, False), ("pred_boxes", square, 0, None, False)],
     decode_rt_detr, fit="stretch", pad=0, metadata=ABC)
case("rt-detr-activated", [("scores", logits, 0.2, "Sigmoid", False), ("boxes", square, 0, None, False)],
     lambda outputs, find: (find.rows(corners(outputs[1][0] * SIZE), outputs[0][0]), find.result())[1],
     fit="stretch", pad=0, metadata=ABC, kind="rt-detr")

many = 1200
priors = corners(boxes(many))[None] / SIZE
logits = rng.normal(0, 0.2, (1, many, 4))
logits[..., 0] += 3
chosen = rng.choice(many, 40, replace=False)
logits[0, chosen, rng.integers(1, 4, 40)] += rng.uniform(4, 6, 40)


def decode_ssd(outputs, find):
    find.rows(outputs[1][0] * SIZE, outputs[0][0][:, 1:])
    find.suppress()
    return find.result()


case("ssd", [("scores", logits, slope(logits.shape, 0, 0.1), "Softmax", False), ("boxes", priors, 0, None, False)],
     decode_ssd, norm=([127] * 3, [128] * 3), fit="stretch", pad=0, metadata=ABC)

labels, confident = rng.integers(0, 3, few), scores(few, 1, 0.6)[:, 0]


def decode_detections(outputs, find):
    for row, (box, label, score) in enumerate(zip(*outputs)):
        find.add(box, score, label, row)
    return find.result()


case("detections", [("boxes", corners(boxes(few)), 0, None, False), ("labels", labels, 0, None, True),
                    ("scores", confident, 0.02, None, False)], decode_detections, fit="stretch", pad=0, metadata=ABC)

with_score = np.concatenate([corners(boxes(few)), scores(few, 1, 0.6)], 1)[None]


def decode_mmdet(outputs, find):
    for row, (one, label) in enumerate(zip(outputs[0][0], outputs[1][0])):
        find.add(one[:4], one[4], label, row)
    return find.result()


case("mmdet", [("dets", with_score, slope(with_score.shape, 4, 0.02), None, False), ("labels", labels[None], 0, None, True)],
     decode_mmdet, bgr=True, norm=([103.53, 116.28, 123.675], [57.375, 57.12, 58.395]), fit="top-left", metadata=ABC)

tf_boxes = corners(boxes(few))[None][..., [1, 0, 3, 2]] / SIZE


def decode_tf(outputs, find):
    for row, (box, label, score) in enumerate(zip(outputs[0][0], outputs[1][0], outputs[2][0])):
        find.add(box[[1, 0, 3, 2]] * SIZE, score, label - 1, row)
    return find.result()


case("tf-detections", [("detection_boxes:0", tf_boxes, 0, None, False), ("detection_classes:0", labels[None] + 1, 0, None, False),
                       ("detection_scores:0", confident[None], 1e-4, None, False), ("num_detections:0", [few], 0, None, False)],
     decode_tf, norm=LEVELS, fit="stretch", pad=0, nhwc=True, element=TensorProto.UINT8, metadata=ABC)

BGR_IMAGENET = ([103.53, 116.28, 123.675], [57.375, 57.12, 58.395])


def distributions(rows):
    made = rng.normal(0, 0.3, (rows, 4, 8))
    made[np.arange(rows)[:, None], np.arange(4), rng.integers(0, 4, (rows, 4))] += 4
    return made.reshape(rows, 32)


def distance_boxes(g, offset, d):
    x, y = (g[:, 0] + offset) * g[:, 2], (g[:, 1] + offset) * g[:, 2]
    return np.stack([x - d[:, 0], y - d[:, 1], x + d[:, 2], y + d[:, 3]], 1)


def mean_distances(values, strides):
    return (softmax(values.reshape(-1, 4, 8)) * np.arange(8)).sum(-1) * strides[:, None]


def decode_nanodet(outputs, find):
    for stride, level in zip((8, 16, 32), range(3)):
        g = grid(stride)
        d = mean_distances(outputs[level + 3][0], g[:, 2])
        find.rows(distance_boxes(g, 0.5, d), outputs[level][0])
    find.suppress()
    return find.result()


levels = [(SIZE // s) ** 2 for s in (8, 16, 32)]
tables = [(f"cls{i}", logit(scores(c, 3))[None], 0.1, "Sigmoid", False) for i, c in enumerate(levels)]
tables += [(f"dis{i}", distributions(c)[None], 0, None, False) for i, c in enumerate(levels)]
case("nanodet", tables, decode_nanodet, bgr=True, norm=BGR_IMAGENET, fit="center", pad=0, metadata=ABC)

n_plus = cells(8, 16, 32, 64)
table = np.concatenate([scores(n_plus, 3), distributions(n_plus)], 1)[None]


def decode_nanodet_plus(outputs, find):
    out, g = outputs[0][0], grid(8, 16, 32, 64)
    find.rows(distance_boxes(g, 0, mean_distances(out[:, 3:], g[:, 2])), out[:, :3])
    find.suppress()
    return find.result()


case("nanodet-plus", [("output", table, slope(table.shape, slice(0, 3), 0.02), None, False)], decode_nanodet_plus, bgr=True,
     norm=BGR_IMAGENET, fit="center", pad=0, metadata=ABC,
     manifest={"head": "nanodet-plus", "activation": "none"})


def decode_rtmdet(outputs, find):
    for level, stride in enumerate((8, 16, 32)):
        cls, dist = outputs[level][0].reshape(3, -1).T, outputs[level + 3][0].reshape(4, -1).T
        find.rows(distance_boxes(grid(stride), 0, dist), sigmoid(cls))
    find.suppress()
    return find.result()


tables = [(f"cls_{i}", logit(scores(c, 3)).T.reshape(1, 3, SIZE // s, -1), 0.1, None, False)
          for i, (c, s) in enumerate(zip(levels, (8, 16, 32)))]
tables += [(f"bbox_{i}", rng.uniform(2, 3 * s, (1, 4, SIZE // s, SIZE // s)), 0, None, False) for i, s in enumerate((8, 16, 32))]
case("rtmdet", tables, decode_rtmdet, bgr=True, norm=BGR_IMAGENET, fit="top-left", metadata=ABC)

side = SIZE // 16
table = np.concatenate([scores(side * side, 1, 0.6), rng.uniform(-1, 1, (side * side, 2)), rng.uniform(-3, -1.5, (side * side, 2)),
                        softmax(rng.normal(0, 3, (side * side, 3)))], 1).T.reshape(1, 8, side, side)
shift = np.zeros(table.shape, np.float32)
shift[:, 0] = 0.02


def decode_fastestdet(outputs, find):
    out, g = outputs[0][0].reshape(8, -1).T, grid(16)
    b = np.concatenate([(g[:, :2] + np.tanh(out[:, 1:3])) * 16, sigmoid(out[:, 3:5]) * 352], 1)
    find.rows(corners(b), out[:, :1] ** 0.6 * out[:, 5:] ** 0.4)
    find.suppress()
    return find.result()


case("fastestdet", [("output", table, shift, None, False)], decode_fastestdet, bgr=True, fit="stretch", pad=0, metadata=ABC)


# Masks.
protos = np.stack([sum(rng.normal() * np.sin((np.arange(16)[:, None] * a + np.arange(16) * b) / 5 + rng.uniform(0, 6))
                       for a, b in rng.uniform(-1, 1, (4, 2))) for _ in range(6)])[None]


def masks_of(outputs, coefficients):
    return np.einsum("rm,mhw->rhw", coefficients, outputs[1][0])


def decode_yolov8_seg(outputs, find):
    out = outputs[0][0].T
    find.rows(corners(out[:, :4]), out[:, 4:7])
    find.suppress()
    return find.result(masks=masks_of(outputs, out[:, 7:]))


def decode_end_to_end_seg(outputs, find):
    for row, one in enumerate(outputs[0][0]):
        find.add(one[:4], one[4], one[5], row)
    return find.result(masks=masks_of(outputs, outputs[0][0][:, 6:]))


table = v8(np.concatenate([boxes(n), scores(n, 3, 0.1), rng.normal(0, 1, (n, 6))], 1))
shift = np.zeros(table.shape, np.float32)
shift[:, 4:7] = 0.02
case("yolov8-seg", [("output0", table, shift, None, False), ("output1", protos, 0, None, False)], decode_yolov8_seg, metadata=ABC)
table = np.concatenate([corners(boxes(14)), scores(14, 1, 0.5), rng.integers(0, 3, (14, 1)), rng.normal(0, 1, (14, 6))], 1)[None]
case("end-to-end-seg", [("output0", table, slope(table.shape, 4, 0.02), None, False), ("output1", protos, 0, None, False)],
     decode_end_to_end_seg, metadata=ABC)


# Keypoints.
def points(count, of):
    return np.concatenate([rng.uniform(8, 56, (count, of, 2)), rng.uniform(0, 1, (count, of, 1))], 2).reshape(count, -1)


def decode_yolov8_pose(outputs, find):
    out = outputs[0][0].T
    find.rows(corners(out[:, :4]), out[:, 4:5])
    find.suppress()
    return find.result(keypoints=out[:, 5:].reshape(len(out), -1, 3))


def decode_end_to_end_pose(outputs, find):
    for row, one in enumerate(outputs[0][0]):
        find.add(one[:4], one[4], one[5], row)
    return find.result(keypoints=outputs[0][0][:, 6:].reshape(len(outputs[0][0]), -1, 3))


table = v8(np.concatenate([boxes(n), scores(n, 1), points(n, 17)], 1))
shift = np.zeros(table.shape, np.float32)
shift[:, 4] = 0.02
case("yolov8-pose", [("output0", table, shift, None, False)], decode_yolov8_pose,
     metadata={"task": "pose", "kpt_shape": "[17, 3]", **names("person")})
table = np.concatenate([corners(boxes(60)), scores(60, 1, 0.2), np.zeros((60, 1)), points(60, 5)], 1)[None]
case("end-to-end-pose", [("output0", table, slope(table.shape, 4, 0.02), None, False)], decode_end_to_end_pose,
     metadata={"task": "pose", **names("face")})


def person(keypoints, find):
    """A box around the visible keypoints of the only person; its score is their mean."""
    visible = keypoints[keypoints[:, 2] >= 0.2]
    find.add([*visible[:, :2].min(0), *visible[:, :2].max(0)], keypoints[:, 2].mean(), 0)
    return find.result(keypoints=[keypoints])


table = rng.uniform(0.2, 0.8, (1, 1, 17, 3))


def decode_movenet(outputs, find):
    out = outputs[0][0, 0]
    return person(np.stack([out[:, 1] * SIZE, out[:, 0] * SIZE, out[:, 2]], 1), find)


case("movenet", [("output_0", table, slope(table.shape, 2, 1e-4), None, False)], decode_movenet, norm=LEVELS, fit="center",
     pad=0, nhwc=True, element=TensorProto.INT32)

people = np.concatenate([rng.uniform(0.2, 0.8, (6, 51)), corners(boxes(6))[:, [1, 0, 3, 2]] / SIZE, scores(6, 1, 0.5)], 1)[None]


def decode_multipose(outputs, find):
    out = outputs[0][0]
    keypoints = out[:, :51].reshape(-1, 17, 3)[..., [1, 0, 2]] * [SIZE, SIZE, 1]
    for row, one in enumerate(out):
        find.add(one[[52, 51, 54, 53]] * SIZE, one[55], 0, row)
    return find.result(keypoints=keypoints)


case("movenet-multipose", [("output_0", people, slope(people.shape, 55, 1e-4), None, False)], decode_multipose, norm=LEVELS,
     fit="center", pad=0, nhwc=True, element=TensorProto.INT32)

peaks = rng.uniform(0, 0.3, (1, 5, 16, 16))
for k in range(5):
    peaks[0, k, rng.integers(2, 14), rng.integers(2, 14)] = 0.8


def decode_heatmaps(outputs, find):
    keypoints = []
    for m in outputs[0][0]:
        y, x = np.unravel_index(m.argmax(), m.shape)
        dx = 0.25 * np.sign(m[y, x + 1] - m[y, x - 1])
        dy = 0.25 * np.sign(m[y + 1, x] - m[y - 1, x])
        keypoints.append([(x + dx) * 4, (y + dy) * 4, m.max()])
    return person(np.array(keypoints), find)


case("heatmaps", [("heatmaps", peaks, 0.02, None, False)], decode_heatmaps, norm=IMAGENET, pad=0)

along = [rng.uniform(0, 0.3, (1, 6, SIZE * 2)) for _ in range(2)]
for axis in along:
    axis[0, np.arange(6), rng.integers(20, 100, 6)] = rng.uniform(0.5, 0.9, 6)


def decode_simcc(outputs, find):
    x, y = outputs[0][0], outputs[1][0]
    return person(np.stack([x.argmax(1) / 2, y.argmax(1) / 2, np.minimum(x.max(1), y.max(1))], 1), find)


case("simcc", [("simcc_x", along[0], 0.02, None, False), ("simcc_y", along[1], 0.02, None, False)], decode_simcc, norm=IMAGENET,
     pad=0)


# Angles.
def decode_obb(rows, find):
    for row, (box, score, label, angle) in enumerate(rows):
        find.add(corners(box[None])[0], score, label, row, angle=angle, own=box)
    return find


def decode_yolov8_obb(outputs, find):
    out = outputs[0][0].T
    decode_obb([(one[:4], one[4:7].max(), one[4:7].argmax(), one[7]) for one in out], find)
    find.suppress(turned_overlap, lambda one: (one["own"], one["angle"]))
    return find.result(clip=False)


def decode_end_to_end_obb(outputs, find):
    return decode_obb([(one[:4], one[4], one[5], one[6]) for one in outputs[0][0]], find).result(clip=False)


table = v8(np.concatenate([boxes(n), scores(n, 3), rng.uniform(-0.7, 2.3, (n, 1))], 1))
shift = np.zeros(table.shape, np.float32)
shift[:, 4:7] = 0.02
case("yolov8-obb", [("output0", table, shift, None, False)], decode_yolov8_obb, metadata={"task": "obb", **ABC})
table = np.concatenate([boxes(few), scores(few, 1, 0.5), rng.integers(0, 3, (few, 1)), rng.uniform(-0.7, 2.3, (few, 1))], 1)[None]
case("end-to-end-obb", [("output0", table, slope(table.shape, 4, 0.02), None, False)], decode_end_to_end_obb,
     metadata={"task": "obb", **ABC})


# The whole image.
def smooth(classes):
    y, x = np.mgrid[0:16, 0:16]
    centres = rng.uniform(2, 14, (classes, 2))
    return np.stack([-((x - cx) ** 2 + (y - cy) ** 2) / 12 for cx, cy in centres])[None]


def decode_semantic(outputs, find):
    scores_at = np.stack([find.sample(m) for m in outputs[0][0]])
    soft, best = softmax(outputs[0][0], 0), outputs[0][0].argmax(0)
    means = [soft[k][best == k].mean() if (best == k).any() else 0 for k in range(4)]
    return find.regions(scores_at.argmax(0), means)


ABCD = names("a", "b", "c", "d")
case("semantic", [("logits", smooth(4), 0, None, False)], decode_semantic, norm=IMAGENET, fit="stretch", pad=0, metadata=ABCD)


def decode_labels(outputs, find):
    left, top, sx, sy = find.place
    y = ((np.arange(HEIGHT) + 0.5) * sy / SIZE * 16).astype(int)
    x = ((np.arange(WIDTH) + 0.5) * sx / SIZE * 16).astype(int)
    return find.regions(outputs[0].reshape(16, 16)[y][:, x].astype(int), np.ones(16))


case("semantic-labels", [("labels", smooth(4).argmax(1), 0, None, True)], decode_labels, norm=IMAGENET, fit="stretch", pad=0,
     metadata=ABCD, kind="semantic")


def decode_binary(outputs, find):
    m = outputs[0][0, 0]
    inside = find.sample(m) > 0.5
    return find.regions(np.where(inside, 0, -1), [m[m > 0.5].mean()])


case("semantic-binary", [("mask", smooth(1) + 2, 0.1, "Sigmoid", False)], decode_binary, norm=IMAGENET, fit="stretch", pad=0,
     metadata=names("thing"), kind="semantic")


def decode_depth(outputs, find):
    m = outputs[0].reshape(16, 16)
    bands = np.minimum((m - m.min()) / (m.max() - m.min()) * 8, 7).astype(int)
    return decode_labels([bands], find)


case("depth", [("predicted_depth", smooth(1)[0] + 40, 0, None, False)], decode_depth, norm=IMAGENET, fit="stretch", pad=0)


def decode_classification(outputs, find):
    p = softmax(outputs[0][0])
    for label in np.flatnonzero(p >= CONF):
        find.found.append(dict(box=[0, 0, SIZE, SIZE], score=float(p[label]), label=int(label), row=0))
    return find.result()


case("classification", [("logits", np.array([[1.0, 2.6, 2.5, -1.0]]), [[0, 0.2, 0, 0]], None, False)], decode_classification,
     norm=IMAGENET, fit="stretch", pad=0, metadata=ABCD)



def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


(HERE / "heads.json").write_text(json.dumps(rounded(CASES), separators=(",", ":")))
print(len(CASES), "graphs,", sum(p.stat().st_size for p in HERE.glob("*.onnx")), "bytes")
