import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.video import Way, cut, loop, ours, without_overlap
from bentoml_img.detect import Detections
from bentoml_img.paths import ROOT
from bentoml_img.video.reading import open_video

CLIP = ROOT / "videos" / "3.gif"
FRAMES = 3


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.gif"
    cut(CLIP, FRAMES, path)
    return path


class Blind:
    """Detects nothing; keeps the threads in which it was asked to."""

    identity = "blind"

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def __call__(self, images: Sequence[Image.Image], *_: Any) -> list[Detections]:
        self.threads.add(threading.get_ident())
        nothing = np.zeros(0, np.float32)
        labels = np.zeros(0, np.int64)
        return [
            Detections(nothing.reshape(0, 4), labels, nothing, (), image.size, ())
            for image in images
        ]


def test_a_cut_clip_has_the_first_frames_as_they_are(clip: Path) -> None:
    with open_video(clip) as short, open_video(CLIP) as long:
        frames = list(short)
        assert len(frames) == FRAMES
        for frame, other in zip(frames, long, strict=False):
            assert (frame.time, frame.image) == (other.time, other.image)


@pytest.mark.parametrize("way", [loop, ours, without_overlap])
def test_each_way_writes_all_frames(way: Way, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.mp4"
    assert way(clip, target, Blind()) == FRAMES  # type: ignore[call-arg]
    with open_video(target) as result:
        assert len(list(result)) == FRAMES


def test_without_overlap_there_is_one_thread(clip: Path, tmp_path: Path) -> None:
    threads = []
    for way in (ours, without_overlap):
        detect = Blind()
        way(clip, tmp_path / "result.mp4", detect)  # type: ignore[arg-type]
        threads.append(detect.threads == {threading.get_ident()})
    assert threads == [False, True]
