"""Encrypted tensors while a graph is being quantized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fhe_estimators.exceptions import GraphError

RealFunction = Callable[[np.ndarray], np.ndarray]
Rearrangement = Callable[[np.ndarray], np.ndarray]


class Grid(NamedTuple):
    """Real numbers ``scale * q + offset`` for integers ``q`` from `low` to `high`.

    Parameters
    ----------
    scale, offset : ndarray of float64
        Broadcast against a row with a leading 1.
    low, high : int, ndarray of int64 or None
        None: as far as it takes. One for each scale where they differ.
    """

    scale: np.ndarray
    offset: np.ndarray
    low: int | np.ndarray | None = None
    high: int | np.ndarray | None = None

    def integers(self, real: np.ndarray) -> np.ndarray:
        """Return the nearest integers, of type int64."""
        nearest = np.rint((real - self.offset) / self.scale)
        if self.low is not None or self.high is not None:
            nearest = np.clip(nearest, self.low, self.high)
        integers: np.ndarray = nearest.astype(np.int64)
        return integers


@dataclass(frozen=True)
class ClearIntegers:
    """A clear real tensor that is known as ``unit * integers``.

    Quantization-aware training leaves such weights. They are used as they are.

    Parameters
    ----------
    values : ndarray of float64
    unit : ndarray of float64
        Of the same shape.
    """

    values: np.ndarray
    unit: np.ndarray

    @property
    def integers(self) -> np.ndarray:
        """The integers, of type int64."""
        integers: np.ndarray = np.rint(self.values / self.unit).astype(np.int64)
        return integers

    def laid_out(self, layout: Rearrangement) -> ClearIntegers:
        """Return the tensor after its elements were moved, not changed."""
        return ClearIntegers(layout(self.values), layout(self.unit))


#: What scales and offsets are off by at most, as a part of them: they were multiplied and
#: added a few times.
_ROUNDED = 2.0**-45


@dataclass(frozen=True)
class Encrypted:
    """A real tensor that is held as encrypted integers ``q``.

    The real tensor is ``function(scale * q + offset)``, where `function` works element
    by element and is not computed yet (None: the identity). Element-wise operators
    extend `function`; it becomes one table when integers are needed again.

    Parameters
    ----------
    name : str
        The integer tensor in the integer graph.
    scale, offset : ndarray of float64 of shape (1, ...)
        One number for each element of a row.
    low, high : ndarray of int64 of shape (1, ...)
        Smallest and largest integer that each element can ever hold.
    function : callable or None
    whole : bool, default=False
        Whether a table has to read every bit: the integers are an index, or each of them
        counts.

    Raises
    ------
    GraphError
        If a scale is zero, or a number is not finite, or a range is empty: whoever made the
        tensor is wrong, and all that is computed from it would be.
    """

    name: str
    scale: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    function: RealFunction | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        numbers = np.isfinite(self.scale).all() and np.isfinite(self.offset).all()
        if not numbers or not np.all(self.scale) or np.any(self.low > self.high):
            raise GraphError(
                f"The encrypted tensor {self.name!r} has a scale of zero, a scale or an "
                "offset that is not finite, or an empty range: the operator that gave it "
                "breaks the rule of encrypted tensors."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row, with a leading 1."""
        return self.low.shape

    @property
    def is_constant(self) -> np.ndarray:
        """Whether each element holds the same integer in every row."""
        return np.asarray(self.low == self.high)

    def apply(self, real: np.ndarray) -> np.ndarray:
        """Apply the pending function."""
        return real if self.function is None else self.function(real)

    def real(self, q: np.ndarray) -> np.ndarray:
        """Return the real numbers that integers stand for.

        Zero but for rounding is zero: functions may have a step there.
        """
        real = self.scale * q + self.offset
        return self.apply(np.where(np.abs(real) <= _ROUNDED * np.abs(self.offset), 0, real))

    def then(self, function: RealFunction) -> Encrypted:
        """Return the tensor with one more function to compute."""
        before = self.function
        after = function if before is None else lambda real: function(before(real))
        return replace(self, function=after)

    def scaled(self, factor: np.ndarray, shift: np.ndarray) -> Encrypted:
        """Return ``factor * tensor + shift``: free, nothing is computed encrypted."""
        scale = np.broadcast_to(self.scale * factor, self.shape)
        offset = np.broadcast_to(self.offset * factor + shift, self.shape)
        return replace(self, scale=scale, offset=offset)

    def laid_out(self, name: str, layout: Rearrangement) -> Encrypted:
        """Return the tensor `name`, whose elements `layout` moved or replaced by zeros."""
        arrays = (self.scale, self.offset, self.low, self.high)
        scale, offset, low, high = map(layout, arrays)
        # The scale of nothing but zeros does not matter.
        return Encrypted(name, np.where(scale == 0, 1.0, scale), offset, low, high)

    def has_units_along(self, axes: tuple[int, ...]) -> bool:
        """Tell whether the scale is the same along all axes but `axes`."""
        return same_but_along(self.scale, axes)

    def is_on(self, grid: Grid) -> bool:
        """Tell whether the integers are those of a grid already, or a shift of them."""
        return self.function is None and bool(np.all(self.scale == grid.scale))


def same_but_along(array: np.ndarray, axes: tuple[int, ...]) -> bool:
    """Tell whether an array varies along no other axes than `axes`."""
    kept = {axis % array.ndim for axis in axes}
    first = tuple(
        slice(None) if axis in kept else slice(0, 1) for axis in range(array.ndim)
    )
    return bool(np.all(array == array[first]))
