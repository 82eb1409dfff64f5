"""What part of the batches each of several sources of photos has.

Square-root sampling: a source of a hundred times the photos is drawn ten times
as often. So neither do the many photos of a large source drown a small one, nor
is each photo of the small one seen hundreds of times in an epoch, as with parts
that are fixed. Between classes it is compared with others by Kang et al.,
"Decoupling Representation and Classifier" (arXiv 1910.09217).
"""

from collections.abc import Sequence

import numpy as np

from bentoml_img.arrays import Float64Array


def proportions(weights: Sequence[float], photos: Sequence[int]) -> Float64Array:
    """Each source's part, proportional to its weight times √(its number of photos); their sum is 1.

    Of two sources as large as each other, one of twice the weight has twice the part.
    """
    parts = np.asarray(weights) * np.sqrt(photos)
    shares: Float64Array = parts / parts.sum()
    return shares
