"""What the command line gives an API: files, patterns of files, JSON and parameters."""

import dataclasses
import glob
import json
import os
import stat
import sys
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentoml_run.errors import WrongUsage
from bentoml_run.schema import Api, Field


@dataclass(frozen=True)
class InputFile:
    """A file as the user wrote it, but for `~`, and where it is.

    The path is absolute, because loading a Bento changes the working directory.
    """

    written: str
    path: Path
    # It was not named, but matched.
    by_pattern: bool = dataclasses.field(default=False, compare=False)

    @classmethod
    def of(cls, written: str, by_pattern: bool = False) -> "InputFile":
        """Take a path as written on the command line.

        WrongUsage if there is no such file, or it is a folder or unreadable.
        """
        if not written:
            raise WrongUsage("a file without a name.")
        written = os.path.expanduser(written)
        path = Path(written).absolute()
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except PermissionError:  # of the folder that it is in
            raise WrongUsage(f"{written} cannot be read: permission denied.") from None
        except OSError:
            stdin = "; standard input is /dev/stdin, with --output-dir" if written == "-" else ""
            raise WrongUsage(f"{written}: no such file{stdin}.") from None
        if is_folder:
            raise WrongUsage(f"{written} is a folder: name its files, as in '{written}/*'.")
        if not os.access(path, os.R_OK):
            raise WrongUsage(f"{written} cannot be read: permission denied.")
        return cls(written, path, by_pattern)


@dataclass(frozen=True)
class Call:
    """One request to an API, in one of three shapes.

    - Of an API with file fields: `fields`, `files` and `attached`.
    - Of an API with other fields alone: `fields`, and perhaps a `document`.
    - Of an API with a root input: a `document` or a `body`, and the `query`.

    `fields` are the values of `--input` and `--param`; `files` and `attached` are the files of
    `--input-file` and of `--param`, each with the field that it goes into. A `document` is the
    file of `--input-file` that holds the request itself: the JSON object of the fields, or the
    raw body. A `body` is a raw one, as `--input` gives it, and `query` has the parameters beside
    it.
    """

    fields: Mapping[str, Any]
    files: tuple[tuple[str, InputFile], ...] = ()
    attached: tuple[tuple[str, InputFile], ...] = ()
    document: InputFile | None = None
    body: bytes | None = None
    query: Mapping[str, str] | None = None

    @property
    def uploads(self) -> tuple[tuple[str, InputFile], ...]:
        """Every file that goes into a field."""
        return self.files + self.attached

    @property
    def input_files(self) -> tuple[InputFile, ...]:
        """What `--input-file` gave."""
        return (self.document,) if self.document else tuple(file for _, file in self.files)

    @property
    def sources(self) -> tuple[InputFile, ...]:
        """Every file that the call reads; results have the name of the first."""
        return (*self.input_files, *(file for _, file in self.attached))


def expand(patterns: Iterable[str]) -> list[InputFile]:
    """The files that paths and shell patterns (`img/*.jpg`, `**`) stand for, in order.

    WrongUsage if a path names no readable file, or a pattern matches none.
    """
    files: list[InputFile] = []
    for pattern in patterns:
        path = os.path.expanduser(pattern)
        if os.path.exists(path) or not glob.has_magic(path):
            files.append(InputFile.of(pattern))
            continue
        matches = sorted(
            match
            for match in glob.glob(path, recursive=True)
            if os.path.isfile(match) or not os.path.exists(match)  # a broken link is told
        )
        if not matches:
            raise WrongUsage(f"{pattern}: no file matches.")
        files += [InputFile.of(match, by_pattern=True) for match in matches]
    return files


def read_input(value: str) -> bytes:
    """The value of `--input`: itself, the content of `@FILE`, or standard input for `-`.

    WrongUsage if there is no such file, or standard input is closed.
    """
    if value == "-":
        if sys.stdin is None:
            raise WrongUsage("--input - reads standard input, which is closed.")
        return sys.stdin.buffer.read()
    if value.startswith("@"):
        return InputFile.of(value[1:]).path.read_bytes()
    return os.fsencode(value)


