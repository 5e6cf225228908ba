"""Writes tests/data/mot_synthetic.json: made-up sequences, and what TrackEval says of them.

    pip install trackeval==1.3.0
    python scripts/mot_golden.py
"""

import contextlib
import io
import json
import pathlib
import random
import tempfile

import numpy as np
import trackeval

FIELDS = ["HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr", "MOTA", "MOTP", "CLR_TP", "CLR_FP",
          "CLR_FN", "IDSW", "Frag", "MT", "PT", "ML", "IDF1", "IDP", "IDR", "IDTP", "IDFP", "IDFN", "Dets", "GT_Dets",
          "IDs", "GT_IDs"]


def sequence(rng, frames, objects):
    truth, tracks = [], []
    names = {}
    for number in range(1, objects + 1):
        # A pedestrian, a car or one of the classes that may be tracked or not.
        kind = rng.choice([1, 1, 1, 1, 1, 1, 3, 7, 8, 12])
        consider = int(kind == 1 and rng.random() < 0.9)
        x, y, width, height = rng.randint(0, 200), rng.randint(0, 100), rng.randint(30, 60), rng.randint(60, 120)
        dx, dy = rng.uniform(-6, 6), rng.uniform(-2, 2)
        first, last = rng.randint(1, frames // 2), rng.randint(frames // 2, frames)
        missing = rng.choice([0.02, 0.05, 0.2, 0.5, 0.95])
        noise = rng.choice([0.02, 0.05, 0.1])
        for frame in range(first, last + 1):
            box = [round(x + dx * (frame - first)), round(y + dy * (frame - first)), width, height]
            if rng.random() < 0.95:
                truth.append([frame, number, *box, consider, kind, round(rng.random(), 2)])
            if number not in names or rng.random() < 0.05:
                # A new name, or the one of another track.
                names[number] = rng.choice([rng.randint(100, 999), *names.values()])
            taken = {row[1] for row in tracks if row[0] == frame}
            # Frames 9 and 10 have no tracks.
            if frame not in (9, 10) and rng.random() > missing and names[number] not in taken:
                box = [round(a + rng.gauss(0, noise) * b, 1) for a, b in zip(box, (width, height) * 2)]
                tracks.append([frame, names[number], *box, round(rng.uniform(0.3, 1), 2), -1, -1, -1])
    for frame in range(1, frames + 1):
        if rng.random() < 0.4:
            tracks.append([frame, 1000 + frame // 5, rng.randint(0, 300), rng.randint(0, 100), 40, 80, 0.5, -1, -1, -1])
    tracks.sort(key=lambda row: row[0])
    return truth, tracks


def text(rows):
    return "".join(",".join(str(v) for v in row) + "\n" for row in rows)


def scores(result):
    flat = {}
    for metric in result.values():
        flat.update(metric)
    return {field.removeprefix("CLR_"): float(np.mean(flat[field])) for field in FIELDS}


rng = random.Random(1907)
sequences = {f"S-{i}": (frames, *sequence(rng, frames, objects))
             for i, (frames, objects) in enumerate([(40, 9), (60, 14), (25, 5), (50, 20)])}
sequences["S-nothing-tracked"] = (30, sequences["S-2"][1], [])
sequences["S-nothing-there"] = (30, [], [row for row in sequences["S-2"][2] if row[0] < 30])
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    root = pathlib.Path(folder)
    (root / "tracks/T/data").mkdir(parents=True)
    for name, (frames, truth, tracks) in sequences.items():
        (root / "gt" / name / "gt").mkdir(parents=True)
        (root / "gt" / name / "gt/gt.txt").write_text(text(truth))
        (root / "tracks/T/data" / f"{name}.txt").write_text(text(tracks))
    data = trackeval.datasets.MotChallenge2DBox({
        "GT_FOLDER": str(root / "gt"), "TRACKERS_FOLDER": str(root / "tracks"), "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": {name: frames for name, (frames, _, _) in sequences.items()}, "PRINT_CONFIG": False})
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
               trackeval.metrics.Identity({"PRINT_CONFIG": False})]
    results, _ = trackeval.Evaluator({
        "PRINT_CONFIG": False, "PRINT_RESULTS": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False,
        "OUTPUT_DETAILED": False, "PLOT_CURVES": False, "BREAK_ON_ERROR": True, "LOG_ON_ERROR": None,
    }).evaluate([data], metrics)
    results = {name: scores(r["pedestrian"]) for name, r in results["MotChallenge2DBox"]["T"].items()}
document = {
    "sequences": [{"name": name, "truth": text(truth), "tracks": text(tracks), "scores": results[name]}
                  for name, (_, truth, tracks) in sequences.items()],
    "combined": results["COMBINED_SEQ"],
}
path = pathlib.Path(__file__).parent.parent / "tests/data/mot_synthetic.json"
path.write_text(json.dumps(document, indent=1) + "\n")
