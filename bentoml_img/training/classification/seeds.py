"""How much the classifier's accuracy depends on the seed.

`python -m bentoml_img.training.classification.seeds --data-dir DIR --epochs 3 --seeds 3` trains
a short schedule once for each seed and prints one JSON object a run, then the mean and the
standard deviation of the accuracies. If it is stopped and started again, finished runs are not
repeated.
"""

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bentoml_img.cli.console import console
from bentoml_img.cli.options import NEW_FOLDER, FiniteRange
from bentoml_img.system import atomic
from bentoml_img.training.classification import cifar10
from bentoml_img.training.extra import importing_extra

with importing_extra():
    from bentoml_img.engines.torch import best_device
    from bentoml_img.training.classification.trainer import Recipe, Trainer, module_logits
    from bentoml_img.training.command import resumable
    from bentoml_img.training.fit import fit


def as_written(recipe: Recipe) -> dict[str, Any]:
    """A recipe as read from a JSON file: tuples are lists there."""
    written: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return written


def run(train: cifar10.Split, test: cifar10.Split, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The result of one recipe: read from `folder`, or trained and written there."""
    result = folder / f"seed_{recipe.seed}.json"
    if result.is_file():
        kept: dict[str, Any] = json.loads(result.read_text())
        if kept["recipe"] == as_written(recipe):
            return kept
    checkpoint = folder / f"seed_{recipe.seed}.pt"
    trainer = Trainer(train, test, recipe, device=best_device())
    if checkpoint.is_file():
        trainer.restore(checkpoint)
    fit(trainer, checkpoint, console)
    hits = module_logits(trainer.blend(), test.images).argmax(1) == test.labels
    kept = {
        "seed": recipe.seed,
        "accuracy": float(hits.mean()),
        "n": len(test),
        "seconds": round(trainer.seconds),
        "recipe": as_written(recipe),
    }
    atomic.write(result, json.dumps(kept).encode())
    checkpoint.unlink()
    return kept


def summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Mean, sample standard deviation, minimum and maximum of the accuracies of several runs."""
    accuracies = [result["accuracy"] for result in runs]
    return {
        "runs": len(runs),
        "epochs": runs[0]["recipe"]["epochs"],
        "mean": statistics.mean(accuracies),
        "std": statistics.stdev(accuracies) if len(runs) > 1 else 0.0,
        "min": min(accuracies),
        "max": max(accuracies),
    }


@click.command()
@click.option("--data-dir", type=NEW_FOLDER, required=True)
@click.option("--epochs", type=FiniteRange(min=0, min_open=True), default=3, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="How many.")
@click.option(
    "--output-dir",
    type=NEW_FOLDER,
    default=Path("runs/seeds"),
    show_default=True,
)
@click.pass_context
def main(
    context: click.Context, data_dir: Path, epochs: float, seeds: int, output_dir: Path
) -> None:
    """Train a short schedule with the seeds 0, 1, … and print the mean and spread of accuracy."""
    runs = []
    with resumable(context, "the same command goes on from here"):
        output_dir.mkdir(parents=True, exist_ok=True)
        train, test = cifar10.load(data_dir)
        for seed in range(seeds):
            runs.append(run(train, test, Recipe(epochs=epochs, seed=seed), output_dir))
            click.echo(json.dumps(runs[-1]))
    click.echo(json.dumps(summary(runs)))


if __name__ == "__main__":
    main()
