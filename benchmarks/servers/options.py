"""The options that the servers under test have in common."""

import click

from benchmarks.options import COUNT
from bentoml_img.cli.options import FOLDER, together

server_options = together(
    click.option("--bundle", type=FOLDER, required=True),
    click.option("--port", type=int, required=True),
    click.option("--workers", type=COUNT, default=1, show_default=True),
    click.option(
        "--threads", type=COUNT, default=1, show_default=True, help="Of the network, per worker."
    ),
)
