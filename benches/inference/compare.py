"""Compares the time of Eyespot's engine with that of others: the same weights and the same input, in turns.

Usage: compare.py [--engine PATH] [--threads 1,2] [--rounds 12] [--peers onnxruntime,tract,opencv,ncnn] [--int8] [MODEL ...]

Each engine and number of threads is a process of its own. In a round each runs for about a fifth of a second; the table has
the median over the rounds of the CPU time of a run, of the ratio to ONNX Runtime in the same round, and the least wall time.
tract has one thread, and is built with Eyespot's program. Needs numpy, onnx and the packages of the peers (onnxruntime,
opencv-python-headless, ncnn; pnnx writes ncnn's models).

With --int8 the same models are quantised with photos, by Eyespot's converter and by `onnxruntime.quantization`, and take turns
with the others; a last column says how many times as fast as the same engine's fp32 they are (median over the rounds). Models
of TensorFlow Lite, which are int8 already, run with the kernels of hosts and with those that every target has. Needs Pillow.
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
# In Burn; only on demand: it builds for minutes, and torch and transformers write the model.
BURN = {"rtdetr-v2-r18 640": [3, 640, 640]}
# int8 from the start: input with the channels last, and the file.
TFLITE = {
    "person detect": ([96, 96, 1], "mcu/person_detect_96_int8.tflite"),
    "visual wake words": ([96, 96, 3], "mcu/vww_96_int8.tflite"),
    "resnet8": ([32, 32, 3], "mcu/resnet8_cifar10_int8.tflite"),
    "mobilenet 0.25": ([128, 128, 3], "mcu/mobilenet_v1_0.25_128_uint8.tflite"),
}
PHOTOS = 16


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


def prepare_burn(name, folder):
    shape, stem = BURN[name], name.replace(" ", "_")
    onnx, weights, tensor = (folder / f"{stem}.{end}" for end in ("onnx", "safetensors", "f32"))
    if not weights.exists():
        subprocess.run([sys.executable, HERE / "models.py", "rtdetr", onnx, weights], check=True, stderr=subprocess.DEVNULL)
    numpy.random.default_rng(1).uniform(0, 1, shape).astype(numpy.float32).tofile(tensor)
    return {"onnx": onnx, "burn": weights, "tensor": tensor, "shape": [1, *shape], "ncnn": folder / f"{stem}.ncnn"}


def quantize(files, engine, name):
    """Adds the int8 models of Eyespot and of ONNX Runtime, by the ranges that photos give; then a photo is the input."""
    import onnx
    import onnx.version_converter
    from onnxruntime import quantization
    from PIL import Image

    (depth, height, width), most, _ = MODELS[name]
    photos = []
    for path in sorted((DATA / "calibration").glob("*.jpg"))[:PHOTOS]:
        photo = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
        # Blue first, channels first.
        photos.append(numpy.asarray(photo, numpy.float32)[:, :, ::-1].transpose(2, 0, 1) * (most / 255))
    samples = numpy.ascontiguousarray(numpy.stack(photos), numpy.float32)
    samples[0].tofile(files["tensor"])
    path, stem = files["onnx"].with_suffix(".samples"), files["onnx"].stem
    samples.tofile(path)
    files["eye int8"] = files["onnx"].with_name(f"{stem}_int8.eye")
    subprocess.run([engine, "quantize", files["onnx"], path, files["eye int8"]], check=True, stdout=subprocess.DEVNULL)
    files["onnx int8"], prepared = (files["onnx"].with_name(f"{stem}_{kind}.onnx") for kind in ("int8", "prepared"))
    # Weights per channel need opset 13.
    model = onnx.load(files["onnx"])
    if model.opset_import[0].version < 13:
        model = onnx.version_converter.convert_version(model, 13)
    onnx.save(model, prepared)
    quantization.quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)

    class Samples(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter([{model.graph.input[0].name: sample[None]} for sample in samples])

        def get_next(self):
            return next(self.left, None)

    quantization.quantize_static(
        str(prepared), str(files["onnx int8"]), Samples(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
    )


def ncnn_model(files):
    """Converts for ncnn; false where pnnx is not there or can't."""
    if not pathlib.Path(f"{files['ncnn']}.param").exists():
        pnnx = pathlib.Path(sys.executable).with_name("pnnx")
        shape = "[" + ",".join(map(str, files["shape"])) + "]f32"
        names = [f"{key}={files['ncnn']}.{end}" for key, end in (("ncnnparam", "param"), ("ncnnbin", "bin"))]
        if pnnx.exists():
            plain = files["ncnn"].with_suffix(".plain.onnx")
            subprocess.run([sys.executable, HERE / "models.py", "focus", files["onnx"], plain], check=True)
            command = [pnnx, plain, f"inputshape={shape}", "fp16=0", *names]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=files["onnx"].parent)
    return pathlib.Path(f"{files['ncnn']}.param").exists()


class Worker:
    def __init__(self, name, command, files, **environment):
        self.name, self.cpu, self.wall = name, [], []
        environment = dict(os.environ, SHAPE="x".join(map(str, files["shape"])), **environment)
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


