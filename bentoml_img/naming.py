"""What the results of photos and videos are called, and where they go."""

import os
from collections.abc import Iterable
from pathlib import Path

from bentoml_img.files import ANNOTATED, MASK, MOVING, inputs_of, kind_of
from bentoml_img.images import ENCODERS


def mask_of(source: Path, folder: Path) -> Path:
    """What is written into `folder`: a photo's mask, the overlay of anything that moves."""
    return folder / f"{source.stem}{MASK}{_suffix(source, '.png')}"


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
    inputs = {_identity(source) for source in sources if os.path.exists(source)}
    for target in targets.values():
        if os.path.exists(target) and _identity(target) in inputs:
            raise ValueError(f"{target} is an input: it would be overwritten")
    check_apart((source, _place(target)) for source, target in targets.items())
    return targets


def is_video(target: Path) -> bool:
    """Whether a result is a video or an animation, by its suffix."""
    return target.suffix.lower() in MOVING.values()


def check_apart(places: Iterable[tuple[Path, Path]]) -> None:
    """ValueError if two sources have one place for their results: pairs of source and place."""
    taken: dict[Path, Path] = {}
    for source, place in places:
        if place in taken:
            advice = "rename one, or give each an --output-dir of its own"
            raise ValueError(f"{taken[place]} and {source} have one result: {advice}")
        taken[place] = source


def _check_suffix(output: Path, source: Path) -> None:
    kind = kind_of(source)
    known = ENCODERS.keys() if kind == "photo" else MOVING.values()
    if output.suffix.lower() not in known:
        result = f"the result of {source} ({kind}) is one of {', '.join(known)}"
        raise ValueError(f"cannot write {output}: {result}")


def _identity(path: Path) -> tuple[int, int]:
    """What two names of one file have in common."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _place(target: Path) -> Path:
    """A video's records have its name, whatever its suffix."""
    return target.resolve().with_suffix("") if is_video(target) else target.resolve()


def _target(source: Path, folder: Path | None) -> Path:
    if os.path.isdir(source):
        name = source.resolve().name
        beside = Path(os.path.normpath(source / ".."))  # of "." as well
    else:
        name, beside = source.stem, source.parent
    return (folder or beside) / f"{name}{ANNOTATED}{_suffix(source, '.jpg')}"


def _suffix(source: Path, of_photo: str) -> str:
    return MOVING.get(kind_of(source), of_photo)
