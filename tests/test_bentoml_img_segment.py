import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import bentoml_img_segment
from bentoml_img import apply as applying
from bentoml_img import atomic, packaging, shelf, zoo
from bentoml_img.bundle import MANIFEST, WEIGHTS, write_manifest
from bentoml_img.drawing.segmentation import blend
from bentoml_img.packaging import PackagedBento
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.segment import Segmentation
from bentoml_img.video import mp4, writing
from bentoml_img.video.reading import open_video
from bentoml_img.video.segments import Segment
from bentoml_img.weights import cache_folder
from scripts.samples import FOLDER, scenes
from tests.commands import Invoke, assert_error, lines
from tests.samples import photo
from tests.test_shelf import state_file
from tests.training.scenes import write_scenes
from tests.video.clips import write_clip
from tests.weights_server import CONTENT, NAME, NOWHERE

__all__ = ["state_file"]

STREET = ROOT / "images" / "street.jpg"
LRASPP = "lraspp_mobilenet_v3_large"


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command with no cache but an empty one, and without BentoML."""

    def package(bundle: Path, engine: str, precision: str) -> PackagedBento:
        return PackagedBento("PytorchImageSegment:1", bundle)

    monkeypatch.setattr(packaging, "package", package)
    monkeypatch.setattr(shelf, "MADE", tmp_path / "made")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(bentoml_img_segment.main, list(map(str, arguments)))

    return run


def test_packages_the_shipped_model(invoke: Invoke) -> None:
    result = invoke()
    assert lines(result) == ["PytorchImageSegment:1"]
    assert "bentoml run PytorchImageSegment:latest predict" in result.stderr
    assert "model.safetensors" in result.stderr


def test_lists_every_model(invoke: Invoke) -> None:
    table = "\n".join(lines(invoke("--list")))
    for name in bentoml_img_segment.MODELS:
        assert name in table
    assert table.count("shipped") == 2
    assert table.count("to download") == 6


def test_compares_what_is_at_hand(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--compare", STREET, "--output-dir", tmp_path / "new")
    assert lines(result) == [str(tmp_path / "new" / "street_compare.jpg")]
    assert "deeplabv3_lite: " in result.stderr
    assert "fcn_lite: " in result.stderr
    with Image.open(tmp_path / "new" / "street_compare.jpg") as sheet:
        assert sheet.width > 3 * 480


@pytest.fixture
def cached(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the cache that has the digest of a published model's, and holds no weights."""
    entry = zoo.find(LRASPP)
    assert entry.published is not None
    published = replace(entry.published, file=NAME)
    monkeypatch.setitem(zoo.ZOO, LRASPP, replace(entry, published=published))
    path = cache_folder() / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


def test_what_cannot_be_made_is_not_compared(invoke: Invoke, cached: Path, tmp_path: Path) -> None:
    result = invoke("--compare", STREET, "--output-dir", tmp_path)
    assert lines(result) == [str(tmp_path / "street_compare.jpg")]
    assert f"{LRASPP} is left out: {cached} holds no weights" in result.stderr
    assert "fcn_lite: " in result.stderr
    named = invoke("--compare", STREET, "--output-dir", tmp_path, "--model", LRASPP)
    assert_error(named, 1, f"{cached} holds no weights")


