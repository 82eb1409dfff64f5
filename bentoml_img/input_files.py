"""Which files are the inputs that a path stands for."""

import os
from pathlib import Path

from bentoml_img.file_errors import reading
from bentoml_img.file_kinds import PHOTOS, VIDEOS
from bentoml_img.result_names import RESULTS


def inputs_of(path: Path) -> list[Path]:
    """The file itself, or the photos and videos in a folder, but for earlier results.

    Hidden files are passed over: macOS writes `._photo.jpg`, which is no photo, beside `photo.jpg`.
    A file that cannot be looked at, such as a broken link, is among them: reading it says why.
    FileError if the folder cannot be read.
    """
    if not os.path.isdir(path):
        return [path]
    with reading(path):
        files = sorted(path.iterdir())
    return [
        file
        for file in files
        if file.suffix.lower() in PHOTOS | VIDEOS
        and not file.name.startswith(".")
        and not file.name.endswith(RESULTS)
        and (os.path.isfile(file) or not os.path.exists(file))  # no folder, and no pipe
    ]
