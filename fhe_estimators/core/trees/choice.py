"""Where a fitted ensemble divides features: few of many edges between bins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "FINE_BITS",
    "LEAST_SAVED",
    "Splits",
    "chosen_places",
    "filled_places",
    "split_weights",
]

#: Bits of the bins that an ensemble is fitted on to see where it divides them.
FINE_BITS = 8
#: What an edge has to save to be worth it where it takes tables: of the weights of all
#: splits, times the part of the bins of its feature that they are moved by without it.
#: Measured on 19 tables: with less it takes more tables, with more it is less accurate. Of
#: more splits than `_FEW` an edge keeps more apart that could be the same: it has to save
#: more, as their square root.
LEAST_SAVED = 2e-5
_FEW = 1500
#: Weights are rounded to whole parts of this, so that equal ones stay equal.
_WHOLE = 1 << 30


def split_weights(left: np.ndarray, right: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return how much each comparison of a tree matters.

    It is the distance between the means of the leaves on both sides, times the square root
    of the part of all rows that is compared, as if half of the rows of each node went left.

    Parameters
    ----------
    left, right : ndarray of int of shape (n_nodes,)
        The children of each node, -1 for a leaf; the first node is the root.
    value : ndarray of float of shape (n_nodes, n_outputs)
        Only that of leaves counts.

    Returns
    -------
    weights : ndarray of float of shape (n_nodes,)
        Zero for leaves.
    """
    inner, nodes = [], np.zeros(1, np.intp)
    while len(nodes := nodes[left[nodes] >= 0]):
        inner.append(nodes)
        nodes = np.concatenate([left[nodes], right[nodes]])
    means, weights = value.astype(np.float64), np.zeros(len(left))
    for depth, nodes in reversed(list(enumerate(inner))):
        below, above = means[left[nodes]], means[right[nodes]]
        means[nodes] = (below + above) / 2
        weights[nodes] = np.linalg.norm(below - above, axis=1) * 2 ** (-depth / 2)
    return weights


@dataclass(frozen=True)
class Splits:
    """The splits of an ensemble at each edge of each feature.

    Attributes
    ----------
    weights : list of ndarray of float of shape (n_edges,)
        How much they matter together; zero where there is none.
    thresholds : list of ndarray of float of shape (n_edges,)
        That of the split that matters most, nan where there is none.
    number : int
        How many there are.
    """

    weights: list[np.ndarray]
    thresholds: list[np.ndarray]
    number: int

    @classmethod
    def of(
        cls,
        features: Sequence[tuple[np.ndarray, np.ndarray]],
        n_edges: Sequence[int],
        place_of: Callable[[int, np.ndarray], np.ndarray],
    ) -> Splits:
        """Gather splits by the edges that they are at.

        Parameters
        ----------
        features : sequence of (ndarray, ndarray)
            For each feature, the thresholds of its splits, and how much each matters.
        n_edges : sequence of int
        place_of : callable
            Takes a feature and thresholds. Returns the place of the edge of each; others
            than from 0 to ``n_edges - 1`` divide no numbers.
        """
        weights, most = [], []
        for feature, (thresholds, matter) in enumerate(features):
            places = place_of(feature, thresholds)
            within = np.flatnonzero((places >= 0) & (places < n_edges[feature]))
            within = within[np.argsort(matter[within], kind="stable")]
            of = np.full(n_edges[feature], np.nan)
            # Of those at one place the last one stays.
            of[places[within]] = thresholds[within]
            most.append(of)
            weights.append(
                np.bincount(places[within], matter[within], minlength=n_edges[feature])
            )
        return cls(weights, most, sum(len(thresholds) for thresholds, _ in features))


