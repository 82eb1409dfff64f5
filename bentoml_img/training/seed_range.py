"""The seeds that a run can have."""

import click

# What numbers the steps of a run takes 40 bits below the seed, and a generator's seed has 64.
SEEDS = click.IntRange(0, 2**24 - 1)
