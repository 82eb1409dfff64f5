import io
import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from bentoml_img.training.classification.cifar10 import Split
from bentoml_img.training.classification.trainer import Trainer
from bentoml_img.training.command import command_to_resume
from bentoml_img.training.errors import Diverged
from bentoml_img.training.fit import TrainingInterrupted, fit
from bentoml_img.training.log import Log
from tests.training.tiny import tiny_recipe


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def press_ctrl_c_in_step(
    trainer: Trainer, step: int, times: int = 1, number: int = signal.SIGINT
) -> None:
    """Have SIGINT, or another signal, arrive while a step computes."""
    backward = trainer._backward

    def interrupted(batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        if trainer.step + 1 == step:
            for _ in range(times):
                signal.raise_signal(number)
        return backward(batch)

    trainer._backward = interrupted  # type: ignore[method-assign]


def test_a_run_to_the_end(tmp_path: Path, train: Split, held_out: Split, console: Console) -> None:
    trainer = Trainer(train, held_out, tiny_recipe())
    fit(trainer, tmp_path / "checkpoint.pt", console)
    assert trainer.step == trainer.steps
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert "epoch 1/2: loss " in output
    assert "epoch 2/2: loss " in output
    assert "10/10" in output
    assert [entry["step"] for entry in trainer.history] == [5, 10]
    again = Trainer(train, held_out, tiny_recipe())
    again.restore(tmp_path / "checkpoint.pt")
    assert again.step == trainer.steps
    fit(again, tmp_path / "unused.pt", console)
    assert not (tmp_path / "unused.pt").exists(), "there was nothing left to train"


@pytest.fixture
def terminal() -> Iterator[None]:
    """A terminal that is closed is not ignored, as it is where nohup runs the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_its_like_lose_nothing(
    number: signal.Signals, tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    handler = signal.getsignal(number)
    stopped = Trainer(train, held_out, tiny_recipe())
    press_ctrl_c_in_step(stopped, 3, number=number)
    with pytest.raises(TrainingInterrupted, match=r"^saved step 3 of 10$"):
        fit(stopped, checkpoint, console)
    assert stopped.step == 3, "the step in hand is finished"
    assert signal.getsignal(number) is handler

    resumed = Trainer(train, held_out, tiny_recipe())
    resumed.restore(checkpoint)
    fit(resumed, checkpoint, console)
    whole = Trainer(train, held_out, tiny_recipe())
    whole.run()
    assert [entry["step"] for entry in resumed.history] == [5, 10]
    for ours, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_ctrl_c_ends_an_evaluation_which_is_done_when_the_run_goes_on(
    tmp_path: Path,
    train: Split,
    held_out: Split,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    stopped = Trainer(train, held_out, tiny_recipe(epochs=1))
    photos: list[int] = []

    def evaluate(on_photo: Callable[[int, int], None]) -> dict[str, Any]:
        for done in range(1, 5):
            photos.append(done)
            if done == 1:
                signal.raise_signal(signal.SIGINT)
            on_photo(done, 4)
        raise AssertionError("the evaluation went on")

    monkeypatch.setattr(stopped, "evaluate", evaluate)
    with pytest.raises(TrainingInterrupted, match=r"^saved step 5 of 5$"):
        fit(stopped, checkpoint, console)
    assert photos == [1]

    resumed = Trainer(train, held_out, tiny_recipe(epochs=1))
    resumed.restore(checkpoint)
    fit(resumed, checkpoint, console)
    assert [entry["step"] for entry in resumed.history] == [5]


def test_long_epochs_are_evaluated_within_them(
    tmp_path: Path,
    train: Split,
    held_out: Split,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bentoml_img.training.fit.EVALUATE_STEPS", 3)
    trainer = Trainer(train, held_out, tiny_recipe())
    fit(trainer, tmp_path / "checkpoint.pt", console)
    assert [entry["step"] for entry in trainer.history] == [3, 6, 9, 10]
    assert "epoch 0.6/2: loss " in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_loss_that_is_no_number_changes_nothing(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"the last one")
    trainer = Trainer(train, held_out, tiny_recipe())
    trainer._backward = lambda batch: {"loss": torch.tensor(float("nan"))}  # type: ignore[method-assign]
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    with pytest.raises(Diverged, match=r"^loss is nan in step 1: "):
        fit(trainer, checkpoint, console)
    assert all(map(torch.equal, trainer.network.parameters(), before))
    assert checkpoint.read_bytes() == b"the last one"


def test_a_second_ctrl_c_stops_at_once(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(b"the last one")
    trainer = Trainer(train, held_out, tiny_recipe())
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
    trainer = Trainer(train, held_out, tiny_recipe())
    saved: list[int] = []
    monkeypatch.setattr(trainer, "save", lambda path: saved.append(trainer.step))
    fit(trainer, tmp_path / "checkpoint.pt", console)
    assert saved == [*range(1, 6), *range(5, 11), 10, 10], "before evaluations, too"


def test_a_run_may_be_logged_and_ends_with_an_evaluation(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    trainer = Trainer(train, held_out, tiny_recipe(epochs=1.4))
    log = Log(tmp_path / "log.jsonl")
    fit(trainer, tmp_path / "checkpoint.pt", console, log)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert lines[0] == trainer.history[0]
    assert (lines[1]["step"], list(lines[1]["figures"])) == (7, ["loss", "accuracy"])
    assert lines[2] == trainer.history[1]
    assert [entry["step"] for entry in trainer.history] == [5, 7]


def test_a_run_from_its_first_step_has_a_log_of_its_own(
    tmp_path: Path, train: Split, held_out: Split, console: Console
) -> None:
    log = Log(tmp_path / "log.jsonl")
    log.add({"step": 900, "figures": {"loss": 3.0}})
    trainer = Trainer(train, held_out, tiny_recipe())
    press_ctrl_c_in_step(trainer, 7)
    with pytest.raises(TrainingInterrupted):
        fit(trainer, tmp_path / "checkpoint.pt", console, log)
    resumed = Trainer(train, held_out, tiny_recipe())
    resumed.restore(tmp_path / "checkpoint.pt")
    fit(resumed, tmp_path / "checkpoint.pt", console, log)
    lines = [json.loads(line)["step"] for line in log.path.read_text().splitlines()]
    assert lines == [5, 10, 10], "all of this run, nothing of another"


@pytest.mark.parametrize("resumed", [[], ["--resume"]])
def test_the_command_to_go_on(monkeypatch: pytest.MonkeyPatch, resumed: list[str]) -> None:
    typed = [
        "python3",
        "-m",
        "bentoml_img.training.segmentation",
        "--output-dir",
        "my run",
        *resumed,
    ]
    monkeypatch.setattr(sys, "orig_argv", typed)
    assert command_to_resume() == (
        "python3 -m bentoml_img.training.segmentation --output-dir 'my run' --resume"
    )
