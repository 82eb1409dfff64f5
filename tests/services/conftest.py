"""The packaged classifier and its server, made once for all tests of it."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.live import Server, serving

if TYPE_CHECKING:
    from bentoml_img.packaging import PackagedBento


@pytest.fixture(scope="session")
def bento(bundle: Path) -> "PackagedBento":
    """The classifier in the store."""
    from bentoml_img.packaging import package

    return package(bundle)


@pytest.fixture(scope="session")
def running_server(
    bento: "PackagedBento", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """The server; no test may leave a traceback in its log."""
    before = running_server.log.stat().st_size
    yield running_server
    log = running_server.log.read_bytes()[before:].decode()
    assert "Traceback" not in log
    assert "Warning" not in log


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's log with a failed test."""
    report = yield
    server = getattr(item, "funcargs", {}).get("running_server")
    if report.failed and isinstance(server, Server):
        report.sections.append(("server log", server.log.read_text()[-10_000:]))
    return report
