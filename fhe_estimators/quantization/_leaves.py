"""Trees with thresholds on a grid and integer leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fhe_estimators.quantization._encoders import LeafDecoder, SumDecoder
from fhe_estimators.quantization._grid import Grid
from fhe_estimators.rewrite.trees import (
    Ensemble,
    Leaf,
    Split,
    Tree,
    leaf_rows,
    leaves,
    mapped,
    simplified,
)

#: Bits of the sum over all trees that are tried, fewest first.
_SUM_BITS = range(3, 25)


class IntegerTrees(NamedTuple):
    """Simplified trees with integer leaves, and how to read their sum.

    The decoder is for sums that lack nothing.
    """

    trees: list[Tree]
    decoder: SumDecoder | LeafDecoder


def on_grid(ensemble: Ensemble, grid: Grid) -> list[Tree]:
    """Return the trees with edges of `grid`, the nearest ones to their thresholds."""
    edges = {
        feature: _nearest(grid.edges[feature], thresholds)
        for feature, thresholds in ensemble.thresholds.items()
    }

    def moved(tree: Tree) -> Tree:
        if isinstance(tree, Leaf):
            return tree
        edge = int(edges[tree.feature][tree.edge])
        below, above = moved(tree.below), moved(tree.above)
        # A feature that never varied has no edge: every row lies below.
        return below if edge < 0 else Split(tree.feature, edge, below, above)

    return [simplified(moved(tree)) for tree in ensemble.trees]


def _nearest(edges: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the place of the nearest edge to each threshold; -1 if there is none."""
    if not len(edges):
        return np.full(len(thresholds), -1)
    after = np.clip(np.searchsorted(edges, thresholds), 0, len(edges) - 1)
    before = np.maximum(after - 1, 0)
    closer = thresholds - edges[before] < edges[after] - thresholds
    return np.where(closer, before, after)


def with_integer_leaves(
    trees: list[Tree],
    bins: np.ndarray,
    weights: np.ndarray,
    leaf_bits: int | None,
    tolerance: float,
) -> IntegerTrees:
    """Quantize the leaves of trees.

    The leaves of a single tree are numbered: its values come back exactly. Those of
    several are rounded in one unit; each tree makes good, where it can, what the rounding
    of the ones before it did to the rows of a leaf. If the outputs add up to a constant,
    as probabilities do, the last one is left to the client.

    Parameters
    ----------
    trees : list of Tree
        On a grid, simplified.
    bins : ndarray of int of shape (n_samples, n_features)
        Calibration rows.
    weights : ndarray of shape (n_samples,)
        How much each of them counts.
    leaf_bits, tolerance
        As in `TreeOptions`.

    Returns
    -------
    integer_trees : IntegerTrees
    """
    if len(trees) == 1:
        return _numbered(trees[0])
    values = [np.array([leaf.value for leaf in leaves(tree)]) for tree in trees]
    sums = [found.sum(axis=1) for found in values]
    size = max(float(np.abs(found).max()) for found in values)
    total = None
    if values[0].shape[1] > 1 and all(np.ptp(found) <= 1e-6 * size for found in sums):
        total = float(sum(found[0] for found in sums))
        values = [found[:, :-1] for found in values]
    # What all leaves of a tree have in common is not rounded.
    base = np.sum([found.min(axis=0) for found in values], axis=0)
    values = [found - found.min(axis=0) for found in values]
    rows = [[place for place, _ in leaf_rows(tree, bins)] for tree in trees]
    spread = np.array([np.ptp(found, axis=0) for found in values])
    n_outputs = spread.shape[1]

    def rounded(unit: float) -> tuple[list[np.ndarray], np.ndarray]:
        return _rounded([found / unit for found in values], rows, weights, len(bins))

    if leaf_bits is not None:
        unit = float(spread.max()) / ((1 << leaf_bits) - 1) or 1.0
        integers, _ = rounded(unit)
    else:
        scores = np.zeros((len(bins), n_outputs))
        for found, places in zip(values, rows, strict=True):
            for value, place in zip(found, places, strict=True):
                scores[place] += value
        deviation = np.sqrt(_variances(scores, weights).mean()) or spread.sum()
        for bits in _SUM_BITS:
            unit = float(spread.sum(axis=0).max()) / ((1 << bits) - 1) or 1.0
            integers, errors = rounded(unit)
            error = np.sqrt(np.average(errors**2, axis=0, weights=weights).mean())
            if error * unit <= tolerance * deviation:
                break
    decoder = SumDecoder(unit, base, total, np.zeros(n_outputs, np.int64))
    return IntegerTrees(
        [
            simplified(_with_leaves(tree, found))
            for tree, found in zip(trees, integers, strict=True)
        ],
        decoder,
    )


def _numbered(tree: Tree) -> IntegerTrees:
    values = np.array([leaf.value for leaf in leaves(tree)])
    different, numbers = np.unique(values, axis=0, return_inverse=True)
    numbered = _with_leaves(tree, numbers.reshape(-1, 1))
    decoder = LeafDecoder(different, np.zeros(1, np.int64))
    return IntegerTrees([simplified(numbered)], decoder)


def _with_leaves(tree: Tree, values: np.ndarray) -> Tree:
    """Return the tree with other values of its leaves, in their order."""
    rows = iter(values)
    return mapped(tree, lambda _: Leaf(next(rows).astype(np.int64)))


def _variances(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(scores, axis=0, weights=weights)
    variances: np.ndarray = np.average((scores - mean) ** 2, axis=0, weights=weights)
    return variances


def _rounded(
    values: list[np.ndarray],
    rows: list[list[np.ndarray]],
    weights: np.ndarray,
    n_rows: int,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Round the values of leaves, up or down, so that errors cancel over the trees.

    Parameters
    ----------
    values : list of ndarray of shape (n_leaves, n_outputs)
    rows : list of list of ndarray
        The rows in each leaf of each tree.
    weights : ndarray of shape (n_rows,)
    n_rows : int

    Returns
    -------
    integers : list of ndarray of int64, like `values`
    errors : ndarray of shape (n_rows, n_outputs)
        What the sums of the values exceed those of the integers by.
    """
    errors = np.zeros((n_rows, values[0].shape[1]))
    integers = []
    for exact, leaf_places in zip(values, rows, strict=True):
        found = np.rint(exact)
        for number, place in enumerate(leaf_places):
            if len(place) and weights[place].any():
                owed = np.average(errors[place], axis=0, weights=weights[place])
                found[number] = np.rint(exact[number] + np.clip(owed, -0.5, 0.5))
            errors[place] += exact[number] - found[number]
        integers.append(found.astype(np.int64))
    return integers, errors
