"""What the commands of this package need: the extra `train`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bentoml_img.cli.errors import plain_errors


@contextmanager
def importing_extra() -> Iterator[None]:
    """End the process with one line if an import within the block needs the extra to be installed.

    As `plain_errors` does, but where no command runs yet that would print the line.
    """
    try:
        with plain_errors("train"):
            yield
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
