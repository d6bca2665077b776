"""Quantization of tree ensembles: thresholds on a grid, leaves as integers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from fhe_estimators.exceptions import CompilationError
from fhe_estimators.graph import Graph
from fhe_estimators.quantization._encoders import (
    LeafDecoder,
    SumDecoder,
    ThermometerEncoder,
)
from fhe_estimators.quantization._grid import Grid
from fhe_estimators.rewrite.trees import (
    Bits,
    Ensemble,
    Leaf,
    Split,
    TableSum,
    Tree,
    leaf_rows,
    leaves,
    mapped,
    simplified,
    splits,
)

#: Bits of the sum over all trees that are tried, fewest first.
_SUM_BITS = range(3, 25)
#: Bits of tables that are tried, and the optimizer's figure for one table of so many bits
#: at ``p_error = 2**-40``, with a narrow result.
_TABLE_BITS = (3, 4, 5, 6)
_OPERATIONS = {0: 0.0, 1: 29e6, 2: 41e6, 3: 69e6, 4: 98e6, 5: 227e6, 6: 526e6, 7: 1.2e9}
_DEFAULT_TABLE_BITS = 4
#: Numbers of partial sums that are tried: the client gets one ciphertext for each.
_PARTIAL_SUMS = (1, 2, 4, 8, 16)
#: A complexity within this factor of another is as good.
_AS_GOOD = 1.03
#: Rows that the error of rounded leaves is measured on.
_ROWS = 5_000


@dataclass(frozen=True)
class TreeOptions:
    """How tree ensembles are quantized.

    Parameters
    ----------
    grid : Grid, optional
        The bins that the client tells apart. By default the thresholds of the ensemble:
        then nothing is lost, and the client sees the thresholds. Thresholds that are not
        edges of a given grid move to the nearest edge.
    leaf_bits : int, optional
        Bits of the values of one tree's leaves. By default as few as keep `tolerance`.
    tolerance : float, default=0.02
        Root mean square of what rounding the leaves may change in the scores of the
        calibration rows, relative to the standard deviation of the scores.
    """

    grid: Grid | None = None
    leaf_bits: int | None = None
    tolerance: float = 0.02


class _HasComplexity(Protocol):
    @property
    def complexity(self) -> float: ...


_Built = TypeVar("_Built", bound=_HasComplexity)


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
    trees: list[Tree], bins: np.ndarray, weights: np.ndarray, options: TreeOptions
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
    options : TreeOptions

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
    rows = [[place for place, _ in leaf_rows(tree, bins)] for tree in trees]
    spread = np.array([np.ptp(found, axis=0) for found in values])
    n_outputs = spread.shape[1]

    def rounded(unit: float) -> tuple[list[np.ndarray], np.ndarray]:
        return _rounded([found / unit for found in values], rows, weights, len(bins))

    if options.leaf_bits is not None:
        unit = float(spread.max()) / ((1 << options.leaf_bits) - 1) or 1.0
        integers, _ = rounded(unit)
    else:
        scores = np.zeros((len(bins), n_outputs))
        for found, places in zip(values, rows, strict=True):
            for value, place in zip(found, places, strict=True):
                scores[place] += value
        deviation = np.sqrt(np.average(_variances(scores, weights)))
        for bits in _SUM_BITS:
            unit = float(spread.sum(axis=0).max()) / ((1 << bits) - 1) or 1.0
            integers, errors = rounded(unit)
            error = np.sqrt(np.average(errors**2, axis=0, weights=weights).mean())
            if error * unit <= options.tolerance * deviation:
                break
    decoder = SumDecoder(unit, np.zeros(n_outputs, np.int64), total)
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


class TreeGraphs:
    """The integer graphs of an ensemble: all compute the same, at different costs.

    Parameters
    ----------
    ensemble : Ensemble
        Of real thresholds and leaf values.
    X : ndarray of float of shape (n_samples, n_features)
        Calibration rows.
    options : TreeOptions
    sample_weight : ndarray of shape (n_samples,), optional

    Attributes
    ----------
    trees : list of Tree
        With integer leaves.
    encoder : ThermometerEncoder
    """

    def __init__(
        self,
        ensemble: Ensemble,
        X: np.ndarray,
        options: TreeOptions,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        grid = options.grid
        if grid is None:
            empty = np.empty(0)
            grid = Grid(
                [ensemble.thresholds.get(f, empty) for f in range(ensemble.n_features)]
            )
        step = -(-len(X) // _ROWS)
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        real = on_grid(ensemble, grid)
        self.trees, self._decoder = with_integer_leaves(
            real, grid.bins(X[::step]), weights[::step], options
        )
        used = {split.feature for tree in self.trees for split in splits(tree)}
        self.encoder = ThermometerEncoder(*_sent(grid, used))
        self._sums: dict[int, TableSum] = {}

    def table_sum(self, table_bits: int) -> TableSum:
        """Return the trees as a sum of tables of at most so many bits if possible."""
        if table_bits not in self._sums:
            bits = Bits(self.encoder.features, self.encoder.sizes)
            self._sums[table_bits] = TableSum.of(self.trees, bits, table_bits)
        return self._sums[table_bits]

    def graph(
        self, table_bits: int, partial_sums: int = 1
    ) -> tuple[Graph, SumDecoder | LeafDecoder]:
        """Return an integer graph and the decoder of its results."""
        graph, offset = self.table_sum(table_bits).lowered(partial_sums)
        return graph, self._decoder.with_offset(offset)


    def default(self) -> tuple[Graph, SumDecoder | LeafDecoder]:
        """Return a graph for clear integers, before the cheapest one is known."""
        return self.graph(_DEFAULT_TABLE_BITS)

    def cheapest(
        self, build: Callable[[Graph], _Built]
    ) -> tuple[_Built, SumDecoder | LeafDecoder]:
        """Build the graph of the lowest complexity.

        Sizes of tables are tried from the one of the lowest estimate on, as long as the
        estimate is below the best complexity found. For each, the fewest partial sums are
        searched that are as good as the most: how much noise there is room for decides
        between few levels of parameters.

        Parameters
        ----------
        build : callable
            Compiles a graph; the result has a `complexity`.

        Returns
        -------
        built, decoder

        Raises
        ------
        CompilationError
            If no graph has parameters, or the ensemble is too large.
        """
        estimates = {bits: self._estimate(bits) for bits in _TABLE_BITS}
        best: tuple[float, _Built, SumDecoder | LeafDecoder] | None = None
        failure = None
        for bits in sorted(estimates, key=lambda bits: estimates[bits]):
            if best is not None and estimates[bits] >= best[0]:
                break
            try:
                built, decoder = self._with_partial_sums(bits, build)
            except CompilationError as error:
                failure = error
                continue
            if best is None or built.complexity < best[0]:
                best = built.complexity, built, decoder
        if best is None:
            assert failure is not None
            raise failure
        return best[1:]

    def _estimate(self, table_bits: int) -> float:
        sums = self.table_sum(table_bits)
        return sums.n_tables * _OPERATIONS[min(sums.table_bits, max(_OPERATIONS))]

    def _with_partial_sums(
        self, table_bits: int, build: Callable[[Graph], _Built]
    ) -> tuple[_Built, SumDecoder | LeafDecoder]:
        n_groups = len(self.table_sum(table_bits).groups)
        ladder = [n for n in _PARTIAL_SUMS if n == 1 or 2 * n <= n_groups]
        found: dict[int, tuple[float, Any, Any]] = {}

        def price(partial_sums: int) -> float:
            if partial_sums not in found:
                graph, decoder = self.graph(table_bits, partial_sums)
                try:
                    built = build(graph)
                except CompilationError:
                    if partial_sums == ladder[-1]:
                        raise
                    return np.inf
                found[partial_sums] = built.complexity, built, decoder
            return found[partial_sums][0]

        good = price(ladder[-1]) * _AS_GOOD
        fewest = bisect_left(ladder, True, key=lambda n: price(n) <= good)
        return found[ladder[fewest]][1:]


def _sent(grid: Grid, used: set[int]) -> tuple[Grid, tuple[int, ...]]:
    """Return the grid and the features to send, at least one bit."""
    if used:
        return grid, tuple(sorted(used))
    for feature, edges in enumerate(grid.edges):
        if len(edges):
            return grid, (feature,)
    return Grid([np.zeros(1), *grid.edges[1:]]), (0,)
