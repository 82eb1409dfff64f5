import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from bentoml_img.detect import Detections, Query
from bentoml_img.video.options import Options
from bentoml_img.video.pipeline import process_video
from bentoml_img.video.results import FrameProgress
from tests.video.clips import found, write_clip

FRAMES, SIZE = 300, (400, 300)  # ten minutes of a frame every two seconds, of 360 kB each
WARM = 60
LEAK = (FRAMES - WARM) * SIZE[0] * SIZE[1] * 3


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = (Image.new("RGB", SIZE, (k % 256, 90, 90)) for k in range(FRAMES))
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    times = [Fraction(2 * k) for k in range(FRAMES)]
    return write_clip(path, rate=1, times=times, pictures=pictures, size=SIZE)


def detect(images: Sequence[Image.Image], query: Query) -> list[Detections]:
    return [found([[40, 40, 90, 80]]) for _ in images]


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("leaking", [False, True])
def test_memory_does_not_grow_with_length(clip: Path, tmp_path: Path, leaking: bool) -> None:
    kept = []
    sizes: list[int] = []

    def draw(image: Image.Image, *_: object) -> Image.Image:
        if leaking:
            kept.append(image.copy())
        return image

    def on_progress(progress: FrameProgress) -> None:
        if progress.done in (WARM, FRAMES):
            sizes.append(resident())

    process_video(
        clip,
        tmp_path / "out.mp4",
        detect,
        draw,
        Options(every=2),
        identity="none",
        on_progress=on_progress,
    )
    growth = sizes[1] - sizes[0]
    assert (growth > LEAK / 2) == leaking, f"{growth / 1e6:.0f} MB"
