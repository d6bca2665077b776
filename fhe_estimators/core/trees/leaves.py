"""Trees with thresholds on the edges of bins and integer leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.trees.binning import BinEdges
from fhe_estimators.core.trees.encoders import LeafDecoder, SumDecoder
from fhe_estimators.core.trees.partitions import ANY, intersection
from fhe_estimators.core.trees.recognize import Ensemble
from fhe_estimators.core.trees.tree import (
    Leaf,
    Tree,
    boxes,
    leaf_rows,
    leaves,
    mapped,
    simplified,
    split_by,
)

#: Bits of the sum over all trees that are tried, fewest first: integers up to the last are
#: exact as floats.
_SUM_BITS = range(3, 53)
#: Span of the leaves of a tree that is not doubled if it need not be: integers of more than
#: seven bits take parameters that cost half as much again, or more columns.
_WIDE = 64
#: Scores do not vary by more than so many times the shortest interval that holds a quarter
#: of the different ones: those of a normal distribution have a standard deviation of 1.6
#: times it, but one leaf can raise that without limit.
_INTERVALS = 4
#: Outputs without saturation have a unit in common if none varies by so many times more.
_ALIKE = 4
#: No row errs by more than so many times the root mean square of all that is tolerated.
_MOST = 8


class IntegerTrees(NamedTuple):
    """Simplified trees with integer leaves, and the decoder of their sum."""

    trees: list[Tree]
    decoder: SumDecoder | LeafDecoder


def on_bins(ensemble: Ensemble, bin_edges: BinEdges) -> list[Tree]:
    """Return the trees with their thresholds moved to the nearest edges of bins."""
    missing = bin_edges.with_missing
    edges: dict[int, list[int]] = {}
    for feature, thresholds in ensemble.thresholds.items():
        finite = np.isfinite(thresholds)
        places = np.full(len(thresholds), ANY[1])
        places[finite] = bin_edges.nearest(feature, thresholds[finite])
        places[thresholds == -np.inf] = ANY[0]
        if feature in missing:
            # Numbers end where missing values begin.
            places[thresholds == np.inf] = len(bin_edges.edges[feature]) - 1
        else:
            # A feature that never varied has no edge: every row lies below.
            places[finite & (places < 0)] = ANY[1]
        # To be equal to a number is to be in its bin.
        codes = ensemble.codes.get(feature, np.empty(0))
        bins = np.searchsorted(bin_edges.edges[feature], codes, side="left")
        last = len(bin_edges.edges[feature])
        at, before = (
            np.searchsorted(thresholds, found)
            for found in (codes, np.nextafter(codes, -np.inf))
        )
        places[before] = bins - 1
        places[at] = np.where(bins < last, bins, ANY[1])
        edges[feature] = places.tolist()

    def moved(tree: Tree) -> Tree:
        if isinstance(tree, Leaf):
            return tree
        places = edges[tree.feature]
        ends = [end if end in ANY else places[end] for end in tree.bounds]
        # Moved ends may meet: then there is nothing between them.
        bounds = intersection(ANY, tuple(ends)) if len(ends) > 2 else tuple(ends)
        bounds = bounds if bounds and bounds[0] < bounds[1] else ()
        return split_by(tree.feature, bounds, moved(tree.below), moved(tree.above))

    return [simplified(moved(tree)) for tree in ensemble.trees]


def rows_of_leaves(trees: list[Tree], sizes: Sequence[int], n_rows: int) -> np.ndarray:
    """Return bins of rows of which the same number ends in each leaf, drawn evenly.

    Parameters
    ----------
    trees : list of Tree
        On bins, simplified.
    sizes : sequence of int
        Edges of each feature.
    n_rows : int
        At most; if there are more leaves some are left out.

    Returns
    -------
    bins : ndarray of int64 of shape (n_samples, n_features)
        The same each time.
    """
    random = np.random.default_rng(0)
    found = [box for tree in trees for box in boxes(tree)]
    found = found[:: -(-len(found) // n_rows)]
    found = found * (n_rows // len(found))
    last = np.array(sizes, np.int64)
    bins = random.integers(0, last + 1, (len(found), len(last)))
    for row, box in zip(bins, found, strict=True):
        for feature, bounds in box.items():
            start = 2 * int(random.integers(len(bounds) // 2)) if len(bounds) > 2 else 0
            low, high = bounds[start : start + 2]
            row[feature] = random.integers(low + 1, min(high, last[feature]) + 1)
    return bins


def numbered_leaves(trees: list[Tree]) -> IntegerTrees:
    """Return trees whose leaves hold numbers, one for each different value of a tree.

    Values come back exactly. Every tree has an output of its own, a number of few bits
    however many outputs its values have.

    Parameters
    ----------
    trees : list of Tree
        On bins, simplified.

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
    return IntegerTrees(numbered, LeafDecoder(values))


