"""The command-line surface of `bentoml run`.

This module is imported by every `bentoml` command, so it imports click and nothing else before
the command is called.
"""

import contextlib
import os
import sys
import threading
from typing import Any

import click

GRACE = 2.0  # seconds for what threads of a service have to do at the end


class RunCommand(click.Command):
    """A command whose `--input-file` takes several values after one flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat `--input-file` before each value that follows it."""
        spread: list[str] = []
        in_files = False
        for index, arg in enumerate(args):
            if arg == "--":
                return super().parse_args(ctx, spread + args[index:])
            if arg.startswith("-") and arg != "-":
                in_files = arg.partition("=")[0] == "--input-file"
                spread.append(arg)
            elif in_files and spread[-1] != "--input-file":
                spread += ["--input-file", arg]
            else:
                spread.append(arg)
        return super().parse_args(ctx, spread)


def pairs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Split each `NAME=VALUE`."""
    split = [value.partition("=") for value in values]
    for value, (name, equals, _) in zip(values, split, strict=True):
        if not (name and equals):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE.", ctx, param)
    return [(name, text) for name, _, text in split]


@click.command(cls=RunCommand, add_help_option=False)
@click.argument("bento", required=False)
@click.argument("api", required=False)
@click.option(
    "--input-file",
    "input_files",
    multiple=True,
    metavar="FILE...",
    help="Files or patterns ('img/*.jpg') for the API's file field: one call each, "
    "or one call with all where the API takes a list. JSON requests where it has no such field.",
)
@click.option(
    "--input",
    "input_",
    metavar="JSON",
    help="The API's parameters as JSON; @FILE reads a file, - standard input.",
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    callback=pairs,
    help="One parameter; @FILE for a file.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False),
    help="Folder for files that the API answers with, in place of the input's own.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text: the answers. json: a record of each call, one a line.",
)
@click.option("-h", "--help", "help_", is_flag=True, help="Show help, also for BENTO or API.")
@click.pass_context
def run(
    ctx: click.Context, /, bento: str | None, api: str | None, help_: bool, **options: Any
) -> None:
    """Call an API of a Bento in this process, without a server.

    BENTO is a tag, NAME or NAME:VERSION. 'bentoml run BENTO --help' lists its APIs, 'bentoml run
    BENTO API --help' what one takes.

    Answers go to standard output, one a line; --format json also says which input each belongs to.
    Files that the API answers with are written beside the input as <stem>_<api>.<extension>, and
    their paths go to standard output; a label 'run.suffix.<api>' of the Bento replaces '_<api>'.
    Where there is no input file they are <api>.<extension> in the working directory. Inputs
    of the same run are not written over: a result gets the name <stem>_<api>-2 then. A pattern
    leaves out what is named like a result of a file that it matches, too.

    The exit status is 0 when all is well, 1 when an input failed (the others are still done), and
    2 for wrong usage. Input files are looked for before anything is loaded: if one is missing or
    unreadable, nothing is done and the status is 2.

    \b
    Examples:
      bentoml run TextTools add --param a=1 --param b=2
      bentoml run PhotoTools:latest describe --input-file 'photos/*.jpg'
    """
    if sys.stderr is None:  # it is closed, and what is written there goes nowhere
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if bento is None:
        if help_:
            _print(ctx.get_help())
            return
        raise click.UsageError("Missing argument 'BENTO'; it comes before --input-file.", ctx)
    before, status = set(threading.enumerate()), 1
    try:
        from bentoml_run import session

        if help_:
            _print(session.help_page(ctx.command_path, bento, api))
            return
        status = session.run(bento, api, **options)
    except KeyboardInterrupt:
        status = 130
    finally:
        if any(not thread.daemon for thread in set(threading.enumerate()) - before):
            _end_soon(status)
    if status:
        ctx.exit(status)


def _print(page: str) -> None:
    """Print a page of help; ClickException if that cannot be, but for a pipe that nobody reads."""
    try:
        click.echo(page)
    except BrokenPipeError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # or Python writes once more, at its end
        message = f"standard output cannot be written: {error.strerror}"
        raise click.ClickException(message) from error


def _end_soon(status: int) -> None:
    """End the process even if threads that a service has left behind go on for ever."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):  # or it is closed
            stream.flush()
    watch = threading.Timer(GRACE, os._exit, [status])
    watch.daemon = True
    watch.start()
