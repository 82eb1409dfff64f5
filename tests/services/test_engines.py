"""The same answers through HTTP, whichever engine computes."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from bentoml_img.paths import ROOT, SHIPPED
from tests.services.live import CLASSIFIER, DETECTOR, SEGMENTER, Server, Service, serving

PHOTOS = [ROOT / "images" / name for name in ("street.jpg", "dog.jpg", "person_astronaut.jpg")]
PEOPLE = [*PHOTOS[::2], ROOT / "images" / "people_mechanics.jpg"]


@pytest.fixture(scope="module")
def reference(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service on PyTorch, from a store of its own."""
    home = str(tmp_path_factory.mktemp("bentoml"))
    model = SHIPPED / service.model
    program = (
        "from pathlib import Path; from bentoml_img.packaging import package; "
        f"package(Path({str(model)!r}), 'torch')"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", home)
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
        with serving(service, tmp_path_factory.mktemp("server")) as server:
            assert any("/libtorch" in maps for maps in server.mapped()), "it computes with PyTorch"
            yield server


def answers(servers: tuple[Server, Server], api: str, photo: Path) -> list[httpx.Response]:
    content = photo.read_bytes()
    return [
        httpx.post(f"{server.url}/{api}", content=content, timeout=240).raise_for_status()
        for server in servers
    ]


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.stem)
@pytest.mark.parametrize("service", [CLASSIFIER], indirect=True)
def test_classes_are_equally_likely(server: Server, reference: Server, photo: Path) -> None:
    ours, theirs = (
        answer.json()["scores"] for answer in answers((server, reference), "classify", photo)
    )
    assert ours == pytest.approx(theirs, abs=2e-3)
    assert max(ours, key=ours.__getitem__) == max(theirs, key=theirs.__getitem__)


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.stem)
@pytest.mark.parametrize("service", [SEGMENTER], indirect=True)
def test_masks_are_equal(server: Server, reference: Server, photo: Path) -> None:
    ours, theirs = (
        np.asarray(Image.open(io.BytesIO(answer.content)))
        for answer in answers((server, reference), "predict", photo)
    )
    assert ours.shape == theirs.shape
    assert (ours == theirs).mean() >= 0.9999


@pytest.mark.parametrize("photo", PEOPLE, ids=lambda photo: photo.stem)
@pytest.mark.parametrize("service", [DETECTOR], indirect=True)
def test_instances_are_equal(server: Server, reference: Server, photo: Path) -> None:
    ours, theirs = (answer.json() for answer in answers((server, reference), "detect", photo))

    def column(found: dict[str, Any], key: str) -> list[Any]:
        return [instance[key] for instance in found["instances"]]

    assert column(ours, "label")
    assert column(ours, "label") == column(theirs, "label")
    assert column(ours, "score") == pytest.approx(column(theirs, "score"), abs=4e-4)
    np.testing.assert_allclose(column(ours, "box"), column(theirs, "box"), atol=0.02)
