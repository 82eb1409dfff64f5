"""Download a file, in as many pieces as it takes."""

import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from bentoml_img.published.address import shown

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 5  # in a row that bring nothing new
PAUSE = 1.0  # seconds after the first of these, and twice as long each time
HEADERS = {"User-Agent": "bentoml-img", "Accept-Encoding": "identity"}

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and how many there will be, if known."""


class DownloadError(Exception):
    """A file that cannot be downloaded; the message, for the user, has nothing secret."""


def download(url: httpx.URL, path: Path, on_progress: OnProgress) -> None:
    """Download until `path` is as long as the server says; what is there already is not asked for.

    A user and password in `url` are sent, but not to a server that it refers to. DownloadError
    if the file cannot be completed, and OSError if it cannot be written: what has arrived stays.
    """
    fruitless = most = 0
    with _client() as client:
        while True:
            before = _size(path)
            most = max(most, before)
            try:
                return _download_rest(client, url, path, before, on_progress)
            except httpx.HTTPStatusError as error:
                answer = error.response
                beyond = answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                if not beyond or before == 0:
                    why = f"HTTP Error {answer.status_code}: {answer.reason_phrase}"
                    raise DownloadError(f"cannot download {shown(url)}: {why}") from None
                path.unlink()  # it is longer than the file
                most = 0
            except httpx.RequestError as error:
                after = _size(path)
                fruitless = 0 if after > most else fruitless + 1
                if after == 0 or fruitless == ATTEMPTS:
                    raise DownloadError(f"cannot download {shown(url)}: {error}") from error
                if fruitless:
                    time.sleep(PAUSE * 2 ** (fruitless - 1))


def _client() -> httpx.Client:
    """With the system's certificates, and the proxies that the environment names."""
    try:
        return httpx.Client(
            verify=ssl.create_default_context(),
            timeout=TIMEOUT,
            follow_redirects=True,
            headers=HEADERS,
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        raise DownloadError(
            "the environment names a proxy that cannot be used: only those of http and https can, "
            "and of SOCKS with the package socksio"
        ) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _download_rest(
    client: httpx.Client, url: httpx.URL, path: Path, start: int, on_progress: OnProgress
) -> None:
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", url, headers=headers) as answer:
        answer.raise_for_status()
        done = start if answer.status_code == HTTPStatus.PARTIAL_CONTENT else 0
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length else None
        with path.open("ab" if done else "wb") as file:
            on_progress(done, total)
            try:
                for chunk in answer.iter_raw():  # as they come: none is lost with the connection
                    file.write(chunk)
                    done += len(chunk)
                    on_progress(done, total)
            except httpx.RemoteProtocolError as error:
                of = f" of {total:,}" if total else ""
                message = f"the connection broke off at {done:,}{of} bytes"
                raise httpx.RemoteProtocolError(message) from error
