"""Encoders and decoders of tree ensembles: what the client does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fhe_estimators.core.trees.binning import BinEdges

#: Digits of sums of leaves of several outputs.
_DIGITS = 12


class BinEncoder:
    """Real features as the numbers of their bins.

    Parameters
    ----------
    bin_edges : BinEdges
    features : tuple of int
        The features that are sent, in order.
    """

    low = 0

    def __init__(self, bin_edges: BinEdges, features: tuple[int, ...]) -> None:
        self.bin_edges, self.features = bin_edges, features

    @property
    def sizes(self) -> tuple[int, ...]:
        """Edges of each feature that is sent."""
        return tuple(len(self.bin_edges.edges[feature]) for feature in self.features)

    @property
    def high(self) -> int:
        """The largest integer."""
        return max(self.sizes)

    def quant(self, values: ArrayLike, dtype: DTypeLike = np.int64) -> np.ndarray:
        """Return the integers that the client encrypts.

        Parameters
        ----------
        values : array-like of float of shape (n_samples, n_features)
            Finite numbers, or nan where there are bins for missing values.
        dtype : dtype, default=int64
            What holds the integers.

        Returns
        -------
        q : ndarray of `dtype` of shape (n_samples, n_inputs), each in ``[low, high]``
        """
        array = self.bin_edges.check(values)
        parts = [
            self._encoded(array[:, feature], self.bin_edges.edges[feature])
            for feature in self.features
        ]
        return np.concatenate(parts, axis=1, dtype=dtype, casting="unsafe")

    @property
    def n_inputs(self) -> int:
        """Integers that are sent for a row."""
        return len(self.features)

    def runs(self, chosen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that computes some of the integers that are encrypted.

        Parameters
        ----------
        chosen : ndarray of int of shape (n_chosen,)

        Returns
        -------
        runs : callable
            It takes rows that `quant` takes, and returns runs over the rows, of small
            integers and of shape (n_chosen, n_samples):
            ``quant(values)[:, chosen].T``.
        """
        features = np.take(self.features, chosen)
        edges = [self.bin_edges.edges[feature] for feature in features.tolist()]
        dtype = np.min_scalar_type(-1 - self.high)

        def bins(values: np.ndarray) -> np.ndarray:
            runs = zip(edges, _turned(values, features), strict=True)
            return np.array([np.searchsorted(of, run) for of, run in runs], dtype)

        return bins

    def _encoded(self, column: np.ndarray, edges: np.ndarray) -> np.ndarray:
        return np.searchsorted(edges, column, side="left")[:, np.newaxis]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.features)} features)"


