import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import TypeAdapter

from bentoml_img.detect import Detections, Query
from bentoml_img.video.reading import open_video
from bentoml_img.video.results import VideoSummary, files_of
from bentoml_img.video.tracking import UNSURE
from services.errors import RequestRefused
from services.jobs import Job, JobStore
from services.runner import Unusable, WorkStopped
from services.videos import check_video, work
from tests.samples import encode, photo
from tests.video.clips import ColourDetector, broken, write_clip, write_gif

FRAMES = 6
DETECTOR = "maskrcnn_lite:1 in fp32"
PARAMETERS = {"line": [[80, 0, 80, 120]]}


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs", max_waiting=9, keep=3600)


class Detect:
    """Finds the shapes; notes what it was asked for, and sets `stop` at the call of that number.

    Not before a part is closed in the folder `kept`, as detecting may be ahead of writing.
    """

    def __init__(self, stop_at: int = 0, kept: Path = Path()) -> None:
        self.find = ColourDetector()
        self.stop = threading.Event()
        self.stop_at, self.kept = stop_at, kept
        self.asked: set[Query] = set()

    def __call__(
        self,
        frames: Sequence[Image.Image],
        query: Query,
    ) -> list[Detections]:
        self.asked.add(query)
        found = self.find(frames)
        if self.find.calls == self.stop_at:
            while not any(self.kept.rglob("manifest.json")):
                time.sleep(0.01)
            self.stop.set()
        return found


def take(store: JobStore, clip: Path, **parameters: Any) -> Job:
    job = store.new(1)
    source = job.source_folder / clip.name
    source.write_bytes(clip.read_bytes())
    store.submit(job, source, PARAMETERS | parameters)
    store.close(job)
    taken = store.take()
    assert taken is not None
    return taken


def retake(store: JobStore, job: Job) -> Job:
    store.fail(job, "stopped")
    store.retry(job)
    taken = store.take()
    assert taken is not None
    return taken


def stopped(store: JobStore, clip: Path) -> Job:
    """A job of which a part is done."""
    job = take(store, clip)
    detect = Detect(stop_at=4, kept=job.folder)
    with pytest.raises(WorkStopped):
        work(job, detect.stop.is_set, detect, DETECTOR, FRAMES)
    return job


@pytest.fixture
def slow_gif(tmp_path: Path) -> Path:
    """Of frames so long that every second one ends a segment."""
    return write_gif(tmp_path / "street.gif", [5000] * FRAMES)


def test_a_video_is_told_by_its_content(store: JobStore, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 2).rename(tmp_path / "clip.gif")
    job, detect = take(store, clip), Detect()
    result = work(job, detect.stop.is_set, detect, DETECTOR, FRAMES)
    assert result.suffix == ".mp4"
    store.complete(job, result)


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".avi"])
def test_the_result_is_a_gif_for_a_gif_else_an_mp4(
    suffix: str, store: JobStore, tmp_path: Path
) -> None:
    clip = tmp_path / f"a clip{suffix}"
    if suffix == ".gif":
        write_gif(clip, [100] * FRAMES)
    else:
        write_clip(clip, FRAMES, codec="mpeg4" if suffix == ".avi" else "libx264")
    job, detect = take(store, clip), Detect()
    result = work(job, detect.stop.is_set, detect, DETECTOR, FRAMES)
    assert result.name == f"a clip_result{'.gif' if suffix == '.gif' else '.mp4'}"
    with open_video(result) as video:
        assert len(list(video)) == FRAMES
    progress = job.progress()
    assert progress is not None
    assert (progress["frames"], progress["of"], progress["seconds_left"]) == (FRAMES, FRAMES, 0)
    store.complete(job, result)


def test_the_summary_is_as_it_is_described(store: JobStore, tmp_path: Path) -> None:
    clip, frames = write_gif(tmp_path / "clip.gif", [100] * 20), 20
    job, detect = take(store, clip, zone="bay=0,0,160,0,160,120,0,120"), Detect()
    result = work(job, detect.stop.is_set, detect, DETECTOR, frames)
    summary = json.loads(files_of(result)["summary"].read_text())
    assert summary["counts"]
    assert summary["zones"]["bay"]["entered"]
    described = TypeAdapter(VideoSummary)
    assert described.dump_python(described.validate_python(summary)) == summary
    store.complete(job, result)


