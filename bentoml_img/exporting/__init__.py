"""Exports a trained network as a bundle: graphs for every engine, and their comparison."""
