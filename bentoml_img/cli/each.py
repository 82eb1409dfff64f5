"""How the scripts work through their inputs, one after another."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.progress import Progress

from bentoml_img.cli.bars import cleared, work_bar
from bentoml_img.cli.console import print_line
from bentoml_img.file_errors import FileError, named
from bentoml_img.video.results import Ending


@dataclass(frozen=True)
class Done:
    """What became of an input: lines for standard output, errors, and whether Ctrl-C ended it."""

    lines: Sequence[str | bytes] = ()
    failed: Sequence[str] = ()
    interrupted: bool = False


def do_each(sources: Collection[Path], do: Callable[[Path, Progress], Done]) -> int:
    """Do one input after the other, until Ctrl-C. Returns the exit status.

    `do` is given a source and the bars to show its progress on, and may raise
    FileError. Such errors are printed at the end, even if another error ends the work.
    """
    failed: list[str] = []
    try:
        with work_bar() as bar:
            files = bar.add_task("files", total=len(sources), speed="", visible=len(sources) > 1)
            for source in sources:
                try:
                    done = do(source, bar)
                except FileError as error:
                    done = Done(failed=[str(error)])
                failed += done.failed
                if done.lines:
                    with cleared(bar):
                        for line in done.lines:
                            print_line(line)
                bar.advance(files)
                if done.interrupted:
                    return 130
        return 1 if failed else 0
    finally:
        for message in failed:
            click.echo(f"Error: {message}", err=True)


def shortfall(source: Path, result: Path, ending: Ending) -> list[str]:
    """What to say of a video that was not done to its end."""
    reason = ending.reason
    return [f"{named(source, reason)}; {result} has what there is"] if reason else []
