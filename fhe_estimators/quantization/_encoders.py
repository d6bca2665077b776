"""Encoders and decoders of tree ensembles: what the client does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.quantization._grid import Grid
from fhe_estimators.quantization._uniform import check_finite

#: Digits of sums of leaves.
_DIGITS = 12


class BinEncoder:
    """Real features as the numbers of their bins.

    Parameters
    ----------
    grid : Grid
    features : tuple of int
        The features that are sent, in order.
    """

    low = 0

    def __init__(self, grid: Grid, features: tuple[int, ...]) -> None:
        self.grid, self.features = grid, features

    @property
    def sizes(self) -> tuple[int, ...]:
        """Edges of each feature that is sent."""
        return tuple(len(self.grid.edges[feature]) for feature in self.features)

    @property
    def high(self) -> int:
        """The largest integer."""
        return max(self.sizes)

    def quant(self, values: ArrayLike, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Return what is encrypted.

        Parameters
        ----------
        values : array-like of float of shape (n_samples, n_features)
            Finite numbers.
        dtype : dtype, default=int64
            What holds the integers.

        Returns
        -------
        q : ndarray of `dtype` of shape (n_samples, n_inputs), each in ``[low, high]``
        """
        check_finite(values)
        array = np.asarray(values)
        parts = [
            self._encoded(array[:, feature], self.grid.edges[feature])
            for feature in self.features
        ]
        return np.concatenate(parts, axis=1, dtype=dtype, casting="unsafe")

    def _encoded(self, column: np.ndarray, edges: np.ndarray) -> np.ndarray:
        return np.searchsorted(edges, column, side="left")[:, np.newaxis]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.features)} features)"


class ThermometerEncoder(BinEncoder):
    """Real features as thermometer codes of their bins.

    Parameters
    ----------
    grid : Grid
    features : tuple of int
        The features that are sent, in order.

    Notes
    -----
    A feature gives the bits ``[bin <= 0], [bin <= 1], ...``, one for each of its edges,
    hence one for each comparison that a tree on the grid can make. The whole grid is sent:
    it tells which features a model looks at, not where.
    """

    @property
    def high(self) -> int:
        """The largest integer."""
        return 1

    def _encoded(self, column: np.ndarray, edges: np.ndarray) -> np.ndarray:
        return column[:, np.newaxis] <= edges


@dataclass(frozen=True, eq=False)
class Columns:
    """Integer sums from columns, which hold parts of them: ``results @ scales + offset``.

    Parameters
    ----------
    scales : ndarray of int64 of shape (n_columns, n_outputs)
        How often each column counts in each sum.
    offset : ndarray of int64 of shape (n_outputs,)
        What the columns lack.
    """

    scales: np.ndarray
    offset: np.ndarray

    @classmethod
    def whole(cls, n_outputs: int) -> Columns:
        """Return what reads one column for each sum that lacks nothing."""
        return cls(np.eye(n_outputs, dtype=np.int64), np.zeros(n_outputs, np.int64))

    def added(self, q: ArrayLike) -> np.ndarray:
        """Return the sums of results of shape (n_samples, n_columns)."""
        sums: np.ndarray = np.asarray(q) @ self.scales + self.offset
        return sums


class SumDecoder:
    """Real scores from sums of trees.

    Parameters
    ----------
    scale : float
        Real distance of two integers.
    base : ndarray of float64 of shape (n_outputs,)
        The score of a sum of zero.
    total : float or None
        If given, one more output follows: `total` less the sum of the others.
    columns : Columns
        What the results of the circuit have to do with the sums.
    """

    def __init__(
        self, scale: float, base: np.ndarray, total: float | None, columns: Columns
    ) -> None:
        self.scale, self.base, self.total, self.columns = scale, base, total, columns

    def reading(self, columns: Columns) -> SumDecoder:
        """Return the decoder of the same sums, divided among other columns."""
        return SumDecoder(self.scale, self.base, self.total, columns)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return real scores.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_columns)

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples, n_outputs)
        """
        sums = self.columns.added(q).astype(np.float64)
        scores: np.ndarray = self.scale * sums + self.base
        if self.total is None:
            return scores
        last = self.total - scores.sum(axis=1, keepdims=True)
        return np.concatenate([scores, last], axis=1)

    def __repr__(self) -> str:
        return f"SumDecoder(scale={self.scale:g}, n_outputs={len(self.base)})"


class LeafDecoder:
    """The sum of the values of the leaves of trees, from the numbers of these values.

    Parameters
    ----------
    values : sequence of ndarray of float64 of shape (n_values, n_outputs)
        Of each tree.
    columns : Columns
        What the results of the circuit have to do with the numbers, one for each tree.
    """

    def __init__(self, values: Sequence[np.ndarray], columns: Columns) -> None:
        self.values, self.columns = values, columns
        size = max(float(np.abs(found).max()) for found in values)
        # Sums of equal values in another order are equal to so many decimals.
        self._decimals = _DIGITS - math.ceil(math.log10(size)) if size else 0

    def reading(self, columns: Columns) -> LeafDecoder:
        """Return the decoder of the same numbers, divided among other columns."""
        return LeafDecoder(self.values, columns)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return sums of values of leaves.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_columns)

        Returns
        -------
        values : ndarray of float64 of shape (n_samples, n_outputs)
            Of a single tree, the very values; of several, sums to 12 digits.
        """
        numbers = self.columns.added(q).astype(np.int64)
        found: np.ndarray = sum(
            values[number] for values, number in zip(self.values, numbers.T, strict=True)
        )
        return found if len(self.values) == 1 else np.round(found, self._decimals)

    def __repr__(self) -> str:
        return f"LeafDecoder({[len(values) for values in self.values]} values)"
