import errno
import json
import resource
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bentoml_img import bundle as bundles
from bentoml_img.bundle import GRAPH, MANIFEST, WEIGHTS, Bundle, BundleError, Manifest, sha256

MANIFEST_OF_TESTS = Manifest(
    name="tiny",
    task="classification",
    labels=("cat", "dog"),
    input_size=(8, 6),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    license="Apache-2.0",
    trained_on="nothing",
    scores={"accuracy": 0.5},
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A bundle with two files that hold no network."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"weights")
    (folder / GRAPH).write_bytes(b"graph")
    Bundle.write(folder, MANIFEST_OF_TESTS, [WEIGHTS, GRAPH])
    return folder


def edit(bundle: Path, change: Callable[[dict[str, object]], object]) -> None:
    data = json.loads((bundle / MANIFEST).read_text())
    change(data)
    (bundle / MANIFEST).write_text(json.dumps(data))


def assert_one_line(error: pytest.ExceptionInfo[BundleError], *parts: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_what_is_written_is_read_and_verified(tiny: Path) -> None:
    manifest = Bundle.open(tiny).verify().manifest
    assert manifest == Bundle.open(tiny).manifest
    assert manifest.files == {WEIGHTS: sha256(tiny / WEIGHTS), GRAPH: sha256(tiny / GRAPH)}
    assert (manifest.labels, manifest.input_size) == (("cat", "dog"), (8, 6))
    assert sorted(path.name for path in tiny.iterdir()) == [MANIFEST, WEIGHTS, GRAPH]


def test_the_shipped_bundle_is_whole(bundle: Path) -> None:
    manifest = Bundle.open(bundle).verify().manifest
    assert {WEIGHTS, GRAPH} <= set(manifest.files)
    assert len(manifest.labels) == 10


def test_the_digest_follows_every_file_and_entry(tiny: Path) -> None:
    before = Bundle.open(tiny).verify().manifest.digest
    assert Bundle.write(tiny, MANIFEST_OF_TESTS, [WEIGHTS, GRAPH]).manifest.digest == before
    (tiny / WEIGHTS).write_bytes(b"other weights")
    written = Bundle.write(tiny, MANIFEST_OF_TESTS, [WEIGHTS, GRAPH]).manifest
    without: list[dict[str, Any]] = [{entry.name: None} for entry in fields(written)]
    digests = {replace(written, **change).digest for change in without}
    assert len(digests | {before, written.digest}) == len(without) + 2


def test_a_damaged_file_is_named(tiny: Path) -> None:
    (tiny / WEIGHTS).write_bytes(b"Weights")
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, str(tiny / WEIGHTS), "damaged")


def test_a_missing_file_is_named(tiny: Path) -> None:
    (tiny / GRAPH).unlink()
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, str(tiny / GRAPH), "missing")


def test_a_file_that_cannot_be_read_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(bundles, "sha256", refuse)
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert str(error.value) == f"cannot read {tiny / WEIGHTS}: Permission denied"


def test_unknown_entries_are_named(tiny: Path) -> None:
    edit(tiny, lambda data: data.update(colour="red"))
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, str(tiny / MANIFEST), "colour: ")


def test_absent_entries_are_named(tiny: Path) -> None:
    edit(tiny, lambda data: data.pop("labels"))
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, str(tiny / MANIFEST), "labels: ")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("name", 1, "name: Input should be a valid string"),
        ("labels", "cat", "labels: Input should be a valid "),
        ("labels", ["cat", 2], "labels.1: Input should be a valid string"),
        ("input_size", [8, "6"], "input_size.1: Input should be a valid integer"),
        ("mean", [0.5, 0.5], "mean.2: Field required"),
        ("temperature", None, "temperature: Input should be a valid number"),
        ("scores", {"accuracy": "high"}, "scores.accuracy: Input should be a valid number"),
        ("files", [WEIGHTS], "files: Input should be an object"),
        ("labels", [], "labels: Tuple should have at least 1 item"),
        ("input_size", [], "input_size: Tuple should have at least 1 item"),
        ("input_size", [8, 6, 3], "input_size: Tuple should have at most 2 items"),
        ("input_size", [0], "input_size.0: Input should be greater than or equal to 1"),
        ("input_size", [1_000_000], "input_size.0: Input should be less than or equal to 4096"),
        ("stride", 0, "stride: Input should be greater than or equal to 1"),
        ("stride", 129, "stride: Input should be less than or equal to 128"),
        ("std", [0.25, 0, 0.25], "std.1: Input should be greater than 0"),
        ("temperature", 0, "temperature: Input should be greater than 0"),
        ("temperature", float("inf"), "temperature: Input should be a finite number"),
    ],
)
def test_wrong_values_are_named(tiny: Path, name: str, value: object, says: str) -> None:
    edit(tiny, lambda data: data.update({name: value}))
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, f"cannot read {tiny / MANIFEST}: {says}")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(BundleError) as error:
            Bundle.open(folder).verify()
        assert_one_line(error, str(folder), "not a model bundle")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe", b"[]", b'"text"', b"null"],
    ids=["empty", "broken", "binary", "list", "string", "null"],
)
def test_a_manifest_that_is_none_is_one_line(tiny: Path, text: bytes) -> None:
    (tiny / MANIFEST).write_bytes(text)
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, MANIFEST)


def test_a_file_in_place_of_the_folder_is_one_line(tiny: Path) -> None:
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny / WEIGHTS).verify()
    assert_one_line(error, str(tiny / WEIGHTS))


def test_a_name_that_no_file_can_have_is_one_line(tiny: Path) -> None:
    edit(tiny, lambda data: data.update(files={"a\0b": "0"}))
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, "which is not in the bundle")


def test_scores_are_not_added_to_a_damaged_bundle(tiny: Path) -> None:
    assert Bundle.open(tiny).add_scores({"accuracy": 0.5}) == Bundle.open(tiny).verify()
    (tiny / WEIGHTS).write_bytes(b"other")
    with pytest.raises(BundleError, match="is damaged"):
        Bundle.open(tiny).add_scores({"accuracy": 1.0})
    assert Bundle.open(tiny).manifest.scores == {"accuracy": 0.5}


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/../../outside"])
def test_a_bundle_names_no_files_outside_of_it(tiny: Path, name: str) -> None:
    outside = tiny.parent / "outside"
    outside.write_bytes(b"outside")
    edit(tiny, lambda data: data.update(files={name: sha256(outside)}))
    with pytest.raises(BundleError) as error:
        Bundle.open(tiny).verify()
    assert_one_line(error, name)


def test_a_copy_has_what_the_manifest_names_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    (tiny / "README.md").write_text("beside")
    target = tmp_path / "copy"
    assert Bundle.open(tiny).copy(target) == Bundle.open(target).verify()
    assert sorted(path.name for path in target.iterdir()) == [MANIFEST, WEIGHTS, GRAPH]


def test_writing_replaces_the_manifest_at_once(tiny: Path) -> None:
    """A disk that is full half-way leaves the old one: no file may be longer than its half."""
    before = (tiny / MANIFEST).read_bytes()
    unlimited, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            Bundle.write(tiny, MANIFEST_OF_TESTS, [WEIGHTS, GRAPH])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, most))
    assert (tiny / MANIFEST).read_bytes() == before
    assert sorted(path.name for path in tiny.iterdir()) == [MANIFEST, WEIGHTS, GRAPH]


def test_a_shipped_file_cut_short_is_found(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "cut"
    shutil.copytree(bundle, target)
    data = (target / WEIGHTS).read_bytes()
    (target / WEIGHTS).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=WEIGHTS):
        Bundle.open(target).verify()
