"""Detections to tracks: which instance of a frame is which of the frames before.

ByteTrack (Zhang et al., ECCV 2022): boxes move by a Kalman filter; sure
detections are matched to tracks first, unsure ones only to the tracks that are
left, and never start one. Ours differs in that time is seconds and not frames,
so that rates may vary; in that boxes are matched a margin wider, as in C-BIoU
(Yang et al., WACV 2023), for the gaps between frames that are detected; in
that a detection of another class is matched less readily; and in that what hardly
moved is looked for longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import lap
import numpy as np

from bentoml_img.arrays import Float64Array
from bentoml_img.detect import SCORE_THRESHOLD, Detections
from bentoml_img.postprocessing.masks import InstanceMask

Box = Float64Array  # left, top, right, bottom in pixels: of shape (4,)

# A score that goes on with a track, but starts none. ByteTrack has 0.1, where a Mask R-CNN finds a
# hundred things in every frame: their masks cost a quarter of the time, and the sample clip's count
# is no better.
UNSURE = 0.25
CONFIRMED = 3  # detections in a row until a track has an id,
CONFIRMED_SECONDS = 0.3  # and at least so long since the first: reflections flicker faster
PATIENCE = 1.0  # seconds that a track is looked for once it is lost
# What stands, such as a parked car, is looked for where it was until what hides it has passed.
STANDING_PATIENCE = 5.0
# Heights of its box in a second: what is slower stands. The boxes of small things shake by as much;
# somebody who walks is not much faster.
STANDING = 1.0
COAST = 0.3  # seconds that a track is shown where it must be, though it was not detected

MARGIN = 0.3  # of a box's width and height, on each side, when boxes are matched
MIN_OVERLAP = 0.15  # of two boxes with their margins: intersection over union
OTHER_CLASS = 0.5  # times the overlap, for a class that is not the track's; 0 if it is long lost

# The filter's standard deviations, in heights of the box, after DeepSORT's (Wojke et al., 2017): of
# a measured place, of the speed (a second) when first seen, of the acceleration (a second²).
MEASURED, SPEED, ACCELERATION = 0.05, 4.0, 4.0


@dataclass(frozen=True, eq=False)
class TrackedInstance:
    """A tracked thing in a frame.

    `box` is left, top, right, bottom in pixels. `detected` says that it was seen
    in this very frame; if not, box and mask are carried along from where it was.
    The mask is None where none is known.
    """

    track_id: int
    label: str
    score: float
    box: tuple[float, float, float, float]
    mask: InstanceMask | None
    detected: bool


@dataclass
class _Track:
    """`state` is box and velocity, (2, 4); the four sides share one covariance, (2, 2).

    It was first seen at `began`, and last at `seen`; all times are in seconds.
    """

    state: Float64Array
    covariance: Float64Array
    time: float
    began: float
    seen: float
    seen_box: Box
    score: float
    votes: dict[str, float]
    hits: int = 1
    track_id: int | None = None
    mask: InstanceMask | None = None

    @property
    def label(self) -> str:
        """The class that most of the detections, by their scores, say."""
        return max(self.votes, key=self.votes.__getitem__)

    @property
    def velocity(self) -> Float64Array:
        """Of the box's middle, pixels a second to the right and downwards."""
        velocity: Float64Array = self.state[1].reshape(2, 2).mean(axis=0)
        return velocity

    @property
    def stands(self) -> bool:
        return float(np.abs(self.velocity).max()) < STANDING * _height(self.seen_box)

    @property
    def away(self) -> float:
        """Seconds that it has not been seen for."""
        return self.time - self.seen

    @property
    def patience(self) -> float:
        """Seconds that it is looked for once it is lost."""
        return STANDING_PATIENCE if self.stands else PATIENCE

    def predict(self, time: float) -> None:
        """Move on to a later second: constant velocity, white noise as acceleration."""
        dt = time - self.time
        step = np.array([[1.0, dt], [0.0, 1.0]])
        noise = np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
        spread = ACCELERATION * _height(self.state[0])
        self.covariance = step @ self.covariance @ step.T + noise * spread**2
        self.state = step @ self.state
        self.time = time

    def rest(self) -> None:
        """Expect it where it was last seen."""
        self.state = np.stack([self.seen_box, np.zeros(4)])

    def correct(self, box: Box, label: str, score: float, mask: InstanceMask) -> None:
        """Take in what was seen at the time of the last prediction."""
        measured = (MEASURED * _height(box)) ** 2
        gain = self.covariance[:, :1] / (self.covariance[0, 0] + measured)
        self.state = self.state + gain * (box - self.state[0])
        self.covariance = self.covariance - gain @ self.covariance[:1]
        self.seen, self.seen_box, self.score, self.mask = self.time, box, score, mask
        self.votes[label] = self.votes.get(label, 0.0) + score
        self.hits += 1


