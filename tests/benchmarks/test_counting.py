"""How crossings that were seen are held against those that there were."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from PIL import Image

from benchmarks.counting import CLIP, compare, first_frames, main


def crossing(label: str, to: str, time: float) -> dict[str, Any]:
    return {"label": label, "to": to, "time": time}


TRUE = [crossing("car", "left", 2.0), crossing("bus", "left", 2.4), crossing("car", "right", 9.0)]


def figures(*seen: dict[str, Any]) -> tuple[int, int, int]:
    result = compare(TRUE, seen)
    return result["seen"], result["right_class"], result["false"]


def test_what_is_the_same_is_all_right() -> None:
    assert figures(*reversed(TRUE)) == (3, 3, 0)


def test_one_seen_is_one_of_the_true() -> None:
    assert figures(crossing("car", "left", 2.1), crossing("car", "left", 2.2)) == (2, 1, 0)
    assert figures(TRUE[0], TRUE[0], TRUE[0]) == (2, 1, 1)


def test_the_other_way_or_another_time_is_false() -> None:
    assert figures(crossing("car", "right", 2.0), crossing("car", "right", 10.1)) == (0, 0, 2)


def test_another_class_is_seen_but_not_right() -> None:
    assert figures(crossing("truck", "right", 9.5)) == (1, 0, 0)


def test_the_first_frames_become_pictures(tmp_path: Path) -> None:
    folder = first_frames(CLIP, 2, tmp_path / "frames")
    assert sorted(path.name for path in folder.iterdir()) == ["00000.png", "00001.png"]
    with Image.open(CLIP) as clip, Image.open(folder / "00001.png") as second:
        assert second.size == clip.size


def test_a_truth_of_another_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps({"sha256": "0" * 64}))
    result = CliRunner().invoke(main, ["--truth", str(tmp_path / "truth.json")])
    assert result.exit_code == 2
    assert "is not the video" in result.stderr
