"""Unpack the data sets' archives of a folder, or link their folders, so that all are in one place.

Of an archive and its folder the archive is taken. TARGET is left as it is as long as FOLDER has
the same sets, and made anew if not.
"""

import tarfile
from pathlib import Path

import click

from bentoml_img.cli.options import FOLDER, NEW_FOLDER
from bentoml_img.system.atomic import replacing_folder

STAMP = ".unpacked"  # lists what a target was unpacked from


def unpack(folder: Path, target: Path) -> None:
    """Give each data set of `folder` its place in `target`.

    ClickException if `target` has other things in it.
    """
    if folder.resolve() == target.resolve():
        return
    stamp = target / STAMP
    if target.is_dir() and any(target.iterdir()) and not stamp.is_file():
        raise click.ClickException(f"{target} has other things in it: remove it")
    sources = sorted(folder.iterdir())
    archives = [source for source in sources if source.suffix == ".tar" and source.is_file()]
    folders = {source.name: source.resolve() for source in sources if source.is_dir()}
    made_of = f"{[*map(_state, archives)]} {folders}\n"
    if stamp.is_file() and stamp.read_text() == made_of:
        return
    with replacing_folder(target) as part:
        for source in archives:
            with tarfile.open(source) as archive:
                archive.extractall(part, filter="data")
        for name, source in folders.items():
            if not (part / name).exists():
                (part / name).symlink_to(source)
        (part / STAMP).write_text(made_of)


def _state(archive: Path) -> tuple[Path, int, int]:
    """Which archive it is, its size in bytes, and when it was written, in nanoseconds."""
    found = archive.stat()
    return archive.resolve(), found.st_size, found.st_mtime_ns


@click.command(help=__doc__)
@click.argument("folder", type=FOLDER)
@click.argument("target", type=NEW_FOLDER)
def main(folder: Path, target: Path) -> None:
    unpack(folder, target)


if __name__ == "__main__":
    main()
