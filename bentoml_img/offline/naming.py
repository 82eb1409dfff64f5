"""What the results of photos and videos are called, and where they go."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bentoml_img.file_kinds import PHOTOS, READ, kind_of, picture_kind
from bentoml_img.images import ENCODERS
from bentoml_img.input_files import inputs_of
from bentoml_img.result_names import ANNOTATED, MASK, MOVING, OVERLAY, PLOT, is_video
from bentoml_img.video.results import files_of


def masks_of(source: Path, folder: Path) -> list[Path]:
    """What is written into `folder`: a photo's mask and overlay, the overlay of what moves."""
    target = folder / f"{source.stem}{MASK}{_suffix(source, '.png')}"
    return [target] if is_video(target) else [target, folder / f"{source.stem}{OVERLAY}"]


def results_of(
    paths: Iterable[Path], frames: bool, output: Path | None, folder: Path | None
) -> dict[Path, Path]:
    """What is to be written for each photo and video in `paths`, by its source.

    A folder stands for the files in it, or with `frames` for a video. Results are
    beside their sources or in `folder`, unless `output` names the only one.
    ValueError if both are given, if results would overwrite each other or a source,
    or if `output` has a suffix that is not of its source's kind.
    """
    if output and folder:
        raise ValueError(f"the result is {output}, or it is in {folder}: give one of them")
    sources = [file for path in paths for file in ([path] if frames else inputs_of(path))]
    if output and len(sources) > 1:
        raise ValueError(f"{output} cannot be the result of {len(sources)} files")
    if output and sources:
        _check_suffix(output, sources[0])
    targets = {source: output or _target(source, folder) for source in sources}
    check_apart({source: _written(target) for source, target in targets.items()})
    return targets


def check_apart(results: Mapping[Path, Iterable[Path]]) -> None:
    """ValueError if results would overwrite each other or a source.

    `results` are the files to be written, by their source; there are none of a picture in a format
    that is not read here. A folder of frames cannot lose one: no result of a video has the name
    of a frame.
    """
    inputs = {_identity(source) for source in results if os.path.exists(source)}
    taken: dict[Path, Path] = {}
    for source, files in results.items():
        if source.suffix.lower() in PHOTOS - READ and picture_kind(source) is None:
            continue
        for file in files:
            if os.path.exists(file) and _identity(file) in inputs:
                raise ValueError(f"{file} is an input: it would be overwritten")
            other = taken.setdefault(file.resolve(), source)
            if other != source:
                advice = "rename one, or give each an --output-dir of its own"
                raise ValueError(f"{other} and {source} have one result: {advice}")


def _check_suffix(output: Path, source: Path) -> None:
    kind = kind_of(source)
    known = ENCODERS.keys() if kind == "photo" else MOVING.values()
    if output.suffix.lower() not in known:
        result = f"the result of {source} ({kind}) is one of {', '.join(known)}"
        raise ValueError(f"cannot write {output}: {result}")


def _identity(path: Path) -> tuple[int, int]:
    """The same for all names of one file."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _written(target: Path) -> list[Path]:
    """A photo, or a video with its records and its plot."""
    if not is_video(target):
        return [target]
    return [*files_of(target).values(), target.with_suffix(PLOT)]


def _target(source: Path, folder: Path | None) -> Path:
    if os.path.isdir(source):
        name = source.resolve().name
        beside = Path(os.path.normpath(source / ".."))  # of "." as well
    else:
        name, beside = source.stem, source.parent
    return (folder or beside) / f"{name}{ANNOTATED}{_suffix(source, '.jpg')}"


def _suffix(source: Path, of_photo: str) -> str:
    return MOVING.get(kind_of(source), of_photo)
