"""Times ONNX Runtime's forward pass: the peer of the `stages` benchmark.

Usage: onnx_runtime.py MODEL.onnx INPUT.npy ROUNDS
Prints the median milliseconds with one thread and with two.
"""

import statistics
import sys
import time

import numpy
import onnxruntime

model, tensor, rounds = sys.argv[1], numpy.load(sys.argv[2]), int(sys.argv[3])
tensor = tensor.astype(numpy.float32)
tensor = tensor.reshape(1, *tensor.shape[-3:])
if tensor.shape[1] != 3:
    tensor = numpy.ascontiguousarray(tensor.transpose(0, 3, 1, 2))
medians = []
for threads in (1, 2):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    times = []
    for _ in range(rounds + 3):
        start = time.perf_counter()
        session.run(None, {name: tensor})
        times.append((time.perf_counter() - start) * 1e3)
    medians.append(statistics.median(times[3:]))
print(onnxruntime.__version__, *(f"{median:.2f}" for median in medians))
