"""Arrays by what is in them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]  # of elements of another array
Ids = npt.NDArray[np.int64]  # of classes
Bytes = npt.NDArray[np.uint8]
Booleans = npt.NDArray[np.bool_]
