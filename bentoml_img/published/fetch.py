"""Download weights that others publish, into torch's cache."""

import errno
import os
from pathlib import Path

import httpx

from bentoml_img.published.address import parse, shown
from bentoml_img.published.download import DownloadError, OnProgress, download
from bentoml_img.published.weights import WeightsError, cache_folder, is_sound
from bentoml_img.system.locks import exclusive

OFFICIAL_URL = "https://download.pytorch.org/models/"
URL_VARIABLE = "BENTOML_IMG_WEIGHTS_URL"


def fetch(
    file_name: str,
    url: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Path:
    """The verified file of that name: from torch's cache, or else downloaded into it.

    `url` is a mirror, the folder or the file itself, with a user and password if it
    asks for them; by default what the environment names, or torchvision's server.
    WeightsError if the file cannot be had whole.
    """
    target = cache_folder() / file_name
    if is_sound(target):
        return target
    base = url or os.environ.get(URL_VARIABLE) or OFFICIAL_URL
    path, mark, query = base.partition("?")  # a token, say
    if not path.endswith(".pth"):
        path = f"{path.rstrip('/')}/{file_name}"
    try:
        _download(path + mark + query, target, on_progress)
    except WeightsError as error:
        if target.is_file():
            raise WeightsError(f"{target} is damaged, and {error}") from error
        raise
    return target


def _download(url: str, target: Path, on_progress: OnProgress) -> None:
    """Download to `target`, whose name carries digits of its SHA-256.

    What has arrived waits in a `.part` file beside it, from which the next call goes
    on. Downloads into one folder wait for each other, and what another has brought
    meanwhile is taken. WeightsError if it cannot be completed.
    """
    part = target.with_name(target.name + ".part")
    try:
        address = parse(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.parent):
            if not is_sound(target):
                _download_sound(address, part, target.name, on_progress)
                os.replace(part, target)
    except DownloadError as error:
        raise WeightsError(str(error)) from error
    except ValueError as error:
        raise WeightsError(f"cannot download {target.name}: {error}") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = f"no space left for {target}" if full else f"cannot write {target}: {error}"
        raise WeightsError(f"{what}; what has arrived is kept in {part.name}") from error


def _download_sound(
    address: httpx.URL, part: Path, file_name: str, on_progress: OnProgress
) -> None:
    """Download until `part` is as the digest in the file's name says; WeightsError, and no part."""
    resumed = part.is_file()
    if not resumed or not is_sound(part, file_name):
        download(address, part, on_progress)
    if resumed and not is_sound(part, file_name):
        part.unlink()  # the beginning was of another file
        download(address, part, on_progress)
    if not is_sound(part, file_name):
        part.unlink()
        raise WeightsError(
            f"{shown(address)} is damaged: its SHA-256 does not begin as its name says"
        )
