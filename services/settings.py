"""What an operator may set, each by an environment variable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from bentoml.exceptions import BentoMLConfigException

MIB = 2**20
# Each worker is a process of some 200 MB: many cores do not make many of them unasked.
MAX_DEFAULT_WORKERS = 4


@dataclass(frozen=True)
class Settings:
    """Limits of each server process, in bytes, pixels and requests, and how many processes."""

    workers: int
    max_upload: int
    max_upload_in_flight: int
    max_pixels: int
    max_waiting: int
    api_key: str | None

    @property
    def threads(self) -> int:
        """A worker's share of the cores: more threads than that only get in each other's way."""
        return max(1, _cores() // self.workers)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables below; BentoMLConfigException if one is not a positive number.

        Not ValueError, which BentoML takes for a tag that is none.
        """

        def number(name: str, default: int) -> int:
            text = environment.get(name, str(default))
            if not text.isdecimal() or int(text) == 0:
                raise BentoMLConfigException(f"{name}={text!r} is not a whole number above 0")
            return int(text)

        return cls(
            workers=number("BENTOML_IMG_WORKERS", min(_cores(), MAX_DEFAULT_WORKERS)),
            max_upload=number("BENTOML_IMG_MAX_UPLOAD_MIB", 20) * MIB,
            max_upload_in_flight=number("BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB", 256) * MIB,
            max_pixels=number("BENTOML_IMG_MAX_MEGAPIXELS", 64) * 1_000_000,
            max_waiting=number("BENTOML_IMG_MAX_WAITING", 256),
            api_key=environment.get("BENTOML_IMG_API_KEY") or None,
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
