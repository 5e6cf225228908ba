"""Reads with the official SDK what Eyespot wrote; fails where the SDK refuses it or writes something else again."""

import json
import pathlib
import sys

import supervisely as sly

FOLDER = pathlib.Path(sys.argv[1])


def read(name):
    return json.loads((FOLDER / name).read_text())


meta = sly.ProjectMeta.from_json(read("meta.json"))
again = {item["title"]: item for item in meta.to_json()["classes"]}
for item in read("meta.json")["classes"]:
    theirs = again[item["title"]]
    assert (theirs["shape"], theirs["color"]) == (item["shape"], item["color"]), item
    assert theirs["geometry_config"] == item["geometry_config"], (theirs, item)

ours = read("annotation.json")
theirs = sly.Annotation.from_json(ours, meta).to_json()
assert theirs["size"] == ours["size"]
assert len(theirs["objects"]) == len(ours["objects"]) > 0, "the SDK dropped objects"
for mine, other in zip(ours["objects"], theirs["objects"]):
    for key in ("classTitle", "tags", "geometryType", "points", "angle", "nodes", "nnCreated", "nnUpdated"):
        assert mine.get(key) == other.get(key), (key, mine, other)
    if "bitmap" in mine:
        assert mine["bitmap"]["origin"] == other["bitmap"]["origin"]
        a, b = (sly.Bitmap.base64_2_data(item["bitmap"]["data"]) for item in (mine, other))
        assert a.shape == b.shape and (a == b).all()

ours = read("video.json")
theirs = sly.VideoAnnotation.from_json(ours, meta).to_json()
assert [item["classTitle"] for item in ours["objects"]] == [item["classTitle"] for item in theirs["objects"]]
for mine, other in zip(ours["frames"], theirs["frames"], strict=True):
    assert mine["index"] == other["index"]
    for a, b in zip(mine["figures"], other["figures"], strict=True):
        assert a["geometry"]["points"] == b["geometry"]["points"] and a.get("trackId") == b.get("trackId"), (a, b)
        assert a["objectKey"] == b["objectKey"]
print("the SDK reads everything")
