"""Trees with thresholds on a grid and integer leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fhe_estimators.quantization._encoders import Columns, LeafDecoder, SumDecoder
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
#: Span of the leaves of a tree that is not doubled if it need not be: integers of more than
#: seven bits take parameters that cost half as much again, or more columns.
_WIDE = 64


class IntegerTrees(NamedTuple):
    """Simplified trees with integer leaves, and how to read their sum.

    The decoder is for sums that lack nothing.
    """

    trees: list[Tree]
    decoder: SumDecoder | LeafDecoder


def on_grid(ensemble: Ensemble, grid: Grid) -> list[Tree]:
    """Return the trees with edges of `grid`, the nearest ones to their thresholds."""
    edges = {
        feature: grid.nearest(feature, thresholds)
        for feature, thresholds in ensemble.thresholds.items()
    }

    def moved(tree: Tree) -> Tree:
        if isinstance(tree, Leaf):
            return tree
        threshold = ensemble.thresholds[tree.feature][tree.edge]
        if threshold == -np.inf:
            return moved(tree.above)
        edge = int(edges[tree.feature][tree.edge])
        below, above = moved(tree.below), moved(tree.above)
        # A feature that never varied has no edge: every row lies below.
        decided = edge < 0 or threshold == np.inf
        return below if decided else Split(tree.feature, edge, below, above)

    return [simplified(moved(tree)) for tree in ensemble.trees]


def numbered_leaves(trees: list[Tree]) -> IntegerTrees:
    """Replace the different values of each tree's leaves by their numbers.

    Values come back exactly. Every tree has an output of its own, a number of few bits
    however many outputs its values have.

    Parameters
    ----------
    trees : list of Tree
        On a grid, simplified.

    Returns
    -------
    integer_trees : IntegerTrees
    """
    values, numbered = [], []
    for output, tree in enumerate(trees):
        different, numbers = np.unique(
            [leaf.value for leaf in leaves(tree)], axis=0, return_inverse=True
        )
        rows = np.zeros((numbers.size, len(trees)), np.int64)
        rows[:, output] = numbers.ravel()
        values.append(different)
        numbered.append(simplified(_with_leaves(tree, rows)))
    return IntegerTrees(numbered, LeafDecoder(values, Columns.whole(len(trees))))


def rounded_leaves(
    trees: list[Tree],
    bins: np.ndarray,
    weights: np.ndarray,
    leaf_bits: int | None,
    tolerance: float,
    wide_tolerance: float | None = None,
) -> IntegerTrees:
    """Quantize the leaves of trees, so that their sums are those of the values.

    They are rounded in one unit, each by itself, so that the error on the calibration
    rows is that on others. If the outputs add up to a constant, as probabilities do, the
    last one is left to the client.

    Parameters
    ----------
    trees : list of Tree
        On a grid, simplified.
    bins : ndarray of int of shape (n_samples, n_features)
        Calibration rows.
    weights : ndarray of shape (n_samples,)
        How much each of them counts.
    leaf_bits, tolerance, wide_tolerance
        As in `TreeOptions`; by default there is one tolerance.

    Returns
    -------
    integer_trees : IntegerTrees
    """
    values = [np.array([leaf.value for leaf in leaves(tree)]) for tree in trees]
    sums = [found.sum(axis=1) for found in values]
    size = max(float(np.abs(found).max()) for found in values)
    total = None
    if values[0].shape[1] > 1 and all(np.ptp(found) <= 1e-6 * size for found in sums):
        total = float(np.round(sum(found[0] for found in sums), 12))
        values = [found[:, :-1] for found in values]
    # What all leaves of a tree have in common is not rounded.
    base = np.sum([found.min(axis=0) for found in values], axis=0)
    values = [found - found.min(axis=0) for found in values]
    rows = [[place for place, _ in leaf_rows(tree, bins)] for tree in trees]
    spread = np.array([np.ptp(found, axis=0) for found in values])
    largest, n_outputs = float(spread.max()), spread.shape[1]

    def summed(numbers: list[np.ndarray]) -> np.ndarray:
        """Return the sums over trees of the numbers of the leaves that rows are in."""
        sums = np.zeros((len(bins), n_outputs))
        for found, places in zip(numbers, rows, strict=True):
            for value, place in zip(found, places, strict=True):
                sums[place] += value
        # The output that is left out varies as the sum of the others, and errs as it does.
        left_out = (
            np.zeros((len(bins), 0)) if total is None else -sums.sum(1, keepdims=True)
        )
        return np.concatenate([sums, left_out], axis=1)

    if leaf_bits is not None:
        unit = largest / ((1 << leaf_bits) - 1) or 1.0
    else:
        scores = summed(values)
        deviation = np.sqrt(_variances(scores, weights).mean()) or spread.sum()
        for bits in _SUM_BITS:
            steps = np.rint(((1 << bits) - 1) * largest / (spread.sum(axis=0).max() or 1.0))
            # A tree that is sure of a class, as most are, then counts exactly: ties stay.
            unit = largest / max(1, steps) or 1.0
            errors = scores / unit - summed([np.rint(found / unit) for found in values])
            error = np.sqrt(np.average(errors**2, axis=0, weights=weights).mean())
            wide = wide_tolerance is not None and largest >= _WIDE * unit
            if error * unit <= (wide_tolerance if wide else tolerance) * deviation:
                break
    decoder = SumDecoder(unit, base, total, Columns.whole(n_outputs))
    return IntegerTrees(
        [
            simplified(_with_leaves(tree, np.rint(found / unit).astype(np.int64)))
            for tree, found in zip(trees, values, strict=True)
        ],
        decoder,
    )


def _with_leaves(tree: Tree, values: np.ndarray) -> Tree:
    """Return the tree with other values of its leaves, in their order."""
    rows = iter(values)
    return mapped(tree, lambda _: Leaf(next(rows)))


def _variances(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(scores, axis=0, weights=weights)
    variances: np.ndarray = np.average((scores - mean) ** 2, axis=0, weights=weights)
    return variances