def test_what_is_asked_for_reaches_detector_and_pipeline(store: JobStore, slow_gif: Path) -> None:
    job, detect = take(store, slow_gif, every=3, classes=["car"], max_instances=7), Detect()
    work(job, detect.stop.is_set, detect, DETECTOR, FRAMES)
    assert detect.asked == {Query(score_threshold=UNSURE, classes=("car",), max_instances=7)}
    assert detect.find.calls == 2
    store.fail(job, "done with")


def test_a_stopped_job_begins_anew_where_it_cannot_go_on(store: JobStore, slow_gif: Path) -> None:
    """As after an upgrade, or where the machine failed."""
    job = stopped(store, slow_gif)
    (manifest,) = job.folder.rglob("manifest.json")
    manifest.write_text("{")
    job, again = retake(store, job), Detect()
    result = work(job, again.stop.is_set, again, DETECTOR, FRAMES)
    assert again.find.calls == FRAMES
    with open_video(result) as video:
        assert len(list(video)) == FRAMES
    store.complete(job, result)


def test_a_stopped_job_goes_on_where_it_was(store: JobStore, slow_gif: Path) -> None:
    job = stopped(store, slow_gif)
    job, again = retake(store, job), Detect()
    result = work(job, again.stop.is_set, again, DETECTOR, FRAMES)
    assert again.find.calls < FRAMES
    with open_video(result) as video:
        assert len(list(video)) == FRAMES
    store.complete(job, result)


@pytest.mark.parametrize("other", ["maskrcnn_lite:2 in fp32", "maskrcnn_lite:1 in bf16"])
def test_with_another_model_or_precision_it_starts_anew(
    other: str, store: JobStore, slow_gif: Path
) -> None:
    job = stopped(store, slow_gif)
    job, again = retake(store, job), Detect()
    work(job, again.stop.is_set, again, other, FRAMES)
    assert again.find.calls == FRAMES
    store.fail(job, "done with")


def test_a_video_that_ends_early_is_unusable_and_says_where(
    store: JobStore, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "cut.avi", 40, codec="mpeg4")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    check_video(clip, 40)
    job, detect = take(store, clip), Detect()
    with pytest.raises(Unusable, match=r"cut.avi is damaged: it ends after \d+ of 40 frames"):
        work(job, detect.stop.is_set, detect, DETECTOR, 40)
    store.fail(job, "done with", unusable=True)


def test_a_video_of_too_many_frames_is_refused_or_ends_there(
    store: JobStore, slow_gif: Path
) -> None:
    says = rf"street\.gif has more than {FRAMES - 1} frames .*MAX_FRAMES"
    check_video(slow_gif, FRAMES)
    with pytest.raises(RequestRefused, match=says) as refused:
        check_video(slow_gif, FRAMES - 1)
    assert (refused.value.status, refused.value.field) == (413, "video")
    job, detect = take(store, slow_gif), Detect()
    with pytest.raises(Unusable, match=says):  # what the file says may be too little
        work(job, detect.stop.is_set, detect, DETECTOR, FRAMES - 1)
    assert not list(job.result_folder.rglob("*_result.gif"))
    store.fail(job, "done with", unusable=True)


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "TIFF"])
def test_a_picture_is_told_to_be_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(photo(), kind))
    with pytest.raises(RequestRefused, match=r"^a\.mp4 is a picture, not a video$") as refused:
        check_video(path, FRAMES)
    assert (refused.value.status, refused.value.field) == (415, "video")


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("text", 415),
        ("play list", 415),
        ("no index", 415),
        ("audio only", 415),
        ("empty", 400),
        ("no frames", 415),
        ("huge", 400),
        ("huge gif", 400),
    ],
)
def test_what_cannot_be_opened_is_refused_at_once(what: str, status: int, tmp_path: Path) -> None:
    video = broken(tmp_path, what)
    with pytest.raises(RequestRefused, match=r"a\.mp4") as refused:
        check_video(video, FRAMES)
    assert (refused.value.status, refused.value.field) == (status, "video")
    assert str(tmp_path) not in refused.value.message
