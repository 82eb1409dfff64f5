"""Arrays by what is in them."""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]
Int64Array = npt.NDArray[np.int64]
IntpArray = npt.NDArray[np.intp]  # of places in another array
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
