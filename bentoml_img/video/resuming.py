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
    files = files_of(output)
    try:
        summary = json.loads(files["summary"].read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(summary, dict) or summary.get("made_of") != key:
        return None
    there = all(file.is_file() and file.stat().st_size for file in files.values())
    if summary.get("stopped") is not None or not there:
        return None
    return Result(output, summary["frames"], COMPLETE)


def _fingerprint(source: Path) -> list[tuple[str, str]]:
    """Name and digest of the video, or of each picture in the folder."""
    files = pictures(source) if source.is_dir() else [source]
    try:
        return [(file.name, sha256(file)) for file in files]
    except OSError as error:
        file = Path(error.filename or source)
        raise VideoError(f"{file.name} cannot be read: {error.strerror}") from None
