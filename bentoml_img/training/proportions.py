"""The share of the batches that each of several sources of photos has.

Square-root sampling: a source of a hundred times the photos is drawn ten times as often. A
small source is then neither lost among the photos of a large one, nor, as with fixed shares,
is each of its photos seen hundreds of times in an epoch. Kang et al., "Decoupling
Representation and Classifier" (arXiv 1910.09217), compare it with others, for classes.
"""

from collections.abc import Sequence

import numpy as np

from bentoml_img.arrays import Float64Array


def proportions(weights: Sequence[float], photos: Sequence[int]) -> Float64Array:
    """The share of each source, proportional to weight × √photos: shape (sources,), sum 1."""
    parts = np.asarray(weights) * np.sqrt(photos)
    shares: Float64Array = parts / parts.sum()
    return shares
