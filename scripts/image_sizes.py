"""Print what the built images are made of, and whether they are within their budgets.

Each BUDGET is a Bento's name and the most MB that its image may take, NAME=MB.
An image that is not built is left out. The exit status is 1 if one is too large.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click
from rich.table import Table

from bentoml_img.cli.console import print_table
from scripts.buildah import BuildError, Image, Storage

MB = 1_000_000
ROWS = 12


def sizes(image: Image) -> Counter[str]:
    """Bytes of the image's files by what they belong to; hard links count once."""
    totals: Counter[str] = Counter()
    seen = set()
    for path in image.root.rglob("*"):
        status = path.lstat()
        if not path.is_symlink() and path.is_file() and status.st_ino not in seen:
            seen.add(status.st_ino)
            totals[_owner(path.relative_to(image.root), image.folder)] += status.st_size
    return totals


def _owner(path: Path, bento: str) -> str:
    if path.is_relative_to("app"):
        parts = path.parts
        package = parts[parts.index("site-packages") + 1] if "site-packages" in parts else "scripts"
        return "Python packages: " + package.partition(".")[0].partition("-")[0].lower()
    return "the Bento" if path.is_relative_to(bento.lstrip("/")) else "base image"


def table(images: Mapping[str, Counter[str]], budgets: Mapping[str, int]) -> Table:
    """The largest owners, the rest summed up, the totals and the budgets, in MB of 10^6 bytes."""
    shown = Table("MB")
    for name in images:
        shown.add_column(name, justify="right")
    largest: Counter[str] = Counter()
    for totals in images.values():
        largest |= totals
    owners = [owner for owner, _ in largest.most_common(ROWS)]
    for owner in owners:
        shown.add_row(owner, *(f"{totals[owner] / MB:.1f}" for totals in images.values()))
    rests = (totals.total() - sum(totals[o] for o in owners) for totals in images.values())
    shown.add_row("all others", *(f"{rest / MB:.1f}" for rest in rests), end_section=True)
    shown.add_row("total", *(f"{totals.total() / MB:.1f}" for totals in images.values()))
    shown.add_row("budget", *(f"{budgets[name]}" for name in images))
    return shown


def parse(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, int]:
    """The budgets in MB, by name."""
    pairs = {name: megabytes for name, _, megabytes in (text.partition("=") for text in texts)}
    for name, megabytes in pairs.items():
        if not (name and megabytes.isdecimal()):
            raise click.BadParameter(f"{name!r} needs a number of MB: NAME=MB")
    return {name: int(megabytes) for name, megabytes in pairs.items()}


@click.command(help=__doc__)
@click.argument("budgets", metavar="BUDGET...", callback=parse, nargs=-1, required=True)
def main(budgets: dict[str, int]) -> None:
    try:
        storage = Storage()
        images = {}
        for name in budgets:
            if built := storage.find(name):
                with storage.mounted(built) as image:
                    images[name] = sizes(image)
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    if not images:
        raise click.ClickException("no image is built: make image")
    print_table(table(images, budgets))
    large = [name for name, totals in images.items() if totals.total() > budgets[name] * MB]
    if large:
        raise click.ClickException(f"over budget: {', '.join(large)}")


if __name__ == "__main__":
    main()
