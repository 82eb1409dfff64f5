import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentoml_img.paths import ROOT
from scripts.samples import FOLDER, scenes
from tests.commands import Invoke, assert_error, lines
from tests.samples import photo
from tests.segment_script.running import write_video


def test_applies_to_a_folder_and_names_what_failed(invoke: Invoke, tmp_path: Path) -> None:
    photo(60, 40).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("not a picture")
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "lost.jpg").symlink_to("n" * 300)
    (tmp_path / "notes.txt").write_text("not asked for")
    result = invoke(tmp_path)
    assert result.exit_code == 1
    written = [tmp_path / "good_seg.png", tmp_path / "good_overlay.jpg"]
    assert result.stdout.splitlines() == list(map(str, written))
    bad, lost, phone = result.stderr.splitlines()
    assert bad.startswith(f"Error: {tmp_path / 'bad.jpg'}: not a picture")
    assert phone.startswith(f"Error: {tmp_path / 'phone.HEIC'}: not a picture in a format that is")
    assert lost == f"Error: {tmp_path / 'lost.jpg'}: File name too long"
    with Image.open(written[0]) as mask:
        assert (mask.mode, mask.size) == ("P", (60, 40))
    again = invoke(tmp_path)
    assert again.stdout == result.stdout, "results are no inputs"


@pytest.mark.parametrize("name", ["phone.avif", "scan.jp2", "icon.ico"])
def test_a_photo_in_a_format_that_is_not_read_is_no_video(
    invoke: Invoke, tmp_path: Path, name: str
) -> None:
    photo(60, 40).save(tmp_path / name)
    for path in (tmp_path / name, tmp_path):
        assert_error(invoke(path), 1, f"{name}: not a picture in a format that is read here")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_several_paths(invoke: Invoke, tmp_path: Path) -> None:
    paths = [tmp_path / "cat.png", tmp_path / "dog.png"]
    for path in paths:
        photo(60, 40).save(path)
    written = lines(invoke(*paths, paths[0]))
    assert written == lines(invoke(*paths)), "once a file"
    assert written[::2] == [str(tmp_path / f"{name}_seg.png") for name in ("cat", "dog")]


def test_a_file_name_may_be_of_any_bytes(invoke: Invoke, tmp_path: Path) -> None:
    for name in (b"caf\xe9.png", b"street [a].png"):
        photo(60, 40).save(os.fsdecode(os.fsencode(tmp_path) + b"/" + name), "PNG")
    result = invoke(tmp_path)
    assert result.exit_code == 0, result.output
    names = [line.rpartition(b"/")[2] for line in result.stdout_bytes.splitlines()]
    assert names == [
        b"caf\xe9_seg.png",
        b"caf\xe9_overlay.jpg",
        b"street [a]_seg.png",
        b"street [a]_overlay.jpg",
    ]


def test_photos_that_would_have_one_result_are_refused(invoke: Invoke, tmp_path: Path) -> None:
    photo(60, 40).save(tmp_path / "dog.png")
    photo(60, 40).save(tmp_path / "dog.jpg")
    assert_error(invoke(tmp_path), 2, "dog.jpg and", "dog.png have one result: rename")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_format_that_is_not_read_keeps_no_other_photo_from_its_result(
    invoke: Invoke, tmp_path: Path
) -> None:
    photo(60, 40).save(tmp_path / "dog.jpg")
    (tmp_path / "dog.heic").write_bytes(b"\0\0\0\x18ftypheic")
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert [Path(line).name for line in result.stdout.splitlines()] == [
        "dog_seg.png",
        "dog_overlay.jpg",
    ]
    assert f"Error: {tmp_path / 'dog.heic'}: not a picture in a format" in result.stderr
    photo(60, 40).save(tmp_path / "dog.heic", "JPEG")  # as some telephones send them
    assert_error(invoke(tmp_path), 2, "dog.heic and", "dog.jpg have one result: rename")


@pytest.mark.parametrize("name", ["a_seg.png", "a_overlay.jpg"])
def test_an_input_is_not_overwritten(invoke: Invoke, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    photo(60, 40).save(tmp_path / "a.png")
    for folder in (tmp_path, tmp_path / "out"):
        photo(60, 40).save(folder / name)
        before = (folder / name).read_bytes()
        result = invoke(tmp_path / "a.png", folder / name, "--output-dir", folder)
        assert_error(result, 2, f"{folder / name} is an input: it would be overwritten")
        assert (folder / name).read_bytes() == before
    assert len(list(tmp_path.rglob("*.*"))) == 3


@pytest.mark.parametrize(
    ("options", "source", "name"),
    [
        ([], "photo.png", "photo_seg.png"),
        ([], "video.mp4", "video_seg.mp4"),
        (["--compare"], "photo.png", "photo_compare.jpg"),
    ],
)
def test_where_nothing_can_be_written(
    invoke: Invoke, tmp_path: Path, options: list[str], source: str, name: str
) -> None:
    photo(60, 40).save(tmp_path / "photo.png")
    write_video(tmp_path / "video.mp4", 2)
    (tmp_path / "new" / name).mkdir(parents=True)
    for folder, why in (("new", "Is a directory"), ("photo.png/new", "Not a directory")):
        result = invoke(*options, tmp_path / source, "--output-dir", tmp_path / folder)
        assert_error(result, 1)
        cannot = f"cannot write {tmp_path / folder / name}: {why}; --output-dir writes elsewhere"
        assert result.stderr.splitlines()[-1] == f"Error: {cannot}"


def test_masks_of_the_sample_photos_are_as_stored(invoke: Invoke, tmp_path: Path) -> None:
    """Half a percent may differ: decoders and processors round in their own ways."""
    for name in scenes():
        path = FOLDER / name
        mask = tmp_path / f"{path.stem}_seg.png"
        assert str(mask) in lines(invoke(path, "--output-dir", tmp_path))
        stored = ROOT / "images" / "results" / mask.name
        with Image.open(mask) as ours, Image.open(stored) as theirs:
            assert ours.getpalette() == theirs.getpalette()
            assert (np.asarray(ours) == np.asarray(theirs)).mean() > 0.995, name
