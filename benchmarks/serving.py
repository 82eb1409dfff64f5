"""Load test: this service and the same model under other servers, on the same two cores.

    python -m benchmarks.serving --clients 16 --rounds 3 --seconds 4

One server at a time runs on two cores, which it shares with the client; each
round starts every server anew. The client checks every answer. One JSON line a
figure goes to stdout (medians over the rounds), a table to stderr.

What the figures compare is serving: every server calls the same `Classifier`
with the same bundle, and decodes in the same way, and writes no line for each
request. LitServe and FastAPI (`async def`) have one worker and two, named with the
threads that the network has in each: 1×1, 2×1. Ours has its defaults, two workers
on two cores; BentoML has its own, one worker. Ours has duties that the others do
not bear: it checks type, size and every field of an upload. Its metrics are on, and
BentoML's.

`rate` is right answers a second; `p50`, `p99`, and `cpu` (the server's, for each
answer) are milliseconds; `base64` is JSON with the photo in it. `÷ X` is our rate
over that of X in its fastest form, the median of the rounds' quotients, and so
not quite the quotient of two lines.
"""

import io
import json
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.load import Exchange, Figure, Right, request, run, says
from benchmarks.machine import describe
from benchmarks.network import write_tiny_bundle
from benchmarks.options import COUNT, SECONDS
from benchmarks.photos import load_photos
from benchmarks.process import ServerError, cpu_seconds, free_port, private_store, serving
from benchmarks.ratios import median_ratio
from benchmarks.servers import BUNDLE, OTHERS, OURS, PLAIN_BENTOML, Server
from benchmarks.servers.decoding import decode
from bentoml_img.bundle import BundleError
from bentoml_img.classify import Classifier
from bentoml_img.cli.options import FOLDER, Command, together
from bentoml_img.paths import ROOT, SHIPPED

CORES = 2
SIZES = {"32x32": (32, 32), "640x480": (640, 480)}


@dataclass(frozen=True)
class Case:
    """What one figure measures."""

    network: str
    photos: str
    server: str
    form: str


Figures = dict[Case, list[Figure]]


@dataclass(frozen=True)
class Network:
    """A bundle, the Bento that serves it, and its photos by size with the answers expected."""

    name: str
    bundle: Path
    bento: str
    photos: dict[str, list[tuple[bytes, Right]]]


@dataclass(frozen=True)
class Plan:
    """How often and how long each server is measured."""

    rounds: int
    seconds: float
    warm_up: float
    clients: int


def measure(server: Server, network: Network, plan: Plan) -> Iterator[tuple[Case, Figure]]:
    """Start a server and measure each of its routes with each set of photos."""
    port = free_port()
    values = {"port": port, "bundle": network.bundle, "bento": network.bento}
    command = [part.format_map(values) for part in server.command]
    service, _, _ = network.bento.partition(":")
    environment = {
        BUNDLE: str(network.bundle),
        "BENTOML_CONFIG_OPTIONS": " ".join(
            f"services.{name}.logging.access.enabled=false" for name in (service, PLAIN_BENTOML)
        ),
    }
    with serving(command, port, environment) as process:
        for route in server.routes:
            for size, photos in network.photos.items():
                exchanges = [
                    Exchange(request(route.path, photo, route.form), right)
                    for photo, right in photos
                ]
                run(port, exchanges, plan.clients, plan.warm_up)
                before = cpu_seconds(process)
                figure = run(port, exchanges, plan.clients, plan.seconds)
                cpu = (cpu_seconds(process) - before) / figure.answered * 1000
                yield Case(network.name, size, server.name, route.form), replace(figure, cpu=cpu)


def prepare(
    name: str, bundle: Path, photos: Path, sizes: Collection[str] = SIZES.keys()
) -> Network:
    """Package a bundle, and find the labels that the servers have to answer.

    `sizes` of the photos are among SIZES.
    """
    from bentoml_img.packaging import package

    classifier = Classifier.from_bundle(bundle)
    labelled = {size: sure_of(classifier, load_photos(photos, *SIZES[size])) for size in sizes}
    return Network(name, bundle, package(bundle).tag, labelled)


def sure_of(classifier: Classifier, photos: Iterable[bytes]) -> list[tuple[bytes, Right]]:
    """The photos whose label is the same however they are decoded, and that label."""
    labelled = []
    for photo in photos:
        whole = Image.open(io.BytesIO(photo)).convert("RGB")
        seen, all_seen = classifier([decode(photo, classifier.decode_at_least), whole])
        if seen.label == all_seen.label:
            labelled.append((photo, says(seen.label)))
    return labelled


