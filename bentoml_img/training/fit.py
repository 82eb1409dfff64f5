"""Run a trainer to its end, with a progress bar, evaluations, checkpoints and a safe Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import Progress as ProgressBar

from bentoml_img.cli.bars import training_bar
from bentoml_img.system.interrupts import ENDING
from bentoml_img.training.log import Log
from bentoml_img.training.run import Progress, Run

SAVE_SECONDS = 120.0
EVALUATE_STEPS = 2000  # the most between two evaluations: an epoch of all of COCO takes hours


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C: the run stopped after a step, and its checkpoint is written."""


def fit(trainer: Run[Any, Any], checkpoint: Path, console: Console, log: Log | None = None) -> None:
    """Train to the last step; does nothing if the run is finished and evaluated.

    Evaluates after each epoch, or every EVALUATE_STEPS steps if epochs are longer, and at the
    end. Saves before each evaluation, every two minutes, and at the end. The first Ctrl-C,
    SIGTERM or closed terminal raises TrainingInterrupted after the current step, or the current
    photo of an evaluation, with all steps saved; an interrupted evaluation is repeated when the
    run is resumed. A second one stops at once and leaves the last checkpoint intact. A run that
    starts at step 0 overwrites the log.
    """
    if trainer.step == trainer.steps and not _unevaluated(trainer):
        return
    if log and trainer.step == 0:
        log.begin()
    with _deferred_interrupt() as interrupts, training_bar(console) as bar:
        between_steps = _BetweenSteps(trainer, checkpoint, log, bar, interrupts)
        if _unevaluated(trainer):
            between_steps.do()
        trainer.run(between_steps)
    trainer.save(checkpoint)


class _BetweenSteps:
    """Called after each step: updates the bar and the log, evaluates, saves, and stops."""

    def __init__(
        self,
        trainer: Run[Any, Any],
        checkpoint: Path,
        log: Log | None,
        bar: ProgressBar,
        interrupts: Sequence[int],
    ) -> None:
        self.trainer, self.checkpoint, self.log = trainer, checkpoint, log
        self.bar, self.interrupts = bar, interrupts
        self.task = bar.add_task("training", total=trainer.steps, completed=trainer.step, note="")
        self.saved = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        steps, seconds = self.trainer.steps, self.trainer.seconds
        self.bar.update(self.task, completed=progress.step, note=str(progress))
        if self.log:
            self.log.add_figures(progress.figures, progress.step, steps, seconds)
        self.do()

    def do(self) -> None:
        """Evaluate, save and stop, each if it is due."""
        if _unevaluated(self.trainer):
            self._save()  # an evaluation can take long
            entry = _evaluate(self.trainer, self.bar, self._stop_if_interrupted)
            if self.log:
                self.log.add(entry)
        if self.interrupts or time.monotonic() - self.saved > SAVE_SECONDS:
            self._save()
        self._stop_if_interrupted()

    def _save(self) -> None:
        self.trainer.save(self.checkpoint)
        self.saved = time.monotonic()

    def _stop_if_interrupted(self) -> None:
        if self.interrupts:
            raise TrainingInterrupted(f"saved step {self.trainer.step} of {self.trainer.steps}")


def _unevaluated(trainer: Run[Any, Any]) -> bool:
    """Whether an evaluation is due after this step and has not been made."""
    step, every = trainer.step, min(trainer.steps_per_epoch, EVALUATE_STEPS)
    due = step == trainer.steps or (step > 0 and step % every == 0)
    return due and all(entry["step"] != step for entry in trainer.history)


def _evaluate(
    trainer: Run[Any, Any], bar: ProgressBar, between_photos: Callable[[], None]
) -> Mapping[str, Any]:
    task = bar.add_task("evaluating", total=None, note="")

    def on_photo(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if done < total:
            between_photos()

    entry = trainer.evaluate(on_photo)
    bar.remove_task(task)
    epoch, epochs = (round(n / trainer.steps_per_epoch, 2) for n in (trainer.step, trainer.steps))
    figures = [
        f"{name} {value:.3f}"
        for name, value in entry.items()
        if isinstance(value, float) and name != "seconds"
    ]
    minutes = f"{trainer.seconds / 60:.1f} min"
    bar.console.print(f"epoch {epoch:g}/{epochs:g}: {', '.join([*figures, minutes])}")
    return entry


@contextmanager
def _deferred_interrupt() -> Iterator[list[int]]:
    """A list that gets the first Ctrl-C or signal of ENDING; the second is a KeyboardInterrupt."""
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    previous = {n: handler for n, handler in handlers.items() if handler != signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for number in previous:
            signal.signal(number, signal.default_int_handler)

    for number in previous:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
