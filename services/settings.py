"""What an operator may set, each by an environment variable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from bentoml.exceptions import BentoMLConfigException

from bentoml_img.images import MAX_MEGAPIXELS, MEGAPIXEL
from services.cores import cores

MIB = 2**20
# Variables that errors name.
MAX_UPLOAD_VARIABLE = "BENTOML_IMG_MAX_UPLOAD_MIB"
MAX_IN_FLIGHT_VARIABLE = "BENTOML_IMG_MAX_UPLOAD_IN_FLIGHT_MIB"
MAX_VIDEO_VARIABLE = "BENTOML_IMG_MAX_VIDEO_MIB"
MAX_FRAMES_VARIABLE = "BENTOML_IMG_MAX_FRAMES"
FORM_OVERHEAD = 64 * 1024  # bytes that a form may have beside its file
# Each worker is a process of some 200 MB: many cores do not make many of them unasked.
MAX_DEFAULT_WORKERS = 4


@dataclass(frozen=True)
class Settings:
    """Limits of each server process, in bytes, pixels, frames, requests, and how many processes.

    `max_jobs` and `keep_jobs`, in seconds, are for all processes together.
    """

    workers: int
    max_upload: int
    max_upload_in_flight: int
    max_pixels: int
    max_waiting: int
    max_video: int
    max_frames: int
    max_jobs: int
    keep_jobs: int
    api_key: str | None

    @property
    def threads(self) -> int:
        """A worker's share of the cores, to decode pictures with."""
        return max(1, cores() // self.workers)

    @property
    def network_threads(self) -> int:
        """Twice that share, for the network: connections fall unevenly on the workers."""
        return min(cores(), 2 * self.threads)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables below; BentoMLConfigException if one is not a positive number, or
        two contradict each other.

        Not ValueError, which BentoML takes for a tag that is none.
        """

        def number(name: str, default: int) -> int:
            text = environment.get(name, str(default))
            if not text.isdecimal() or int(text) == 0:
                raise BentoMLConfigException(f"{name}={text!r} is not a whole number above 0")
            return int(text)

        settings = cls(
            workers=number("BENTOML_IMG_WORKERS", min(cores(), MAX_DEFAULT_WORKERS)),
            max_upload=number(MAX_UPLOAD_VARIABLE, 20) * MIB,
            max_upload_in_flight=number(MAX_IN_FLIGHT_VARIABLE, 256) * MIB,
            max_pixels=number("BENTOML_IMG_MAX_MEGAPIXELS", MAX_MEGAPIXELS) * MEGAPIXEL,
            max_waiting=number("BENTOML_IMG_MAX_WAITING", 256),
            max_video=number(MAX_VIDEO_VARIABLE, 512) * MIB,
            max_frames=number(MAX_FRAMES_VARIABLE, 250_000),  # an hour has 216,000 at 60 a second
            max_jobs=number("BENTOML_IMG_MAX_JOBS", 16),
            keep_jobs=number("BENTOML_IMG_KEEP_JOBS_HOURS", 24) * 3600,
            # Of a file, perhaps, which ends with a line feed; headers have none around them.
            api_key=environment.get("BENTOML_IMG_API_KEY", "").strip() or None,
        )
        if settings.max_upload_in_flight < settings.max_upload + FORM_OVERHEAD:
            raise BentoMLConfigException(
                f"{MAX_IN_FLIGHT_VARIABLE} is too little for one upload of {MAX_UPLOAD_VARIABLE} "
                "and what a form adds to it"
            )
        return settings
