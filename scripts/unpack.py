"""Unpack the data sets' archives of a folder, or link their folders, so that all are in one place.

    python -m scripts.unpack FOLDER TARGET

What is there already is left as it is; of an archive and its folder the archive is taken.
"""

import sys
import tarfile
from pathlib import Path


def unpack(folder: Path, target: Path) -> None:
    """Give each data set of `folder` its place in `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(folder.iterdir(), key=lambda source: (source.is_dir(), source.name)):
        if source.is_dir() and not (target / source.name).exists():
            (target / source.name).symlink_to(source.resolve())
        elif source.suffix == ".tar":
            stamp = target / f"{source.stem}.unpacked"
            if not stamp.exists():
                with tarfile.open(source) as archive:
                    archive.extractall(target, filter="data")
                stamp.touch()


if __name__ == "__main__":
    unpack(*map(Path, sys.argv[1:3]))