def chosen_places(
    weights: Sequence[np.ndarray],
    n_total: int,
    n_most: int,
    n_splits: int = 0,
    least_saved: float = LEAST_SAVED,
) -> list[np.ndarray]:
    """Return the edges of each feature that are worth it.

    Splits at other edges move to the nearest of these. As few are chosen as lose little:
    more comparisons of trees are then the same, which takes fewer tables. A feature whose
    splits matter more gets more of them.

    Parameters
    ----------
    weights : sequence of ndarray of float of shape (n_edges,)
        Of the splits at each edge of each feature.
    n_total : int
        Edges of all features that are chosen at most, no fewer than there are features with
        a split, which have one at least.
    n_most : int
        Edges of a feature that are chosen at most.
    n_splits : int, default=0
        How many splits have these weights. Of many fewer edges are worth it.
    least_saved : float, default=LEAST_SAVED
        What an edge has to save: of all weights, times the part of the bins of its feature
        that they are moved by without it.

    Returns
    -------
    places : list of ndarray of int
        For each feature, increasing; none of a feature without a split.
    """
    total = sum(float(of.sum()) for of in weights) or 1.0
    # Divided first: the total may be the least number there is. No split counts for
    # nothing: at the root of an exclusive or both sides have the same mean.
    parts = [
        np.maximum(np.rint(of / total * _WHOLE), of > 0).astype(np.int64) for of in weights
    ]
    least = least_saved * max(1.0, math.sqrt(n_splits / _FEW))
    medians = [_Medians(of, n_most, least) for of in parts]
    owners = np.repeat(np.arange(len(medians)), [len(of.saved) for of in medians])
    saved = np.concatenate([of.saved for of in medians])
    n_first = sum(bool(of.any()) for of in parts)
    # Each further edge of a feature saves less than the one before, so that of every
    # feature it is the first ones that are taken.
    taken = owners[np.argsort(-saved, kind="stable")[: n_total - n_first]]
    further = np.bincount(taken, minlength=len(medians))
    return [of.places(count) for of, count in zip(medians, further.tolist(), strict=True)]


class _Medians:
    """The places that are the nearest to all weights: their weighted medians.

    A dynamic program finds them: `loss` of `count` medians for the first ``j`` places is
    that of ``count - 1`` for the first ``i``, and of one for those from ``i`` to ``j``.

    Attributes
    ----------
    saved : ndarray of float
        What each median but the first saves, decreasing, as long as that is worth it: parts
        of the bins that splits are not moved by, times their weights.
    """

    def __init__(self, weights: np.ndarray, n_most: int, least: float) -> None:
        places = np.flatnonzero(weights)
        n_places, n_bins = len(places), len(weights) + 1
        self.saved, self._starts, self._at = np.empty(0), [], np.empty((0, 0), np.intp)
        if not n_places:
            return
        weights, least = weights[places], least * _WHOLE * n_bins
        mass = np.append(0, np.cumsum(weights))
        moment = np.append(0, np.cumsum(weights * places))
        first, last = np.ogrid[:n_places, :n_places]
        middle = np.searchsorted(2 * mass[1:], mass[first] + mass[last + 1])
        middle = np.clip(middle, first, np.maximum(first, last))
        at = places[middle]
        below = at * (mass[middle + 1] - mass[first]) - (moment[middle + 1] - moment[first])
        above = moment[last + 1] - moment[middle + 1]
        above -= at * (mass[last + 1] - mass[middle + 1])
        never = np.int64(1 << 61)
        cost = np.where(first <= last, below + above, never)
        loss, starts, saved = cost[0], [np.zeros(n_places, np.intp)], []
        while len(starts) < min(n_most, n_places):
            several = np.append(never, loss[:-1])[:, np.newaxis] + cost
            start = several.argmin(axis=0)
            fewer, loss = loss, np.minimum(several[start, np.arange(n_places)], never)
            if fewer[-1] - loss[-1] < least:
                break
            saved.append((fewer[-1] - loss[-1]) / n_bins)
            starts.append(start)
        self.saved, self._starts, self._at = np.array(saved), starts, at

    def places(self, n_further: int) -> np.ndarray:
        """Return the first median, if there is a weight, and `n_further` others."""
        found, end = [], len(self._at) - 1
        for start in reversed(self._starts[: n_further + 1]):
            found.append(self._at[start[end], end])
            end = start[end] - 1
        return np.array(found[::-1], np.intp)


def filled_places(places: np.ndarray, n_edges: int, n_most: int) -> np.ndarray:
    """Return chosen edges with others between them, where the most bins are.

    Parameters
    ----------
    places : ndarray of int
        Increasing.
    n_edges : int
        Edges that there are.
    n_most : int
        Edges that are returned, if there are so many.

    Returns
    -------
    places : ndarray of int
        Increasing.
    """
    found = places
    while len(found) < min(n_most, n_edges):
        ends = np.concatenate([[-1], found, [n_edges]])
        widest = int(np.diff(ends).argmax())
        found = np.insert(found, widest, (ends[widest] + ends[widest + 1]) // 2)
    return found
