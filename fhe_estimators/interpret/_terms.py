"""Terms of explainable boosting machines: arrays of scores, as trees on bins.

A term has an axis for each of its features, and a last one for outputs if there are
several. Along the axis of a feature lie its bins: first that of missing values, then those
between cuts, or of categories, and at last that of values that are neither.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fhe_estimators._tables import Categories

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = ["Axis", "averaged", "averaging", "axis_of", "beside_each_other"]

#: The bins of a feature for terms of one feature, of two, ...; the last one for more, too.
Levels = Sequence[Any]


@dataclass(frozen=True, eq=False)
class Axis:
    """How the bins of a feature follow each other in a tree: the missing values at last.

    Parameters
    ----------
    feature : int
    thresholds : ndarray of float64 of shape (n_bins - 1,)
        Increasing: a row lies in the first bin whose threshold it is not above.
    places : ndarray of int of shape (n_bins,)
        Where each bin is in the array of the term.
    """

    feature: int
    thresholds: np.ndarray
    places: np.ndarray


def level_of(levels: Levels, n_features: int) -> Any:
    """Return the bins that terms of so many features have of a feature."""
    return levels[min(len(levels), n_features) - 1]


def thresholds_of(cuts: np.ndarray) -> np.ndarray:
    """Return the largest number below each cut: values that are equal to it lie above."""
    thresholds: np.ndarray = np.nextafter(cuts, -np.inf)
    return thresholds


def cuts_of(thresholds: np.ndarray) -> np.ndarray:
    """Return the cuts of which `thresholds_of` are given."""
    cuts: np.ndarray = np.nextafter(thresholds, np.inf)
    return cuts


def categories_of(levels: Levels) -> Categories:
    """Return the labels of a feature: texts, which numbers are written as."""
    labels = dict.fromkeys(label for known in levels for label in known)
    return Categories(list(labels), "other", as_texts=True)


def axis_of(
    feature: int, levels: Levels, n_features: int, missing: bool, labels: Sequence[str]
) -> Axis:
    """Return the axis of a feature in terms of so many features.

    Parameters
    ----------
    feature : int
    levels : sequence
        Its bins: cuts, or a dict of labels.
    n_features : int
    missing : bool
        Whether values may be missing.
    labels : sequence of str
        Of a feature with categories: those that have a number, in order.
    """
    bins = level_of(levels, n_features)
    if isinstance(bins, Mapping):
        # Of labels that are not known, and at last of missing ones.
        places = [bins.get(label, -1) for label in labels] + [-1, 0]
        thresholds = Categories(labels, "other").edges
    else:
        # Cuts that were moved to the same edge have nothing between them.
        kept = np.append(True, np.diff(bins) > 0)[: len(bins)]
        places = [*(np.flatnonzero(kept) + 1), len(bins) + 1, *([0] if missing else [])]
        thresholds = np.append(thresholds_of(bins[kept]), [np.inf] if missing else [])
    return Axis(feature, thresholds, np.array(places))


def tree(axes: Sequence[Axis], scores: np.ndarray) -> TreeArrays:
    """Return a term as a tree, which divides bins in the middle, feature by feature.

    Missing values go right everywhere, to the last bin.

    Parameters
    ----------
    axes : sequence of Axis
    scores : ndarray of float64 of shape (n_bins, ..., n_outputs)
    """
    from fhe_estimators.core.frontends.trees import TreeArrays

    nodes: list[tuple[int, float, int, int]] = []
    values: list[np.ndarray] = []
    zeros = np.zeros(scores.shape[-1])

    def grow(depth: int, low: int, high: int, part: np.ndarray) -> int:
        """Add the nodes of the bins from `low` to `high` of an axis; return the first."""
        if depth < len(axes) and high == low:
            place = int(axes[depth].places[low])
            return enter(depth + 1, part[place])
        number = len(nodes)
        nodes.append((-1, 0.0, -1, -1))
        if depth == len(axes):
            values.append(part)
            return number
        values.append(zeros)
        middle = (low + high) // 2
        axis = axes[depth]
        left = grow(depth, low, middle, part)
        right = grow(depth, middle + 1, high, part)
        nodes[number] = axis.feature, float(axis.thresholds[middle]), left, right
        return number

    def enter(depth: int, part: np.ndarray) -> int:
        last = len(axes[depth].places) - 1 if depth < len(axes) else 0
        return grow(depth, 0, last, part)

    enter(0, scores)
    feature, threshold, left, right = map(np.array, zip(*nodes, strict=True))
    missing_left = np.zeros(len(nodes), bool)
    return TreeArrays(feature, threshold, left, right, np.array(values), missing_left)


def beside_each_other(trees: Sequence[TreeArrays]) -> list[TreeArrays]:
    """Return terms as trees of outputs of their own, (term, output), instead of a sum."""
    found = []
    for place, term in enumerate(trees):
        n_nodes, n_outputs = term.value.shape
        values = np.zeros((n_nodes, len(trees), n_outputs))
        values[:, place] = term.value
        found.append(term._replace(value=values.reshape(n_nodes, -1)))
    return found


def averaging(cuts: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return which bins become one when cuts are moved to fewer edges.

    Parameters
    ----------
    cuts, moved : ndarray of float64 of shape (n_cuts,)
        Increasing; several may have been moved to the same edge.

    Returns
    -------
    together : ndarray of bool of shape (n_cuts + 3, n_cuts + 3)
        Of the bins in the order of a term's array; those that are left, between different
        edges, are with all that lie there.
    """
    edges, places = np.unique(moved, return_inverse=True)
    # The edge above each bin; there is none above the last one.
    above = np.append(places, len(edges))
    empty = np.append(False, np.diff(moved) == 0)
    # What is between two cuts that meet was on one side of their edge, most of it.
    middles = np.append(np.nan, cuts[:-1] / 2 + cuts[1:] / 2)
    groups = above + np.append(empty & (middles > moved), False)
    # Missing values, and unknown ones, stay by themselves.
    groups = np.concatenate([[-1], groups, [-2]])
    together: np.ndarray = groups[:, np.newaxis] == groups
    return together


