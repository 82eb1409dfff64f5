"""Find, download, verify and load weights that others publish.

They lie where torch's own hub keeps them, so that what is there already is not
downloaded again, and under names that carry the first digits of their SHA-256,
as torchvision's do: a file without these is never used.
"""

import errno
import http
import http.client
import os
import pickle
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml_img.address import Address
from bentoml_img.bundle import sha256
from bentoml_img.locks import exclusive

if TYPE_CHECKING:
    from torch import Tensor, nn

OFFICIAL_URL = "https://download.pytorch.org/models/"
URL_VARIABLE = "BENTOML_IMG_WEIGHTS_URL"

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE = 1.0  # seconds after the first of these, and twice as long each time
CHUNK = 2**20

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and how many there will be, if known."""


# What torch.load raises on files that are no weights, or damaged ones.
NOT_LOADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)


class WeightsError(Exception):
    """Weights that cannot be had, or that are not what they should be; for the user to read."""


def cache_folder() -> Path:
    """Where `torch.hub` keeps downloaded weights: the same rule, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


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
        download(path + mark + query, target, on_progress)
    except WeightsError as error:
        if target.is_file():
            raise WeightsError(f"{target} is damaged, and {error}") from error
        raise
    return target


def download(url: str, target: Path, on_progress: OnProgress = lambda done, total: None) -> None:
    """Download to `target`, whose name carries digits of its SHA-256.

    What has arrived waits in a `.part` file beside it, from which the next
    attempt, or the next call, goes on. Downloads into one folder wait for each
    other, and what another has brought meanwhile is taken. WeightsError if it cannot
    be completed.
    """
    part = target.with_name(target.name + ".part")
    try:
        address = Address.parse(url)
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.parent):
            if not is_sound(target):
                _complete_sound(address, part, target.name, on_progress)
                os.replace(part, target)
    except ValueError as error:
        raise WeightsError(f"cannot download {target.name}: {error}") from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = f"no space left for {target}" if full else f"cannot write {target}: {error}"
        raise WeightsError(f"{what}; what has arrived is kept in {part.name}") from error


def digest_in_name(file_name: str) -> str:
    """The first hexadecimal digits of a file's SHA-256, empty if its name does not carry them."""
    found = re.search(r"-([0-9a-f]{8,64})\.", file_name)
    return found[1] if found else ""


def is_sound(path: Path, file_name: str | None = None) -> bool:
    """Whether a file is there whose SHA-256 begins with the digits in its name.

    Those in `file_name` count instead, if it is given. WeightsError if the file cannot
    be read.
    """
    digest = digest_in_name(file_name or path.name)
    try:
        return bool(digest) and path.is_file() and sha256(path).startswith(digest)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from None


def load_state(path: Path) -> dict[str, "Tensor"]:
    """The state dict in a `.pth` file, on the processor; nothing in it is executed.

    WeightsError if the file holds no state dict.
    """
    import torch

    if not path.is_file():
        raise WeightsError(f"there is no file {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except NOT_LOADABLE:
        raise WeightsError(f"{path} holds no weights that PyTorch can load safely") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise WeightsError(f"{path} is not a state dict: parameter names with their tensors")
    return state


def load_into(module: "nn.Module", state: Mapping[str, "Tensor"], path: Path) -> None:
    """Give a module the weights read from `path`; WeightsError if they are of another network.

    An auxiliary head, which is for training only, is left aside.
    """
    given = {k: v for k, v in state.items() if not k.startswith("aux_classifier.")}
    try:
        # Detectors know the names that their layers had when the weights were published.
        missing, left_over = module.load_state_dict(given, strict=False)
    except RuntimeError as error:
        misfits = [line.strip() for line in str(error).splitlines()[1:]]
    else:
        misfits = [*(f"it lacks {k}" for k in missing), *(f"it has {k}" for k in left_over)]
    if misfits:
        raise WeightsError(
            f"{path} does not fit this model: {misfits[0]} ({len(misfits)} such differences)"
        )


def _complete_sound(address: Address, part: Path, file_name: str, on_progress: OnProgress) -> None:
    """Download until `part` is as the digest in the file's name says; WeightsError, and no part."""
    resumed = part.is_file()
    if not resumed or not is_sound(part, file_name):
        _complete(address, part, on_progress)
    if resumed and not is_sound(part, file_name):
        part.unlink()  # the beginning was of another file
        _complete(address, part, on_progress)
    if not is_sound(part, file_name):
        part.unlink()
        raise WeightsError(f"{address} is damaged: its SHA-256 does not begin as its name says")


class _ConnectionLostError(Exception):
    """The network failed, before the file was whole."""


def _complete(address: Address, part: Path, on_progress: OnProgress) -> None:
    """Download until `part` is as long as the server says, in as many pieces as it takes."""
    fruitless = most = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        most = max(most, before)
        try:
            return _download_rest(address, part, before, on_progress)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or before == 0:
                raise WeightsError(f"cannot download {address}: {error}") from error
            part.unlink()  # it is longer than the file
            most = 0
        except _ConnectionLostError as error:
            after = part.stat().st_size if part.is_file() else 0
            fruitless = 0 if after > most else fruitless + 1
            if after == 0 or fruitless == ATTEMPTS:
                raise WeightsError(f"cannot download {address}: {error}") from error
            if fruitless:
                time.sleep(PAUSE * 2 ** (fruitless - 1))


def _download_rest(address: Address, part: Path, start: int, on_progress: OnProgress) -> None:
    headers = {"User-Agent": "bentoml-img"} | ({"Range": f"bytes={start}-"} if start else {})
    with _open(address.request(headers)) as answer:
        done = start if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        with part.open("ab" if done else "wb") as file:
            on_progress(done, total)
            while chunk := _read(answer):
                file.write(chunk)
                done += len(chunk)
                on_progress(done, total)
    if total is not None and done < total:
        raise _ConnectionLostError(f"the connection broke off at {done:,} of {total:,} bytes")


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLostError(str(getattr(error, "reason", error))) from error
    return answer


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The next bytes; an error of the network is told from one of the disk by its class."""
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionLostError(str(error)) from error
