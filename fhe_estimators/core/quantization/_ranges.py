"""Which range of real numbers the integer results of tables stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from fhe_estimators.core.integers import RangeOf, extent

#: Numbers of each column that errors are measured on.
_NUMBERS = 2_000
#: Parts of the way from the middle to an end at which a range may stop.
_PARTS = np.linspace(1.0, 0.3, 15)


def least_error(numbers: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of each column whose integers give the least squared error.

    Numbers beyond a range are clipped to its end, and a narrower range has a finer grid.
    The ends are moved towards the median, one after the other, to where the sum of both
    errors is least on the numbers themselves [1]_.

    Parameters
    ----------
    numbers : ndarray of shape (n_numbers, n_columns)
        nan does not count.
    levels : int
        The largest integer; the smallest is 0.

    References
    ----------
    .. [1] R. Banner, Y. Nahshan, D. Soudry, "Post Training 4-bit Quantization of
       Convolutional Networks for Rapid-Deployment", NeurIPS 2019.
    """
    low, high = extent(numbers, levels)
    sample = numbers[:: -(-len(numbers) // _NUMBERS)]
    middle = np.nanmedian(sample, axis=0)

    def error(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        scale = np.where(high > low, (high - low) / levels, 1.0)
        q = np.rint((np.clip(sample, low, high) - low) / scale)
        return np.asarray(np.nanmean((scale * q + low - sample) ** 2, axis=0))

    def best(ends: np.ndarray, errors: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        moved = np.array([middle + part * (ends - middle) for part in _PARTS])
        chosen = np.argmin([errors(end) for end in moved], axis=0)
        found: np.ndarray = np.take_along_axis(moved, chosen[np.newaxis], axis=0)[0]
        return found

    high = best(high, lambda end: error(low, end))
    # Where most numbers are the smallest one (behind a ReLU) that end stays.
    low = best(low, lambda end: error(end, high))
    return low, high


#: What the parameter `calibration` may be.
CALIBRATIONS: Mapping[str, RangeOf] = MappingProxyType(
    {"least_error": least_error, "minmax": extent}
)
