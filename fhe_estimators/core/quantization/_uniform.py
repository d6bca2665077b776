"""Uniform quantization: real numbers as integers on an even grid.

A quantizer maps a real number ``x`` to ``q = clip(round(x / scale) + zero_point)`` and
back to ``scale * (q - zero_point)`` [1]_. Inside its range the two differ by at most half
a step, ``scale / 2``.

References
----------
.. [1] B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
   Integer-Arithmetic-Only Inference", CVPR 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.core.graph import bits_of_range
from fhe_estimators.core.validation import check_finite
from fhe_estimators.exceptions import BitWidthError

#: Bits of the largest integer that is exact as a float64.
_EXACT_BITS = 53
#: Numbers that are quantized at a time.
_BLOCK = 2**16
#: A range narrower than this part of its distance to zero counts as one number: floats
#: hardly have others in it.
_NARROWEST = 2.0**-50
#: A number so near to the only one of a range, relative to it, is the same one, computed
#: another way.
_SAME = 2.0**-32


class UniformQuantizer:
    """A map between real numbers and integers of `n_bits` bits.

    Parameters
    ----------
    n_bits : int
        Bits of the integers, from 1 to 53 (62 for results that are only dequantized).
    signed : bool, default=False
        Whether integers lie in ``[-2**(n_bits-1), 2**(n_bits-1) - 1]`` or in
        ``[0, 2**n_bits - 1]``.
    symmetric : bool, default=False
        Whether `fit` keeps the zero point at zero; needs `signed`. The lowest integer is
        then ``-(2**(n_bits-1) - 1)``, so that the grid is symmetric too.
    scale : float or ndarray, optional
        Real distance between two integers; one, or one for each feature. `fit` sets it.
    zero_point : int, float or ndarray, optional
        The integer that stands for zero; `fit` sets it to integers, as floats from 2**53
        on. It lies outside of the integers' range if zero lies outside of the real one,
        and it may be a fraction where a clear constant was added to integers.

    Raises
    ------
    ValueError
        If the parameters contradict each other.

    Examples
    --------
    >>> import numpy as np
    >>> quantizer = UniformQuantizer(8).fit(np.array([-1.0, 0.0, 4.1]))
    >>> quantizer.scale, quantizer.zero_point
    (0.02, 50)
    >>> quantizer.quant(np.array([-1.0, 0.0, 4.1, 99.0]))
    array([  0,  50, 255, 255])
    >>> quantizer.dequant(np.array([0, 50, 255]))
    array([-1. ,  0. ,  4.1])
    """

    def __init__(
        self,
        n_bits: int = 8,
        *,
        signed: bool = False,
        symmetric: bool = False,
        scale: ArrayLike | None = None,
        zero_point: ArrayLike | None = None,
    ) -> None:
        if symmetric and not signed:
            raise ValueError("symmetric=True needs signed=True.")
        if (scale is None) != (zero_point is None):
            raise ValueError("Give both of scale and zero_point, or neither (then fit).")
        if not 1 <= n_bits <= 62:
            raise ValueError(f"n_bits must be from 1 to 62; got {n_bits}.")
        self.n_bits, self.signed, self.symmetric = int(n_bits), signed, symmetric
        self.scale: Any = scale
        self.zero_point: Any = zero_point
        #: Whether the range (of each feature) is one number; None without a range.
        self._single: Any = None
        #: Steps by which numbers that are known lie beyond either end, see `expect`.
        self._expected: tuple[Any, Any] = (0, 0)

    @property
    def low(self) -> int:
        """The smallest integer."""
        if not self.signed:
            return 0
        return -(1 << (self.n_bits - 1)) + int(self.symmetric and self.n_bits > 1)

    @property
    def high(self) -> int:
        """The largest integer."""
        return (1 << (self.n_bits - int(self.signed))) - 1

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest integer, of each feature if it has its own scale.

        A feature whose range is one number has one integer, zero.
        """
        single = self._single is not None and self._single
        return np.where(single, 0, self.low), np.where(single, 0, self.high)

    def fit(self, values: ArrayLike, axis: int | None = None) -> UniformQuantizer:
        """Choose scale and zero point so that `values` fill the integers.

        Parameters
        ----------
        values : array-like of float
        axis : int, optional
            The axis to reduce: 0 gives one scale for each feature. None gives one scale.

        Returns
        -------
        self : UniformQuantizer
        """
        array = check_finite(values)
        return self.fit_range(array.min(axis=axis), array.max(axis=axis))

    def fit_range(self, smallest: ArrayLike, largest: ArrayLike) -> UniformQuantizer:
        """Choose scale and zero point for real numbers in ``[smallest, largest]``.

        Parameters
        ----------
        smallest, largest : float or ndarray
            Of the same shape, finite, in order.

        Returns
        -------
        self : UniformQuantizer
        """
        smallest, largest = check_finite(smallest), check_finite(largest)
        if np.any(smallest > largest):
            raise ValueError("The range is empty: smallest > largest.")
        magnitude = np.maximum(np.abs(smallest), np.abs(largest))
        if self.symmetric:
            width, levels = magnitude, max(1.0, self.high)
        else:
            width, levels = largest / 2 - smallest / 2, (self.high - self.low) / 2
        # One number only: a step of its own size represents it (and zero) exactly.
        single = width <= _NARROWEST * magnitude
        scale = np.where(single, np.where(magnitude > 0, magnitude, 1.0), width / levels)
        scale = np.where(scale > 0, scale, 1.0)
        self._single = single
        if self.symmetric:
            zero_point = np.zeros_like(scale, dtype=np.int64)
        else:
            lowest = np.where(single, 0, self.low)
            zero_point = lowest - np.rint(smallest / scale)
            if np.abs(zero_point).max(initial=0) < 1 << _EXACT_BITS:
                zero_point = zero_point.astype(np.int64)
        self.scale = scale if scale.ndim else float(scale)
        self.zero_point = zero_point if zero_point.ndim else zero_point.item()
        return self

    def quant(self, values: ArrayLike, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Return integers, clipped to the range that the quantizer was fitted to.

        Parameters
        ----------
        values : array-like of float
            Finite numbers, however large.
        dtype : dtype, default=int64
            What holds the integers; float64 does so exactly up to 53 bits.

        Returns
        -------
        q : ndarray of `dtype`, each in ``[low, high]``

        Raises
        ------
        ValueError
            If a number is nan or infinite, or the quantizer is not fitted.
        """
        array = np.asarray(values, dtype=np.float64)
        scale, zero_point = self._fitted()
        step = max(1, _BLOCK // array[0].size) if array.size > _BLOCK else array.size
        if array.ndim and len(array) > step and _is_same_for_rows(scale, array):
            # Some rows at a time stay in the cache.
            integers = np.empty(array.shape, dtype)
            for start in range(0, len(array), step):
                rows = slice(start, start + step)
                integers[rows] = self.quant(array[rows], dtype)
            return integers
        with np.errstate(over="ignore"):
            scaled = np.asarray(array / scale)
        q = scaled.reshape(scaled.shape or (1,))
        np.rint(q, out=q)
        q += zero_point
        # The ends tell whether all is finite, and whether something has to be clipped.
        ends = q.min(initial=np.inf), q.max(initial=-np.inf)
        if not np.isfinite(ends).all():
            check_finite(array)
        several = self._single is None or not np.any(self._single)
        low, high = (self.low, self.high) if several else self.bounds
        if np.any(ends[0] < low):
            np.maximum(q, low, out=q)
        if np.any(ends[1] > high):
            np.minimum(q, high, out=q)
        return q.reshape(scaled.shape).astype(dtype, copy=False)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return the real numbers that integers stand for.

        Parameters
        ----------
        q : array-like of int

        Returns
        -------
        values : ndarray of float64
        """
        scale, zero_point = self._fitted()
        return np.asarray(scale * (np.asarray(q) - zero_point), dtype=np.float64)

    def is_beyond(self, values: ArrayLike) -> np.ndarray:
        """Tell which numbers lie more than a step beyond the range, and what was expected.

        None does if scale and zero point were given: where training has chosen them,
        clipping is part of what was trained.

        Parameters
        ----------
        values : array-like of float

        Returns
        -------
        is_beyond : ndarray of bool
        """
        array = np.asarray(values)
        if self._single is None:
            return np.zeros(array.shape, bool)
        low, high = map(self.dequant, self.bounds)
        step = np.where(self._single, _SAME * self.scale, self.scale)
        below, above = self._expected
        under, over = low - (1 + below) * step, high + (1 + above) * step
        return np.asarray((array < under) | (array > over))

    def expect(self, rows: np.ndarray) -> UniformQuantizer:
        """Widen the range that `is_beyond` accepts to the numbers of some rows.

        For few bits a range leaves out the ends of long tails.

        Parameters
        ----------
        rows : ndarray of float of shape (n_samples, ...)

        Returns
        -------
        self : UniformQuantizer
        """
        low, high = map(self.dequant, self.bounds)
        smallest, largest = rows.min(axis=0), rows.max(axis=0)
        # In whole steps: the numbers themselves are not kept.
        self._expected = (
            np.ceil(np.maximum(low - smallest, 0) / self.scale),
            np.ceil(np.maximum(largest - high, 0) / self.scale),
        )
        return self

    def _fitted(self) -> tuple[Any, Any]:
        if self.scale is None:
            raise ValueError("The quantizer has no scale yet: call fit first.")
        return self.scale, self.zero_point

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UniformQuantizer):
            return NotImplemented
        return (self.n_bits, self.signed, self.symmetric) == (
            other.n_bits,
            other.signed,
            other.symmetric,
        ) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("scale", "zero_point")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kind = "signed" if self.signed else "unsigned"
        return f"UniformQuantizer({self.n_bits} bits, {kind}, scale={self.scale})"


