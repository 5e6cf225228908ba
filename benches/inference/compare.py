"""Compares the time of Eyespot's engine with that of others: the same weights and the same input, in turns.

Usage: compare.py [--engine PATH] [--threads 1,2] [--rounds 12] [--peers onnxruntime,opencv,ncnn] [MODEL ...]

Each engine and number of threads is a process of its own. In a round each runs for about a fifth of a second; the table has
the median over the rounds of the CPU time of a run, of the ratio to ONNX Runtime in the same round, and the least wall time.
Needs numpy, onnx and the packages of the peers (onnxruntime, opencv-python-headless, ncnn; pnnx writes ncnn's models).
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

import numpy

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(os.environ.get("EYESPOT_DATA", HERE / "../../../shared/data"))
# Input, largest value, and the file or what `models.py` makes.
MODELS = {
    "yolox-nano 416": ([3, 416, 416], 255, "yolox_nano.onnx"),
    "yolox-tiny 416": ([3, 416, 416], 255, ("tiny", 416)),
    "yolox-s 416": ([3, 416, 416], 255, ("s", 416)),
    "yolox-nano 640": ([3, 640, 640], 255, ("nano", 640)),
    "yolox-tiny 640": ([3, 640, 640], 255, ("tiny", 640)),
    "yolox-s 640": ([3, 640, 640], 255, ("s", 640)),
    "fastestdet": ([3, 352, 352], 1, "fastestdet_352.onnx"),
    "osnet x0.25": ([3, 256, 128], 1, "osnet_x0_25_market1501.onnx"),
}


def prepare(name, engine, folder):
    """The files of a model: ONNX, Eyespot, input with channels first, and ncnn's where pnnx is there."""
    shape, most, source = MODELS[name]
    stem = name.replace(" ", "_")
    onnx, eye, tensor = folder / f"{stem}.onnx", folder / f"{stem}.eye", folder / f"{stem}.f32"
    if isinstance(source, str):
        onnx.write_bytes((DATA / "models" / source).read_bytes())
    elif not onnx.exists():
        subprocess.run([sys.executable, HERE / "models.py", source[0], str(source[1]), onnx], check=True)
    subprocess.run([engine, "convert", onnx, "-", eye], check=True, stdout=subprocess.DEVNULL)
    numpy.random.default_rng(1).uniform(0, most, shape).astype(numpy.float32).tofile(tensor)
    return {"onnx": onnx, "eye": eye, "tensor": tensor, "shape": [1, *shape], "ncnn": folder / f"{stem}.ncnn"}


def ncnn_model(files):
    """Converts for ncnn; false where pnnx is not there or can't."""
    if not pathlib.Path(f"{files['ncnn']}.param").exists():
        pnnx = pathlib.Path(sys.executable).with_name("pnnx")
        shape = "[" + ",".join(map(str, files["shape"])) + "]f32"
        names = [f"{key}={files['ncnn']}.{end}" for key, end in (("ncnnparam", "param"), ("ncnnbin", "bin"))]
        if pnnx.exists():
            command = [pnnx, files["onnx"], f"inputshape={shape}", "fp16=0", *names]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=files["onnx"].parent)
    return pathlib.Path(f"{files['ncnn']}.param").exists()


class Worker:
    def __init__(self, name, command, files):
        self.name, self.cpu, self.wall = name, [], []
        environment = dict(os.environ, SHAPE="x".join(map(str, files["shape"])))
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        ready = self.process.stdout.readline().split()
        if not ready:
            raise RuntimeError(f"{name} can't run the model")
        self.load, self.first = map(float, ready[2:4])

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def run(self, count):
        wall, cpu = map(float, self.ask(f"run {count}").split())
        self.wall.append(wall)
        self.cpu.append(cpu)

    def output(self, path):
        self.ask(f"output {path}")
        return numpy.fromfile(path, numpy.float32)


def compare(name, files, engine, peers, threads, rounds):
    workers = [Worker("Eyespot", [engine, "eyespot", files["eye"], files["tensor"], threads], files)]
    for peer in peers:
        if peer == "ncnn" and not ncnn_model(files):
            continue
        model = files["ncnn"] if peer == "ncnn" else files["onnx"]
        command = [sys.executable, HERE / "peers.py", peer, model, files["tensor"], threads]
        try:
            workers.append(Worker(peer, command, files))
        except RuntimeError as error:
            print(error, file=sys.stderr)
    for worker in workers:
        worker.run(1)
    counts = [max(1, round(200 / worker.wall[0])) for worker in workers]
    for worker in workers:
        worker.cpu.clear(), worker.wall.clear()
    for _ in range(rounds):
        for worker, count in zip(workers, counts):
            worker.run(count)
    reference = next((worker for worker in workers if worker.name == "onnxruntime"), workers[0])
    expected = reference.output("/tmp/eyespot-output")
    for worker in workers:
        found = worker.output("/tmp/eyespot-output")
        difference = f"{abs(found - expected).max():.0e}" if found.shape == expected.shape else "-"
        ratio = statistics.median(a / b for a, b in zip(worker.cpu, reference.cpu))
        print(
            f"| {name} | {threads} | {worker.name} | {statistics.median(worker.cpu):.1f} | {ratio:.2f} | "
            f"{min(worker.wall):.1f} | {worker.load:.0f} | {worker.first:.0f} | "
            f"{int(worker.ask('peak')) / 1024:.0f} | {difference} |",
            flush=True,
        )
        worker.process.stdin.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", type=pathlib.Path)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--peers", default="onnxruntime,opencv,ncnn")
    parser.add_argument("models", nargs="*", default=list(MODELS))
    arguments = parser.parse_args()
    engine = arguments.engine
    if engine is None:
        subprocess.run(["cargo", "build", "--release", "--manifest-path", HERE / "Cargo.toml"], check=True)
        target = os.environ.get("CARGO_TARGET_DIR", HERE / "target")
        engine = pathlib.Path(target) / "release/eyespot-inference"
    folder = engine.parent / "models"
    folder.mkdir(exist_ok=True)
    print("| model | threads | engine | CPU ms | ratio | wall ms, least | load ms | first ms | MiB | difference |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in arguments.models:
        files = prepare(name, engine.resolve(), folder.resolve())
        for threads in arguments.threads.split(","):
            compare(name, files, engine.resolve(), arguments.peers.split(","), threads, arguments.rounds)


if __name__ == "__main__":
    main()