class Tracker:
    """Tracks through one video of frames of `size` (width, height).

    Call `update` for each frame with detections, `carry` for those without, in
    the order of time. Only confirmed tracks have an id and are in the answers;
    ids count from 1. `ended` are the ids that the last update gave up. `sure` is
    the score from which on a detection starts a track.
    """

    def __init__(self, size: tuple[int, int], sure: float = SCORE_THRESHOLD) -> None:
        self.size = size
        self.sure = sure
        self.ended: tuple[int, ...] = ()
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._updated = 0.0

    def update(self, detections: Detections, time: float) -> list[TrackedInstance]:
        """Match the detections of the frame at `time` (seconds) to the tracks."""
        boxes = np.asarray(detections.boxes_xyxy, np.float64).reshape(-1, 4)
        scores = [float(score) for score in detections.scores]
        labels = [detections.names[label] for label in detections.labels]
        sure = [k for k, score in enumerate(scores) if score >= self.sure]
        unsure = [k for k, score in enumerate(scores) if UNSURE <= score < self.sure]
        self._updated = time
        for track in self._tracks:
            track.predict(time)
        pairs = _match(self._tracks, sure, boxes, labels)
        found = {k for k, _ in pairs}
        left = [t for t in self._tracks if t.track_id and all(t is not other for _, other in pairs)]
        for k, track in pairs + _match(left, unsure, boxes, labels):
            track.correct(boxes[k], labels[k], scores[k], detections.masks[k])
        self._give_up()
        for k in sure:
            if k not in found:
                self._tracks.append(_new(boxes[k], labels[k], scores[k], detections.masks[k], time))
        self._confirm()
        return self.carry(time)

    def carry(self, time: float) -> list[TrackedInstance]:
        """Where the tracks are at `time`, by the velocity they had when last seen.

        Those that must have left the frame are left out.
        """
        shown = [
            self._instance(track, time)
            for track in self._tracks
            if track.track_id and (track.seen == self._updated or time - track.seen <= COAST)
        ]
        return [i for i in shown if i.box[2] - i.box[0] >= 1 and i.box[3] - i.box[1] >= 1]

    def _give_up(self) -> None:
        """Drop tracks that are lost: at once if unconfirmed, else after some patience."""
        kept, ended = [], []
        for track in self._tracks:
            if track.seen == self._updated:
                kept.append(track)
            elif track.track_id:
                if track.away > PATIENCE and track.stands:
                    track.rest()
                gone = track.away > track.patience
                ended.append(track.track_id) if gone else kept.append(track)
        self._tracks, self.ended = kept, tuple(ended)

    def _confirm(self) -> None:
        for track in self._tracks:
            lasted = track.seen - track.began >= CONFIRMED_SECONDS - 1e-6
            if track.track_id is None and track.hits >= CONFIRMED and lasted:
                track.track_id = self._next_id
                self._next_id += 1

    def _instance(self, track: _Track, time: float) -> TrackedInstance:
        assert track.track_id is not None
        shift = track.velocity * (time - track.seen)
        width, height = self.size
        box = np.clip(track.seen_box + np.tile(shift, 2), 0, (width, height, width, height))
        left, top, right, bottom = box.tolist()
        mask = _moved(track.mask, shift, self.size) if shift.any() else track.mask
        return TrackedInstance(
            track_id=track.track_id,
            label=track.label,
            score=track.score,
            box=(left, top, right, bottom),
            mask=mask,
            detected=time == track.seen,
        )

    def state(self) -> dict[str, Any]:
        """All that later updates depend on, as JSON has it."""
        tracks = [
            {
                **{f.name: getattr(track, f.name) for f in fields(track) if f.name not in _ARRAYS},
                **{name: getattr(track, name).tolist() for name in _ARRAYS},
                "mask": track.mask and track.mask.to_bits(),
            }
            for track in self._tracks
        ]
        return {"next_id": self._next_id, "updated": self._updated, "tracks": tracks}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._next_id, self._updated = state["next_id"], state["updated"]
        self._tracks = [
            _Track(
                **{
                    **track,
                    **{name: np.array(track[name]) for name in _ARRAYS},
                    "mask": track["mask"] and InstanceMask.from_bits(track["mask"]),
                }
            )
            for track in state["tracks"]
        ]


_ARRAYS = ("state", "covariance", "seen_box")


def _new(box: Box, label: str, score: float, mask: InstanceMask, time: float) -> _Track:
    height = _height(box)
    covariance = np.diag([(MEASURED * height) ** 2, (SPEED * height) ** 2])
    state = np.stack([box, np.zeros(4)])
    return _Track(
        state=state,
        covariance=covariance,
        time=time,
        began=time,
        seen=time,
        seen_box=box,
        score=score,
        votes={label: score},
        mask=mask,
    )


def _height(box: Box) -> float:
    return max(1.0, float(box[3] - box[1]))


def _match(
    tracks: Sequence[_Track], candidates: Sequence[int], boxes: Float64Array, labels: Sequence[str]
) -> list[tuple[int, _Track]]:
    """Detections and their tracks: the assignment with the largest sum of overlaps."""
    if not tracks or not candidates:
        return []
    predicted = np.stack([track.state[0] for track in tracks])
    iou = _iou(_widened(predicted), _widened(boxes[list(candidates)]))
    for row, track in enumerate(tracks):
        other = OTHER_CLASS if track.away <= PATIENCE else 0.0
        iou[row] *= [1.0 if labels[k] == track.label else other for k in candidates]
    _, columns, _ = lap.lapjv(1 - iou, extend_cost=True, cost_limit=1 - MIN_OVERLAP)
    return [
        (candidates[column], track)
        for track, column in zip(tracks, columns.tolist(), strict=True)
        if column >= 0
    ]


def _widened(boxes: Float64Array) -> Float64Array:
    margin = MARGIN * (boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Intersection over union, (len(a), len(b)), of boxes (…, 4)."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    iou: Float64Array = shared / np.maximum(union, 1e-9)
    return iou


def _moved(
    mask: InstanceMask | None, shift: Float64Array, size: tuple[int, int]
) -> InstanceMask | None:
    """A mask moved with its box; what leaves the frame is cut off."""
    if mask is None:
        return None
    x, y = mask.x + round(float(shift[0])), mask.y + round(float(shift[1]))
    pixels = mask.pixels[max(0, -y) : max(0, size[1] - y), max(0, -x) : max(0, size[0] - x)]
    return replace(mask, x=max(0, x), y=max(0, y), pixels=pixels)