def rounded_leaves(
    trees: list[Tree],
    bins: np.ndarray,
    weights: np.ndarray,
    leaf_bits: int | None,
    tolerance: float,
    wide_tolerance: float | None = None,
    saturation: float | None = None,
) -> IntegerTrees:
    """Quantize the leaves of trees, so that their sums are those of the values.

    Those of an output are rounded in one unit, each by itself, so that the error on the
    calibration rows is that on others. If the outputs add up to a constant, as
    probabilities do, and vary alike or have a saturation, they have a unit in common, and
    the last one is left to the client.

    Parameters
    ----------
    trees : list of Tree
        On bins, simplified.
    bins : ndarray of int of shape (n_samples, n_features)
        Calibration rows.
    weights : ndarray of shape (n_samples,)
        How much each of them counts.
    leaf_bits, tolerance, wide_tolerance, saturation
        As in `TreeOptions`; by default there is one tolerance.

    Returns
    -------
    integer_trees : IntegerTrees
    """
    values = [np.array([leaf.value for leaf in leaves(tree)]) for tree in trees]
    total = None
    widths = np.sum([np.ptp(found, axis=0) for found in values], axis=0)
    # Of scores without saturation, one that hardly varies counts as much as any other.
    in_common = saturation is not None or widths.max() <= _ALIKE * widths.min()
    # Outputs that never vary take nothing: there is none to leave out.
    in_common &= bool(widths.max() > 0)
    if in_common and len(widths) > 1 and all(map(_sum_is_constant, values)):
        total = _whole_if_near(float(sum(found[0].sum() for found in values)))
        values = [found[:, :-1] for found in values]
    # What all leaves of a tree have in common is not rounded.
    base = np.sum([found.min(axis=0) for found in values], axis=0)
    values = [found - found.min(axis=0) for found in values]
    spans = np.array([np.ptp(found, axis=0) for found in values])
    n_outputs = spans.shape[1]
    outputs = (
        [slice(n, n + 1) for n in range(n_outputs)] if total is None else [slice(None)]
    )
    unit = np.empty(n_outputs)
    if leaf_bits is not None:
        for chosen in outputs:
            unit[chosen] = spans[:, chosen].max() / ((1 << leaf_bits) - 1) or 1.0
    else:
        places = [[rows for rows, _ in leaf_rows(tree, bins)] for tree in trees]
        for chosen in outputs:
            unit[chosen] = _unit(
                [found[:, chosen] for found in values],
                _Rows(places, weights, total is not None),
                tolerance,
                tolerance if wide_tolerance is None else wide_tolerance,
                saturation,
            )
    numbers = [np.rint(found / unit) for found in values]
    errors = [
        np.abs(found - unit * number).max(axis=0)
        for found, number in zip(values, numbers, strict=True)
    ]
    decoder = SumDecoder(
        unit,
        base,
        total,
        highest=np.sum([number.max(axis=0) for number in numbers], axis=0),
        rounding_errors=np.sum(errors, axis=0),
    )
    return IntegerTrees(
        [
            simplified(_with_leaves(tree, number.astype(np.int64)))
            for tree, number in zip(trees, numbers, strict=True)
        ],
        decoder,
    )


def _sum_is_constant(values: np.ndarray) -> bool:
    """Return whether the outputs of a tree vary, but not their sum."""
    # Of outputs of other sizes the sum tells nothing; what they differ by does.
    by = values - values[0]
    return bool(np.ptp(by.sum(axis=1)) <= 1e-6 * np.abs(by).max())


