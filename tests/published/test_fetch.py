import base64
import errno
import io
import itertools
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
import trustme

from bentoml_img.published.download import ATTEMPTS, TIMEOUT
from bentoml_img.published.fetch import URL_VARIABLE, fetch
from bentoml_img.published.weights import WeightsError
from tests.weights_server import CONTENT, NAME, NOWHERE, Server, server, serving

__all__ = ["server"]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the downloads would have paused."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setattr("bentoml_img.published.fetch.cache_folder", lambda: tmp_path)
    return tmp_path


def assert_nothing_usable(folder: Path, kept: int | None = None) -> None:
    """No file has come to be; what has arrived is there still, if `kept` says so."""
    assert not (folder / NAME).exists()
    part = folder / (NAME + ".part")
    assert (part.stat().st_size if part.exists() else None) == kept


def test_two_at_once_download_once(server: Server, folder: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int | None) -> None:
        began.set()
        go_on.wait(10)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, NAME, server.url, wait)
        began.wait(10)
        second = pool.submit(fetch, NAME, server.url)
        go_on.set()
        paths = {first.result(), second.result()}
    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert len(server.asked) == 1


def test_a_file_is_downloaded_once(server: Server, folder: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    folder.rmdir()
    path = fetch(NAME, server.url, lambda *at: seen.append(at))
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert fetch(NAME, NOWHERE) == path
    assert server.asked == [(f"/models/{NAME}", None)]
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_the_address_may_be_the_file_itself(server: Server, folder: Path) -> None:
    fetch(NAME, f"{server.url}/mine.pth")
    assert server.asked == [("/models/mine.pth", None)]


@pytest.mark.parametrize(("mirror", "file"), [("/mine.pth", "/mine.pth"), ("/", f"/{NAME}")])
def test_an_address_may_have_a_query(server: Server, folder: Path, mirror: str, file: str) -> None:
    fetch(NAME, f"{server.url}{mirror}?token=a/b")
    assert server.asked == [(f"/models{file}?token=a/b", None)]


def test_a_user_and_a_password_in_an_address_are_for_its_server_alone(
    server: Server, folder: Path
) -> None:
    with serving() as mirror:
        mirror.moved = f"{server.url}/{NAME}"
        fetch(NAME, mirror.url.replace("//", "//me:a%2Fb%40c@"))
        assert mirror.asked == [(f"/models/{NAME}", None)]
        assert mirror.authorizations == ["Basic " + base64.b64encode(b"me:a/b@c").decode()]
    assert server.authorizations == [None]


def test_only_a_server_whose_certificate_the_system_knows_is_believed(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    with pytest.raises(WeightsError, match=r"cannot download .*CERTIFICATE_VERIFY_FAILED"):
        fetch(NAME, url)
    assert_nothing_usable(folder)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert fetch(NAME, url).read_bytes() == CONTENT


def test_what_is_secret_in_an_address_is_not_told(server: Server, folder: Path) -> None:
    server.content = b"other"
    served = server.url.replace("//", "//me:secret@")
    for url, file in (
        (f"{served}?token=secret", NAME),  # damaged
        (f"{served}?token=secret", "net-12345678.bin"),  # 404
        ("http://me:secret@127.0.0.1:9/?token=secret", NAME),  # nobody there
        ("http://127.0.0.1:9/?token=a secret", NAME),
        ("http://me:secret/secret@host/", NAME),
        ("http://me:secret?@host/", NAME),
        ("http://me:secret@ho\u2100st/", NAME),
        ("ftp://me:secret@host/", NAME),
    ):
        with pytest.raises(WeightsError) as error:
            fetch(file, url)
        assert "secret" not in str(error.value)


def test_a_mirror_can_be_set_in_the_environment(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, server.url + "/")
    assert fetch(NAME).read_bytes() == CONTENT


def test_torchs_cache_is_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = fetch(NAME, server.url)
    assert path == Path(torch.hub.get_dir()) / "checkpoints" / NAME


def test_a_broken_connection_is_resumed(server: Server, folder: Path) -> None:
    server.breaks = 2
    assert fetch(NAME, server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_later_call_resumes(server: Server, folder: Path) -> None:
    (folder / (NAME + ".part")).write_bytes(CONTENT[:1000])
    assert fetch(NAME, server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=1000-"]


def test_a_server_without_ranges_starts_again(server: Server, folder: Path) -> None:
    server.ranges, server.breaks = False, 1
    assert fetch(NAME, server.url).read_bytes() == CONTENT


def test_a_server_that_says_no_length(server: Server, folder: Path) -> None:
    server.length = False
    assert fetch(NAME, server.url).read_bytes() == CONTENT


def test_a_connection_that_breaks_for_good_keeps_what_arrived(
    server: Server, folder: Path, pauses: list[float]
) -> None:
    server.breaks, server.break_after = 1000, itertools.repeat(0)
    (folder / (NAME + ".part")).write_bytes(CONTENT[:100])
    with pytest.raises(WeightsError, match="broke off at 100 of 1,024,000 bytes"):
        fetch(NAME, server.url)
    assert_nothing_usable(folder, kept=100)
    assert len(server.asked) == ATTEMPTS
    assert pauses == [1, 2, 4, 8]


def test_a_server_without_ranges_that_never_gets_further_is_given_up(
    server: Server, folder: Path
) -> None:
    server.ranges, server.breaks, server.break_after = False, 1000, itertools.cycle((20, 10))
    with pytest.raises(WeightsError, match="broke off"):
        fetch(NAME, server.url)
    assert len(server.asked) == 1 + ATTEMPTS


def test_a_file_whose_name_says_no_hash_is_never_used(server: Server, folder: Path) -> None:
    (folder / "net.pth").write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="damaged"):
        fetch("net.pth", server.url)


def test_what_is_whole_but_was_not_renamed_is_taken(folder: Path) -> None:
    (folder / (NAME + ".part")).write_bytes(CONTENT)
    assert fetch(NAME, NOWHERE).read_bytes() == CONTENT


@pytest.mark.parametrize("rest", [b"other" * 100, b"x" * len(CONTENT), CONTENT + b"x"])
def test_a_rest_of_another_file_is_thrown_away(rest: bytes, server: Server, folder: Path) -> None:
    (folder / (NAME + ".part")).write_bytes(rest)
    assert fetch(NAME, server.url).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"other", CONTENT[:-1], b""], ids=["other", "short", "empty"])
def test_a_wrong_hash_is_never_used(content: bytes, server: Server, folder: Path) -> None:
    server.content = content
    with pytest.raises(WeightsError, match="damaged"):
        fetch(NAME, server.url)
    assert_nothing_usable(folder)


def test_a_damaged_file_in_the_cache_is_replaced(server: Server, folder: Path) -> None:
    (folder / NAME).write_bytes(CONTENT[:-1])
    assert fetch(NAME, server.url).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_named_offline(folder: Path) -> None:
    (folder / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError) as error:
        fetch(NAME, NOWHERE)
    assert f"{folder / NAME} is damaged, and cannot download {NOWHERE}" in str(error.value)


def test_a_file_in_the_cache_that_cannot_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (folder / NAME).write_bytes(CONTENT)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WeightsError) as error:
        fetch(NAME, NOWHERE)
    assert str(error.value) == f"cannot read {folder / NAME}: Permission denied"