def take_turns(workers, rounds):
    for worker in workers:
        worker.run(1)
    counts = [max(1, round(200 / worker.wall[0])) for worker in workers]
    for worker in workers:
        worker.cpu.clear(), worker.wall.clear()
    for _ in range(rounds):
        for worker, count in zip(workers, counts):
            worker.run(count)


def compare(name, files, engine, peers, threads, rounds):
    def eyespot(label, model):
        return Worker(label, [engine, "eyespot", files[model], files["tensor"], threads], files)

    if "burn" in files:
        command = [engine, "burn", files["burn"], files["tensor"]]
        workers = [Worker("Eyespot, Burn", command, files, RAYON_NUM_THREADS=threads)]
    else:
        workers = [eyespot("Eyespot", "eye")]
    if "eye int8" in files:
        workers.append(eyespot("Eyespot int8", "eye int8"))
    for peer in peers:
        if peer == "tract" and threads != "1":
            continue
        if peer == "ncnn" and not ncnn_model(files):
            continue
        models = {peer: files["ncnn"] if peer == "ncnn" else files["onnx"]}
        if peer == "onnxruntime" and "onnx int8" in files:
            models["onnxruntime int8"] = files["onnx int8"]
        for label, model in models.items():
            command = [sys.executable, HERE / "peers.py", peer, model, files["tensor"], threads]
            if peer == "tract":
                command = [engine, peer, model, files["tensor"], "x".join(map(str, files["shape"]))]
            try:
                workers.append(Worker(label, command, files))
            except RuntimeError as error:
                print(error, file=sys.stderr)
    take_turns(workers, rounds)
    reference = next((worker for worker in workers if worker.name == "onnxruntime"), workers[0])
    report(name, workers, reference, threads)


def compare_tflite(name, engine, folder, threads, rounds):
    """The kernels of hosts beside those that every target has."""
    shape, source = TFLITE[name]
    eye, tensor = (folder / f"{name.replace(' ', '_')}{end}" for end in (".eye", ".u8"))
    subprocess.run([engine, "convert", DATA / "models" / source, "-", eye], check=True, stdout=subprocess.DEVNULL)
    numpy.random.default_rng(1).integers(0, 256, shape, numpy.uint8).tofile(tensor)
    files = {"shape": [1, *shape]}
    command = [engine, "eyespot", eye, tensor, threads]
    workers = [Worker("common kernels", command, files, LEVEL="common"), Worker("Eyespot int8", command, files)]
    take_turns(workers, rounds)
    report(name, workers, workers[0], threads)


def report(name, workers, reference, threads):
    int8 = any(worker.name.endswith("int8") for worker in workers)
    expected = reference.output("/tmp/eyespot-output")
    for worker in workers:
        found = worker.output("/tmp/eyespot-output")
        difference = f"{abs(found - expected).max():.0e}" if found.shape == expected.shape else "-"
        ratio = statistics.median(a / b for a, b in zip(worker.cpu, reference.cpu))
        gain = ""
        if int8:
            base = next((base for base in workers if f"{base.name} int8" == worker.name), None)
            times = [a / b for a, b in zip(base.cpu, worker.cpu)] if base else []
            gain = f" {statistics.median(times):.2f} |" if times else " |"
        print(
            f"| {name} | {threads} | {worker.name} | {statistics.median(worker.cpu):.1f} | {ratio:.2f} | "
            f"{min(worker.wall):.1f} | {worker.load:.0f} | {worker.first:.0f} | "
            f"{int(worker.ask('peak')) / 1024:.0f} | {difference} |{gain}",
            flush=True,
        )
        worker.process.stdin.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", type=pathlib.Path)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--peers", default="onnxruntime,tract,opencv,ncnn")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    engine = arguments.engine
    if engine is None:
        build = ["cargo", "build", "--release", "--manifest-path", HERE / "Cargo.toml"]
        features = ["tract"] if "tract" in arguments.peers.split(",") else []
        features += ["burn"] if any(name in BURN for name in arguments.models) else []
        subprocess.run([*build, "--features", ",".join(features)], check=True)
        target = os.environ.get("CARGO_TARGET_DIR", HERE / "target")
        engine = pathlib.Path(target) / "release/eyespot-inference"
    folder = engine.parent / "models"
    folder.mkdir(exist_ok=True)
    more = [" times as fast as fp32 |", "---:|"] if arguments.int8 else ["", ""]
    print("| model | threads | engine | CPU ms | ratio | wall ms, least | load ms | first ms | MiB | difference |" + more[0])
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|" + more[1])
    for name in arguments.models or [*MODELS, *(TFLITE if arguments.int8 else [])]:
        if name in TFLITE:
            for threads in arguments.threads.split(","):
                compare_tflite(name, engine.resolve(), folder.resolve(), threads, arguments.rounds)
            continue
        burn = name in BURN
        files = prepare_burn(name, folder.resolve()) if burn else prepare(name, engine.resolve(), folder.resolve())
        if arguments.int8 and not burn:
            quantize(files, engine.resolve(), name)
        for threads in arguments.threads.split(","):
            compare(name, files, engine.resolve(), arguments.peers.split(","), threads, arguments.rounds)


if __name__ == "__main__":
    main()
