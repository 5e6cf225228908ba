"""The usual pipeline in Python: OpenCV decodes and resizes, ONNX Runtime runs YOLOX, supervision's ByteTrack tracks.

Usage: opencv_onnxruntime.py VIDEO MODEL.onnx FRAMES OUT.jsonl
"""

import json
import sys

import cv2
import numpy
import onnxruntime
import supervision

SIDE, CONF, IOU, THREADS = 416, 0.25, 0.45, 2


def grids():
    """Column and row of each cell, and its stride."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        y, x = numpy.meshgrid(range(SIDE // stride), range(SIDE // stride), indexing="ij")
        cells.append(numpy.stack([x.ravel(), y.ravel()], 1))
        strides.append(numpy.full((x.size, 1), stride))
    return numpy.concatenate(cells).astype(numpy.float32), numpy.concatenate(strides).astype(numpy.float32)


def main(video, model, frames, out):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    cells, strides = grids()
    capture, tracker = cv2.VideoCapture(video), supervision.ByteTrack()
    with open(out, "w", encoding="utf-8") as lines:
        for index in range(int(frames)):
            there, frame = capture.read()
            if not there:
                break
            height, width = frame.shape[:2]
            scale = min(SIDE / height, SIDE / width)
            small = cv2.resize(frame, (round(width * scale), round(height * scale)))
            image = numpy.full((SIDE, SIDE, 3), 114, numpy.uint8)
            image[: small.shape[0], : small.shape[1]] = small
            tensor = numpy.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=numpy.float32)
            output = session.run(None, {name: tensor})[0][0]
            kept = output[:, 4] >= CONF
            rows, at, step = output[kept], cells[kept], strides[kept]
            scores = rows[:, 4:5] * rows[:, 5:]
            classes = scores.argmax(1)
            scores = scores.max(1)
            sure = scores >= CONF
            rows, at, step, classes, scores = rows[sure], at[sure], step[sure], classes[sure], scores[sure]
            centre, size = (rows[:, :2] + at) * step / scale, numpy.exp(rows[:, 2:4]) * step / scale
            boxes = numpy.concatenate([centre - size / 2, centre + size / 2], 1)
            detections = supervision.Detections(xyxy=boxes, confidence=scores, class_id=classes).with_nms(IOU)
            detections = tracker.update_with_detections(detections)
            found = [
                {"bbox": box.tolist(), "score": float(score), "class": int(kind), "track": int(track)}
                for box, score, kind, track in zip(
                    detections.xyxy, detections.confidence, detections.class_id, detections.tracker_id
                )
            ]
            lines.write(json.dumps({"frame": index, "objects": found}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