class _Rows:
    """Calibration rows, as the leaves that they are in.

    Parameters
    ----------
    places : sequence of list of ndarray of int
        The rows in each leaf of each tree.
    weights : ndarray of shape (n_samples,)
    one_left_out : bool
        Whether there is one more output, which makes the sum of all constant.
    """

    def __init__(
        self,
        places: Sequence[list[np.ndarray]],
        weights: np.ndarray,
        one_left_out: bool,
    ) -> None:
        self._places, self._weights, self._one_left_out = places, weights, one_left_out

    def sums(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the sums of values of leaves, of shape (n_samples, n_outputs)."""
        sums = np.zeros((len(self._weights), values[0].shape[1]))
        for found, places in zip(values, self._places, strict=True):
            for value, place in zip(found, places, strict=True):
                sums[place] += value
        if not self._one_left_out:
            return sums
        # What is left out varies as the sum of the others, and errs as it does.
        return np.concatenate([sums, -sums.sum(axis=1, keepdims=True)], axis=1)

    def error(self, errors: np.ndarray) -> float:
        """Return the root mean square of errors, or more if a row errs by far more."""
        mean = np.average(errors**2, axis=0, weights=self._weights).mean()
        return max(float(np.sqrt(mean)), float(np.abs(errors).max()) / _MOST)

    def deviation(self, scores: np.ndarray) -> float:
        """Return the standard deviation of scores, over all outputs."""
        mean = np.average(scores, axis=0, weights=self._weights)
        variances = np.average((scores - mean) ** 2, axis=0, weights=self._weights)
        return float(np.sqrt(variances.mean()))


def _unit(
    values: Sequence[np.ndarray],
    rows: _Rows,
    tolerance: float,
    wide_tolerance: float,
    saturation: float | None,
) -> float:
    """Return the largest unit to round leaves to that keeps the tolerance.

    Parameters
    ----------
    values : sequence of ndarray of shape (n_leaves, n_outputs)
        Of each tree, from zero on.
    rows : _Rows
    tolerance, wide_tolerance, saturation
        As in `TreeOptions`.
    """
    spans = np.array([np.ptp(found, axis=0) for found in values])
    largest, widest = float(spans.max()), float(spans.sum(axis=0).max())
    if not largest:
        return 1.0
    scores = rows.sums(values)
    # If no row tells, all that there can be.
    spread = rows.deviation(scores) or float(spans.sum())
    if saturation is not None:
        spread = min(spread, saturation)
    elif scores.shape[1] == 1:
        spread = min(spread, _INTERVALS * _shortest_quarter(scores[:, 0]))
    unit = 1.0
    for bits in _SUM_BITS:
        # A tree that is sure of a class, as most are, then counts exactly: ties stay.
        unit = largest / max(1, np.rint(((1 << bits) - 1) * (largest / widest)))
        errors = scores / unit - rows.sums([np.rint(found / unit) for found in values])
        allowed = wide_tolerance if largest >= _WIDE * unit else tolerance
        if rows.error(errors) * unit <= allowed * spread:
            break
    return unit


def _shortest_quarter(scores: np.ndarray) -> float:
    """Return the length of the shortest interval that holds a quarter of different scores.

    However far away the others lie, and wherever, they do not make it longer. It is
    infinite if there is one score only.
    """
    scores = np.unique(scores)
    # Sums of the same numbers in another order are the same.
    scores = scores[np.append(True, np.diff(scores) > 1e-12 * scores[1:])]
    quarter = max(1, len(scores) // 4)
    lengths = scores[quarter:] - scores[: len(scores) - quarter]
    return float(lengths.min(initial=np.inf))


def _whole_if_near(number: float) -> float:
    """Return the integer that a sum, as of probabilities, is off by rounding errors."""
    whole = float(np.rint(number))
    return whole if abs(number - whole) <= 1e-11 else number


def _with_leaves(tree: Tree, values: np.ndarray) -> Tree:
    """Return the tree with other values of its leaves, in their order."""
    rows = iter(values)
    return mapped(tree, lambda _: Leaf(next(rows)))
