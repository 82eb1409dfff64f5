"""Names of result files."""

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bentoml_run.asgi import Answer
from bentoml_run.errors import Failure
from bentoml_run.inputs import Call, InputFile, plan
from bentoml_run.results import Results, extension, file_name, is_file, suffix_of, without_results
from bentoml_run.schema import Api


def answer(media_type: str, disposition: str = "") -> Answer:
    headers = {"content-type": media_type, "content-disposition": disposition}
    return Answer(200, tuple((name, value) for name, value in headers.items() if value), b"x")


@pytest.mark.parametrize(
    ("media_type", "disposition", "suffix"),
    [
        ("image/png", "", ".png"),
        ("image/jpeg", 'inline; filename="a.JPG"', ".JPG"),
        ("application/octet-stream", "attachment; filename*=utf-8''%C3%A4.npy", ".npy"),
        ("video/mp4", 'attachment; filename="no_extension"', ".mp4"),
        ("audio/mpeg", 'attachment; filename="a.b/../c"', ".mp3"),
        ("x/unknown", "", ".bin"),
        ("", "", ".bin"),
    ],
)
def test_extension(media_type: str, disposition: str, suffix: str) -> None:
    assert extension(answer(media_type, disposition)) == suffix


@pytest.mark.parametrize("media_type", ["text/csv", "application/json", "application/a+json"])
def test_text_is_a_file_only_where_it_has_a_name(media_type: str) -> None:
    assert not is_file(answer(media_type))
    assert is_file(answer(media_type, 'attachment; filename="a"'))


def test_other_answers_are_files() -> None:
    assert is_file(answer("image/png"))
    assert is_file(answer(""))
    assert not is_file(Answer(204, (), b""))


def test_file_name() -> None:
    assert file_name(answer("", "attachment; filename*=utf-8''%C3%A4.txt")) == "ä.txt"
    assert file_name(answer("")) == ""


def test_suffix() -> None:
    labels = {"run.suffix.predict": "_seg", "run.suffix.escape": "../../x"}
    assert suffix_of(labels, "predict") == "_seg"
    assert suffix_of(labels, "escape") == "x"
    assert suffix_of(labels, "other") == "_other"


def test_a_pattern_leaves_out_results_of_what_it_matches(tmp_path: Path) -> None:
    names = ["dog.jpg", "dog_seg.png", "dog_overlay.jpg", "cat_seg.png", "_seg.png"]
    matched = [InputFile(name, tmp_path / name, by_pattern=True) for name in names]
    suffixes = {"_seg", "_overlay", ""}
    kept = without_results(matched, suffixes)
    assert [file.written for file in kept] == ["dog.jpg", "cat_seg.png", "_seg.png"]
    named = [replace(file, by_pattern=False) for file in matched]
    assert without_results(named, suffixes) == named


def test_a_result_is_named_after_the_input_and_put_beside_it(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("photos/dog.txt", "mask.txt"):
        (tmp_path / name).touch()
    file = {"type": "file"}
    schema = {"properties": {"mask": file, "photo": file}, "required": ["mask", "photo"]}
    cut = Api.from_route({"name": "cut", "route": "/cut", "input": schema, "output": {}})
    photo = InputFile.of(str(tmp_path / "photos" / "dog.txt"))
    (call,) = plan(cut, [photo], None, [("mask", f"@{tmp_path / 'mask.txt'}")])
    results = Results([source.path for source in call.sources], None, "_cut", Path())
    path, _ = results.write(call, "cut", answer("image/png"))
    assert path == tmp_path / "photos" / "dog_cut.png"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize("chosen", [True, False], ids=["--output-dir", "beside the input"])
def test_an_unwritable_result_is_told_by_its_own_name(
    chosen: bool, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:  # root may write everywhere
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    results = Results([], tmp_path if chosen else None, "", tmp_path)
    message = f"cannot write {tmp_path / 'predict.png'}: {os.strerror(number)}"
    advice = "" if chosen else "; --output-dir writes elsewhere"
    with pytest.raises(Failure, match=f"^{re.escape(message + advice)}$"):
        results.write(Call({}), "predict", answer("image/png"))


def test_what_is_unfinished_can_be_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an interrupt does, which ends the process at once."""
    results, call = Results([], tmp_path, "", tmp_path), Call({})

    def interrupt(source: Path, target: Path) -> None:
        assert source.read_bytes() == b"half"
        results.discard_unfinished()
        raise SystemExit

    results.discard_unfinished()  # there is nothing yet
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(SystemExit):
        results.write(call, "predict", Answer(200, (), b"half"))
    assert list(tmp_path.iterdir()) == []
