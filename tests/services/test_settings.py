import os
import subprocess
from pathlib import Path

import pytest
from bentoml.exceptions import BentoMLConfigException

from services import settings
from services.settings import Settings
from tests.services.live import BENTOML, Service

NUMBERS = {
    "BENTOML_IMG_MAX_UPLOAD_MIB": "max_upload",
    "BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB": "max_upload_in_flight",
    "BENTOML_IMG_MAX_MEGAPIXELS": "max_pixels",
    "BENTOML_IMG_MAX_WAITING": "max_waiting",
    "BENTOML_IMG_WORKERS": "workers",
    "BENTOML_IMG_MAX_VIDEO_MIB": "max_video",
    "BENTOML_IMG_MAX_JOBS": "max_jobs",
    "BENTOML_IMG_KEEP_JOBS_HOURS": "keep_jobs",
    "BENTOML_IMG_MAX_FRAMES": "max_frames",
}


def test_without_variables_the_documented_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "cores", lambda: 16)
    assert Settings.from_environment({}) == Settings(
        workers=4,
        max_upload=20 * 2**20,
        max_upload_in_flight=256 * 2**20,
        max_pixels=64_000_000,
        max_waiting=256,
        max_video=512 * 2**20,
        max_frames=250_000,
        max_jobs=16,
        keep_jobs=24 * 3600,
        api_key=None,
    )


def test_each_variable_sets_its_own_limit() -> None:
    values = dict(zip(NUMBERS, map(str, range(1, 10)), strict=True))
    assert Settings.from_environment({**values, "BENTOML_IMG_API_KEY": "secret"}) == Settings(
        max_upload=2**20,
        max_upload_in_flight=2 * 2**20,
        max_pixels=3_000_000,
        max_waiting=4,
        workers=5,
        max_video=6 * 2**20,
        max_jobs=7,
        keep_jobs=8 * 3600,
        max_frames=9,
        api_key="secret",
    )


@pytest.mark.parametrize(("text", "key"), [("", None), (" \n", None), ("a key\n", "a key")])
def test_a_key_is_without_what_stands_around_it(text: str, key: str | None) -> None:
    assert Settings.from_environment({"BENTOML_IMG_API_KEY": text}).api_key == key


def test_an_upload_that_is_allowed_fits_into_what_all_may_hold() -> None:
    limits = {
        "BENTOML_IMG_MAX_UPLOAD_MIB": "20",
        "BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB": "20",
    }
    with pytest.raises(BentoMLConfigException, match="IN_FLIGHT_MIB is too little for one upload"):
        Settings.from_environment(limits)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "many", "²", " 1"])
def test_what_is_no_positive_number_is_named(name: str, text: str) -> None:
    with pytest.raises(BentoMLConfigException, match=f"^{name}="):
        Settings.from_environment({name: text})


@pytest.mark.parametrize("command", ["serve {}", "run {} predict --help"])
def test_the_commands_say_in_one_line_what_is_wrong(bento: Service, command: str) -> None:
    done = subprocess.run(
        [*BENTOML, *command.format(bento.bento).split()],
        env={**os.environ, "BENTOML_IMG_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "BENTOML_IMG_WORKERS='many' is not a whole number above 0" in done.stderr


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "network_threads"),
    [(1, 1, 1, 1), (8, 4, 2, 4), (4, 3, 1, 2), (2, 5, 1, 2), (2, 1, 2, 2)],
)
def test_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int, network_threads: int
) -> None:
    monkeypatch.setattr(settings, "cores", lambda: cores)
    given = Settings.from_environment({"BENTOML_IMG_WORKERS": str(workers)})
    assert (given.threads, given.network_threads) == (threads, network_threads)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "5000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_a_container_uses_no_more_cores_than_its_quota_pays_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr("services.cores.CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    given = Settings.from_environment({})
    assert given.workers == min(cores, 4)
    assert Settings.from_environment({"BENTOML_IMG_WORKERS": "1"}).threads == cores


def test_without_a_variable_there_is_a_worker_for_each_of_few_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "cores", lambda: 2)
    assert Settings.from_environment({}).workers == 2
