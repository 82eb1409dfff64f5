"""What the detector says of photos, and what becomes of videos that are given to its server."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
from _bentoml_impl.tasks import ResultStatus

from bentoml_img.detect import Detector, Query
from bentoml_img.drawing.instances import annotate
from bentoml_img.images import encode_jpeg, load_rgb, open_image
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.video.reading import open_video
from services.jobs import LEFT_BEHIND
from services.tasks import METHODS
from tests.samples import jpeg
from tests.services.live import DETECTOR, Server, Service, serving
from tests.video.clips import write_clip, write_gif

pytestmark = pytest.mark.parametrize("service", [DETECTOR], indirect=True)

PHOTO = ROOT / "images" / "street.jpg"
FRAMES = 4
MANY = 400  # frames, more than are done before the test has looked


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.from_bundle(SHIPPED / DETECTOR.model)


@pytest.fixture(scope="module")
def gif(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gif(tmp_path_factory.mktemp("clip") / "clip.gif", [100] * FRAMES)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "long.mp4", MANY)


class Tasks:
    """The video task of a server."""

    def __init__(self, server: Server) -> None:
        self.client = httpx.Client(base_url=f"{server.url}/annotate_video", timeout=240)

    def __enter__(self) -> "Tasks":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def submit(self, clip: Path, **parameters: str) -> str:
        answer = self.client.post("/submit", content=clip.read_bytes(), params=parameters)
        assert answer.status_code == 202, answer.text
        task_id: str = answer.json()["task_id"]
        return task_id

    def ask(self, what: str, task_id: str, **more: str) -> httpx.Response:
        return self.client.request(METHODS[what], f"/{what}", params={"task_id": task_id, **more})

    def statuses(self, task_id: str) -> Iterator[dict[str, Any]]:
        """The status, again and again."""
        while True:
            yield self.ask("status", task_id).json()
            time.sleep(0.05)

    def wait_for_frames(self, task_id: str) -> None:
        next(it for it in self.statuses(task_id) if it.get("progress"))

    def wait(self, task_id: str) -> dict[str, Any]:
        """The status in the end."""
        active = ("pending", "in_progress")
        return next(it for it in self.statuses(task_id) if it["status"] not in active)


@pytest.fixture
def tasks(server: Server) -> Iterator[Tasks]:
    with Tasks(server) as it:
        yield it


def frames_of(video: Path) -> int:
    with open_video(video) as frames:
        return len(list(frames))


def test_the_library_gives_the_same_answer(server: Server, detector: Detector) -> None:
    data = PHOTO.read_bytes()
    photo = load_rgb(open_image(data))
    query = Query(score_threshold=0.3, classes=("car",), max_instances=3)
    (found,) = detector([photo], query)
    assert len(found) == 3
    params = asdict(query) | {"classes": "car"}
    with httpx.Client(base_url=server.url, params=params, timeout=240) as client:
        assert client.post("/detect", content=data).json() == json.loads(
            json.dumps(asdict(found.summary()))
        )
        drawn = client.post("/predict", content=data)
    assert drawn.content == encode_jpeg(annotate(photo, found))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("classes", "car,tram", "no class 'tram': choose from person, bicycle, car"),
        ("score_threshold", "1.01", "less than or equal to 1"),
        ("max_instances", "0", "greater than or equal to 1"),
        ("max_instances", "101", "less than or equal to 100"),
    ],
)
def test_wrong_parameters_are_named(
    field: str, value: str, says: str, server: Server, gif: Path
) -> None:
    for path, data in (
        ("/predict", jpeg()),
        ("/detect", jpeg()),
        ("/annotate_video/submit", gif.read_bytes()),
    ):
        answer = httpx.post(server.url + path, content=data, params={field: value}, timeout=240)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
        assert says in answer.json()["error"]


def test_a_video_by_http_by_the_client_and_by_bentoml_run(
    tasks: Tasks, service: Service, server: Server, gif: Path, tmp_path: Path
) -> None:
    task_id = tasks.submit(gif, line="80,0,80,120")
    status = tasks.wait(task_id)
    assert (status["status"], status["progress"]["frames"]) == ("completed", FRAMES)
    video = tasks.ask("get", task_id)
    assert video.headers["content-type"] == "image/gif"
    summary = tasks.ask("get", task_id, part="summary").json()
    assert (summary["frames"], summary["stopped"]) == (FRAMES, None)
    tracks = tasks.ask("get", task_id, part="tracks").text.splitlines()
    assert [json.loads(line)["frame"] for line in tracks] == list(range(FRAMES))
    assert tasks.ask("get", task_id, part="events").text.startswith("frame,time,track_id,")

    async def by_the_client() -> Path:
        # Not the other client: its submit() raises an error of its own (BentoML's issue 5706).
        async with bentoml.AsyncHTTPClient(server.url, timeout=240) as client:
            task = await client.annotate_video.submit(video=gif, line=["80,0,80,120"])
            assert await task.get_status() in ResultStatus  # so the client knows our states
            tasks.wait(task.id)
            assert await task.get_status() == ResultStatus.COMPLETED
            path = Path(shutil.copy(await task.get(), tmp_path))
            client._temp_dir.cleanup()  # which it would leave to the garbage collector
            return path

    path = asyncio.run(by_the_client())
    assert (path.read_bytes(), path.suffix) == (video.content, ".gif")

    bad = tmp_path / "text.mp4"
    bad.write_text("This is not a video.\n")
    options = ("--param", "line=80,0,80,120", "--output-dir", tmp_path)
    run = service.run("annotate_video", "-q", *options, "--input-file", gif, bad)
    assert run.returncode == 1
    assert run.stdout.decode().splitlines() == [str(tmp_path / "clip_result.gif")]
    assert (tmp_path / "clip_result.gif").read_bytes() == video.content
    assert frames_of(tmp_path / "clip_result.gif") == FRAMES
    (error,) = run.stderr.decode().splitlines()
    assert "text.mp4: 415 text.mp4 is not a video" in error


def test_a_video_leaves_photos_their_turn_and_stops_when_it_is_cancelled(
    tasks: Tasks, server: Server, long_clip: Path
) -> None:
    task_id = tasks.submit(long_clip)
    tasks.wait_for_frames(task_id)
    photo = httpx.post(f"{server.url}/predict", content=jpeg(), timeout=240)
    assert photo.status_code == 200
    progress = tasks.ask("status", task_id).json()["progress"]
    assert 0 < progress["frames"] < progress["of"] == MANY
    assert progress["frames_per_second"] > 0
    assert progress["seconds_left"] > 0
    assert tasks.ask("get", task_id).status_code == 409
    assert tasks.ask("cancel", task_id).status_code == 200
    status = tasks.wait(task_id)
    assert status["status"] == "canceled"
    assert status["progress"]["frames"] < MANY
    assert tasks.ask("get", task_id).status_code == 409


def test_jobs_outlive_a_server_that_is_killed(
    bento: Service, gif: Path, long_clip: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"  # its own, as servers of one home disturb each other
    home.mkdir()
    for store in ("bentos", "models"):
        (home / store).symlink_to(Path(os.environ["BENTOML_HOME"]) / store)
    environment = {"BENTOML_HOME": str(home), "BENTOML_IMG_WORKERS": "1"}
    with serving(bento, tmp_path, **environment) as server, Tasks(server) as tasks:
        done, cut = tasks.submit(gif), tasks.submit(long_clip)
        waiting = tasks.submit(gif)
        assert tasks.wait(done)["status"] == "completed"
        result = tasks.ask("get", done).content
        tasks.wait_for_frames(cut)
        server.kill()
    with serving(bento, tmp_path, **environment) as server, Tasks(server) as tasks:
        assert tasks.ask("get", done).content == result
        status = tasks.ask("status", cut).json()
        assert (status["status"], status.get("error")) == ("failed", LEFT_BEHIND), status
        answer = tasks.ask("get", cut)
        assert (answer.status_code, answer.json()["error"]) == (500, LEFT_BEHIND)
        assert tasks.wait(waiting)["status"] == "completed"
        assert tasks.ask("retry", cut).json()["status"] in ("pending", "in_progress")
        next(it for it in tasks.statuses(cut) if it["status"] == "in_progress")
        tasks.ask("cancel", cut)
        assert tasks.wait(cut)["status"] == "canceled"
