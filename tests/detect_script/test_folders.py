import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

import bentoml_img_detect
from bentoml_img.paths import ROOT
from tests.commands import Invoke, assert_error, lines
from tests.detect_script.running import SUFFIXES, Colours, summary_of
from tests.video.clips import picture

STREET = ROOT / "images" / "street.jpg"


def test_a_photo_by_the_shipped_model(tmp_path: Path) -> None:
    arguments = [str(STREET), "--output-dir", str(tmp_path / "new"), "--json"]
    result = CliRunner().invoke(bentoml_img_detect.main, arguments)
    (line,) = lines(result)
    answer = json.loads(line)
    assert answer["file"] == str(STREET)
    assert (answer["width"], answer["height"]) == (1280, 960)
    assert "car" in {instance["label"] for instance in answer["instances"]}
    with Image.open(answer["result"]) as drawn, Image.open(STREET) as photo:
        assert (drawn.format, drawn.size) == ("JPEG", photo.size)


def test_only_what_is_asked_for_is_in_an_answer(invoke: Invoke, tmp_path: Path) -> None:
    picture(20).save(tmp_path / "street.png")

    def found(*options: str) -> list[tuple[str, float]]:
        (line,) = lines(invoke(tmp_path / "street.png", "--json", *options))
        return [(it["label"], it["score"]) for it in json.loads(line)["instances"]]

    everything = found()
    assert len(everything) > 1
    assert found("--max-instances", "1") == everything[:1]
    assert found("--classes", "person") == [it for it in everything if it[0] == "person"]
    assert found("--score-threshold", "0.85") == [it for it in everything if it[1] >= 0.85]


def test_photos_and_videos_of_a_folder_and_what_failed(invoke: Invoke, tmp_path: Path) -> None:
    picture(20).save(tmp_path / "street.png")
    first, *rest = [picture(k) for k in range(6)]
    first.save(tmp_path / "moving.gif", save_all=True, append_images=rest, duration=80)
    (tmp_path / "bad.jpg").write_text("not a picture")
    (tmp_path / "cut.mp4").write_text("not a video")
    (tmp_path / "notes.txt").write_text("not asked for")
    result = invoke(tmp_path)
    assert result.exit_code == 1
    gif = [f"moving_result{suffix}" for suffix in (".gif", *SUFFIXES[1:])]
    expected = [str(tmp_path / name) for name in (*gif, "street_result.jpg")]
    assert result.stdout.splitlines() == expected
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert errors[0].startswith(f"Error: {tmp_path / 'bad.jpg'}: not a picture")
    assert errors[1].startswith(f"Error: {tmp_path / 'cut.mp4'} is not a video")
    assert len(errors) == 2
    with Image.open(tmp_path / "moving_result.gif") as moving:
        assert (getattr(moving, "n_frames", 1), moving.info["duration"]) == (6, 80)
    assert not list(tmp_path.glob("*.part*"))
    again = invoke(tmp_path)
    assert again.stdout == result.stdout, "results are no inputs"


def test_results_and_folders_are_no_inputs(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").mkdir()
    names = ("a_seg.png", "a_overlay.jpg", "a_compare.jpg", "a_result.jpg", "a_result.counts.png")
    for name in ("a.png", *names):
        picture(0).save(tmp_path / name)
    assert lines(invoke(tmp_path)) == [str(tmp_path / "a_result.jpg")]


def test_hidden_files_are_no_inputs_but_where_they_are_named(
    invoke: Invoke, tmp_path: Path
) -> None:
    """As macOS writes them beside others, without a picture in them."""
    for name in ("a.png", ".b.png"):
        picture(0).save(tmp_path / name)
    for name in ("._a.png", "._a.mp4"):
        (tmp_path / name).write_bytes(b"no picture")
    (result,) = lines(invoke(tmp_path))
    assert result == str(tmp_path / "a_result.jpg")
    assert summary_of(Path(lines(invoke(tmp_path, "--frames"))[0]))["frames"] == 1
    assert lines(invoke(tmp_path / ".b.png")) == [str(tmp_path / ".b_result.jpg")]


def test_what_failed_is_told_after_ctrl_c_too(
    invoke: Invoke, engine: Colours, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    for name in ("good.png", "last.png"):
        picture(0).save(tmp_path / name)
    engine.interrupt_at = 2
    result = invoke(tmp_path)
    assert result.exit_code == 130
    assert (tmp_path / "good_result.jpg").exists()
    assert "bad.png" in result.stderr


@pytest.mark.parametrize("name", ["photo_result.jpg", "road_result.mp4"])
def test_a_result_that_cannot_be_written_is_told(
    invoke: Invoke, clip: Path, tmp_path: Path, name: str
) -> None:
    picture(0).save(tmp_path / "photo.png")
    target = tmp_path / "new" / name
    target.mkdir(parents=True)
    source = tmp_path / "photo.png" if name.startswith("photo") else clip
    result = invoke(source, "--output-dir", target.parent)
    assert_error(result, 1)
    why = f"cannot write {target}: Is a directory; --output-dir writes elsewhere"
    assert result.stderr.splitlines()[-1] == f"Error: {why}"


@pytest.mark.parametrize("name", ["lost.jpg", "lost.mp4"])
@pytest.mark.parametrize("link", ["nowhere.jpg", "n" * 300])
def test_what_cannot_be_looked_at_is_named(
    invoke: Invoke, tmp_path: Path, name: str, link: str
) -> None:
    picture(0).save(tmp_path / "a.png")
    (tmp_path / name).symlink_to(link)
    os.mkfifo(tmp_path / "pipe.jpg")
    for _ in range(2):  # the second time the other's result is there
        result = invoke(tmp_path)
        assert result.exit_code == 1, result.output
        assert result.stdout == f"{tmp_path / 'a_result.jpg'}\n"
        assert result.stderr.startswith(f"Error: {tmp_path / name}")
        assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_listed_is_named(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for options in ((), ("--frames",)):
        result = invoke(tmp_path, *options)
        assert_error(result, 1)
        assert result.stderr == f"Error: {tmp_path}: Permission denied\n"


def test_a_name_that_is_too_long_with_that_of_a_result(invoke: Invoke, tmp_path: Path) -> None:
    names = [f"{'a' * 250}.png", f"{'b' * 250}.gif", "c.png"]
    first, *rest = [picture(k) for k in range(3)]
    for name in names:
        first.save(tmp_path / name, save_all=True, append_images=rest if "gif" in name else [])
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path / 'c_result.jpg'}\n"
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    for name, suffix, error in zip(names, (".jpg", ".gif"), errors, strict=False):
        target = tmp_path / f"{Path(name).stem}_result{suffix}"
        assert error.startswith(f"Error: cannot write {target}: File name too long; --output-dir")
