"""Grids: the bins into which the values of each feature fall."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from fhe_estimators.core.validation import check_finite

#: How the edges of bins are placed.
BINNINGS = ("quantile", "uniform", "adaptive")
#: The part of adaptive bins that is placed by the density, not by ranks; measured on 19
#: tables.
_ADAPTED = 2 / 3


class BinEdges:
    """Edges that divide the values of each feature into bins.

    A value lies in bin ``b`` if it is not at most `b` of the edges of its feature. Beyond
    an edge of infinity lie missing values, which are no numbers: a bin of their own.

    Parameters
    ----------
    edges : sequence of ndarray of float64
        For each feature, increasing.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [1.0], [9.0], [10.0]])
    >>> bin_edges = BinEdges.of(X, n_bits=1, binning="quantile")
    >>> bin_edges.edges[0]
    array([5.])
    >>> bin_edges.bins(np.array([[-3.0], [5.0], [5.1]]))
    array([[0],
           [0],
           [1]])
    """

    def __init__(self, edges: Sequence[np.ndarray]) -> None:
        self.edges = tuple(edges)

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        n_bits: int,
        binning: str = "adaptive",
        sample_weight: np.ndarray | None = None,
    ) -> BinEdges:
        """Divide each feature into at most ``2**n_bits`` bins.

        A feature with no more different values than that gets a bin for each. One with
        missing values gets one more.

        Parameters
        ----------
        X : ndarray of float of shape (n_samples, n_features)
            nan is a missing value.
        n_bits : int
        binning : {'quantile', 'uniform', 'adaptive'}, default='adaptive'
            Bins of about the same weight, of the same width, or in between: two of three
            where there are some values as the cube root of their density, which loses the
            least of their squares [1]_, and the third as quantiles.
        sample_weight : ndarray of shape (n_samples,), optional
            A row of weight `k` counts as `k` rows.

        Returns
        -------
        bin_edges : BinEdges

        References
        ----------
        .. [1] P. F. Panter, W. Dite, "Quantization distortion in pulse-count modulation
           with nonuniform spacing of levels", Proceedings of the IRE 39, 1951.
        """
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        X, weights = X[weights > 0], weights[weights > 0]
        return cls([_edges(column, weights, 1 << n_bits, binning) for column in X.T])

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.edges)

    @cached_property
    def with_missing(self) -> frozenset[int]:
        """The features that have a bin for missing values."""
        return frozenset(
            feature
            for feature, edges in enumerate(self.edges)
            if len(edges) and edges[-1] == np.inf
        )

    @property
    def n_finite(self) -> list[int]:
        """How many edges each feature has between numbers."""
        return [
            len(edges) - (feature in self.with_missing)
            for feature, edges in enumerate(self.edges)
        ]

    def at(self, places: Sequence[np.ndarray]) -> BinEdges:
        """Return some of the edges of each feature, and those of missing values.

        Parameters
        ----------
        places : sequence of ndarray of int
            Increasing.
        """
        chosen = []
        for feature, (edges, of) in enumerate(zip(self.edges, places, strict=True)):
            last = edges[-1:] if feature in self.with_missing else edges[:0]
            chosen.append(np.append(edges[of], last))
        return BinEdges(chosen)

    def replaced(
        self, thresholds: Sequence[np.ndarray], rows: np.ndarray | None = None
    ) -> BinEdges:
        """Return these edges with thresholds in the place of some.

        Parameters
        ----------
        thresholds : sequence of ndarray of float
            For each edge between numbers; where one is nan the edge stays.
        rows : ndarray of float of shape (n_samples, n_features), optional
            An edge also stays where some of these would come to lie on its other side.

        Returns
        -------
        bin_edges : BinEdges
        """
        found = []
        for feature, (edges, of) in enumerate(zip(self.edges, thresholds, strict=True)):
            stay = np.isnan(of)
            if rows is not None:
                ordered = np.sort(rows[:, feature])
                below = [
                    np.searchsorted(ordered, ends, side="right")
                    for ends in (edges[: len(of)], of)
                ]
                stay |= below[0] != below[1]
            found.append(np.append(np.where(stay, edges[: len(of)], of), edges[len(of) :]))
        return BinEdges(found)

    def check(self, X: ArrayLike) -> np.ndarray:
        """Return rows as an array of floats.

        Raises
        ------
        ValueError
            If there is infinity among them, or a missing value without a bin.
        """
        array = np.asarray(X, dtype=np.float64)
        columns = self.with_missing
        if not columns:
            return check_finite(array)
        check_finite(np.where(np.isnan(array) & self._takes_nan, 0.0, array))
        return array

    @property
    def _takes_nan(self) -> np.ndarray:
        takes = np.zeros(self.n_features, bool)
        takes[list(self.with_missing)] = True
        return takes

    def bins(self, X: np.ndarray) -> np.ndarray:
        """Return the bin of each value.

        Parameters
        ----------
        X : ndarray of float of shape (n_samples, n_features)

        Returns
        -------
        bins : ndarray of int64 of shape (n_samples, n_features)
        """
        bins = np.empty(X.shape, np.int64)
        for feature, edges in enumerate(self.edges):
            bins[:, feature] = np.searchsorted(edges, X[:, feature], side="left")
        return bins

    def nearest(self, feature: int, values: np.ndarray) -> np.ndarray:
        """Return the place of the nearest edge to each value.

        Parameters
        ----------
        feature : int
        values : ndarray of float of shape (n_values,)

        Returns
        -------
        places : ndarray of int64 of shape (n_values,)
            -1 if the feature has no edge.
        """
        edges = self.edges[feature]
        if not len(edges):
            return np.full(len(values), -1)
        after = np.clip(np.searchsorted(edges, values), 0, len(edges) - 1)
        before = np.maximum(after - 1, 0)
        closer = values - edges[before] < edges[after] - values
        return np.where(closer, before, after)

    def moved(self, feature: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """Return the edges that are nearest to the thresholds of a tree.

        Parameters
        ----------
        feature : ndarray of int of shape (n_nodes,)
            The feature that each node compares, -1 for a leaf.
        threshold : ndarray of float of shape (n_nodes,)

        Returns
        -------
        edges : ndarray of float of shape (n_nodes,)
            Infinite if the feature has no edge; what is no finite threshold stays.
        """
        edges = threshold.copy()
        for column in np.unique(feature[feature >= 0]).tolist():
            at = (feature == column) & np.isfinite(threshold)
            # Where there is no edge every row lies below.
            uppers = np.append(self.edges[column], np.inf)
            edges[at] = uppers[self.nearest(column, threshold[at])]
        return edges

    def dividing(
        self,
        feature: np.ndarray,
        threshold: np.ndarray,
        representatives: Sequence[np.ndarray],
    ) -> np.ndarray:
        """Return the edges that divide the representatives as thresholds of a tree do.

        Parameters
        ----------
        feature : ndarray of int of shape (n_nodes,)
            The feature that each node compares, -1 for a leaf.
        threshold : ndarray of float of shape (n_nodes,)
        representatives : sequence of ndarray
            See `representatives`.

        Returns
        -------
        edges : ndarray of float of shape (n_nodes,)
            Infinite where all lie on one side; what is no threshold stays.
        """
        edges = threshold.copy()
        for column in np.unique(feature[feature >= 0]):
            at = feature == column
            n_left = np.searchsorted(representatives[column], threshold[at], side="right")
            ends = np.concatenate([[-np.inf], self.edges[column], [np.inf]])
            edges[at] = ends[n_left]
        return edges

    def representatives(
        self, X: np.ndarray, reserved: float | None = None
    ) -> list[np.ndarray]:
        """Return a value for each bin of each feature: the middle of those seen.

        A bin that no row falls into is represented by the end that is next to an edge, that
        of missing values by nan.

        Parameters
        ----------
        X : ndarray of float of shape (n_samples, n_features)
        reserved : float, optional
            A number that no row holds and that is to represent no bin.

        Returns
        -------
        values : list of ndarray of the dtype of `X`
            For each feature, increasing; value `b` lies in bin ``b``, if the dtype has a
            number there.
        """
        values = []
        for column, edges in zip(X.T, self.edges, strict=True):
            ordered = np.sort(column)
            ends = np.searchsorted(ordered, edges, side="right")
            starts, stops = np.append(0, ends), np.append(ends, len(ordered))
            seen = starts < stops
            low = ordered[np.minimum(starts, len(ordered) - 1)].astype(np.float64)
            high = ordered[np.maximum(stops, 1) - 1].astype(np.float64)
            middle = (low / 2 + high / 2).astype(X.dtype)
            # Rounded to the dtype, the middle of two neighbours is one of them.
            middle = np.clip(middle, low, high).astype(X.dtype)
            if reserved is not None:
                middle = np.where(middle == X.dtype.type(reserved), low, middle)
                middle = middle.astype(X.dtype)
            values.append(np.where(seen, middle, _ends(edges, X.dtype)))
        return values

    def snapped(self, X: np.ndarray, representatives: Sequence[np.ndarray]) -> np.ndarray:
        """Return each value replaced by the representative of its bin."""
        bins = self.bins(X)
        columns = [values[b] for values, b in zip(representatives, bins.T, strict=True)]
        snapped: np.ndarray = np.stack(columns, axis=1)
        return snapped

    def __repr__(self) -> str:
        return f"BinEdges({[len(edges) + 1 for edges in self.edges]} bins)"


def _ends(edges: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the number of each bin that is next to its upper edge, or to the last edge."""
    if not len(edges):
        return np.zeros(1, dtype)
    if edges[-1] == np.inf:
        return np.append(_ends(edges[:-1], dtype), np.array(np.nan, dtype))
    least, most = np.finfo(dtype).min, np.finfo(dtype).max
    nearest = np.clip(edges, least, most).astype(dtype)
    below = np.where(nearest > edges, np.nextafter(nearest, least), nearest)
    beyond = nearest[-1] if nearest[-1] > edges[-1] else np.nextafter(nearest[-1], most)
    return np.append(below, beyond)


