"""What all tests share: a BentoML home of their own, and the shipped model."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from bentoml_img import images
from bentoml_img.paths import SHIPPED
from scripts import samples


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests out of the user's own store, before anything imports BentoML.

    And let Ctrl-C do what it does in a terminal: shells start what is to run in
    the background with SIGINT ignored, and Python and its children inherit that.
    """
    home = tempfile.TemporaryDirectory(prefix="bentoml-")
    config.add_cleanup(home.cleanup)
    os.environ["BENTOML_HOME"] = home.name
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def decoder_warnings() -> None:
    """Pytest puts its filters before those that are there: put the decoder's before them again."""
    images.ignore_decoder_warnings()


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The shipped classifier."""
    return SHIPPED / "cifar_lite"


@pytest.fixture(scope="session")
def photos() -> dict[Path, str]:
    """The photos of the ten classes in images/, and what they show."""
    labelled = samples.labelled().items()
    return {samples.FOLDER / name: label for name, label in labelled if label != samples.NONE}
