"""Does with the official SDK what `tests/sdk_platform.rs` does with the client: the platform has to keep the same."""

import os
import sys

import supervisely as sly

picture, project_name = sys.argv[1:]
api = sly.Api(os.environ["SERVER_ADDRESS"], os.environ["API_TOKEN"], retry_count=1)

car = sly.ObjClass("car", sly.Rectangle, color=[1, 2, 3])
star = sly.ObjClass("star", sly.Point, color=[4, 5, 6])
field = sly.ObjClass("field", sly.Polygon, color=[7, 8, 9])
confidence = sly.TagMeta("confidence", sly.TagValueType.ANY_NUMBER, color=[138, 15, 54])
night = sly.TagMeta("night", sly.TagValueType.NONE, color=[0, 0, 0])
auto = sly.annotation.label.LabelingStatus.AUTO

project = api.project.create(1, project_name, sly.ProjectType.IMAGES)
meta = api.project.update_meta(project.id, sly.ProjectMeta([car, star, field], [confidence, night]))
day = api.dataset.create(project.id, "day")
noon = api.dataset.create(project.id, "noon", parent_id=day.id)
image = api.image.upload_path(noon.id, "a.png", picture)

drawn = sly.Annotation(
    (image.height, image.width),
    [
        sly.Label(sly.Rectangle(2, 1, 9, 20), car),
        sly.Label(sly.Polygon([sly.PointLocation(y, x) for x, y in [(1, 1), (30, 1), (30, 12)]]), field),
    ],
    img_tags=[sly.Tag(night)],
)
api.annotation.upload_ann(image.id, drawn)


def predicted(geometry, obj_class, score):
    return sly.Label(geometry, obj_class, tags=[sly.Tag(confidence, score)], status=auto)


# Appending as its serving apps do: everything is read and written again.
known = sly.Annotation.from_json(api.annotation.download_json(image.id), meta)
api.annotation.upload_ann(
    image.id,
    known.add_labels([predicted(sly.Rectangle(0, 0, 9, 9), car, 0.5), predicted(sly.Point(3, 4), star, 0.25)]),
)
again = api.image.upload_path(day.id, "b.png", picture)
assert again.hash == image.hash
api.annotation.upload_ann(again.id, sly.Annotation((again.height, again.width), [predicted(sly.Rectangle(0, 0, 9, 9), car, 1.0)]))
copy = api.image.upload_id(day.id, "copy.png", image.id)
assert [item.name for item in api.image.get_list(day.id)] == ["b.png", "copy.png"]
assert [item.name for item in api.dataset.get_list(project.id, recursive=True)] == ["day", "noon"]
# The original and what comes back are the same file.
api.image.download_path(copy.id, picture + ".copy")
assert open(picture, "rb").read() == open(picture + ".copy", "rb").read()
