import json

import numpy as np
import pytest

from bentoml_img.video.tracking import (
    COAST,
    CONFIRMED,
    CONFIRMED_SECONDS,
    PATIENCE,
    STANDING_PATIENCE,
    TrackedInstance,
    Tracker,
)
from tests.video.clips import NAMES, found

SIZE = (640, 480)
SPEEDS = {"right": (6.0, 0.0), "left": (-6.0, 0.0), "down": (0.0, 4.0), "still": (0.0, 0.0)}
STARTS = {"right": (20, 100), "left": (560, 130), "down": (300, 20), "still": (100, 300)}


def scene(frame: int, seed: int | None = None) -> list[list[float]]:
    """Boxes of four things, with a detector's jitter if there is a seed."""
    jitter = np.zeros((4, 4))
    if seed is not None:
        jitter = np.random.default_rng(seed + frame).normal(0, 1.0, (4, 4))
    return [
        [
            x + vx * frame + j[0],
            y + vy * frame + j[1],
            x + vx * frame + 40 + j[2],
            y + vy * frame + 30 + j[3],
        ]
        for ((x, y), (vx, vy), j) in zip(STARTS.values(), SPEEDS.values(), jitter, strict=True)
    ]


def ids(instances: list[TrackedInstance]) -> list[int]:
    return sorted(instance.track_id for instance in instances)


def test_ids_last() -> None:
    tracker = Tracker(SIZE)
    owners: dict[int, set[int]] = {}
    for frame in range(80):
        boxes = scene(frame, seed=1)
        for instance in tracker.update(found(boxes), frame / 10):
            nearest = int(np.abs(np.array(boxes) - instance.box).sum(axis=1).argmin())
            owners.setdefault(instance.track_id, set()).add(nearest)
    assert sorted(owners) == [1, 2, 3, 4]
    assert sorted(owners.values()) == [{0}, {1}, {2}, {3}]


def test_uneven_times() -> None:
    tracker = Tracker(SIZE)
    random = np.random.default_rng(0)
    seen = set()
    for frame in sorted(random.choice(90, 45, replace=False).tolist()):
        seen.update(ids(tracker.update(found(scene(frame)), frame / 10)))
    assert seen == {1, 2, 3, 4}


def test_an_unconfirmed_track_has_no_id() -> None:
    tracker = Tracker(SIZE)
    for frame in range(CONFIRMED - 1):
        assert tracker.update(found(scene(frame)), frame / 10) == []
    assert ids(tracker.update(found(scene(CONFIRMED - 1)), 1.0)) == [1, 2, 3, 4]


def test_a_flicker_is_never_confirmed() -> None:
    tracker = Tracker(SIZE)
    for frame in range(60):
        boxes = [] if frame % CONFIRMED == CONFIRMED - 1 else [[50, 50, 90, 90]]
        assert tracker.update(found(boxes), frame / 10) == []
    for frame in range(60, 70):
        answer = tracker.update(found([[50, 50, 90, 90]]), frame / 10)
    assert ids(answer) == [1]  # ids are not spent on what is not confirmed


def test_a_thing_that_was_hidden_comes_back_as_itself() -> None:
    tracker = Tracker(SIZE)
    for frame in range(60):
        hidden = 20 <= frame < 26
        answer = tracker.update(found(scene(frame)[1:] if hidden else scene(frame)), frame / 10)
        if frame == 21:  # for a moment it is shown where it must be
            (carried,) = [instance for instance in answer if not instance.detected]
            assert carried.track_id == 1
            assert carried.box == pytest.approx(scene(21)[0], abs=3)
            assert carried.mask is not None
            assert carried.mask.x == pytest.approx(scene(21)[0][0], abs=3)
        if frame == 25:
            assert ids(answer) == [2, 3, 4]
    assert ids(answer) == [1, 2, 3, 4]


def test_a_thing_that_is_gone_is_given_up() -> None:
    tracker = Tracker(SIZE)
    ended = []
    for frame in range(60):
        tracker.update(found(scene(frame) if frame < 20 else scene(frame)[1:]), frame / 10)
        ended += [(track_id, frame) for track_id in tracker.ended]
    assert ended == [(1, 20 + round(PATIENCE * 10))]


def test_what_stands_is_looked_for_until_what_hides_it_has_passed() -> None:
    """The fourth thing stands, the first moves; both are hidden for three seconds."""
    tracker = Tracker(SIZE)
    for frame in range(80):
        boxes = scene(frame, seed=2)
        hidden = 20 <= frame < 50
        answer = tracker.update(found(boxes[1:3] if hidden else boxes), frame / 10)
    assert ids(answer) == [2, 3, 4, 5]
    (still,) = [instance for instance in answer if instance.track_id == 4]
    assert still.box == pytest.approx(scene(79)[3], abs=5)


def test_what_stands_is_expected_where_it_was_seen() -> None:
    """Not where the little that it moved would have brought it in four seconds."""
    tracker = Tracker(SIZE)
    for frame in range(80):
        x = 100 + 1.5 * min(frame, 20)
        boxes = [] if 20 < frame < 60 else [[x, 300, x + 40, 330]]
        answer = tracker.update(found(boxes), frame / 10)
    assert ids(answer) == [1]