def _edges(
    column: np.ndarray, weights: np.ndarray, n_bins: int, binning: str
) -> np.ndarray:
    missing = np.isnan(column)
    if missing.any():
        numbers = _edges(column[~missing], weights[~missing], n_bins, binning)
        return np.append(numbers, np.inf)
    values, inverse = np.unique(column, return_inverse=True)
    below, above = values[:-1].astype(np.float64), values[1:].astype(np.float64)
    # Rounded, the middle of two neighbours is one of them: it must be the lower one.
    between = below / 2 + above / 2
    between = np.where((below <= between) & (between < above), between, below)
    if len(values) <= n_bins:
        return between
    if binning == "uniform":
        even: np.ndarray = np.linspace(below[0], above[-1], n_bins + 1)[1:-1]
        return even
    weights = np.bincount(inverse, weights)
    if binning == "adaptive":
        places = _gaps_of_edges(_adapted(values, weights), n_bins)
    else:
        places = _last_of_bins(weights, n_bins)
    edges: np.ndarray = between[places]
    return edges


def _adapted(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what counts of each gap between values where bins adapt to their density.

    Two thirds are the integral of the cube root of the density ``f``: of a gap of width
    ``d`` in which a weight ``w = f d`` lies, ``f**(1/3) d = w**(1/3) d**(2/3)``. The rest
    is the weight itself: where logarithms or ranks of a feature count, few bins far out
    would take those from the many rows.
    """
    # Halves, for the largest numbers there are.
    halves = values.astype(np.float64) / 2
    widths = np.diff(halves) / (halves[-1] - halves[0])
    within = (weights[1:] + weights[:-1]) / weights.sum()
    dense = np.cbrt(within * widths**2)
    adapted: np.ndarray = _ADAPTED * dense / dense.sum()
    adapted += (1 - _ADAPTED) * within / within.sum()
    return adapted


def _gaps_of_edges(weights: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the gaps between values whose middles divide the weights of gaps.

    From the left, each edge is where the weight of its bin is nearest to its share of what
    is left; half of the weight of the gap that it lies in is left of it. So a gap that is
    wider than a bin takes no edge from others.
    """
    middles, ends = np.cumsum(weights) - weights / 2, []
    total, reached, start = float(weights.sum()), 0.0, 0
    for left in range(n_bins, 1, -1):
        share = reached + (total - reached) / left
        stop = int(np.searchsorted(middles, share))
        if stop and (
            stop == len(middles) or share - middles[stop - 1] <= middles[stop] - share
        ):
            stop -= 1
        # A gap of its own for this edge, and for each that follows.
        stop = min(max(stop, start), len(middles) - left + 1)
        ends.append(stop)
        start, reached = stop + 1, float(middles[stop])
    return np.array(ends)


def _last_of_bins(weights: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the place of the last value of each bin but the last one.

    Bins are filled from the left; each ends where its weight is nearest to its share of
    what is left. So a value heavier than a bin does not leave others empty, as plain
    quantiles would.
    """
    cumulated = np.append(0.0, np.cumsum(weights))
    ends, start = [], 0
    for left in range(n_bins, 1, -1):
        share = cumulated[start] + (cumulated[-1] - cumulated[start]) / left
        stop = int(np.searchsorted(cumulated, share))
        if share - cumulated[stop - 1] <= cumulated[stop] - share:
            stop -= 1
        # At least one value for this bin, and one for each that follows.
        stop = min(max(stop, start + 1), len(weights) - left + 1)
        ends.append(stop - 1)
        start = stop
    return np.array(ends)
