"""Run a trainer to its end: progress bar, evaluations, checkpoints, a Ctrl-C that loses nothing."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Column

from bentoml_img.training.log import Log
from bentoml_img.training.run import Progress, Run

SAVE_SECONDS = 120.0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: the run stopped between two steps, and its checkpoint is written."""


def fit(trainer: Run[Any, Any], checkpoint: Path, console: Console, log: Log | None = None) -> None:
    """Train to the last step, if it is not there.

    Evaluates after each epoch, saves every two minutes, and does both at the
    end. The first Ctrl-C lets the step in hand finish, saves and raises
    Interrupted; a second one stops at once, with the last checkpoint intact.
    """
    if trainer.step == trainer.steps:
        return
    saved = time.monotonic()
    with _deferred_interrupt() as interrupts, progress_bar(console) as bar:
        task = bar.add_task("training", total=trainer.steps, completed=trainer.step, note="")

        def on_step(progress: Progress) -> None:
            nonlocal saved
            step, steps = progress.step, trainer.steps
            bar.update(task, completed=step, note=str(progress))
            if log:
                log.add_figures(progress.figures, step, steps, trainer.seconds)
            if step % trainer.steps_per_epoch == 0 or step == steps:
                entry = _evaluate(trainer, bar)
                if log:
                    log.add(entry)
            if interrupts or time.monotonic() - saved > SAVE_SECONDS:
                trainer.save(checkpoint)
                saved = time.monotonic()
            if interrupts:
                raise Interrupted(f"saved step {step} of {steps}")

        trainer.run(on_step)
    trainer.save(checkpoint)


def command_to_resume() -> str:
    """What to type to go on with the run that this process was started for."""
    command = sys.orig_argv
    return shlex.join(command if "--resume" in command else [*command, "--resume"])


def progress_bar(console: Console) -> ProgressBar:
    """A bar for tasks that have a description and the field `note`."""
    return ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        speed_estimate_period=300,
    )


def _evaluate(trainer: Run[Any, Any], bar: ProgressBar) -> Mapping[str, Any]:
    task = bar.add_task("evaluating", total=None, note="")
    entry = trainer.evaluate(lambda done, total: bar.update(task, completed=done, total=total))
    bar.remove_task(task)
    epoch, epochs = (n / trainer.steps_per_epoch for n in (trainer.step, trainer.steps))
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
