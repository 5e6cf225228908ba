"""Runs a model in another engine, as `src/main.rs` does in Eyespot.

Usage: peers.py ENGINE MODEL INPUT THREADS    (ENGINE: onnxruntime, opencv or ncnn; INPUT: floats, channels first)

Prints `ready VERSION LOAD_MS FIRST_MS`, then answers the lines of its input: `run N` with the milliseconds of wall and CPU
time per run, `peak` with the KiB that loading and running took, `output PATH` by writing the first output.
"""

import os
import sys
import time

engine, path, tensor, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
# Before any library makes its threads.
os.environ["OMP_NUM_THREADS"] = str(threads)

import numpy  # noqa: E402


def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def onnxruntime(shape):
    import onnxruntime

    before = memory("VmRSS")
    start = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    x = numpy.fromfile(tensor, numpy.float32).reshape(session.get_inputs()[0].shape)
    return onnxruntime.__version__, before, start, lambda: session.run(None, {name: x})[0]


def opencv(shape):
    import cv2

    cv2.setNumThreads(threads)
    before = memory("VmRSS")
    start = time.perf_counter()
    net = cv2.dnn.readNetFromONNX(path)
    x = numpy.fromfile(tensor, numpy.float32).reshape(shape)

    def run():
        net.setInput(x)
        return net.forward()

    return cv2.__version__, before, start, run


def ncnn(shape):
    import ncnn

    before = memory("VmRSS")
    start = time.perf_counter()
    net = ncnn.Net()
    net.opt.num_threads = threads
    # Single precision, as the others.
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    if net.load_param(path + ".param") or net.load_model(path + ".bin"):
        sys.exit(f"ncnn can't read {path}")
    # The matrix only borrows them.
    values = numpy.fromfile(tensor, numpy.float32).reshape(shape[1:])
    x = ncnn.Mat(values)
    first, last = net.input_names()[0], net.output_names()[0]

    def run():
        extractor = net.create_extractor()
        extractor.input(first, x)
        assert values.size
        return numpy.array(extractor.extract(last)[1])

    return ncnn.__version__, before, start, run


shape = [int(side) for side in os.environ["SHAPE"].split("x")]
version, before, start, run = {"onnxruntime": onnxruntime, "opencv": opencv, "ncnn": ncnn}[engine](shape)
loaded = time.perf_counter()
run()
first = time.perf_counter()
print("ready", version, (loaded - start) * 1e3, (first - loaded) * 1e3, flush=True)
for line in sys.stdin:
    command, _, argument = line.strip().partition(" ")
    if command == "run":
        count = int(argument)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(wall / count * 1e3, cpu / count * 1e3, flush=True)
    elif command == "peak":
        print(memory("VmHWM") - before, flush=True)
    elif command == "output":
        numpy.ascontiguousarray(run(), numpy.float32).tofile(argument)
        print("written", flush=True)
