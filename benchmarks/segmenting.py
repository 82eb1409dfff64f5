"""Load test of the segmenter: this service, and the same weights in eager PyTorch elsewhere.

    python -m benchmarks.segmenting --clients 8 --rounds 3 --seconds 10

As `benchmarks.serving`, with photos of 640×480. LitServe and plain FastAPI do
what examples do: Pillow, the network in eager PyTorch, all scores enlarged by
`torch.nn.functional.interpolate`, a default PNG (`common` in
`benchmarks.stages`); each with one worker of two threads and with two of one.
All masks have to be those of OpenVINO in fp32, but for a hundredth of the pixels;
with --precision, which is for our server alone, but for a seventh: what the network
is unsure of in a photo may be another class as a whole.
"""

from functools import cache
from pathlib import Path
from typing import Any

import click

from benchmarks.load import Right
from benchmarks.photos import load_photos
from benchmarks.servers import Route, python_server
from benchmarks.serving import Network, Plan, plan_options, run_against
from benchmarks.stages import agreement
from bentoml_img.bundle import Bundle
from bentoml_img.cli.options import FOLDER, precision_option
from bentoml_img.drawing.segmentation import colour_mask
from bentoml_img.images import encode_png, load_rgb, open_image
from bentoml_img.paths import SHIPPED
from bentoml_img.segment import Segmenter

SIZE = 640, 480
LEAST_AGREEMENT = {"fp32": 0.99, "bf16": 6 / 7, "int8": 6 / 7}

OTHERS = tuple(
    python_server(f"{name}, {workers}×{threads}", module, options, [Route("multipart")])
    for name, module in (("LitServe", "litserve_masks"), ("FastAPI", "fastapi_masks"))
    for workers, threads in ((1, 2), (2, 1))
    for options in (f"--workers {workers} --threads {threads}",)
)


def shows(mask: bytes, least: float) -> Right:
    """The answers that are PNGs of this mask; each is looked at once."""
    return cache(lambda png: agreement(png, mask) >= least)


def prepare(bundle: Path, precision: str, photos: Path) -> Network:
    """Package a bundle, and find the masks that the servers have to answer."""
    from bentoml_img.packaging import package

    segmenter, least = Segmenter.from_bundle(bundle), LEAST_AGREEMENT[precision]
    masked = [
        (photo, shows(encode_png(colour_mask(segmenter([load_rgb(open_image(photo))])[0])), least))
        for photo in load_photos(photos, *SIZE)
    ]
    size = "×".join(map(str, SIZE))
    name = Bundle.open(bundle).manifest.name
    return Network(name, bundle, package(bundle, precision=precision).tag, {size: masked})


@click.command()
@plan_options(seconds=10, warm_up=3, clients=8)
@click.option("--bundle", type=FOLDER, default=SHIPPED / "deeplabv3_lite")
@precision_option
def main(bundle: Path, photos: Path, precision: str, **plan: Any) -> None:
    """Compare the segmenter with others under load."""

    def networks(folder: Path) -> list[Network]:
        return [prepare(bundle.resolve(), precision, photos)]

    run_against(OTHERS, networks, Plan(**plan))


if __name__ == "__main__":
    main()
