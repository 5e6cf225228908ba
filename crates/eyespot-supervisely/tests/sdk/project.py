"""Reads projects that Eyespot wrote with the official SDK, and writes others for Eyespot to read."""

import pathlib
import sys

import numpy as np
import supervisely as sly

FOLDER = pathlib.Path(sys.argv[1])

images = sly.Project(str(FOLDER / "images"), sly.OpenMode.READ)
assert sorted(dataset.name for dataset in images.datasets) == ["day", "day/noon"], images.datasets
for dataset in images.datasets:
    names = sorted(dataset.get_items_names())
    assert names == ["a.png"], names
    annotation = dataset.get_ann("a.png", images.meta)
    (label,) = annotation.labels
    box = label.geometry
    assert (box.left, box.top, box.right, box.bottom) == (3, 1, 8, 9), label.to_json()
    assert label.tags.get("confidence").value == 0.5
    assert dataset.get_img_path("a.png") and annotation.img_size == (48, 64)

videos = sly.VideoProject(str(FOLDER / "videos"), sly.OpenMode.READ)
(dataset,) = videos.datasets
(name,) = dataset.get_items_names()
annotation = dataset.get_ann(name, videos.meta)
(figure,) = annotation.frames.get(1).figures
assert (figure.geometry.left, figure.track_id) == (2, "7") and annotation.frames_count == 3

car = sly.ObjClass("car", sly.Rectangle, color=[1, 2, 3])
confidence = sly.TagMeta("confidence", sly.TagValueType.ANY_NUMBER)
theirs = sly.Project(str(FOLDER / "their-images"), sly.OpenMode.CREATE)
theirs.set_meta(sly.ProjectMeta([car], [confidence], project_type="images"))
outer = theirs.create_dataset("day")
inner = theirs.create_dataset("noon", ds_path="day/datasets/noon")
for dataset, left in ((outer, 3), (inner, 20)):
    label = sly.Label(sly.Rectangle(1, left, 9, left + 5), car, tags=[sly.Tag(confidence, 0.5)])
    dataset.add_item_np("b.png", np.full((48, 64, 3), left, np.uint8), ann=sly.Annotation((48, 64), [label]))

theirs = sly.VideoProject(str(FOLDER / "their-videos"), sly.OpenMode.CREATE)
theirs.set_meta(sly.ProjectMeta([car], [confidence], project_type="videos"))
dataset = theirs.create_dataset("day")
item = sly.VideoObject(car)
frames = [sly.Frame(1, [sly.VideoFigure(item, sly.Rectangle(1, 2, 9, 7), 1, track_id="7")])]
annotation = sly.VideoAnnotation((48, 64), 3, sly.VideoObjectCollection([item]), sly.FrameCollection(frames))
dataset.add_item_file("a.mp4", str(FOLDER / "videos/day/video" / name), ann=annotation, _validate_item=False)
theirs.set_meta(theirs.meta)
print("the SDK reads the projects")