def _is_same_for_rows(parameter: Any, array: np.ndarray) -> bool:
    """Tell whether a parameter, broadcast against an array, differs along no row."""
    return np.ndim(parameter) < array.ndim or len(parameter) == 1


class QuantizedArray:
    """Real numbers with the integers that stand for them.

    Parameters
    ----------
    n_bits : int
        Bits of the integers; ignored if a `quantizer` is given.
    values : array-like of float
        The real numbers. They are rounded to the grid: see `values`.
    signed, symmetric : bool, default=False
        As in `UniformQuantizer`.
    quantizer : UniformQuantizer, optional
        Used as it is, instead of one fitted on `values`.

    Attributes
    ----------
    quantizer : UniformQuantizer
    qvalues : ndarray of int64, each in ``[quantizer.low, quantizer.high]``

    Examples
    --------
    >>> array = QuantizedArray(3, [-1.0, 0.2, 2.5])
    >>> array.qvalues
    array([0, 2, 7])
    >>> array.values
    array([-1. ,  0. ,  2.5])
    """

    def __init__(
        self,
        n_bits: int,
        values: ArrayLike,
        *,
        signed: bool = False,
        symmetric: bool = False,
        quantizer: UniformQuantizer | None = None,
    ) -> None:
        if quantizer is None:
            quantizer = UniformQuantizer(n_bits, signed=signed, symmetric=symmetric)
            quantizer.fit(values)
        self.quantizer = quantizer
        self.qvalues = quantizer.quant(values)

    @classmethod
    def from_integers(
        cls, qvalues: ArrayLike, quantizer: UniformQuantizer
    ) -> QuantizedArray:
        """Return the array that integers stand for under a fitted quantizer.

        Parameters
        ----------
        qvalues : array-like of int
        quantizer : UniformQuantizer

        Returns
        -------
        array : QuantizedArray

        Raises
        ------
        BitWidthError
            If an integer lies outside of the quantizer's range.
        """
        integers = np.asarray(qvalues, dtype=np.int64)
        if integers.size and (
            integers.min() < quantizer.low or integers.max() > quantizer.high
        ):
            bits = bits_of_range(int(integers.min()), int(integers.max()))
            raise BitWidthError(
                f"Integers from {integers.min()} to {integers.max()} need {bits} bits; "
                f"the quantizer holds [{quantizer.low}, {quantizer.high}]."
            )
        array = cls.__new__(cls)
        array.quantizer, array.qvalues = quantizer, integers
        return array

    @property
    def n_bits(self) -> int:
        """Bits of the integers."""
        return self.quantizer.n_bits

    @property
    def values(self) -> np.ndarray:
        """The real numbers on the grid: what the integers stand for."""
        return self.dequant()

    def quant(self) -> np.ndarray:
        """Return the integers.

        Returns
        -------
        qvalues : ndarray of int64
        """
        return self.qvalues

    def dequant(self) -> np.ndarray:
        """Return the real numbers that the integers stand for.

        Returns
        -------
        values : ndarray of float64
        """
        return self.quantizer.dequant(self.qvalues)

    def __repr__(self) -> str:
        return f"QuantizedArray(shape={self.qvalues.shape}, {self.quantizer!r})"
