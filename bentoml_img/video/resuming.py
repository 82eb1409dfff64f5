"""Whether a run may go on with what an earlier one left: what both are made of."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bentoml_img.bundle import sha256
from bentoml_img.video.frames import VideoError
from bentoml_img.video.options import Options
from bentoml_img.video.reading import pictures
from bentoml_img.video.results import COMPLETE, Result, files_of


def key_of(source: Path, identity: str, options: Options) -> dict[str, Any]:
    """What a result is made of, as JSON has it: `identity` is the detector's.

    VideoError if the source cannot be read.
    """
    made_of = {
        "source": _fingerprint(source),
        "detector": identity,
        "options": asdict(options),
    }
    key: dict[str, Any] = json.loads(json.dumps(made_of))
    return key


def finished(output: Path, key: dict[str, Any]) -> Result | None:
    """What an earlier run left, if it came to the end and was made of the same."""
    summary = _summary(output)
    if summary.get("made_of") != key or not _is_complete(output, summary):
        return None
    return Result(output, summary["frames"], COMPLETE)


def surpasses(output: Path, frames: int) -> bool:
    """Whether an earlier run's result is complete, or has more than so many frames."""
    summary = _summary(output)
    return _is_complete(output, summary) or summary.get("frames", 0) > frames


def _is_complete(output: Path, summary: dict[str, Any]) -> bool:
    there = all(file.is_file() and file.stat().st_size for file in files_of(output).values())
    return there and summary.get("stopped", "") is None


def _summary(output: Path) -> dict[str, Any]:
    """The summary of an earlier run's result; empty if there is none."""
    try:
        summary = json.loads(files_of(output)["summary"].read_text())
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def _fingerprint(source: Path) -> list[tuple[str, str]]:
    """Name and digest of the video, or of each picture in the folder."""
    files = pictures(source) if source.is_dir() else [source]
    try:
        return [(file.name, sha256(file)) for file in files]
    except OSError as error:
        file = Path(error.filename or source)
        raise VideoError(f"{file.name} cannot be read: {error.strerror}") from None
