"""What memory a service takes: its supervisor and one worker, under loads light and heavy.

    python -m benchmarks.memory --bundle artifacts/deeplabv3_lite

Packages the bundle, serves it with one worker, and reads after each load the
most that a process has held resident (VmHWM of proc(5), which counts shared
files too). One JSON line a load goes to stdout, a table to stderr. Linux only.
"""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import httpx
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from benchmarks.process import free_port, private_store, serving
from benchmarks.servers import bentoml_serve
from bentoml_img.bundle import Bundle
from bentoml_img.cli.options import FILE, FOLDER, engine_option
from bentoml_img.engines import resolve
from bentoml_img.paths import ROOT, SHIPPED

MB = 1_000_000
# Sides that a photo has in turn, its format, and the number that are sent at a time; 64 megapixels
# are the limit. What a network needs for each new shape is kept for the next photo of it.
VGA = [(640, 480)]
SHAPES = [(640, height) for height in range(320, 720, 5)]
LOADS = {
    "1 photo of 640×480 at a time": (VGA, "JPEG", 1),
    "4 photos of 640×480 at a time": (VGA, "JPEG", 4),
    "4 photos of 12 megapixels at a time": ([(4000, 3000)], "JPEG", 4),
    "1 PNG of 64 megapixels": ([(8000, 8000)], "PNG", 1),
    "4 PNGs of 64 megapixels at a time": ([(8000, 8000)], "PNG", 4),
    f"1 photo at a time, of {len(SHAPES)} shapes": (SHAPES, "JPEG", 1),
}
ROUNDS = 2


def peaks(server: psutil.Process) -> tuple[int, int]:
    """The most bytes that the supervisor, and its largest child, a worker, have held."""
    own, *children = (_peak(process.pid) for process in (server, *server.children(recursive=True)))
    return own, max(children)


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def forget_peaks(server: psutil.Process) -> None:
    for process in (server, *server.children(recursive=True)):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def photo(path: Path, size: tuple[int, int], format_name: str) -> bytes:
    """The photo in that size; a PNG of few colours, or it would exceed the limit on uploads."""
    file = io.BytesIO()
    with Image.open(path) as image:
        resized = image.convert("RGB").resize(size)
        if format_name == "PNG":
            resized = resized.quantize(8).convert("RGB")
        resized.save(file, format_name)
    return file.getvalue()


def send(url: str, photos: list[bytes]) -> None:
    """Send the photos all at a time; httpx.HTTPStatusError if one is not answered."""

    def post(body: bytes) -> None:
        httpx.post(url, content=body, timeout=600).raise_for_status()

    with ThreadPoolExecutor(len(photos)) as pool:
        list(pool.map(post, photos))


@click.command()
@click.option("--bundle", type=FOLDER, default=SHIPPED / "deeplabv3_lite")
@engine_option
@click.option("--photo", "path", type=FILE, default=ROOT / "images" / "horse.jpg")
def main(bundle: Path, engine: str, path: Path) -> None:
    """Measure the memory of a service's worker."""
    machine = describe()
    with private_store():
        from bentoml_img.packaging import package

        bundle, port = bundle.resolve(), free_port()
        tag = package(bundle, engine).tag
        measured = {"model": bundle.name, "engine": resolve(Bundle.open(bundle), engine)}
        table = Table(title=f"{tag}, one worker")
        for column in ("load", "supervisor, MB", "worker, MB"):
            table.add_column(column, justify="left" if column == "load" else "right")
        with serving(bentoml_serve(tag, port), port, {"BENTOML_IMG_WORKERS": "1"}) as server:
            url = f"http://127.0.0.1:{port}/predict"
            for load, (sizes, format_name, number) in LOADS.items():
                bodies = [photo(path, size, format_name) for size in sizes]
                send(url, bodies[:1])
                forget_peaks(server)
                for body in bodies * ROUNDS:
                    send(url, [body] * number)
                supervisor, worker = peaks(server)
                figures = {"supervisor_mb": supervisor / MB, "worker_mb": worker / MB}
                print(json.dumps({**measured, "load": load, **figures, **machine}))
                table.add_row(load, *(f"{figure:.0f}" for figure in figures.values()))
    Console(stderr=True).print(table)


if __name__ == "__main__":
    main()
