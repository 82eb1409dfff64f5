"""Runs first in each Python that has this folder in its PYTHONPATH: it finds locked packages alone.

LOCK names the requirements of a Bento. So a service fails here where it would fail in its image,
which has none of the packages for development.
"""

import os
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

OWN = {"bentoml-img", "setuptools"}  # the second is at work before this file is


def normalized(name: str) -> str:
    """As PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


lock = Path(os.environ["LOCK"]).read_text()
locked = OWN | {normalized(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
for package, distributions in packages_distributions().items():
    if locked.isdisjoint(map(normalized, distributions)):
        sys.modules[package] = None  # type: ignore[assignment]  # an ImportError for who asks
