"""Charts, by matplotlib."""

from pathlib import Path

from matplotlib.figure import Figure

from bentoml_img.system.atomic import replacing


def save_chart(figure: Figure, path: Path, dpi: int = 120) -> None:
    """Write a figure as a PNG, whatever the suffix, so many pixels an inch."""
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=dpi)
