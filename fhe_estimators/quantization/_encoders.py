"""Encoders and decoders of tree ensembles: what the client does."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.quantization._grid import Grid
from fhe_estimators.quantization._uniform import check_finite


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
    offset : ndarray of int64 of shape (n_outputs,)
        What the sums lack.
    """

    def __init__(
        self, scale: float, base: np.ndarray, total: float | None, offset: np.ndarray
    ) -> None:
        self.scale, self.base, self.total, self.offset = scale, base, total, offset

    def with_offset(self, offset: np.ndarray) -> SumDecoder:
        """Return the decoder of sums that lack `offset`."""
        return SumDecoder(self.scale, self.base, self.total, offset)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return real scores.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_outputs * n_partial_sums)

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples, n_outputs)
        """
        sums = _added(q, self.offset).astype(np.float64)
        scores: np.ndarray = self.scale * sums + self.base
        if self.total is None:
            return scores
        last = self.total - scores.sum(axis=1, keepdims=True)
        return np.concatenate([scores, last], axis=1)

    def __repr__(self) -> str:
        return f"SumDecoder(scale={self.scale:g}, n_outputs={len(self.offset)})"


class LeafDecoder:
    """The value of the leaf of a single tree, from the number of that value.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_values, n_outputs)
    offset : ndarray of int64 of shape (1,)
        What the sum lacks.
    """

    def __init__(self, values: np.ndarray, offset: np.ndarray) -> None:
        self.values, self.offset = values, offset

    def with_offset(self, offset: np.ndarray) -> LeafDecoder:
        """Return the decoder of sums that lack `offset`."""
        return LeafDecoder(self.values, offset)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return the values of leaves.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_partial_sums)

        Returns
        -------
        values : ndarray of float64 of shape (n_samples, n_outputs)
        """
        numbers = _added(q, self.offset)[:, 0].astype(np.int64)
        values: np.ndarray = self.values[numbers]
        return values

    def __repr__(self) -> str:
        return f"LeafDecoder({len(self.values)} values)"


def _added(q: ArrayLike, offset: np.ndarray) -> np.ndarray:
    """Return sums of partial sums, of shape (n_samples, n_outputs)."""
    array = np.asarray(q)
    sums: np.ndarray = array.reshape(len(array), len(offset), -1).sum(axis=2) + offset
    return sums
