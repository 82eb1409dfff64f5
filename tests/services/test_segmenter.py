"""What the segmenter says of the sample photos."""

import io
import json
from dataclasses import asdict

import httpx
import pytest
from PIL import Image

from bentoml_img.drawing.segmentation import colour_mask, overlay
from bentoml_img.images import encode_jpeg, encode_png, load_rgb, open_image
from bentoml_img.palettes import PALETTES, PaletteName
from bentoml_img.paths import ROOT, SHIPPED
from bentoml_img.segment import Segmenter
from tests.samples import encode
from tests.services.live import SEGMENTER, Server

pytestmark = pytest.mark.parametrize("service", [SEGMENTER], indirect=True)

MIB = 2**20
PHOTO = ROOT / "images" / "street.jpg"


def post(server: Server, api: str, data: bytes, **parameters: str) -> httpx.Response:
    return httpx.post(f"{server.url}/{api}", content=data, params=parameters, timeout=240)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_bundle(SHIPPED / SEGMENTER.model)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", ["street.jpg", "dog.jpg", "person_astronaut.jpg"])
def test_the_library_gives_the_same_answer(
    name: str, palette: PaletteName, server: Server, segmenter: Segmenter
) -> None:
    data = (ROOT / "images" / name).read_bytes()
    pixels, size = segmenter.prepare(open_image(data))
    answer = segmenter.segmentation(segmenter.scores(pixels), size)
    mask = post(server, "predict", data, palette=palette)
    assert mask.content == encode_png(colour_mask(answer, palette))
    laid_over = post(server, "overlay", data, palette=palette)
    assert laid_over.content == encode_jpeg(overlay(load_rgb(open_image(data)), answer, palette))
    in_figures = json.loads(json.dumps(asdict(answer.summary(palette))))
    assert post(server, "segment", data, palette=palette).json() == in_figures


def test_a_mask_has_the_size_of_its_upright_photo(server: Server) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(PHOTO) as photo:
        width, height = photo.size
        turned = encode(photo, "JPEG", exif=exif)
    for api, rows in (("predict", width), ("overlay", width + 1)):
        picture = Image.open(io.BytesIO(post(server, api, turned).content))
        assert picture.width == height
        assert picture.height >= rows
    summary = post(server, "segment", turned).json()
    assert (summary["width"], summary["height"]) == (height, width)
    assert sum(area["pixels"] for area in summary["classes"]) == width * height


def test_an_unknown_palette_is_refused(server: Server) -> None:
    answer = post(server, "predict", PHOTO.read_bytes(), palette="sepia")
    assert (answer.status_code, answer.json()["field"]) == (400, "palette")


@pytest.fixture(scope="module", params=["JPEG", "PNG"])
def large(request: pytest.FixtureRequest) -> bytes:
    """A photo of 50 megapixels, in blocks of ten, so that its PNG is no larger than an upload."""
    with Image.open(PHOTO) as photo:
        blocks = photo.resize((866, 578)).resize((8660, 5780), Image.Resampling.NEAREST)
    return encode(blocks, request.param)


def test_50_megapixels_take_less_than_a_gigabyte(large: bytes, server: Server) -> None:
    for api in SEGMENTER.media_types:
        post(server, api, PHOTO.read_bytes()).raise_for_status()
        server.reset_peak_memory()
        before = server.peak_memory()
        assert post(server, api, large).status_code == 200
        assert server.peak_memory() - before < 1000 * MIB
