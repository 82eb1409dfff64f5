"""What an operator may set, each by an environment variable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Limits of a server process; sizes in bytes, pixels and requests."""

    max_upload: int
    max_upload_in_flight: int
    max_pixels: int
    max_waiting: int
    api_key: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables below; ValueError names one that is not a positive number."""

        def number(name: str, default: int) -> int:
            text = environment.get(name, str(default))
            if not text.isdecimal() or int(text) == 0:
                raise ValueError(f"{name}={text!r} is not a whole number above 0")
            return int(text)

        return cls(
            max_upload=number("BENTOML_IMG_MAX_UPLOAD_MIB", 20) * MIB,
            max_upload_in_flight=number("BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB", 256) * MIB,
            max_pixels=number("BENTOML_IMG_MAX_MEGAPIXELS", 64) * 1_000_000,
            max_waiting=number("BENTOML_IMG_MAX_WAITING", 256),
            api_key=environment.get("BENTOML_IMG_API_KEY") or None,
        )
