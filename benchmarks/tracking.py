"""How well ids last: our tracker beside Roboflow's ByteTrack, scored by Roboflow's own evaluation.

`python -m benchmarks.tracking` needs `pip install trackers`, which the project
itself does without: with what it asks for it is 440 MB (OpenCV, SciPy,
matplotlib, …), as much as the whole image of a Bento. One JSON object a line on
stdout: means over made scenes of 200 frames, 10 a second, with up to 14 things
that move in straight lines, pass in front of each other, and are found by a
detector that shakes, misses and imagines.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from bentoml_img.arrays import Float64Array, Int64Array
from bentoml_img.detect import SCORE_THRESHOLD, Detections
from bentoml_img.postprocessing.masks import InstanceMask
from bentoml_img.video.tracking import CONFIRMED, Tracker

if TYPE_CHECKING:
    from trackers import ByteTrackTracker

WIDTH, HEIGHT, FRAMES, RATE, THINGS, SCENES = 768, 576, 200, 10, 14, 5

Identified = list[tuple[int, Float64Array]]


@dataclass(frozen=True)
class Conditions:
    """Pixels of jitter, share of things missed, things imagined a frame, every how many frames."""

    jitter: float
    missed: float
    imagined: float
    every: int = 1


CONDITIONS = [
    Conditions(jitter, missed, imagined, every)
    for jitter, missed, imagined in ((0.5, 0.0, 0.0), (2.0, 0.1, 0.5), (3.0, 0.25, 1.0))
    for every in (1, 3)
]


# The trackers look at boxes alone.
NO_MASK = InstanceMask(0, 0, np.zeros((0, 0), np.bool_))


def scene(seed: int, conditions: Conditions) -> Iterator[tuple[float, Identified, Detections]]:
    """Time, truth and detections of each frame."""
    random = np.random.default_rng(seed)
    height = random.uniform(25, 70, THINGS)
    half = np.stack([height * random.uniform(0.5, 1.6, THINGS), height], axis=1) / 2
    start = random.uniform(0, 1, (THINGS, 2)) * (WIDTH, HEIGHT)
    speed = random.normal(0, 35, (THINGS, 2)) / RATE
    first = random.integers(0, FRAMES // 2, THINGS)
    last = first + random.integers(FRAMES // 4, FRAMES, THINGS)
    for k in range(FRAMES):
        middle = start + speed * k
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        boxes = boxes.clip(0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
        large = ((boxes[:, 2:] - boxes[:, :2]) > 8).all(axis=1)
        truth = [(int(i), boxes[i]) for i in np.flatnonzero((first <= k) & (k < last) & large)]
        seen = [
            box + random.normal(0, conditions.jitter, 4)
            for _, box in truth
            if random.random() >= conditions.missed
        ]
        scores = random.normal(0.85, 0.12, len(seen)).clip(0.15, 1).tolist()
        for _ in range(random.poisson(conditions.imagined)):
            corner, size = random.uniform(0, (700, 500)), random.uniform(20, 60, 2)
            seen.append(np.concatenate([corner, corner + size]))
            scores.append(random.uniform(0.3, 0.8))
        if k % conditions.every == 0:
            yield k / RATE, truth, _found(seen, scores)


def _found(boxes: Sequence[Float64Array], scores: Sequence[float]) -> Detections:
    n = len(boxes)
    return Detections(
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.zeros(n, np.int64),
        scores=np.array(scores, np.float32),
        masks=(NO_MASK,) * n,
        size=(WIDTH, HEIGHT),
        names=("thing",),
    )


def ours(tracker: Tracker, found: Detections, time: float) -> Identified:
    instances = tracker.update(found, time)
    return [(i.track_id, np.array(i.box)) for i in instances if i.detected]


def theirs(tracker: "ByteTrackTracker", found: Detections, time: float) -> Identified:
    import supervision

    detections = supervision.Detections(
        xyxy=found.boxes_xyxy, confidence=found.scores, class_id=found.labels
    )
    tracked = tracker.update(detections, timestamp=time)
    pairs = zip(tracked.tracker_id, tracked.xyxy, strict=True)
    return [(int(track_id), box) for track_id, box in pairs if track_id >= 0]


def score(truth: list[Identified], answer: list[Identified]) -> tuple[float, float, int]:
    """HOTA, IDF1, and the number of tracks."""
    from trackers.eval import box_iou, compute_hota_metrics, compute_identity_metrics

    ids = [_ids(frames) for frames in (truth, answer)]
    overlaps = [box_iou(_boxes(a), _boxes(b)) for a, b in zip(truth, answer, strict=True)]
    hota = compute_hota_metrics(*ids, overlaps)["HOTA"]
    idf1 = compute_identity_metrics(*ids, overlaps)["IDF1"]
    return float(hota), float(idf1), len({track_id for frame in answer for track_id, _ in frame})


def _ids(frames: list[Identified]) -> list[Int64Array]:
    numbers = sorted({i for frame in frames for i, _ in frame})
    return [np.array([numbers.index(i) for i, _ in frame], np.int64) for frame in frames]


def _boxes(frame: Identified) -> Float64Array:
    return np.array([box for _, box in frame]).reshape(-1, 4)


def main() -> None:
    from trackers import ByteTrackTracker

    for conditions in CONDITIONS:
        scores: dict[str, list[tuple[float, float, int]]] = {"ours": [], "trackers": []}
        things = []
        for seed in range(SCENES):
            frames = list(scene(seed, conditions))
            truth = [frame[1] for frame in frames]
            things.append(len({i for frame in truth for i, _ in frame}))
            tracker = Tracker((WIDTH, HEIGHT))
            answer = [ours(tracker, found, time) for time, _, found in frames]
            scores["ours"].append(score(truth, answer))
            reference = ByteTrackTracker(
                frame_rate=RATE,
                track_activation_threshold=SCORE_THRESHOLD,
                high_conf_det_threshold=SCORE_THRESHOLD,
                minimum_consecutive_frames=CONFIRMED,
            )
            answer = [theirs(reference, found, time) for time, _, found in frames]
            scores["trackers"].append(score(truth, answer))
        for name, rows in scores.items():
            hota, idf1, tracks = np.mean(rows, axis=0).round(3).tolist()
            line = {"tracker": name, "hota": hota, "idf1": idf1, "tracks": tracks}
            print(json.dumps({**asdict(conditions), **line, "things": float(np.mean(things))}))


if __name__ == "__main__":
    main()