def plan(
    api: Api, files: list[InputFile], given: bytes | None, params: Iterable[tuple[str, str]]
) -> list[Call]:
    """Work out the calls that a command line asks for.

    `files` are those of `--input-file`: one call each, or one for all where the field takes a
    list. `given` is the content of `--input`, `params` the pairs of `--param`. WrongUsage for a
    name that the API does not know, a value that cannot be for its field, and a required field
    without a value.
    """
    if api.raw is not None:
        return _plan_raw(api, files, given, params)
    fields, attached = _fields(api, given, params)
    if not api.file_fields:
        return [Call(fields, document=file) for file in files] or [_complete(api, Call(fields))]
    if not files:
        return [_complete(api, Call(fields, attached=attached))]
    field = _file_field(api, {name for name, _ in attached})
    groups = [files] if field.takes_many_files else [[file] for file in files]
    return [
        _complete(api, Call(fields, tuple((field.name, file) for file in group), attached))
        for group in groups
    ]


def _plan_raw(
    api: Api, files: list[InputFile], given: bytes | None, params: Iterable[tuple[str, str]]
) -> list[Call]:
    query: dict[str, str] = {}
    for name, text in params:
        _refuse_twice(name, query)
        query[name] = text
    if files and given is not None:
        raise WrongUsage(f"{api.name} takes one body: give --input-file or --input, not both.")
    if not files and given is None:
        if "default" in (api.raw or {}):
            return [Call({}, body=b"", query=query)]
        raise WrongUsage(f"{api.name} needs an input: --input-file FILE or --input VALUE.")
    if api.raw_is_json and given is not None:
        _json(given, "--input")
    return [Call({}, document=file, query=query) for file in files] or [
        Call({}, body=given, query=query)
    ]


def _fields(
    api: Api, given: bytes | None, params: Iterable[tuple[str, str]]
) -> tuple[dict[str, Any], tuple[tuple[str, InputFile], ...]]:
    """The values of `--input` and `--param`, and the files that `--param` attaches."""
    fields = {} if given is None else _json(given, "--input")
    if not isinstance(fields, dict):
        raise WrongUsage(f'--input must be a JSON object for {api.name}, as in {{"name": value}}.')
    for name in fields:
        if api.field(name).takes_files:
            raise WrongUsage(f"{name} is a file: give it by --input-file or --param {name}=@FILE.")
    attached: list[tuple[str, InputFile]] = []
    values: dict[str, Any] = {}
    for name, text in params:
        field = api.field(name)
        if not field.takes_files:
            _refuse_twice(name, values)
            values[name] = field.parse(text)
        elif text.startswith("@"):
            attached += [(name, file) for file in expand([text[1:]])]
            if not field.takes_many_files and [at for at, _ in attached].count(name) > 1:
                raise WrongUsage(f"{name} is one file, and --param {name} gives several.")
        else:
            raise WrongUsage(f"{name} is a file: write --param {name}=@FILE.")
    return {**fields, **values}, tuple(attached)


def _refuse_twice(name: str, given: Container[str]) -> None:
    if name in given:
        raise WrongUsage(
            f"--param {name} is given more than once; several values are one JSON list."
        )


def _file_field(api: Api, attached: set[str]) -> Field:
    """The field that `--input-file` goes into: the only one that `--param` leaves open."""
    free = [field for field in api.file_fields if field.name not in attached]
    required = [field for field in free if field.required]
    choice = required or free
    if len(choice) == 1:
        return choice[0]
    if not choice:
        raise WrongUsage(f"{api.name} has no file field left for --input-file.")
    names = ", ".join(field.name for field in choice)
    raise WrongUsage(
        f"{api.name} takes several files ({names}): "
        f"give all but one by --param, as in --param {choice[-1].name}=@FILE."
    )


def _complete(api: Api, call: Call) -> Call:
    given = {*call.fields, *(name for name, _ in call.uploads)}
    for field in api.fields.values():
        if field.required and field.name not in given:
            how = "--input-file FILE" if field.takes_files else f"--param {field.name}=VALUE"
            raise WrongUsage(f"{api.name} needs {field.name}: {how}.")
    return call


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"{what} is not JSON: {error}.") from None