def compare(networks: Sequence[Network], servers: Sequence[Server], plan: Plan) -> Figures:
    """Measure all servers with all networks in each round; ServerError if one fails."""
    figures: Figures = defaultdict(list)
    for number in range(1, plan.rounds + 1):
        for network in networks:
            for server in servers:
                print(
                    f"round {number} of {plan.rounds}: {network.name}, {server.name}",
                    file=sys.stderr,
                )
                for case, figure in measure(server, network, plan):
                    figures[case].append(figure)
    return figures


def median(figures: list[Figure]) -> Figure:
    """The median of each quantity; errors are added up."""
    rate, p50, p99, cpu = (
        statistics.median(getattr(figure, name) for figure in figures)
        for name in ("rate", "p50", "p99", "cpu")
    )
    answered, errors = (
        sum(getattr(figure, name) for figure in figures) for name in ("answered", "errors")
    )
    return Figure(rate, p50, p99, answered, errors, cpu)


def ratio(figures: Figures, case: Case, rival: str) -> float | None:
    """Our rate over that of a rival at its best, the median of the rounds."""
    forms = [
        rounds
        for other, rounds in figures.items()
        if (other.network, other.photos, other.server) == (case.network, case.photos, rival)
    ]
    if not forms:
        return None
    best = max(forms, key=lambda rounds: median(rounds).rate)
    ours, theirs = ([figure.rate for figure in rounds] for rounds in (figures[case], best))
    return median_ratio(ours, theirs)


def report(figures: Figures, plan: Plan, others: Sequence[Server]) -> None:
    """Print the table to stderr and a JSON line for each figure to stdout."""
    machine = describe(CORES)
    rivals = [server.name for server in others]
    table = Table(title=f"{plan.clients} clients, median of {plan.rounds} rounds")
    for column in ("network", "photos", "server", "form"):
        table.add_column(column, no_wrap=True)
    for column in ("req/s", "p50 ms", "p99 ms", "CPU ms", "errors", *(f"÷ {r}" for r in rivals)):
        table.add_column(column, justify="right")
    for case, rounds in figures.items():
        figure = median(rounds)
        ratios = {r: ratio(figures, case, r) for r in rivals} if case.server == OURS.name else {}
        rates = [round(f.rate, 1) for f in rounds]
        line = {**asdict(case), **asdict(figure), "rates": rates, "ratios": ratios, **machine}
        print(json.dumps(line))
        cells = [
            f"{figure.rate:.4g}",
            f"{figure.p50:.1f}",
            f"{figure.p99:.1f}",
            f"{figure.cpu:.2f}",
        ]
        cells += [str(figure.errors), *(f"{r:.2f}" if r else "" for r in ratios.values())]
        table.add_row(case.network, case.photos, case.server, case.form, *cells)
    Console(stderr=True, width=140).print(table)


def plan_options(seconds: float, warm_up: float, clients: int) -> Callable[[Command], Command]:
    """The options that make a Plan, with these defaults, and --photos."""
    return together(
        click.option("--rounds", type=COUNT, default=3, show_default=True),
        click.option(
            "--seconds",
            type=SECONDS,
            default=seconds,
            show_default=True,
            help="Of each measurement.",
        ),
        click.option(
            "--warm-up",
            type=SECONDS,
            default=warm_up,
            show_default=True,
            help="Seconds before each of them.",
        ),
        click.option("--clients", type=COUNT, default=clients, show_default=True),
        click.option("--photos", type=FOLDER, default=ROOT / "images"),
    )


def run_against(
    others: Sequence[Server], networks_in: Callable[[Path], list[Network]], plan: Plan
) -> None:
    """Compare our server with others, and report; ClickException if one fails or answers wrongly.

    `networks_in` makes what they serve, in a folder that lasts as long as they run.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with private_store() as scratch:
        try:
            figures = compare(networks_in(scratch), (OURS, *others), plan)
        except (ServerError, BundleError) as error:
            raise click.ClickException(str(error)) from error
    report(figures, plan, others)
    if any(figure.errors for rounds in figures.values() for figure in rounds):
        raise click.ClickException("not every answer was right")


@click.command(epilog="One JSON line a figure on stdout, a table on stderr.")
@plan_options(seconds=4, warm_up=2, clients=16)
@click.option("--bundle", type=FOLDER, default=SHIPPED / "cifar_lite")
@click.option("--network", "only", type=click.Choice(["tiny", "shipped"]), help="Only this one.")
def main(bundle: Path, photos: Path, only: str | None, **plan: Any) -> None:
    """Compare this service with others under load."""

    def networks(folder: Path) -> list[Network]:
        bundles = {"tiny": write_tiny_bundle(folder / "tiny"), "shipped": bundle}
        return [
            prepare(name, path.resolve(), photos)
            for name, path in bundles.items()
            if only in (None, name)
        ]

    run_against(OTHERS, networks, Plan(**plan))


if __name__ == "__main__":
    main()
