"""Build the container image of a Bento with buildah, and try it as a container would run it.

API is one that takes a photo and answers with JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bentoml
import click
from bentoml.exceptions import BentoMLException
from rich.console import Console

from bentoml_img.cli.options import FILE
from bentoml_img.paths import ROOT
from bentoml_img.system.atomic import write
from scripts.buildah import BuildError, Image, Storage
from scripts.sbom import bill_of_materials

START_TIMEOUT = 120.0

# Runs inside the image: posts its standard input, and writes the answer as it came.
POST = (
    "import os, sys, urllib.request as http;"
    "url = 'http://127.0.0.1:' + os.environ['BENTOML_PORT'] + '/' + sys.argv[1];"
    "headers = {'Content-Type': 'application/octet-stream'};"
    "request = http.Request(url, sys.stdin.buffer.read(), headers);"
    "sys.stdout.buffer.write(http.urlopen(request, timeout=30).read())"
)

# A mount and a network namespace stand in for a container's: the root read-only, /tmp in memory
# with the options of `docker run --tmpfs`, no network but the loopback, and no process left when
# the first one ends.
ENTER = (
    'mount --bind -o ro "$0" "$0"; mount -t tmpfs -o noexec,nosuid,nodev tmpfs "$0/tmp";'
    'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount --rbind -o ro /sys "$0/sys";'
    'ip link set lo up; exec "$@"'
)


class Container:
    """A running image: read-only, unprivileged, without a network."""

    def __init__(self, image: Image, server: "subprocess.Popen[bytes]") -> None:
        self._image = image
        self._server = server

    def run(
        self, command: Sequence[str], stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command beside the server."""
        enter = ["nsenter", f"--target={self._server.pid}", "--mount", "--net"]
        inside = [*enter, *_chroot(self._image), *command]
        return subprocess.run(inside, input=stdin, capture_output=True)

    def wait(self) -> float:
        """Seconds until the image's own health check passes; BuildError if it never does."""
        start = time.monotonic()
        while self.run(self._image.health).returncode:
            if self._server.poll() is not None or time.monotonic() - start > START_TIMEOUT:
                raise BuildError("the server in the image did not become ready, see its log")
            time.sleep(1)
        return time.monotonic() - start


@contextmanager
def running(image: Image, log: Path) -> Iterator[Container]:
    """Start the image's server; stop it when the block ends."""
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    enter = ["sh", "-euc", ENTER, str(image.root)]
    (image.root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")  # as an engine does
    with log.open("wb") as file:
        command = [*namespaces, *enter, *_chroot(image), *image.entrypoint]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            yield Container(image, server)
        finally:
            server.kill()
            server.wait()


def _chroot(image: Image) -> list[str]:
    environment = [f"{name}={value}" for name, value in image.environment.items()]
    shell = ["sh", "-c", 'cd "$0" && exec "$@"', image.folder]
    chroot = ["chroot", f"--userspec={image.user}", str(image.root)]
    return [*chroot, "env", "-i", *environment, *shell]


def answer_outside(bento: str, api: str, photo: Path) -> bytes:
    """What `bentoml run` says of the photo."""
    command = [sys.executable, "-m", "bentoml", "run", bento, api]
    run = subprocess.run([*command, f"--input-file={photo}"], capture_output=True)
    if run.returncode:
        raise BuildError(f"bentoml run failed: {run.stderr.decode().strip()}")
    return run.stdout.removesuffix(b"\n")


def write_sbom(image: Image, name: str, version: str) -> Path:
    """Write dist/NAME.cdx.json."""
    target = ROOT / "dist" / f"{name}.cdx.json"
    bill = bill_of_materials(image, name, version)
    return write(target, (json.dumps(bill, indent=2) + "\n").encode())


@click.command(help=__doc__)
@click.argument("bento")
@click.argument("api")
@click.argument("photo", type=FILE)
def main(bento: str, api: str, photo: Path) -> None:
    console = Console()
    try:
        name, version = bento.partition(":")[0], bentoml.get(bento.lower()).tag.version
        bento = f"{name}:{version}"
        storage = Storage()
        storage.base()
        console.print(f"building the image of {bento} ...")
        start = time.monotonic()
        built = storage.build(bento)
        console.print(f"built {built} in {time.monotonic() - start:.0f} s")
        with storage.mounted(built) as image:
            console.print(f"packages: {write_sbom(image, name, str(version)).relative_to(ROOT)}")
            with running(image, storage.folder / "server.log") as container:
                console.print(f"ready after {container.wait():.1f} s")
                answer = container.run(["python", "-c", POST, api], photo.read_bytes())
            if answer.returncode:
                raise BuildError(f"no answer: {answer.stderr.decode().strip()}")
            console.print(f"{photo.name}: {answer.stdout.decode()}", soft_wrap=True)
            if answer.stdout != answer_outside(bento, api, photo):
                raise BuildError("bentoml run gives another answer")
            console.print("bentoml run gives the same bytes")
    except (BuildError, BentoMLException) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
