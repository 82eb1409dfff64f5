"""Prints the figures of an evaluation, and shows its progress on the terminal."""

from collections.abc import Callable, Iterator

from bentoml_img.cli.bars import cleared, work_bar
from bentoml_img.cli.console import print_line
from bentoml_img.training.figures import Figure, OnPhoto

Measure = Callable[[OnPhoto], Iterator[Figure]]


def watched(measure: Measure) -> Iterator[Figure]:
    """Yield the figures while a progress bar counts the photos."""
    with work_bar() as bar:
        task = bar.add_task("photos", total=None, speed="")

        def on_photo(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        for figure in measure(on_photo):
            with cleared(bar):
                yield figure


def print_figures(measure: Measure) -> None:
    """Print each figure as soon as it is measured, as a line of JSON."""
    for figure in watched(measure):
        print_line(figure.to_json())
