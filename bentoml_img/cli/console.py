"""How the scripts speak: with people on standard error, data on standard output."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from rich.console import Console
from rich.table import Table

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # what an older encoding does not have becomes "?"

# Without markup: a file name may have brackets.
console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


@contextmanager
def printing() -> Iterator[None]:
    """ClickException if standard output cannot be written, but for a pipe that nobody reads."""
    if sys.stdout is None:
        raise click.ClickException("standard output is closed")
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise  # of another file
        with suppress(OSError):
            sys.stdout.close()  # or Python writes once more, at its end
        message = f"standard output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


def print_line(line: str | bytes) -> None:
    """Print a line to standard output."""
    with printing():
        click.echo(line)


def print_table(table: Table) -> None:
    """Print a table to standard output, as wide as it needs to be.

    On a terminal that is narrower, it has no frame, so that its rows can be read where they wrap.
    """
    with printing():
        stdout = Console(highlight=False)
        needs = stdout.measure(table, options=stdout.options.update_width(sys.maxsize))
        if sys.stdout.isatty() and stdout.width < needs.maximum:
            table.box, table.padding = None, (0, 1, 0, 0)
        stdout.width = needs.maximum
        stdout.print(table)


def tell_table(table: Table) -> None:
    """Print a table to standard error, as wide as it needs to be where that is no terminal.

    On a terminal it becomes narrower, but no column gets less than its `min_width`.
    """
    needs = console.measure(table, options=console.options.update_width(sys.maxsize))
    shown = max(console.width, needs.minimum) if console.is_terminal else needs.maximum
    table.width = min(shown, needs.maximum)
    console.print(table)