def averaged(
    scores: np.ndarray, weights: np.ndarray, together: Sequence[np.ndarray | None]
) -> np.ndarray:
    """Return a term whose bins have the mean score of those that they become one with.

    Parameters
    ----------
    scores : ndarray of float64 of shape (n_bins, ...) or (n_bins, ..., n_outputs)
    weights : ndarray of float64 of shape (n_bins, ...)
        Of the rows in each bin; where there is none, bins count as much.
    together : sequence of ndarray of bool of shape (n_bins, n_bins), or None
        For each axis of a feature, see `averaging`; None leaves it as it is.
    """

    def means(weights: np.ndarray) -> np.ndarray:
        weights = weights.reshape(*weights.shape, *[1] * (scores.ndim - weights.ndim))
        sums, counts = weights * scores, weights
        for axis, matrix in enumerate(together):
            if matrix is not None:
                sums, counts = (
                    np.moveaxis(np.tensordot(matrix, array, (1, axis)), 0, axis)
                    for array in (sums, counts)
                )
        with np.errstate(invalid="ignore"):
            found: np.ndarray = sums / counts
        return found

    weighted = means(weights)
    return np.where(np.isnan(weighted), means(np.ones_like(weights)), weighted)


def steps(scores: np.ndarray, axis: int) -> np.ndarray:
    """Return how far the scores of bins on both sides of each cut are apart.

    Parameters
    ----------
    scores : ndarray of float64 of shape (n_bins, ...) or (n_bins, ..., n_outputs)
    axis : int
        That of the cuts: its first bin is that of missing values, its last that of unknown
        ones.

    Returns
    -------
    steps : ndarray of float64 of shape (n_bins - 3,)
        Root mean square over all other bins and outputs; positive.
    """
    along = np.diff(np.moveaxis(scores, axis, 0)[1:-1], axis=0)
    others = tuple(range(1, along.ndim))
    found: np.ndarray = np.sqrt(np.mean(along**2, axis=others))
    return found + np.finfo(np.float64).tiny


def features_with_missing(weights: Collection[np.ndarray]) -> list[int]:
    """Return the features of whose training rows some lacked a value.

    Parameters
    ----------
    weights : collection of ndarray of shape (n_bins,)
        How many rows of each feature lie in each bin.
    """
    return [feature for feature, counts in enumerate(weights) if counts[0] > 0]
