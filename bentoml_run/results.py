"""Files that an API answers with: what they are called, and where they go."""

import mimetypes
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from email.message import Message
from pathlib import Path, PurePath

from bentoml_run.asgi import Answer
from bentoml_run.errors import Failure, WrongUsage, reason
from bentoml_run.inputs import Call, InputFile

SUFFIX_LABEL = "run.suffix."
"""Label of a Bento, followed by the name of an API: what is added to the stem of its results."""


def result_folder(written: str) -> Path:
    """The folder of `--output-dir`, which need not be there yet.

    WrongUsage if there is something else.
    """
    folder = Path(os.path.expanduser(written))
    if folder.exists() and not folder.is_dir():
        raise WrongUsage(f"{written} is not a folder.")
    return folder


def is_file(answer: Answer) -> bool:
    """Whether an answer is a file to keep, not text or JSON to read, nor nothing at all."""
    media_type = answer.media_type
    if not (answer.body or media_type):
        return False
    return bool(file_name(answer)) or not (
        media_type.startswith("text/")
        or media_type.endswith(("+json", "+xml"))
        or media_type in ("application/json", "application/x-ndjson", "application/xml")
    )


def suffix_of(labels: Mapping[str, str], api: str) -> str:
    """What is added to the stem of an API's results: `_<api>`, or what the Bento's label says."""
    return PurePath(labels.get(f"{SUFFIX_LABEL}{api}", f"_{api}")).name


def without_results(files: Sequence[InputFile], suffixes: Collection[str]) -> list[InputFile]:
    """The files, less those which a pattern matched that are results of others among them.

    A result has the stem of its input, with one of the `suffixes` added.
    """
    stems = {(file.path.parent, file.path.stem) for file in files}

    def is_result(path: Path) -> bool:
        return any(
            suffix
            and path.stem.endswith(suffix)
            and (path.parent, path.stem.removesuffix(suffix)) in stems
            for suffix in suffixes
        )

    return [file for file in files if not (file.by_pattern and is_result(file.path))]


class Results:
    """Writes the files of one run; never over one of its `inputs` or of its own results.

    Results go into `folder`, or beside their input if there is none; `here` takes those of calls
    without an input file. `suffix` is added to the stem.
    """

    def __init__(
        self, inputs: Iterable[Path], folder: Path | None, suffix: str, here: Path
    ) -> None:
        self._taken = {_identity(path) for path in inputs}
        self._written = folder
        self._folder = folder and folder.absolute()  # loading a Bento changes where one is
        self._suffix = suffix
        self._here = here
        self._part: Path | None = None  # the file that is being written

    def write(self, call: Call, api: str, answer: Answer) -> tuple[Path, Path]:
        """Write the body of an answer; the path, and the path as the user would write it.

        Failure if the file cannot be written.
        """
        if call.sources:
            source = call.sources[0].path
            folder, stem = self._folder or source.parent, f"{source.stem}{self._suffix}"
            written = self._written or Path(call.sources[0].written).parent
        else:
            folder, stem = self._folder or self._here, api
            written = self._written or Path()
        path = folder / f"{stem}{extension(answer)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = self._free(path)
            self._put(path, answer.body)
        except OSError as error:
            advice = "" if self._folder else "; --output-dir writes elsewhere"
            raise Failure(f"cannot write {path}: {reason(error)}{advice}") from error
        return path, written / path.name

    def discard_unfinished(self) -> None:
        """Remove what is there of a file that is being written."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def _put(self, path: Path, content: bytes) -> None:
        self._part = path.with_name(f".{path.name[-48:]}.{os.getpid()}.part")
        try:
            self._part.write_bytes(content)
            os.replace(self._part, path)
        finally:
            self.discard_unfinished()
        self._taken.add(_identity(path))

    def _free(self, path: Path) -> Path:
        """The path, or the first of `<stem>-2`, `<stem>-3`… that is not taken."""
        free, count = path, 1
        while free.exists() and _identity(free) in self._taken:
            count += 1
            free = path.with_stem(f"{path.stem}-{count}")
        return free


def extension(answer: Answer) -> str:
    """The extension for an answer's file: that of the name it was sent with, else of its type."""
    suffix = PurePath(file_name(answer)).suffix
    if re.fullmatch(r"\.\w{1,16}", suffix):
        return suffix
    return mimetypes.guess_extension(answer.media_type) or ".bin"


def file_name(answer: Answer) -> str:
    """The file name that an answer was sent with (RFC 6266), or an empty string."""
    header = Message()
    header["content-disposition"] = answer.header("content-disposition")
    return header.get_filename("")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
