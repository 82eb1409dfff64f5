import io
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from bentoml_img.training.cifar10 import Split
from bentoml_img.training.classification_trainer import Trainer
from bentoml_img.training.fit import Interrupted, command_to_resume, fit
from bentoml_img.training.log import Log
from tests.training.tiny import tiny_recipe, tiny_trainer


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def press_ctrl_c_in_step(trainer: Trainer, step: int, times: int = 1) -> None:
    """Have SIGINT arrive while a step computes."""
    backward = trainer._backward

    def interrupted(batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        if trainer.step + 1 == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return backward(batch)

    trainer._backward = interrupted  # type: ignore[method-assign]


def test_a_run_to_the_end(tmp_path: Path, train: Split, held_out: Split, console: Console) -> None:
    trainer = tiny_trainer(train, held_out, tiny_recipe())
    fit(trainer, tmp_path / "checkpoint.pt", console)
    assert trainer.step == trainer.steps
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert "epoch 1/2: loss " in output
    assert "epoch 2/2: loss " in output
    assert "10/10" in output
    assert [entry["step"] for entry in trainer.history] == [5, 10]
    again = tiny_trainer(train, held_out, tiny_recipe())
    again.restore(tmp_path / "checkpoint.pt")
    assert again.step == trainer.steps
    fit(again, tmp_path / "unused.pt", console)
    assert not (tmp_path / "unused.pt").exists(), "there was nothing left to train"


def test_ctrl_c_loses_nothing(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    handler = signal.getsignal(signal.SIGINT)
    stopped = tiny_trainer(train, held_out, tiny_recipe())
    press_ctrl_c_in_step(stopped, 3)
    with pytest.raises(Interrupted, match=r"^saved step 3 of 10$"):
        fit(stopped, checkpoint, console)
    assert stopped.step == 3, "the step in hand is finished"
    assert signal.getsignal(signal.SIGINT) is handler

    resumed = tiny_trainer(train, held_out, tiny_recipe())
    resumed.restore(checkpoint)
    fit(resumed, checkpoint, console)
    whole = tiny_trainer(train, held_out, tiny_recipe())
    whole.run()
    assert [entry["step"] for entry in resumed.history] == [5, 10]
    for ours, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_second_ctrl_c_stops_at_once(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"the last one")
    trainer = tiny_trainer(train, held_out, tiny_recipe())
    press_ctrl_c_in_step(trainer, 3, times=2)
    with pytest.raises(KeyboardInterrupt) as raised:
        fit(trainer, checkpoint, console)
    assert raised.type is KeyboardInterrupt
    assert trainer.step == 2
    assert checkpoint.read_bytes() == b"the last one"


def test_it_saves_now_and_then(
    tmp_path: Path,
    train: Split,
    held_out: Split,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bentoml_img.training.fit.SAVE_SECONDS", 0.0)
    trainer = tiny_trainer(train, held_out, tiny_recipe())
    saved: list[int] = []
    monkeypatch.setattr(trainer, "save", lambda path: saved.append(trainer.step))
    fit(trainer, tmp_path / "checkpoint.pt", console)
    assert saved == [*range(1, 11), 10]


def test_a_run_may_be_logged_and_ends_with_an_evaluation(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    trainer = tiny_trainer(train, held_out, tiny_recipe(epochs=1.4))
    log = Log(tmp_path / "log.jsonl")
    fit(trainer, tmp_path / "checkpoint.pt", console, log)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert lines[0] == trainer.history[0]
    assert (lines[1]["step"], list(lines[1]["figures"])) == (7, ["loss", "accuracy"])
    assert lines[2] == trainer.history[1]
    assert [entry["step"] for entry in trainer.history] == [5, 7]


@pytest.mark.parametrize("resumed", [[], ["--resume"]])
def test_the_command_to_go_on(monkeypatch: pytest.MonkeyPatch, resumed: list[str]) -> None:
    typed = ["python3", "-m", "bentoml_img.training.segmentation", "--out", "my run", *resumed]
    monkeypatch.setattr(sys, "orig_argv", typed)
    assert command_to_resume() == (
        "python3 -m bentoml_img.training.segmentation --out 'my run' --resume"
    )
