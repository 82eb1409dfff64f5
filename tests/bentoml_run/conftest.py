"""One Bento, one server and one process to fork commands from, for all tests of `bentoml run`."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).parent
BENTOML = [sys.executable, "-m", "bentoml"]
BUILD = """
import bentoml
bentoml.build(
    "text_tools:TextTools",
    name="TextTools",
    version="V1",
    labels={"run.suffix.upper": "_CAPS", "run.suffix.picture": ""},
    include=["text_tools.py"],
    python={"lock_packages": False},
)
"""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def records(self) -> list[str]:
        """The INFO lines of standard error, without their time."""
        return [
            line.split("] INFO - ", 1)[1] for line in self.stderr.splitlines() if "INFO" in line
        ]


Command = Callable[..., Result]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with a BentoML home that holds the Bento `TextTools:V1`."""
    environment = {
        **os.environ,
        "BENTOML_HOME": str(tmp_path_factory.mktemp("bentoml")),
        "BENTOML_DO_NOT_TRACK": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):  # each process would compile BentoML anew
        environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))
    subprocess.run(
        [sys.executable, "-c", BUILD],
        cwd=HERE / "bentos",
        env=environment,
        check=True,
        capture_output=True,
    )
    return environment


@pytest.fixture(scope="session")
def bentoml(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Command]:
    """Run `bentoml` with arguments; also takes `cwd`, `stdin` and more variables."""
    folder = tmp_path_factory.mktemp("streams")
    with subprocess.Popen(
        [sys.executable, str(HERE / "forked.py")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None

        def run(*argv: str, cwd: Path = folder, stdin: bytes = b"", **env: str) -> Result:
            assert forks.stdin is not None
            assert forks.stdout is not None
            streams = {name: folder / name for name in ("stdin", "stdout", "stderr")}
            for path in streams.values():
                path.write_bytes(stdin if path.name == "stdin" else b"")
            request = {
                "argv": argv,
                "cwd": str(cwd),
                "env": env,
                **{name: str(path) for name, path in streams.items()},
            }
            print(json.dumps(request), file=forks.stdin, flush=True)
            status = int(forks.stdout.readline())
            return Result(status, streams["stdout"].read_bytes(), streams["stderr"].read_text())

        yield run
        forks.stdin.close()


@pytest.fixture(scope="session")
def server(environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A client of `bentoml serve TextTools:V1`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*BENTOML, "serve", "TextTools:V1", *address],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            _wait_until_ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server stopped"
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the server did not become ready")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with the text files a.txt, b.txt and bad.txt."""
    (tmp_path / "a.txt").write_text("one two three\n")
    (tmp_path / "b.txt").write_text("four\nfive")
    (tmp_path / "bad.txt").write_text("bad")
    return tmp_path
