"""The command-line surface of ``bentoml run``."""

import click


@click.command()
def run() -> None:
    """Call an API of a Bento in this process, without a server."""