def test_what_was_lost_for_long_comes_back_as_its_own_class_only() -> None:
    tracker = Tracker(SIZE)
    box = [[100, 300, 140, 330]]
    for frame in range(60):
        walker, car = found(box, [2]), found(box, [1])
        there = walker if frame < 20 else car if frame >= 40 else found([])
        answer = tracker.update(there, frame / 10)
    assert [(instance.track_id, instance.label) for instance in answer] == [(2, "car")]


def test_what_stood_and_never_comes_back_is_given_up() -> None:
    tracker = Tracker(SIZE)
    ended = []
    for frame in range(100):
        tracker.update(found(scene(frame) if frame < 20 else scene(frame)[:3]), frame / 10)
        ended += [(track_id, frame) for track_id in tracker.ended if track_id == 4]
    assert ended == [(4, 20 + round(STANDING_PATIENCE * 10))]


@pytest.mark.parametrize("rate", [5, 10, 30])
def test_a_track_is_confirmed_once_it_has_lasted(rate: int) -> None:
    """Three detections that are a moment apart may be a reflection."""
    tracker = Tracker(SIZE)
    needed = max(CONFIRMED - 1, round(CONFIRMED_SECONDS * rate))
    for frame in range(needed):
        assert tracker.update(found([[50, 50, 90, 90]]), frame / rate) == []
    assert ids(tracker.update(found([[50, 50, 90, 90]]), needed / rate)) == [1]


def test_unsure_detections_go_on_with_confirmed_tracks_and_start_none() -> None:
    tracker = Tracker(SIZE)
    for frame in range(40):
        boxes = scene(frame)
        # The fourth is sure for once, which is no track yet.
        scores = [0.9 if frame < 10 else 0.3, 0.9, 0.9, 0.3 if frame else 0.9]
        answer = tracker.update(found(boxes, scores=scores), frame / 10)
    assert ids(answer) == [1, 2, 3]
    assert all(instance.detected for instance in answer)


def test_the_class_is_that_of_most_detections_by_their_scores() -> None:
    """The first and the last are wrong, as three of five are, but these are less sure."""
    tracker = Tracker(SIZE)
    for frame in range(20):
        label = (2, 1, 2, 1, 2)[frame % 5]
        x, score = 5 * frame, 0.9 if label == 1 else 0.5
        answer = tracker.update(found([[x, 50, x + 60, 90]], [label], [score]), frame / 10)
    assert [(instance.track_id, instance.label) for instance in answer] == [(1, NAMES[1])]


def test_a_rider_and_what_is_ridden_stay_apart() -> None:
    """Though each is where the other was a frame before."""
    tracker = Tracker(SIZE)
    for frame in range(30):
        sway = 6 * (-1) ** frame
        lefts = {"car": 100 + sway, "person": 100 - sway}
        pair = found([[x, 40, x + 40, 100] for x in lefts.values()], [1, 2])
        answer = tracker.update(pair, frame / 10)
        assert {instance.label: instance.box[0] for instance in answer} in ({}, lefts)
    assert [(i.track_id, i.label) for i in answer] == [(1, "car"), (2, "person")]


def test_tracks_are_carried_between_detections() -> None:
    tracker = Tracker(SIZE)
    for frame in range(60):
        detected = frame % 5 == 0
        if detected:
            answer = tracker.update(found(scene(frame)), frame / 10)
        else:
            answer = tracker.carry(frame / 10)
        if frame > 30:
            assert ids(answer) == [1, 2, 3, 4]
            assert all(instance.detected == detected for instance in answer)
            truth = scene(frame)
            for instance in answer:
                assert instance.box == pytest.approx(truth[instance.track_id - 1], abs=4)
    assert COAST < 0.5  # the gaps are longer than what is coasted when a detection misses


def test_masks_that_are_carried_stay_in_the_picture() -> None:
    tracker = Tracker(SIZE)
    for frame in range(5):
        x = 560 + 10 * frame
        tracker.update(found([[x, 10, x + 38, 60]]), frame / 10)
    for time in (0.5, 0.6, 0.7):
        for instance in tracker.carry(time):
            mask = instance.mask
            assert mask is not None
            assert mask.x + mask.pixels.shape[1] <= SIZE[0]
            assert instance.box[2] <= SIZE[0]


def test_a_tracker_goes_on_from_its_state() -> None:
    def answers(split: int | None) -> list[tuple[object, ...]]:
        tracker = Tracker(SIZE)
        rows: list[tuple[object, ...]] = []
        for frame in range(50):
            if frame == split:
                state = json.loads(json.dumps(tracker.state()))
                tracker = Tracker(SIZE)
                tracker.restore(state)
            boxes = scene(frame, seed=3)
            missed = found(boxes[: 3 if 18 < frame < 24 else 4])
            rows += [
                (i.track_id, i.label, i.score, i.box, i.detected, i.mask and i.mask.to_coco(SIZE))
                for i in tracker.update(missed, frame / 10)
            ]
        return rows

    whole = answers(None)
    assert all(answers(split) == whole for split in (1, 2, 10, 21, 40))


def test_what_must_have_left_the_frame_is_not_shown() -> None:
    tracker = Tracker(SIZE)
    for frame in range(5):
        x = 560 + 15 * frame
        tracker.update(found([[x, 10, min(640, x + 38), 60]]), frame / 10)
    assert [ids(tracker.carry(0.4 + gap)) for gap in (0.0, 0.1, 0.25)] == [[1], [1], []]
