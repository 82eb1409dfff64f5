"""Look for the best settings of the servers that ours is compared with.

    python -m benchmarks.search

Tries each of the settings below with the network that costs next to nothing,
multipart and 32×32 photos, and prints requests/s, best first, a JSON line each
on stdout. The winners are kept in `benchmarks/servers/__init__.py`, and two workers
beside them.
"""

import json
import os
from collections import defaultdict
from pathlib import Path

import click
from rich.progress import track

from benchmarks.network import write_tiny_bundle
from benchmarks.options import COUNT, SECONDS
from benchmarks.process import private_store
from benchmarks.servers import Route, Server, python_server
from benchmarks.serving import CORES, Figures, Plan, measure, median, prepare
from bentoml_img.cli.options import FOLDER
from bentoml_img.paths import ROOT

LITSERVE = (
    "--workers 1",
    "--workers 1 --api-servers 2",
    "--workers 1 --threads 2",
    "--workers 2",
    "--workers 2 --api-servers 2",
    "--workers 4",
    "--workers 1 --api-server-type thread",
    "--workers 1 --asynchronous",
    "--workers 2 --asynchronous",
    "--workers 1 --batch 4",
    "--workers 1 --batch 16",
    "--workers 1 --batch 16 --batch-timeout 0.001",
    "--workers 1 --batch 16 --batch-timeout 0.005",
    "--workers 2 --batch 8 --batch-timeout 0.001",
    "--workers 2 --batch 16",
    "--workers 1 --fast-queue",
    "--workers 2 --fast-queue",
    "--workers 1 --fast-queue --batch 8 --batch-timeout 0.001",
    "--workers 1 --fast-queue --batch 16 --batch-timeout 0.005",
    "--workers 1 --fast-queue --asynchronous",
    "--workers 1 --fast-queue --api-servers 2",
    "--workers 1 --fast-queue --api-server-type thread",
)
FASTAPI = ("--workers 1", "--workers 2", "--workers 1 --threads 2", "--workers 4")


def candidates() -> list[Server]:
    litserve = [
        python_server(f"LitServe {options}", "litserve_app", options, [Route("multipart")])
        for options in LITSERVE
    ]
    fastapi = [
        python_server(f"FastAPI {options}", "fastapi_app", options, [Route("multipart")])
        for options in FASTAPI
    ]
    return litserve + fastapi


@click.command()
@click.option("--rounds", type=COUNT, default=3, show_default=True)
@click.option("--seconds", type=SECONDS, default=3, show_default=True)
@click.option("--photos", type=FOLDER, default=ROOT / "images")
def main(rounds: int, seconds: float, photos: Path) -> None:
    """Look for the rivals' best settings."""
    plan = Plan(rounds, seconds, warm_up=1, clients=16)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    figures: Figures = defaultdict(list)
    with private_store() as scratch:
        network = prepare("tiny", write_tiny_bundle(scratch / "tiny"), photos, ["32x32"])
        trials = [server for _ in range(plan.rounds) for server in candidates()]
        for server in track(trials, "servers"):
            for case, figure in measure(server, network, plan):
                figures[case].append(figure)
    best_first = sorted(figures.items(), key=lambda item: -median(item[1]).rate)
    for case, measured in best_first:
        figure = median(measured)
        line = {"server": case.server, "rate": round(figure.rate), "p99": round(figure.p99, 1)}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
