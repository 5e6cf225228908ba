"""Camera motion as the BoT-SORT reference estimates it, with OpenCV on one thread, for comparison.

Reads pairs of frames from standard input: a line `width height rounds`, then two frames of BGR bytes. Answers with
a line per pair: `a b tx c d ty milliseconds` for sparse flow, then the same for ORB. Times are of a frame in steady
state (its own corners, and the motion since the one before), the best of the rounds.
"""

import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)


def prepare(frame):
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(gray, (gray.shape[1] // 2, gray.shape[0] // 2))


def corners(gray):
    return cv2.goodFeaturesToTrack(gray, maxCorners=1000, qualityLevel=0.01, minDistance=1, blockSize=3)


class SparseFlow:
    def start(self, frame):
        gray = prepare(frame)
        return gray, corners(gray)

    def step(self, before, frame):
        gray = prepare(frame)
        found = corners(gray)
        moved, status, _ = cv2.calcOpticalFlowPyrLK(before[0], gray, before[1], None)
        good = status.ravel() == 1
        motion, _ = cv2.estimateAffinePartial2D(before[1][good], moved[good], method=cv2.RANSAC)
        return motion


class Orb:
    def __init__(self):
        self.detector = cv2.FastFeatureDetector_create(20)
        self.extractor = cv2.ORB_create()
        self.matcher = cv2.BFMatcher(cv2.NORM_HAMMING)

    def start(self, frame):
        gray = prepare(frame)
        height, width = gray.shape
        mask = np.zeros_like(gray)
        mask[int(0.02 * height) : int(0.98 * height), int(0.02 * width) : int(0.98 * width)] = 255
        points = self.detector.detect(gray, mask)
        return self.extractor.compute(gray, points)

    def step(self, before, frame):
        points, descriptors = self.start(frame)
        height, width = frame.shape[0] // 2, frame.shape[1] // 2
        reach = 0.25 * np.array([width, height])
        source, target = [], []
        for pair in self.matcher.knnMatch(before[1], descriptors, 2):
            if len(pair) == 2 and pair[0].distance < 0.9 * pair[1].distance:
                a = before[0][pair[0].queryIdx].pt
                b = points[pair[0].trainIdx].pt
                if np.all(np.abs(np.subtract(a, b)) < reach):
                    source.append(a)
                    target.append(b)
        shift = np.subtract(source, target)
        keep = np.all(np.abs(shift - shift.mean(0)) < 2.5 * shift.std(0), axis=1)
        motion, _ = cv2.estimateAffinePartial2D(
            np.asarray(source)[keep], np.asarray(target)[keep], method=cv2.RANSAC
        )
        return motion


def measure(method, frames, rounds):
    motion, best = None, float("inf")
    try:
        before = method.start(frames[0])
        for _ in range(rounds):
            start = time.perf_counter()
            motion = method.step(before, frames[1])
            best = min(best, time.perf_counter() - start)
    except cv2.error:
        motion = None
    if motion is None:
        motion = np.eye(2, 3)
    # As the reference: shifts back to full resolution. It takes the middle of half-size pixel 0 for that of pixel 0,
    # though it is the corner between the first four pixels. That is set right here, in its favour: coordinates are
    # those of box edges, where the middle of the first pixel is 0.5.
    motion = motion.copy()
    motion[:, 2] *= 2
    motion[:, 2] += 1 - motion[:, :2].sum(1)
    return [*motion.ravel(), best * 1e3]


def main():
    # ORB is slow: fewer rounds.
    methods = [(SparseFlow(), 1), (Orb(), 3)]
    while line := sys.stdin.buffer.readline():
        width, height, rounds = map(int, line.split())
        size = width * height * 3
        frames = [np.frombuffer(sys.stdin.buffer.read(size), np.uint8).reshape(height, width, 3) for _ in range(2)]
        for method, share in methods:
            print(*measure(method, frames, max(1, rounds // share)), flush=True)


main()
