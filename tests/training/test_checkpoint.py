from pathlib import Path
from typing import Any

import pytest
import torch

from bentoml_img.training.checkpoint import check_recipe, load, locate, save
from bentoml_img.training.errors import CheckpointError

STATE = {"recipe": {"epochs": 2, "seed": 0}, "step": 3, "weight": torch.arange(100.0)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    save(STATE, path)
    return path


def test_what_is_saved_is_loaded(path: Path) -> None:
    state = load(path)
    assert torch.equal(state.pop("weight"), torch.arange(100.0))
    assert state == {"recipe": {"epochs": 2, "seed": 0}, "step": 3}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("data", [b"hello", b".", b"PK", b"\x80"])
def test_a_file_of_something_else_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load(path)


@pytest.mark.parametrize("keep", [0, 2, 400])
def test_a_damaged_checkpoint_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load(path)


@pytest.mark.parametrize("state", [{"step": 3}, {"recipe": 1}, [1], torch.ones(2), Path("code")])
def test_what_is_no_checkpoint_is_refused(path: Path, state: Any) -> None:
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load(path)


@pytest.mark.parametrize("older", [{}, {"format": 1}])
def test_a_checkpoint_of_another_version_is_refused(path: Path, older: dict[str, int]) -> None:
    torch.save({**STATE, **older}, path)
    with pytest.raises(CheckpointError, match=r"written by another version of this program$"):
        load(path)


class Code:
    def __reduce__(self) -> Any:
        return print, ("executed",)


def test_code_in_a_checkpoint_is_not_executed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save({**STATE, "weight": Code()}, path)
    with pytest.raises(CheckpointError, match="cannot read the checkpoint"):
        load(path)
    assert "executed" not in capsys.readouterr().out


def test_a_failed_save_keeps_the_last_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def broken(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        save(STATE, path)
    assert path.read_bytes() == before


def test_another_recipe_is_refused_and_what_is_other_named(path: Path) -> None:
    was = load(path)["recipe"]
    check_recipe(path, was, {"epochs": 2, "seed": 0})
    says = r"was made with epochs=2, rate=None: resume it so$"
    with pytest.raises(CheckpointError, match=says):
        check_recipe(path, was, {"epochs": 3, "seed": 0, "rate": 1})


def test_a_run_starts_where_no_checkpoint_is_and_resumes_where_one_is(path: Path) -> None:
    assert locate(path.parent, resume=True) == path
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt exists: add --resume"):
        locate(path.parent, resume=False)
    path.unlink()
    assert locate(path.parent, resume=False) == path
    with pytest.raises(CheckpointError, match="there is no checkpoint in "):
        locate(path.parent, resume=True)
