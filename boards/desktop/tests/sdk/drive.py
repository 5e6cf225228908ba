"""Drives `desktop serve` with the official SDK and compares with what `desktop predict` wrote for the same inputs.

Arguments: the server's address, its token, and a folder with
  photos/          images, one of them photos/dog.jpg
  photos.jsonl     what `predict photos` wrote
  tiles.jsonl      what `predict photos/dog.jpg` with a sliding window wrote
  street.mp4       a video
  street.jsonl     what `predict street.mp4` with tracking wrote, for the frames 5, 7, .., 43
"""

import json
import math
import os
import sys
import time
from pathlib import Path

os.environ["SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK"] = "1"

import supervisely as sly
from supervisely.nn.inference import Session
from supervisely.nn.model.model_api import ModelAPI

address, token, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
url = address.replace("://", f"://any:{token}@")
photos = sorted(str(path) for path in (folder / "photos").iterdir())
dog, street = str(folder / "photos" / "dog.jpg"), str(folder / "street.mp4")


def lines(name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def pixels(line, obj):
    """A box as the SDK gives it: top, left, bottom, right, the first and last pixels that it covers."""
    left, top, right, bottom = (math.floor(edge + 0.5) for edge in obj["bbox"])
    width, height = line["width"] - 1, line["height"] - 1
    right, bottom = max(right - 1, left), max(bottom - 1, top)
    clamp = lambda value, most: min(max(value, 0), most)
    return [clamp(top, height), clamp(left, width), clamp(bottom, height), clamp(right, width)]


def rows_of_cli(line, tracked=False):
    objects = [obj for obj in line["objects"] if obj["track_id"] is not None or not tracked]
    rows = [(pixels(line, obj), obj["class"], round(obj["score"], 6), obj["track_id"]) for obj in objects]
    return rows


def rows_of_sdk(prediction, tracked=False):
    tracks = prediction.track_ids if tracked else [None] * len(prediction.boxes)
    boxes = [[int(edge) for edge in box] for box in prediction.boxes]
    scores = [round(float(score), 6) for score in prediction.scores]
    return list(zip(boxes, prediction.classes, scores, (track and int(track) for track in tracks)))


def rows_of_annotation(annotation):
    rows = []
    for label in annotation.labels:
        box, score = label.geometry.to_bbox(), label.tags.get("confidence").value
        rows.append(([box.top, box.left, box.bottom, box.right], label.obj_class.name, round(score, 6), None))
    return rows


def same(what, got, expected):
    assert got == expected, f"{what}:\n  SDK {got}\n  CLI {expected}"
    print(f"{what}: {len(expected)} objects")


of_photo = {Path(line["source"]).name: rows_of_cli(line) for line in lines("photos.jsonl")}
assert len(of_photo) == len(photos) and sum(map(len, of_photo.values())) > len(photos)
of_frame = {line["frame"]: rows_of_cli(line, tracked=True) for line in lines("street.jsonl")}
assert list(of_frame) == list(range(5, 44, 2)) and sum(map(len, of_frame.values())) > 20

# Who does not know the token is not let in.
try:
    ModelAPI(url=address).get_info()
    raise AssertionError("let in without a token")
except Exception as error:
    assert "401" in str(error), error

model = ModelAPI(url=url)
assert model.is_deployed()
assert model.get_info()["model_name"] and "car" in model.get_classes()
assert model.get_settings()["conf"] > 0 and model.get_tracking_settings()["track_buffer"] > 0
assert "yolox/yolox-nano" in model.list_pretrained_models()
assert model.status()["is_deployed"]

# An image, alone and in a list of one.
for what, given in (("image", dog), ("list", [dog])):
    (prediction,) = model.predict(given, conf=0.4)
    same(what, rows_of_sdk(prediction), of_photo["dog.jpg"])
    assert prediction.name == "dog.jpg"
# The SDK forgets where an image came from that it sent itself.
prediction.path = dog
visualized = prediction.visualize()
assert visualized.shape == prediction.load_image().shape

# A list of several paths fails within the SDK, before it asks anybody. Should a later one do better, it is compared.
try:
    several = model.predict(photos, conf=0.4)
    for path, prediction in zip(photos, several):
        same("list", rows_of_sdk(prediction), of_photo[Path(path).name])
except TypeError as error:
    print(f"a list of several paths: the SDK itself fails ({error})")

# Settings that change what is found.
(prediction,) = model.predict(dog, conf=0.4, classes=["dog"])
same("classes", rows_of_sdk(prediction), [row for row in of_photo["dog.jpg"] if row[1] == "dog"])
(prediction,) = model.predict(dog, conf=0.4, sliding_window=True, window_size=320, overlap=0.25)
same("sliding window", rows_of_sdk(prediction), rows_of_cli(lines("tiles.jsonl")[0]))

# A directory; its results can be told apart by their names.
predictions = model.predict(str(folder / "photos"), conf=0.4, batch_size=2)
assert sorted(prediction.name for prediction in predictions) == sorted(of_photo)
for prediction in predictions:
    same(f"directory {prediction.name}", rows_of_sdk(prediction), of_photo[prediction.name])

# A project on disk, with two datasets.
project = sly.Project(str(folder / "project"), sly.OpenMode.CREATE)
datasets = [project.create_dataset("a"), project.create_dataset("b")]
for number, path in enumerate(photos):
    datasets[number % 2].add_item_file(Path(path).name, path)
predictions = model.predict(str(folder / "project"), conf=0.4)
assert sorted(prediction.name for prediction in predictions) == sorted(of_photo)
for prediction in predictions:
    same(f"project {prediction.name}", rows_of_sdk(prediction), of_photo[prediction.name])

# A video with tracks, by all of its frame settings.
session = model.predict_detached(street, tracking=True, conf=0.4, start_frame=5, num_frames=20, stride=2)
assert len(session) == 20, len(session)
got = {prediction.frame_index: rows_of_sdk(prediction, tracked=True) for prediction in session}
assert list(got) == list(of_frame), list(got)
for frame, rows in got.items():
    assert rows == of_frame[frame], f"frame {frame}:\n  SDK {rows}\n  CLI {of_frame[frame]}"
same("video", sum(got.values(), []), sum(of_frame.values(), []))
# The annotation of the whole video has an object per track.
video = sly.VideoAnnotation.from_json(session.final_result["video_ann"], model.get_model_meta())
figures = [figure for frame in video.frames for figure in frame.figures]
assert len(figures) == sum(map(len, of_frame.values()))
assert len(video.objects) == len({row[3] for rows in of_frame.values() for row in rows})

# A video without tracks, and another tracker with settings of its own.
plain = model.predict(street, conf=0.4, start_frame=5, end_frame=9)
assert [prediction.frame_index for prediction in plain] == [5, 6, 7, 8]
config = {"tracker": "bytetrack", "track_buffer": 10}
tracked = model.predict(street, tracking=True, tracking_config=config, conf=0.4, num_frames=8)
assert any(len(prediction.track_ids) for prediction in tracked)

# Detached: progress, status, an early stop, and nothing that goes on behind it.
with model.predict_detached(street, tracking=True, conf=0.4) as session:
    total = len(session)
    first = [next(session) for _ in range(3)]
    assert [prediction.frame_index for prediction in first] == [0, 1, 2]
    assert session.progress()["total"] == total and not session.is_done()
    assert session.status()["is_inferring"]
    session.stop()
    # The frame in hand is finished first.
    latest = time.monotonic() + 10
    while not session.is_done():
        assert time.monotonic() < latest, "goes on after it was stopped"
        time.sleep(0.05)
assert session.status()["stopped"] and total > 100, total

# What goes wrong is told.
try:
    model.predict(dog, conf=7)
    raise AssertionError("a score of 7 was taken")
except Exception as error:
    assert "400" in str(error) or "conf" in str(error), error

# The older client.
api = sly.Api("http://127.0.0.1:9", "no-token", ignore_task_id=True)
older = Session(api, session_url=url, inference_settings={"conf": 0.4})
# Whether a model is deployed the older client asks the platform only.
assert older.get_session_info()["number_of_classes"] == 80
assert older.get_default_inference_settings()["conf"] > 0
assert older.get_deploy_info().model_name and older.get_human_readable_info()
same("Session image", rows_of_annotation(older.inference_image_path(dog)), of_photo["dog.jpg"])
for path, annotation in zip(photos, older.inference_image_paths(photos)):
    same("Session images", rows_of_annotation(annotation), of_photo[Path(path).name])
older.set_inference_settings({"conf": 0.4, "classes": ["dog"]})
dogs = [row for row in of_photo["dog.jpg"] if row[1] == "dog"]
same("Session classes", rows_of_annotation(older.inference_image_path(dog)), dogs)
