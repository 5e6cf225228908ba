"""Writes tests/golden: what the official SDK makes of a few synthetic shapes. Needs `supervisely` (6.74)."""

import json
import pathlib
import sys

import numpy as np
import supervisely as sly
from supervisely.annotation.label import LabelingStatus
from supervisely.geometry.graph import KeypointsTemplate, Node
from supervisely.geometry.oriented_bbox import OrientedBBox

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "golden")
HEIGHT, WIDTH = 60, 80


def write(name, value):
    (OUT / name).write_text(json.dumps(value, indent=1) + "\n")


def mask(kind):
    y, x = np.mgrid[0:17, 0:21]
    return {"disk": (x - 10) ** 2 + (y - 8) ** 2 <= 64, "checker": (x + y) % 2 == 0, "full": x >= 0}[kind]


template = KeypointsTemplate()
for index, label in enumerate(["nose", "left_eye", "right_eye"]):
    template.add_point(label=label, row=10 * index, col=5 * index)
template.add_edge(src="nose", dst="left_eye")

confidence = sly.TagMeta("confidence", sly.TagValueType.ANY_NUMBER)
weather = sly.TagMeta("weather", sly.TagValueType.ONEOF_STRING, possible_values=["sun", "rain"])
night = sly.TagMeta("night", sly.TagValueType.NONE)
classes = {
    name: sly.ObjClass(name, shape, color=[10 * index, 200, 30], geometry_config=config)
    for index, (name, shape, config) in enumerate([
        ("car", sly.Rectangle, None),
        ("tilted", OrientedBBox, None),
        ("cell", sly.Bitmap, None),
        ("field", sly.Polygon, None),
        ("lane", sly.Polyline, None),
        ("star", sly.Point, None),
        ("person", sly.GraphNodes, template),
        ("thing", sly.AnyGeometry, None),
    ])
}
meta = sly.ProjectMeta(list(classes.values()), [confidence, weather, night])


def locations(points):
    return [sly.PointLocation(row=y, col=x) for x, y in points]


def label(name, geometry, score=None):
    tags = [] if score is None else [sly.Tag(confidence, score)]
    status = LabelingStatus.AUTO if score is not None else LabelingStatus.MANUAL
    return sly.Label(geometry, classes[name], tags=tags, status=status)


labels = [
    label("car", sly.Rectangle(top=10, left=20, bottom=30, right=40), 0.87),
    label("car", sly.Rectangle(top=0, left=0, bottom=0, right=0)),
    label("tilted", OrientedBBox(top=10, left=20, bottom=30, right=50, angle=0.5), 0.5),
    *[label("cell", sly.Bitmap(mask(kind), origin=sly.PointLocation(row=3, col=5)), 0.25)
      for kind in ("disk", "checker", "full")],
    label("field", sly.Polygon(locations([(1, 1), (70, 2), (60, 50)]), [locations([(30, 10), (40, 10), (40, 20)])])),
    label("lane", sly.Polyline(locations([(0, 0), (5, 9), (79, 59)]))),
    label("star", sly.Point(row=7, col=9), 1),
    label("person", sly.GraphNodes([Node(label="nose", row=3, col=4), Node(label="left_eye", row=3, col=5,
          disabled=True)]), 0.75),
    label("thing", sly.Rectangle(top=1, left=2, bottom=3, right=4)),
]
annotation = sly.Annotation((HEIGHT, WIDTH), labels, img_tags=[sly.Tag(weather, "rain"), sly.Tag(night)])
write("meta.json", meta.to_json())
write("annotation.json", annotation.to_json())
write("masks.json", {kind: {"data": sly.Bitmap.data_2_base64(mask(kind)), "rows": mask(kind).astype(int).tolist()}
                     for kind in ("disk", "checker", "full")})

# What goes to the platform, and what comes back from it.
sub = annotation.to_json()
sub["objects"] = [type(item.geometry)._to_subpixel_coordinate_system_json(data)
                  for item, data in zip(labels, sub["objects"])]
write("platform.json", sub)
cases = [[[1.74, 1.55], [3.76, 4.63]], [[0.0, 0.0], [80.0, 60.0]], [[2.0, 2.0], [3.0, 3.0]],
         [[2.1, 2.2], [2.8, 2.9]], [[2.7, 2.69], [5.3, 5.29]], [[2.95, 3.0], [3.05, 9.0]], [[10.5, 11.5], [10.6, 30.31]]]
write("edges.json", [{"edges": case, "pixels": sly.Rectangle._to_pixel_coordinate_system_json(
    {"points": {"exterior": case, "interior": []}}, (HEIGHT, WIDTH))["points"]["exterior"]} for case in cases])

# A video.
cars = [sly.VideoObject(classes["car"]), sly.VideoObject(classes["cell"], tags=sly.VideoTagCollection(
    [sly.VideoTag(confidence, 0.5, frame_range=(0, 1))]))]
frames = []
for index in (0, 1, 4):
    frames.append(sly.Frame(index, [
        sly.VideoFigure(cars[0], sly.Rectangle(10 + index, 20, 30 + index, 40), index, track_id="7"),
        sly.VideoFigure(cars[1], sly.Bitmap(mask("disk"), origin=sly.PointLocation(row=index, col=5)), index),
    ]))
video = sly.VideoAnnotation((HEIGHT, WIDTH), 6, sly.VideoObjectCollection(cars), sly.FrameCollection(frames),
                            sly.VideoTagCollection([sly.VideoTag(night, frame_range=(2, 3))]))
write("video.json", video.to_json())
