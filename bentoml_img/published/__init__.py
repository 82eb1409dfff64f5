"""Weights that others publish: addresses, downloads, checks."""
