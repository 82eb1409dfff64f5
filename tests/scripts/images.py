"""An image laid out as a folder, without buildah."""

from pathlib import Path

from scripts.buildah import Image

PACKAGES = "app/.venv/lib/python3.11/site-packages"


def image(root: Path) -> Image:
    return Image(root, {}, "bentoml", "/home/bentoml/bento", ("serve",), ("check",))


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
