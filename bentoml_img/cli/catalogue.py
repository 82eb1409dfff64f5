"""The models that can be chosen for a task, as a table."""

from collections.abc import Callable, Mapping, Sequence

from rich.table import Table

from bentoml_img import zoo
from bentoml_img.bundle import WEIGHTS, Bundle
from bentoml_img.shelf import bundle_of, is_at_hand


def catalogue(
    task: str,
    columns: Sequence[str],
    cells: Callable[[zoo.Entry, Mapping[str, float]], Sequence[str]],
) -> Table:
    """The models for a task: what they reach, cost and see, and where their weights are.

    `cells` gives the texts below `columns`, for a model and its scores: the published
    ones, or those of the shipped bundle.
    """
    table = Table("model", *columns, "parameters", "GFLOPs", "MB", "sees", "weights")
    for name in zoo.names_of(task):
        entry = zoo.find(name)
        if entry.published:
            scores, parameters = entry.published.scores, entry.published.parameters
            gflops, megabytes = entry.published.gflops, entry.published.megabytes
            weights = "at hand" if is_at_hand(name) else "to download"
        else:
            bundle = bundle_of(name)
            scores = Bundle.open(bundle).manifest.scores
            parameters, gflops = int(scores["parameters"]), scores["gflops"]
            megabytes, weights = (bundle / WEIGHTS).stat().st_size / 1e6, "shipped"
        table.add_row(
            name,
            *cells(entry, scores),
            f"{parameters / 1e6:.1f} M",
            f"{gflops:.1f}",
            f"{megabytes:.0f}",
            f"{entry.transform.input_size[0]} px",
            weights,
        )
    return table
