"""A plain error if the extra `train` is not installed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bentoml_img.cli.errors import plain_errors


@contextmanager
def importing_extra() -> Iterator[None]:
    """End the process with a one-line error if an import in the block fails without the extra.

    For imports of a module, where no click command runs yet that would print the error.
    """
    try:
        with plain_errors("train"):
            yield
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
