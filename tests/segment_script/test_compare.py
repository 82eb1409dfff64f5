import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bentoml_img import shelf, zoo
from bentoml_img.bundle import WEIGHTS, Bundle
from bentoml_img.published.weights import cache_folder
from tests.commands import Invoke, assert_error, lines
from tests.samples import photo
from tests.segment_script.running import LRASPP, STREET
from tests.weights_server import CONTENT, NAME


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
    Bundle.write(made, manifest, [WEIGHTS])
    assert shelf.is_at_hand(LRASPP)
    (made / WEIGHTS).write_bytes(b"other")
    assert not shelf.is_at_hand(LRASPP)


def test_a_very_tall_photo_is_compared_in_little_memory(invoke: Invoke, tmp_path: Path) -> None:
    Image.new("RGB", (2, 30_000)).save(tmp_path / "tall.png")
    assert lines(invoke("--compare", tmp_path / "tall.png")) == [str(tmp_path / "tall_compare.jpg")]
    with Image.open(tmp_path / "tall_compare.jpg") as sheet:
        assert sheet.height < 6_000


def test_an_input_is_not_overwritten_by_a_comparison(invoke: Invoke, tmp_path: Path) -> None:
    photo(60, 40).save(tmp_path / "a_compare.jpg")
    (tmp_path / "a.jpg").hardlink_to(tmp_path / "a_compare.jpg")
    result = invoke("--compare", tmp_path / "a.jpg")
    assert_error(result, 2, f"{tmp_path / 'a_compare.jpg'} is an input: it would be overwritten")
