from collections.abc import Iterator

import pytest
import torch

from bentoml_img.training.classification.cifar10 import Split
from tests.training.tiny import make_split


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make tiny networks slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def train() -> Split:
    return make_split(100, 0)


@pytest.fixture(scope="session")
def held_out() -> Split:
    return make_split(40, 1)
