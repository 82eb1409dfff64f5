"""Package a bundle, and tell people where the Bento is and what to do with it.

BentoML, which takes a third of a second to import, is imported when something is packaged.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.tree import Tree

from bentoml_img.bundle import BundleError
from bentoml_img.cli.console import console, print_line
from bentoml_img.file_errors import reason
from bentoml_img.paths import ROOT

if TYPE_CHECKING:
    from bentoml_img.packaging import PackagedBento


def package_and_show(bundle: Path, engine: str, precision: str, photo: str) -> None:
    """Package a bundle as a Bento, and say what to do with it, on `photo` to begin with.

    BundleError if the bundle cannot be used, or the store of Bentos cannot be
    written.
    """
    from bentoml.exceptions import BentoMLException

    from bentoml_img.packaging import package

    console.print("packaging")
    try:
        bento = package(bundle, engine, precision)
    except (OSError, BentoMLException) as error:
        store = os.environ.get("BENTOML_HOME", "~/bentoml")
        message = f"cannot package {bundle.name} in {store} (BENTOML_HOME): {reason(error)}"
        raise BundleError(message) from error
    show_packaged(bento, photo)


def show_packaged(bento: "PackagedBento", photo: str) -> None:
    """Where a Bento is, its tree, and what to do next; its tag goes to standard output."""
    if not Path(photo).exists():  # the script was called from another folder
        photo = str(ROOT / photo)
    console.print(_tree(bento.path, bento.tag, levels=2))
    console.print(f"{bento.tag} is in {bento.path}")
    latest = f"{bento.name}:latest"
    for command in (
        f"bentoml run {latest} predict --input-file={photo}",
        f"bentoml serve {latest} --host 127.0.0.1",
        f"bentoml containerize {latest}",
    ):
        console.print(f"  {command}")
    print_line(bento.tag)


def _tree(folder: Path, name: str, levels: int) -> Tree:
    """A folder's contents; of a folder below so many levels the number of its files."""
    tree = Tree(name)
    for path in sorted(folder.iterdir()):
        if path.is_file():
            tree.add(path.name)
        elif levels > 1:
            tree.add(_tree(path, f"{path.name}/", levels - 1))
        else:
            files = sum(file.is_file() for file in path.rglob("*"))
            tree.add(f"{path.name}/ ({files} {'file' if files == 1 else 'files'})")
    return tree
