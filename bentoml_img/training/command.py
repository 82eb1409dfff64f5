"""What the training commands share: their options, and how they end."""

import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bentoml_img.cli.console import console
from bentoml_img.cli.errors import plain_errors
from bentoml_img.cli.options import NEW_FOLDER, SEEDS, Command, FiniteRange, together
from bentoml_img.training.errors import CheckpointError, DatasetError, Diverged
from bentoml_img.training.fit import TrainingInterrupted
from bentoml_img.training.run import RunRecipe


def run_options(recipe: type[RunRecipe]) -> Callable[[Command], Command]:
    """Options --output-dir, --resume, --epochs, --seed, --threads, with a recipe's defaults."""
    return together(
        click.option("--output-dir", "out", type=NEW_FOLDER, required=True),
        click.option(
            "--resume", is_flag=True, help="Go on from the checkpoint in the output folder."
        ),
        click.option(
            "--epochs",
            type=FiniteRange(min=0, min_open=True),
            default=recipe.epochs,
            show_default=True,
            help="May be changed on --resume, until the cool-down has begun.",
        ),
        click.option("--seed", type=SEEDS, default=recipe.seed, show_default=True),
        click.option(
            "--threads", type=click.IntRange(min=1), help="Of the processor. Default: all."
        ),
    )


def command_to_resume() -> str:
    """The command line that resumes the run of this process."""
    command = sys.orig_argv
    return shlex.join(command if "--resume" in command else [*command, "--resume"])


@contextmanager
def resumable(context: click.Context, advice: str | None = None) -> Iterator[None]:
    """Print errors and warnings as one line each, and after Ctrl-C how to resume.

    `advice` replaces the default, the same command with --resume.
    """
    try:
        with (
            _printed_warnings(),
            plain_errors("train", DatasetError, CheckpointError, Diverged, OSError),
        ):
            yield
    except TrainingInterrupted as interrupted:
        console.print(f"{interrupted}; {advice or f'to go on: {command_to_resume()}'}")
        context.exit(130)


class _Printer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        console.print(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def _printed_warnings() -> Iterator[None]:
    """Print what `bentoml_img` logs in the block, from the level of warnings on."""
    logger, printer = logging.getLogger("bentoml_img"), _Printer(logging.WARNING)
    logger.addHandler(printer)
    try:
        yield
    finally:
        logger.removeHandler(printer)
