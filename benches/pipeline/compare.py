"""Compares whole pipelines: 1080p H.264 in, YOLOX-nano, tracking, JSON out. Eyespot's has camera motion on top.

Usage: compare.py [--program target/release/desktop] [--rounds 3] [--frames 200] [--cores 0,1]

Each pipeline is a process on the same cores; they take turns. A round runs each twice, over a few frames and over many, and
counts the difference: neither start nor loading. The video is made from a clip of the test data by ffmpeg. Needs
opencv-python-headless, onnxruntime and supervision from PyPI.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(os.environ.get("EYESPOT_DATA", HERE / "../../../shared/data"))
START = 20


def run(command, cores):
    """Wall time, CPU time and the most memory of a process."""
    began = time.monotonic()
    child = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed: {status}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", default=HERE / "../../target/release/desktop")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--frames", type=int, default=200)
    arguments.add_argument("--cores", default="0,1")
    arguments = arguments.parse_args()
    model = DATA / "models/yolox_nano.onnx"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        video, out = folder / "cars_1080p.mp4", folder / "out.jsonl"
        clip = DATA / "videos/cars_1280x720.mp4"
        ffmpeg = ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", clip, "-vf", "scale=1920:1080"]
        frames = START + arguments.frames
        subprocess.run([*ffmpeg, "-frames:v", str(frames), "-an", "-c:v", "libx264", "-crf", "20", video], check=True)
        eye, labels = folder / "yolox_nano.eye", folder / "yolox_nano.txt"
        labels.write_bytes((DATA / "models/coco_classes.txt").read_bytes())
        convert = [arguments.program, "convert", model, "--task", "yolox", "-o", eye]
        subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        int8 = folder / "yolox_nano_int8.eye"
        convert = [arguments.program, "convert", model, "--task", "yolox", "--calibrate", DATA / "calibration", "-o", int8]
        subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def eyespot(model, *flags):
            return lambda frames: [
                arguments.program, "predict", video, "--model", model, "--conf", "0.25", "--tracking",
                "--num-frames", frames, "--json", out, "--quiet", *flags,
            ]

        camera = ["--tracking-config", "cmc_method=sparseOptFlow"]
        pipelines = {
            "Eyespot, BoT-SORT with camera motion": eyespot(eye, *camera),
            "the same, decoded by ffmpeg": eyespot(eye, *camera, "--decoder", "ffmpeg"),
            "the same, int8": eyespot(int8, *camera, "--decoder", "ffmpeg"),
            "OpenCV, ONNX Runtime, ByteTrack of supervision": lambda frames: [
                sys.executable, HERE / "opencv_onnxruntime.py", video, model, frames, out,
            ],
        }
        # libavcodec within the process, where the program was built with it.
        linked = ["--decoder", "libav"]
        probe = [*pipelines["the same, int8"](1)[:-2], *linked]
        if not subprocess.run([*map(str, probe)], capture_output=True, check=False).returncode:
            pipelines |= {
                "Eyespot int8, camera motion, libavcodec": eyespot(int8, *camera, *linked),
                "Eyespot int8, ByteTrack, libavcodec": eyespot(int8, "--tracking-config", "tracker=bytetrack", *linked),
            }
        rows = {name: [] for name in pipelines}
        for _ in range(arguments.rounds):
            for name, command in pipelines.items():
                short = run(command(START), arguments.cores)
                long = run(command(frames), arguments.cores)
                wall, cpu = (long[at] - short[at] for at in (0, 1))
                rows[name].append((arguments.frames / wall, cpu * 1000 / arguments.frames, cpu / wall, long[2], short[0]))
        print("| pipeline | frames/s | CPU ms per frame | cores busy | memory, MB | start and 20 frames, s |")
        print("|---|---:|---:|---:|---:|---:|")
        for name, measured in rows.items():
            values = [statistics.median(column) for column in zip(*measured)]
            print(f"| {name} | {values[0]:.1f} | {values[1]:.1f} | {values[2]:.2f} | {values[3]:.0f} | {values[4]:.2f} |")


if __name__ == "__main__":
    main()