class ThermometerEncoder(BinEncoder):
    """Real features as thermometer codes of their bins.

    Parameters
    ----------
    bin_edges : BinEdges
    features : tuple of int
        The features that are sent, in order.

    Notes
    -----
    A feature gives the bits ``[bin <= 0], [bin <= 1], ...``, one for each of its edges,
    hence one for each comparison that a tree on these bins can make. All of them are sent:
    it tells which features a model looks at, not where.
    """

    @property
    def high(self) -> int:
        """The largest integer."""
        return 1

    @property
    def n_inputs(self) -> int:
        """Integers that are sent for a row."""
        return sum(self.sizes)

    def runs(self, chosen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that computes some of the bits; see `BinEncoder.runs`."""
        place = np.repeat(np.arange(len(self.features)), self.sizes)[chosen]
        edges = np.concatenate([self.bin_edges.edges[feature] for feature in self.features])
        edges = edges[chosen]
        used, number = np.unique(place, return_inverse=True)
        features = np.take(self.features, used)

        def bits(values: np.ndarray) -> np.ndarray:
            found = np.empty((len(chosen), len(values)), bool)
            runs = _turned(values, features)
            for bit, run, edge in zip(found, number, edges, strict=True):
                np.less_equal(runs[run], edge, out=bit)
            return found.view(np.int8)

        return bits

    def _encoded(self, column: np.ndarray, edges: np.ndarray) -> np.ndarray:
        return column[:, np.newaxis] <= edges


def _turned(values: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return features as float64 of shape (n_features, n_samples), C-contiguous."""
    return np.ascontiguousarray(values[:, features].T, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class SumDecoder:
    """Real scores from sums of trees.

    Parameters
    ----------
    scale : ndarray of float64 of shape (n_outputs,)
        Real distance of two integers.
    base : ndarray of float64 of shape (n_outputs,)
        The score of a sum of zero.
    total : float or None
        If given, one more output follows: `total` less the sum of the others.
    highest : ndarray of shape (n_outputs,)
        The largest sums; the least are zero.
    rounding_errors : ndarray of float64 of shape (n_outputs,)
        What rounding the leaves changes in a sum at most, over all rows that there can be.
    offset : ndarray of int64 of shape (n_outputs,), or int, default=0
        What integers lack that are decoded.
    """

    scale: np.ndarray
    base: np.ndarray
    total: float | None
    highest: np.ndarray
    rounding_errors: np.ndarray
    offset: np.ndarray | int = 0

    @property
    def rounding_error_bound(self) -> np.ndarray:
        """What rounding may change in a score, of any row; of shape (n_outputs,).

        It is the sum over trees of the largest rounding error of a leaf. The thresholds of
        a model, and its scores as floats, have nothing to do with it.
        """
        errors = self.rounding_errors
        return errors if self.total is None else np.append(errors, errors.sum())

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return real scores.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_outputs)
            Sums that trees cannot have, decrypted wrongly, count as the nearest ones that
            they can.

        Returns
        -------
        scores : ndarray of float64 of shape (n_samples, n_outputs)
        """
        sums = np.clip(np.asarray(q) + self.offset, 0, self.highest).astype(np.float64)
        scores: np.ndarray = self.scale * sums + self.base
        if self.total is None:
            return scores
        last = self.total - scores.sum(axis=1, keepdims=True)
        return np.concatenate([scores, last], axis=1)

    def __repr__(self) -> str:
        scales = ", ".join(f"{scale:g}" for scale in self.scale)
        return f"SumDecoder(scale=[{scales}], n_outputs={len(self.base)})"


@dataclass(frozen=True, eq=False)
class LeafDecoder:
    """The sum of the values of the leaves of trees, from the numbers of these values.

    Parameters
    ----------
    values : sequence of ndarray of float64 of shape (n_values, n_outputs)
        Of each tree.
    offset : ndarray of int64 of shape (n_trees,), or int, default=0
        What integers lack that are decoded.
    """

    values: Sequence[np.ndarray]
    offset: np.ndarray | int = 0

    @property
    def _has_ties(self) -> bool:
        """Whether sums of several outputs are compared with each other."""
        return len(self.values) > 1 and self.values[0].shape[1] > 1

    @property
    def rounding_error_bound(self) -> np.ndarray:
        """What rounding may change in a score, of any row; of shape (n_outputs,).

        Zero, but for the last of the 12 digits of sums of several outputs.
        """
        largest: np.ndarray = np.sum([np.abs(v).max(axis=0) for v in self.values], axis=0)
        return largest * 10.0 ** (1 - _DIGITS) if self._has_ties else np.zeros_like(largest)

    def dequant(self, q: ArrayLike) -> np.ndarray:
        """Return sums of values of leaves.

        Parameters
        ----------
        q : array-like of int of shape (n_samples, n_trees)
            Numbers that no leaf has, decrypted wrongly, count as the nearest ones.

        Returns
        -------
        values : ndarray of float64 of shape (n_samples, n_outputs)
            The very values of a single tree, the sums in the order of the trees of one
            output, and those of several outputs to 12 digits.
        """
        last = [len(found) - 1 for found in self.values]
        numbers = np.clip(np.asarray(q) + self.offset, 0, last).astype(np.int64)
        found = [
            values[number] for values, number in zip(self.values, numbers.T, strict=True)
        ]
        total: np.ndarray = sum(found)
        if not self._has_ties:
            return total
        # Sums of equal values in another order, which differ by their size times the
        # precision of floats, are equal to so many digits.
        return _rounded(total, sum(map(np.abs, found)))

    def __repr__(self) -> str:
        return f"LeafDecoder({[len(values) for values in self.values]} values)"


def _rounded(numbers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return numbers rounded to so many digits of a size, each of its own."""
    with np.errstate(divide="ignore"):
        exponents = np.floor(np.log10(sizes))
    decimals = np.clip(_DIGITS - 1 - exponents, -300, 300)
    # Powers of ten below one are not exact as floats.
    powers = 10.0 ** np.abs(decimals)
    above = np.rint(numbers / powers) * powers
    with np.errstate(over="ignore", invalid="ignore"):
        below = np.rint(numbers * powers) / powers
    rounded: np.ndarray = np.where(decimals < 0, above, below)
    return rounded
