"""Checks of numbers that come from outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def check_finite(values: ArrayLike) -> np.ndarray:
    """Return `values` as floats; raise `ValueError` if any is nan or infinite."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("There is no number to quantize: the array is empty.")
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum is finite only if all summands are; it may overflow if they are.
        finite = np.isfinite(array.sum()) or np.isfinite(array).all()
    if not finite:
        raise ValueError(
            "Cannot quantize nan or infinity. Impute or drop such values first."
        )
    return array
