"""Quantization of tree ensembles: graphs that compute the same, and the cheapest."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from fhe_estimators.circuit import estimated_seconds
from fhe_estimators.exceptions import CompilationError, CostWarning
from fhe_estimators.graph import Graph
from fhe_estimators.quantization._encoders import (
    BinEncoder,
    LeafDecoder,
    SumDecoder,
    ThermometerEncoder,
)
from fhe_estimators.quantization._grid import Grid
from fhe_estimators.quantization._leaves import on_grid, with_integer_leaves
from fhe_estimators.rewrite.trees import Bits, Ensemble, TableSum, splits

_ENCODERS = {"integer": BinEncoder, "thermometer": ThermometerEncoder}
#: Up to so many bins, a table that compares with an edge is cheap.
_SMALL_BINS = 31
#: Bits of tables that are tried, and the optimizer's figure for one table of so many bits
#: at ``p_error = 2**-40``, with a narrow result.
_TABLE_BITS = (3, 4, 5, 6)
_OPERATIONS = {0: 0.0, 1: 29e6, 2: 41e6, 3: 69e6, 4: 98e6, 5: 227e6, 6: 526e6, 7: 1.2e9}
#: States of tables that are only looked up in clear.
_STATES_IN_CLEAR = 16
#: Numbers of partial sums that are tried: the client gets one ciphertext for each.
_PARTIAL_SUMS = (1, 2, 4, 8, 16, 32)
#: A complexity within this factor of another is as good.
_AS_GOOD = 1.03
#: Estimated seconds a row that are worth a warning, and that are refused.
_SLOW, _HOPELESS = 60, 3600
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
    tolerance : float, default=0.005
        Root mean square of what rounding the leaves may change in the scores of the
        calibration rows, relative to the standard deviation of the scores.
    encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge of the grid, or one integer a feature.
    """

    grid: Grid | None = None
    leaf_bits: int | None = None
    tolerance: float = 0.005
    encoding: str = "thermometer"


class _HasComplexity(Protocol):
    @property
    def complexity(self) -> float: ...


_Built = TypeVar("_Built", bound=_HasComplexity)


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
    encoder : BinEncoder
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
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        X, weights = X[weights > 0], weights[weights > 0]
        step = -(-len(X) // _ROWS)
        real = on_grid(ensemble, grid)
        self.trees, self._decoder = with_integer_leaves(
            real,
            grid.bins(X[::step]),
            weights[::step],
            options.leaf_bits,
            options.tolerance,
        )
        used = {split.feature for tree in self.trees for split in splits(tree)}
        self.encoder = _ENCODERS[options.encoding](*_sent(grid, used))
        # Of integers, bins are compared in one way or the other, whichever is cheaper.
        self._encodings = (
            ("integer", "digits")
            if options.encoding == "integer" and self.encoder.high > _SMALL_BINS
            else (options.encoding,)
        )
        self._bits = Bits(self.encoder.features, self.encoder.sizes)
        self._sums: dict[int, TableSum] = {}

    def table_sum(self, table_bits: int) -> TableSum:
        """Return the trees as a sum of tables of at most so many bits if possible."""
        if table_bits not in self._sums:
            self._sums[table_bits] = TableSum.of(self.trees, self._bits, table_bits)
        return self._sums[table_bits]

    def default(self) -> tuple[Graph, SumDecoder | LeafDecoder]:
        """Return a graph for clear integers, found at once, not the cheapest one."""
        sums = TableSum.unmerged(self.trees, self._bits, _STATES_IN_CLEAR)
        return self._graph(sums, self._encodings[0], 1)

    def cheapest(
        self, build: Callable[[Graph], _Built]
    ) -> tuple[_Built, SumDecoder | LeafDecoder]:
        """Build the graph of the lowest complexity.

        Sizes of tables are tried from the one of the lowest estimate on, as long as the
        estimate is below the best complexity found; larger ones are not looked at once the
        estimate rises. For each, the fewest partial sums are searched that are as good as
        the most: how much room there is for noise decides between few levels of parameters.

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
            If no graph has parameters, or a row would take hours.

        Warns
        -----
        CostWarning
            If a row would take minutes.
        """
        estimates: dict[int, float] = {}
        for bits in _TABLE_BITS:
            estimates[bits] = self._estimate(bits)
            if estimates[bits] > min(estimates.values()):
                break
        self._check_cost(estimates)
        best: tuple[_Built, SumDecoder | LeafDecoder] | None = None
        failure = None
        for bits in sorted(estimates, key=lambda bits: estimates[bits]):
            if best is not None and estimates[bits] >= best[0].complexity:
                break
            for encoding in self._encodings:
                try:
                    found = self._with_partial_sums(bits, encoding, build)
                except CompilationError as error:
                    failure = error
                    continue
                if best is None or found[0].complexity < best[0].complexity:
                    best = found
        if best is None:
            assert failure is not None
            raise failure
        return best

    def _graph(
        self, sums: TableSum, encoding: str, partial_sums: int
    ) -> tuple[Graph, SumDecoder | LeafDecoder]:
        graph, offset = sums.lowered(partial_sums, encoding)
        return graph, self._decoder.with_offset(offset)

    def _estimate(self, table_bits: int) -> float:
        """Return a complexity that no circuit with tables of so many bits falls below."""
        sums = self.table_sum(table_bits)
        return sums.n_tables * _OPERATIONS[min(sums.table_bits, max(_OPERATIONS))]

    def _check_cost(self, estimates: Mapping[int, float]) -> None:
        best = min(estimates, key=lambda bits: estimates[bits])
        seconds = estimated_seconds(estimates[best])
        if seconds < _SLOW:
            return
        message = (
            f"{len(self.trees)} trees take {self.table_sum(best).n_tables} table look-ups: "
            f"about {seconds:,.0f} s for each encrypted row on this machine. Use fewer or "
            "smaller trees (n_estimators, max_depth, max_leaf_nodes), or fewer bins "
            "(n_bits)."
        )
        if seconds > _HOPELESS:
            raise CompilationError(message)
        warnings.warn(message, CostWarning, stacklevel=2)

    def _with_partial_sums(
        self, table_bits: int, encoding: str, build: Callable[[Graph], _Built]
    ) -> tuple[_Built, SumDecoder | LeafDecoder]:
        sums = self.table_sum(table_bits)
        most = len(sums.groups)
        ladder = [number for number in _PARTIAL_SUMS if number == 1 or number < most]
        found: dict[int, tuple[_Built, SumDecoder | LeafDecoder]] = {}

        def complexity(partial_sums: int) -> float:
            if partial_sums not in found:
                graph, decoder = self._graph(sums, encoding, partial_sums)
                try:
                    found[partial_sums] = build(graph), decoder
                except CompilationError:
                    if partial_sums == ladder[-1]:
                        raise
                    return np.inf
            return found[partial_sums][0].complexity

        good = complexity(ladder[-1]) * _AS_GOOD
        fewest = bisect_left(ladder, True, key=lambda number: complexity(number) <= good)
        return found[ladder[fewest]]


def _sent(grid: Grid, used: set[int]) -> tuple[Grid, tuple[int, ...]]:
    """Return the grid and the features to send, at least one bit."""
    if used:
        return grid, tuple(sorted(used))
    for feature, edges in enumerate(grid.edges):
        if len(edges):
            return grid, (feature,)
    return Grid([np.zeros(1), *grid.edges[1:]]), (0,)
