"""No bytes, whatever they are, make the service fail: 2,400 bodies, none of them a 5xx."""

import asyncio
import io
import random
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bentoml_img.images import FORMATS
from tests.samples import encode, photo
from tests.services.live import CLASSIFIER

pytestmark = pytest.mark.parametrize("service", [CLASSIFIER], indirect=True)


def tries(number: int) -> settings:
    """So many examples, the same ones every time."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


class InProcess:
    """The classifier's own application, started in this process."""

    def __init__(self, app: Any, runner: asyncio.Runner) -> None:
        self._runner = runner
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def check(self, **request: Any) -> None:
        """Assert that a request gets a label, or a refusal in the one shape that errors have."""
        answer = self._runner.run(self._client.post("/predict", **request))
        assert answer.status_code in (200, 400, 413, 415), answer.text
        if answer.status_code != 200:
            assert set(answer.json()) <= {"error", "field"}
            assert "\n" not in answer.json()["error"]


@pytest.fixture(scope="module")
def classifier(bento: object) -> Iterator[InProcess]:
    from services.classifier import PytorchImageClassifier

    app = PytorchImageClassifier.to_asgi()  # type: ignore[attr-defined]
    lifespan = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        runner.run(lifespan.__aenter__())
        yield InProcess(app, runner)
        runner.run(lifespan.__aexit__(None, None, None))


def samples() -> list[bytes]:
    """A small file of each kind that the decoders tell apart."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    picture, rough = photo(24, 24), Image.fromarray(noise)
    palette = picture.quantize(16)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    return [
        *(encode(picture, name) for name in FORMATS),
        encode(rough, "JPEG", progressive=True, exif=exif, icc_profile=b"profile" * 9),
        encode(picture.convert("CMYK"), "JPEG"),
        encode(picture, "PNG", exif=exif),
        encode(palette, "PNG", transparency=0),
        encode(palette, "GIF", save_all=True, append_images=[palette, palette], transparency=1),
        encode(picture, "PNG", save_all=True, append_images=[rough]),
        encode(picture, "WEBP", lossless=True, exif=exif, save_all=True, append_images=[rough]),
        encode(picture, "TIFF", compression="tiff_lzw", exif=exif),
        encode(picture, "TIFF", compression="jpeg"),
        encode(picture.convert("1"), "TIFF", compression="group4"),
        encode(picture.convert("I;16"), "TIFF"),
        encode(palette, "BMP"),
        encode(picture.convert("LA"), "PNG"),
    ]


SAMPLES = samples()
PREFIXES = (
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"RIFF",
)


@tries(400)
@given(st.sampled_from(PREFIXES), st.binary(max_size=400))
def test_random_bytes(classifier: InProcess, prefix: bytes, data: bytes) -> None:
    classifier.check(content=prefix + data)


@tries(1600)
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False))
def test_mutated_pictures(classifier: InProcess, sample: bytes, chance: random.Random) -> None:
    classifier.check(content=mutated(sample, chance))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The file with some of its bits flipped, bytes replaced, and pieces cut, doubled or moved."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        kind = chance.choice(
            ["flip", "flip", "flip", "number", "cut", "truncate", "double", "swap"]
        )
        # Headers are where decoders are most easily misled.
        reach = len(changed) if chance.random() < 0.5 else min(80, len(changed))
        if reach < 8:
            break
        start = chance.randrange(reach)
        end = min(len(changed), start + chance.randint(1, 64))
        if kind == "flip":
            changed[start] ^= 1 << chance.randrange(8)
        elif kind == "number":
            number = chance.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF])
            changed[start : start + 4] = struct.pack(chance.choice("<>") + "I", number)
        elif kind == "cut":
            del changed[start:end]
        elif kind == "truncate":
            del changed[start:]
        elif kind == "double":
            changed[end:end] = changed[start:end]
        else:
            other = chance.randrange(len(changed))
            piece = changed[start:end]
            del changed[start:end]
            changed[other:other] = piece
    return bytes(changed)


def test_shuffled_png_chunks(classifier: InProcess) -> None:
    chance = random.Random(0)
    for sample in (data for data in SAMPLES if data.startswith(b"\x89PNG")):
        chunks = list(png_chunks(sample))
        for _ in range(20):
            chance.shuffle(chunks)
            classifier.check(content=sample[:8] + b"".join(chunks))


def png_chunks(data: bytes) -> Iterator[bytes]:
    stream = io.BytesIO(data[8:])
    while head := stream.read(4):
        yield head + stream.read(struct.unpack(">I", head)[0] + 8)


PIECES = st.sampled_from(
    [
        b"--x",
        b"--x--",
        b"\r\n",
        b"\n",
        b"Content-Disposition: form-data",
        b'; name="image"',
        b'; filename="a.jpg"',
        b"; filename*=utf-8''%ff",
        b"Content-Type: image/jpeg",
        b"Content-Length: -1",
        b"Content-Transfer-Encoding: base64",
        b"\x00",
        b"\xff\xfe",
        b":",
        b"=",
        b'"',
        SAMPLES[0],
    ]
)


@tries(400)
@given(
    st.lists(PIECES | st.binary(max_size=4), max_size=24).map(b"".join),
    st.sampled_from(
        [
            "; boundary=x",
            '; boundary="x"',
            ";boundary=x;boundary=y",
            ";",
            "",
            "; =",
            "; boundary=\xe9",
        ]
    ),
)
@example(
    b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + b"[" * 9999 + b"\r\n--x--",
    "; boundary=x",
)
def test_random_forms(classifier: InProcess, body: bytes, options: str) -> None:
    content_type = ("multipart/form-data" + options).encode("latin-1")
    classifier.check(content=body, headers={"Content-Type": content_type})


@tries(100)
@given(
    st.dictionaries(
        st.sampled_from(["image", "Image", "x", ""]),
        st.text(max_size=20) | st.integers(),
        max_size=3,
    ),
    st.sampled_from(
        ["image/jpeg", "application/json", "text/plain", "multipart/mixed", "", ";", "\xff"]
    ),
)
def test_random_parameters_and_types(classifier: InProcess, query: Any, content_type: str) -> None:
    headers = {"Content-Type": content_type.encode("latin-1")}
    classifier.check(content=SAMPLES[0], params=query, headers=headers)
