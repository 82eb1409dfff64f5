"""From a trained network to a bundle: graphs for every engine, and what they differ by."""