def test_what_is_not_ready_for_a_precision_is_not_compared(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--compare", STREET, "--output-dir", tmp_path, "--precision", "int8")
    assert lines(result) == [str(tmp_path / "street_compare.jpg")]
    assert "fcn_lite is left out: " in result.stderr
    assert "deeplabv3_lite: " in result.stderr


@pytest.mark.parametrize("package", ["torch", "torchvision", "safetensors"])
def test_weights_are_at_hand_where_a_bundle_can_be_made_of_them(
    invoke: Invoke, cached: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shelf.is_at_hand(LRASPP)
    cached.write_bytes(CONTENT[:-1])
    assert not shelf.is_at_hand(LRASPP)
    cached.write_bytes(CONTENT)
    monkeypatch.setitem(sys.modules, package, None)
    assert not shelf.is_at_hand(LRASPP)
    assert "\n".join(lines(invoke("--list"))).count("to download") == 6


def test_a_bundle_that_is_made_is_at_hand_as_long_as_it_is_whole(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.unlink()
    monkeypatch.setitem(sys.modules, "torch", None)
    made = tmp_path / "made" / LRASPP
    made.mkdir(parents=True)
    (made / WEIGHTS).write_bytes(b"weights")
    digest = hashlib.sha256(CONTENT).hexdigest()
    manifest = zoo.find(LRASPP).manifest(license="", trained_on="", source_sha256=digest)
    write_manifest(made, manifest, [WEIGHTS])
    assert shelf.is_at_hand(LRASPP)
    (made / WEIGHTS).write_bytes(b"other")
    assert not shelf.is_at_hand(LRASPP)


def test_a_very_tall_photo_is_compared_in_little_memory(invoke: Invoke, tmp_path: Path) -> None:
    Image.new("RGB", (2, 30_000)).save(tmp_path / "tall.png")
    assert lines(invoke("--compare", tmp_path / "tall.png")) == [str(tmp_path / "tall_compare.jpg")]
    with Image.open(tmp_path / "tall_compare.jpg") as sheet:
        assert sheet.height < 6_000


def test_applies_to_a_folder_and_names_what_failed(invoke: Invoke, tmp_path: Path) -> None:
    photo(60, 40).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("not a picture")
    (tmp_path / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "lost.jpg").symlink_to("n" * 300)
    (tmp_path / "notes.txt").write_text("not asked for")
    result = invoke("--apply", tmp_path)
    assert result.exit_code == 1
    written = [tmp_path / "good_seg.png", tmp_path / "good_overlay.jpg"]
    assert result.stdout.splitlines() == list(map(str, written))
    bad, lost, phone = result.stderr.splitlines()
    assert bad.startswith(f"Error: {tmp_path / 'bad.jpg'}: not a picture")
    assert phone.startswith(f"Error: {tmp_path / 'phone.HEIC'}: not a picture in a format that is")
    assert lost == f"Error: {tmp_path / 'lost.jpg'}: File name too long"
    with Image.open(written[0]) as mask:
        assert (mask.mode, mask.size) == ("P", (60, 40))
    again = invoke("--apply", tmp_path)
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
    written = lines(invoke("--apply", *paths, paths[0]))
    assert written == lines(invoke(*paths)), "--apply says what is done anyway, once a file"
    assert written[::2] == [str(tmp_path / f"{name}_seg.png") for name in ("cat", "dog")]


def test_a_file_name_may_be_of_any_bytes(invoke: Invoke, tmp_path: Path) -> None:
    for name in (b"caf\xe9.png", b"street [a].png"):
        photo(60, 40).save(os.fsdecode(os.fsencode(tmp_path) + b"/" + name), "PNG")
    result = invoke("--apply", tmp_path)
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
    assert_error(invoke("--apply", tmp_path), 2, "dog.jpg and", "dog.png have one result: rename")
    assert len(list(tmp_path.iterdir())) == 2


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


def test_an_input_is_not_overwritten_by_a_comparison(invoke: Invoke, tmp_path: Path) -> None:
    photo(60, 40).save(tmp_path / "a_compare.jpg")
    (tmp_path / "a.jpg").hardlink_to(tmp_path / "a_compare.jpg")
    result = invoke("--compare", tmp_path / "a.jpg")
    assert_error(result, 2, f"{tmp_path / 'a_compare.jpg'} is an input: it would be overwritten")


def test_a_photo_and_a_video_of_one_name_have_results_of_their_own(
    invoke: Invoke, tmp_path: Path
) -> None:
    photo(60, 40).save(tmp_path / "live.jpg")
    write_video(tmp_path / "live.mp4", 2)
    result = invoke("--apply", tmp_path)
    assert result.exit_code == 0, result.output
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == ["live_seg.png", "live_overlay.jpg", "live_seg.mp4"]


def write_video(path: Path, frames: int) -> None:
    """A square on its way to the right."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for k in range(frames):
            picture = np.zeros((64, 96, 3), np.uint8)
            picture[20:40, 4 * k : 4 * k + 20] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())


def test_videos(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mkv", 6)
    stills = [photo(60, 40).rotate(10 * k) for k in range(3)]
    stills[0].save(tmp_path / "moving.gif", save_all=True, append_images=stills[1:], duration=80)
    stills[0].save(tmp_path / "still.gif")
    (tmp_path / "none.mp4").write_text("no video")
    result = invoke("--apply", tmp_path)
    assert result.exit_code == 1
    names = ["moving_seg.gif", "still_seg.png", "still_overlay.jpg", "video_seg.mp4"]
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in names]
    assert "none.mp4" in result.stderr
    with open_video(tmp_path / "video_seg.mp4") as video:
        assert (video.info.width, video.info.height) == (96, 64)
        assert [round(frame.time, 2) for frame in video] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    with Image.open(tmp_path / "moving_seg.gif") as moving:
        assert (getattr(moving, "n_frames", 1), moving.info["duration"]) == (3, 80)
    assert len(list(tmp_path.iterdir())) == 8


def test_what_is_left_of_a_killed_run_is_hidden_and_deleted(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "video.mp4", 2)
    done, old = tmp_path / "done", time.time() - 2 * atomic.ABANDONED

    def killed(segments: Sequence[Segment], output: Path, sound: Path | None) -> None:
        shutil.copytree(output.parent, done)
        for path in done.iterdir():
            os.utime(path, (old, old))

    with monkeypatch.context() as patch:
        patch.setattr(writing, "join", killed)
        invoke(tmp_path / "video.mp4", "--output-dir", tmp_path / "killed")
    (left,) = done.iterdir()
    assert left.name.startswith(".video_seg.mp4.")
    invoke(tmp_path / "video.mp4", "--output-dir", done)
    assert [path.name for path in done.iterdir()] == ["video_seg.mp4"]


def test_sound_that_is_left_out_is_told(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def audible(sound: Path) -> list[int]:
        raise RuntimeError("no such layout")

    path = write_clip(tmp_path / "video.mp4", frames=3, audio=["aac"])
    monkeypatch.setattr(mp4, "_audible", audible)
    result = invoke("--apply", path)
    assert result.exit_code == 0
    assert f"{path}: warning: the sound is left out (no such layout)" in result.stderr


def test_ctrl_c_keeps_what_was_done(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "video.mp4", 20)
    drawn = iter(range(20))

    def interrupted(image: Image.Image, answer: Segmentation) -> None:
        blend(image, answer)
        if next(drawn) == 12:
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)

    monkeypatch.setattr(applying, "blend", interrupted)
    result = invoke("--apply", tmp_path / "video.mp4")
    done = tmp_path / "video_seg.mp4"
    assert (result.exit_code, result.stdout) == (130, f"{done}\n")
    _, error = result.stderr.splitlines()  # after how fast it was
    assert error == f"Error: {tmp_path / 'video.mp4'}: interrupted; {done} has what there is"
    with open_video(done) as video:
        assert 6 < len(list(video)) < 20
    assert len(list(tmp_path.iterdir())) == 2


def test_a_video_that_breaks_off(invoke: Invoke, tmp_path: Path) -> None:
    write_video(tmp_path / "video.mkv", 20)
    data = (tmp_path / "video.mkv").read_bytes()
    (tmp_path / "video.mkv").write_bytes(data[: len(data) * 3 // 4])
    result = invoke("--apply", tmp_path / "video.mkv")
    done = tmp_path / "video_seg.mp4"
    assert (result.exit_code, result.stdout) == (1, f"{done}\n")
    assert f"Error: {tmp_path / 'video.mkv'} is damaged: it ends after " in result.stderr
    assert f"; {done} has what there is" in result.stderr
    with open_video(done) as video:
        assert 0 < len(list(video)) < 20


def test_an_error_in_a_video_keeps_what_was_done(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "video.mp4", 10)
    drawn = iter(range(5))

    def failing(image: Image.Image, answer: Segmentation) -> None:
        if next(drawn, None) is None:
            raise RuntimeError("the engine fails")

    monkeypatch.setattr(applying, "blend", failing)
    result = invoke("--apply", tmp_path / "video.mp4")
    assert isinstance(result.exception, RuntimeError)
    with open_video(tmp_path / "video_seg.mp4") as video:
        assert len(list(video)) == 5
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("option", "source", "name"),
    [
        ("--apply", "photo.png", "photo_seg.png"),
        ("--apply", "video.mp4", "video_seg.mp4"),
        ("--compare", "photo.png", "photo_compare.jpg"),
    ],
)
def test_where_nothing_can_be_written(
    invoke: Invoke, tmp_path: Path, option: str, source: str, name: str
) -> None:
    photo(60, 40).save(tmp_path / "photo.png")
    write_video(tmp_path / "video.mp4", 2)
    (tmp_path / "new" / name).mkdir(parents=True)
    for folder, why in (("new", "Is a directory"), ("photo.png/new", "Not a directory")):
        result = invoke(option, tmp_path / source, "--output-dir", tmp_path / folder)
        assert_error(result, 1)
        cannot = f"cannot write {tmp_path / folder / name}: {why}; --output-dir writes elsewhere"
        assert result.stderr.splitlines()[-1] == f"Error: {cannot}"


def test_evaluates(invoke: Invoke, tmp_path: Path) -> None:
    write_scenes(tmp_path / "VOCdevkit" / "VOC2012", 3, "val")
    write_coco(tmp_path / "coco")
    figures = [json.loads(line) for line in lines(invoke("--evaluate", tmp_path))]
    assert {figure["dataset"] for figure in figures} == {"coco", "voc"}
    assert all(set(f) == {"model", "dataset", "metric", "value", "n"} for f in figures)
    accuracy = [f for f in figures if f["metric"] == "pixel_accuracy"]
    assert all(0 <= f["value"] <= 1 and f["model"] == "deeplabv3_lite" for f in accuracy)


def write_coco(root: Path) -> None:
    """A photo that shows nothing."""
    (root / "val2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    photo(64, 48).save(root / "val2017" / "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}]
    content = {"images": images, "annotations": []}
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))


def test_a_bundle_of_ones_own(invoke: Invoke, tmp_path: Path) -> None:
    own, masks = shutil.copytree(SHIPPED / "fcn_lite", tmp_path / "mine"), tmp_path / "masks"
    assert lines(invoke("--model", own)) == ["PytorchImageSegment:1"]
    assert invoke("--model", own, "--apply", STREET, "--output-dir", masks / "own").exit_code == 0
    assert invoke("--model", "fcn_lite", "--apply", STREET, "--output-dir", masks).exit_code == 0
    name = "street_seg.png"
    assert (masks / "own" / name).read_bytes() == (masks / name).read_bytes()
    assert_error(invoke("--model", own, "--weights", STREET), 1, "mine comes with its weights")
    (own / MANIFEST).write_text("{")
    assert_error(invoke("--model", own), 2, MANIFEST)


def test_an_official_model_from_a_file(invoke: Invoke, state_file: Path) -> None:
    result = invoke("--model", LRASPP, "--weights", state_file)
    assert lines(result) == ["PytorchImageSegment:1"]
    assert not shelf.is_at_hand(LRASPP), "these are not the published weights"


def test_without_a_network_the_ways_out_are_named(invoke: Invoke) -> None:
    result = invoke("--model", LRASPP, "--weights-url", NOWHERE)
    assert_error(result, 1, "--weights FILE", "--weights-url URL", "BENTOML_IMG_WEIGHTS_URL")
    assert "deeplabv3_lite or fcn_lite" in result.stderr
    assert result.stderr.count("\n") == 1


def test_wrong_usage(invoke: Invoke, tmp_path: Path) -> None:
    assert_error(invoke("--model", "unet"), 2, "'unet' is no model", "deeplabv3_lite, fcn_lite")
    assert_error(invoke("--model", "fcn_light"), 2, "'fcn_light' is no", "did you mean fcn_lite?")
    detector = SHIPPED / "maskrcnn_lite"
    assert_error(invoke("--model", detector), 2, "maskrcnn_lite is a bundle for detection")
    assert_error(invoke("--compare", "none.jpg"), 2, "none.jpg")
    assert_error(invoke("--list", "--compare", STREET), 2, "one of them")
    for option in ("--apply", "--compare"):
        assert_error(invoke(option, "-"), 2, "not read from standard input; save it first")
    assert_error(invoke("--model", "fcn_lite", "--model", LRASPP), 2, "compared only")
    assert_error(invoke("--apply"), 2, "--apply masks PATHS: give some")
    assert_error(invoke("--compare", STREET, STREET), 2, "give one of them")
    assert_error(invoke("--apply", tmp_path), 1, "no pictures or videos in")
    assert_error(invoke("--evaluate", tmp_path), 1, "no COCO data in")
    assert_error(invoke("--weights", STREET), 1, "comes with its weights")
    sources = [("--weights", STREET), ("--weights-url", NOWHERE)]
    for first, second in (sources, sources[::-1]):
        both = invoke("--model", LRASPP, *first, *second)
        assert_error(both, 2, "--weights and --weights-url: give one of them")
    without_model = invoke("--compare", STREET, "--weights", STREET)
    assert_error(without_model, 2, "--weights is for one model: give its --model, too")
    assert_error(invoke("--list", "--engine", "torch"), 2, "--engine chooses a model")
    assert_error(invoke("--palette", "hub"), 2, "--palette is for --compare and PATHS")
    assert_error(invoke("--list", "--output-dir", tmp_path), 2, "--output-dir is for --compare")
    assert_error(invoke("--compare", Path(__file__)), 1, f"Error: {__file__}: not a picture")


def test_masks_of_the_sample_photos_are_as_stored(invoke: Invoke, tmp_path: Path) -> None:
    """Half a percent may differ: decoders and processors round in their own ways."""
    for name in scenes():
        path = FOLDER / name
        mask = tmp_path / f"{path.stem}_seg.png"
        assert str(mask) in lines(invoke("--apply", path, "--output-dir", tmp_path))
        stored = ROOT / "images" / "results" / mask.name
        with Image.open(mask) as ours, Image.open(stored) as theirs:
            assert ours.getpalette() == theirs.getpalette()
            assert (np.asarray(ours) == np.asarray(theirs)).mean() > 0.995, name
