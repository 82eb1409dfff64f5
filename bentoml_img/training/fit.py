"""Run a Trainer to its end: progress bar, checkpoints, and a Ctrl-C that loses nothing."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from bentoml_img.training.classifier import Progress, Trainer

SAVE_SECONDS = 120.0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: the run stopped between two steps, and its checkpoint is written."""


def fit(trainer: Trainer, checkpoint: Path, console: Console) -> None:
    """Train to the last step, if it is not there, saving every two minutes and at the end.

    The first Ctrl-C lets the step in hand finish, saves and raises Interrupted;
    a second one stops at once, with the last checkpoint intact.
    """
    if trainer.step == trainer.steps:
        return
    saved = time.monotonic()
    with _deferred_interrupt() as interrupts, _progress_bar(console) as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.step, loss=0.0, accuracy=0.0)

        def on_step(progress: Progress) -> None:
            nonlocal saved
            bar.update(
                task,
                completed=progress.step,
                loss=progress.loss,
                accuracy=progress.accuracy,
            )
            if trainer.history and trainer.history[-1]["step"] == progress.step:
                console.print(_epoch_line(trainer))
            if interrupts or time.monotonic() - saved > SAVE_SECONDS:
                trainer.save(checkpoint)
                saved = time.monotonic()
            if interrupts:
                raise Interrupted

        trainer.run(on_step)
    trainer.save(checkpoint)


def _epoch_line(trainer: Trainer) -> str:
    last = trainer.history[-1]
    return (
        f"epoch {last['step'] / trainer.steps_per_epoch:g}/{trainer.recipe.epochs:g}: "
        f"loss {last['loss']:.3f}, train accuracy {last['train_accuracy']:.1%}, "
        f"test accuracy {last['test_accuracy_2000']:.1%} (on {len(trainer.watched)}), "
        f"{last['seconds'] / 60:.1f} min"
    )


def _progress_bar(console: Console) -> ProgressBar:
    return ProgressBar(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.1%}  left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=300,
    )


@contextmanager
def _deferred_interrupt() -> Iterator[list[int]]:
    """A list that the first SIGINT is put on; a second one is a KeyboardInterrupt as usual."""
    received: list[int] = []
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, previous)
