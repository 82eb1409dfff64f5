from collections import Counter

from benchmarks.tracking import CONDITIONS, HEIGHT, RATE, WIDTH, ours, scene
from bentoml_img.video.tracking import CONFIRMED_SECONDS, Tracker


def test_our_tracker_follows_a_made_scene() -> None:
    tracker = Tracker((WIDTH, HEIGHT))
    frames = list(scene(0, CONDITIONS[0]))
    answer = [ours(tracker, found, time) for time, _, found in frames]
    seen = Counter(thing for _, truth, _ in frames for thing, _ in truth)
    things = [thing for thing, times in seen.items() if times > CONFIRMED_SECONDS * RATE]
    tracks = {track_id for frame in answer for track_id, _ in frame}
    assert len(things) <= len(tracks) < 2 * len(things)
