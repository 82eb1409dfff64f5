"""What the options of several benchmarks take."""

from collections.abc import Callable, Sequence

import click

from bentoml_img.cli.options import Command, FiniteRange

COUNT = click.IntRange(min=1)
SECONDS = FiniteRange(min=0, min_open=True)


def model_option(names: Sequence[str]) -> Callable[[Command], Command]:
    """--model, which chooses some of the names as `models`; by default all."""
    return click.option(
        "--model",
        "models",
        type=click.Choice(names),
        multiple=True,
        default=names,
        help="Several can be given. Default: all.",
    )
