"""What a figure was measured on."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.cores import cores

PACKAGES = (
    "bentoml",
    "litserve",
    "fastapi",
    "uvicorn",
    "openvino",
    "pillow",
    "av",
    "torch",
    "torchvision",
)


def describe(used: int | None = None) -> dict[str, Any]:
    """The processor, the cores used (or else all there are), the versions of what is compared."""
    return {
        "processor": _processor(),
        "cores": used or cores(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