def test_offline(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot download .*refused"):
        fetch(NAME, NOWHERE)
    assert_nothing_usable(folder)


@pytest.mark.parametrize("url", ["file:///etc/x.pth", "ftp://host/x.pth", "models"])
def test_only_http(url: str, folder: Path) -> None:
    with pytest.raises(WeightsError, match="not an http or https address"):
        fetch(NAME, url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://[x/", "http://127.0.0.1/ü/", "http://127.0.0.1/a b/", "http://.a/"),
        *("http://127.0.0.1:port/", "http://127.0.0.1:0/", "http:///models"),
    ],
)
def test_what_is_no_address(url: str, folder: Path) -> None:
    with pytest.raises(WeightsError, match=f"cannot download {NAME}: not an http or https address"):
        fetch(NAME, url)
    assert_nothing_usable(folder)


def test_a_file_that_the_server_lacks(server: Server, folder: Path) -> None:
    with pytest.raises(WeightsError, match="404"):
        fetch("net-12345678.bin", server.url)


class FullDisk(io.BytesIO):
    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = Path.open

    def open_full(path: Path, mode: str = "r", *args: Any) -> Any:
        return original(path, mode, *args) if "r" in mode else FullDisk()

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(WeightsError, match="no space left"):
        fetch(NAME, server.url)
    assert_nothing_usable(folder)


def test_a_folder_that_cannot_be_written(server: Server, folder: Path) -> None:
    folder.rmdir()
    folder.write_text("")
    with pytest.raises(WeightsError, match="cannot write"):
        fetch(NAME, server.url)


def test_every_attempt_has_a_timeout(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    given = []

    def handle(_: object, request: httpx.Request) -> Any:
        given.append(set(request.extensions["timeout"].values()))
        raise httpx.ReadTimeout("timed out")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", handle)
    with pytest.raises(WeightsError, match="timed out"):
        fetch(NAME, "http://127.0.0.1/")
    assert given == [{TIMEOUT}]


@pytest.mark.parametrize("moved", ["ftp://host/net.pth", "http://127.0.0.1:port/", "/again.pth"])
def test_a_server_that_refers_to_nothing(moved: str, server: Server, folder: Path) -> None:
    server.moved = moved
    with pytest.raises(WeightsError, match="cannot download"):
        fetch(NAME, server.url)
    assert_nothing_usable(folder)


@pytest.mark.parametrize("proxy", ["socks9://me:secret@host", "http://me:secret/secret@host"])
def test_a_proxy_that_is_none(proxy: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(WeightsError, match="a proxy that cannot be used") as error:
        fetch(NAME, NOWHERE)
    assert "secret" not in str(error.value)
