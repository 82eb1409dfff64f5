"""Options that several scripts have, and what options take."""

import difflib
import math
import os
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bentoml_img import zoo
from bentoml_img.bundle import MANIFEST, Bundle, BundleError
from bentoml_img.engines import ENGINES, PRECISIONS
from bentoml_img.video.places import PlaceSpec, split_name

SOURCES = ("weights", "weights_url")  # of weights
CHOICES = ("model", "models", *SOURCES, "engine", "precision")
HELP = {"help_option_names": ["-h", "--help"]}  # a command's context_settings
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)  # need not be there yet
# The seed is the upper half of a generator's 64 bits; the lower half numbers the steps of a run.
SEEDS = click.IntRange(0, 2**32 - 1)

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """Numbers in a range, but not infinity and not nan."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Numbers(click.ParamType[tuple[float, ...]]):
    """Finite numbers with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            numbers = tuple(map(float, value.split(",")))
        except ValueError:
            numbers = (math.nan,)
        if not all(map(math.isfinite, numbers)):
            self.fail(f"{value!r} is not numbers with commas between", param, ctx)
        return numbers


class Place(click.ParamType[PlaceSpec]):
    """The numbers of a line or a zone, which may have a name: NAME=1,2,3,4."""

    name = "place"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> PlaceSpec:
        name, numbers = split_name(value)
        try:
            return PlaceSpec(Numbers().convert(numbers, param, ctx), name)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class InputPath(click.Path[Path]):
    """A file or a folder that exists, but no pipe or other stream."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(exists=True, dir_okay=dir_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        stream = os.path.exists(value) and not (os.path.isfile(value) or os.path.isdir(value))
        if stream or os.fspath(value) in ("-", "/dev/stdin"):
            what = "photos and videos are not read from standard input; save it first"
            self.fail(f"{value} is no file: {what}", param, ctx)
        return super().convert(value, param, ctx)


class NewFolder(click.Path[Path]):
    """A folder, which need not be there yet."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        if os.path.exists(value) and not os.path.isdir(value):  # click lets devices and pipes pass
            self.fail(f"{value} is not a folder.", param, ctx)
        return super().convert(value, param, ctx)


NEW_FOLDER = NewFolder()


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one, in this order in the help."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def given(context: click.Context, names: Container[str]) -> str | None:
    """The first of the parameters `names` that is on the command line, as it is written there."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            return parameter.opts[0]
    return None


def _only_one(context: click.Context, param: click.Parameter, value: T) -> T:
    """UsageError if the weights come from a file and from a mirror."""
    if value and any(context.params.get(name) for name in SOURCES if name != param.name):
        raise click.UsageError("--weights and --weights-url: give one of them")
    return value


version_option = click.version_option(package_name="bentoml-img")
list_option = click.option(
    "--list", "listed", is_flag=True, help="Print the models that can be chosen."
)
weights_option = click.option(
    "--weights",
    type=FILE,
    callback=_only_one,
    help="A .pth file for an official model.",
)
weights_url_option = click.option(
    "--weights-url", metavar="URL", callback=_only_one, help="A mirror of the official weights."
)
engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="auto",
    show_default=True,
    help="What it computes with. auto: OpenVINO where the bundle has its graph, else PyTorch "
    "(on a GPU if there is one).",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="What it computes in; bf16 and int8 need a bundle that is made ready for them.",
)


class ModelChoice(click.ParamType[str]):
    """A model for a task, as `bentoml_img.shelf.bundle_of` takes it."""

    name = "model"

    def __init__(self, task: str) -> None:
        self.task = task

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        names = zoo.names_of(self.task)
        if value in names:
            return value
        if not Path(value, MANIFEST).is_file():
            near = difflib.get_close_matches(value, names, n=1)
            advice = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names)}"
            self.fail(f"{value!r} is no model, and no bundle's folder: {advice}", param, ctx)
        try:
            task = Bundle.open(Path(value)).manifest.task
        except BundleError as error:
            self.fail(str(error), param, ctx)
        if task != self.task:
            self.fail(f"{value} is a bundle for {task}", param, ctx)
        return value


def refuse_choice(context: click.Context) -> None:
    """UsageError if an option chooses a model or how it computes: --list is about all of them."""
    if unused := given(context, CHOICES):
        raise click.UsageError(f"{unused} chooses a model, and --list prints them all")
