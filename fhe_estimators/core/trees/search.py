"""Quantization of tree ensembles: graphs that compute the same, and the cheapest."""

from __future__ import annotations

import gc
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from fhe_estimators._progress import stage
from fhe_estimators.core.circuit import check_affordable
from fhe_estimators.core.engine import ConcreteEngine, Prices
from fhe_estimators.core.graph import Graph
from fhe_estimators.core.trees.binning import BinEdges
from fhe_estimators.core.trees.comparisons import Bits
from fhe_estimators.core.trees.encoders import (
    BinEncoder,
    LeafDecoder,
    SumDecoder,
    ThermometerEncoder,
)
from fhe_estimators.core.trees.leaves import (
    IntegerTrees,
    numbered_leaves,
    on_bins,
    rounded_leaves,
    rows_of_leaves,
)
from fhe_estimators.core.trees.pricing import Build, Built, priced_circuits
from fhe_estimators.core.trees.recognize import Ensemble
from fhe_estimators.core.trees.table_sum import Lowered, TableSum
from fhe_estimators.core.trees.tree import Tree, leaves, splits
from fhe_estimators.exceptions import CompilationError

_ENCODERS = {"integer": BinEncoder, "thermometer": ThermometerEncoder}
#: Up to so many bins, a table that compares with an edge is cheap.
_SMALL_BINS = 31
#: Bits of tables that are tried.
_TABLE_BITS = (3, 4, 5, 6)
#: How much more tables cost whose values span at least so many bits, and bits of the widest
#: sum that is considered. ``python -m benchmarks widths`` measures both: the factors lie
#: between those of sums of 10 and of 1,000 tables, the widest of which have no parameters;
#: a sum of 40 bits without a table has none either in one column, and takes nine.
WIDE_VALUES: Mapping[int, float] = {0: 1.0, 11: 1.45, 15: 3.5, 17: np.inf}
WIDEST_SUM = 40
#: States of tables that are only looked up in clear.
_STATES_IN_CLEAR = 16
#: Leaves of trees of which all sizes of tables, and of pieces of trees, are tried. Of more,
#: some of the trees tell the best sizes: of eleven large ensembles the same as twice as
#: many.
_MANY_LEAVES = 2_000
#: Trees that are enough to see how many tables all take.
_SAMPLE = 16
#: Rows that the error of rounded leaves is measured on.
_ROWS = 5_000


@dataclass(frozen=True)
class TreeOptions:
    """How tree ensembles are quantized.

    Parameters
    ----------
    bin_edges : BinEdges, optional
        The bins that the client tells apart. By default the thresholds of the ensemble:
        then nothing is lost, and the client sees the thresholds. Thresholds that are not
        edges of given bins move to the nearest edge.
    missing : collection of int, default=()
        Where thresholds are the bins: the features that have one more, for missing values.
    leaf_bits : int, optional
        Bits of the values of one tree's leaves where these are rounded. By default as few
        as keep `tolerance`.
    tolerance : float, default=0.005
        Root mean square of what rounding the leaves may change in an output's scores of the
        calibration rows, relative to what most of them differ by: their standard deviation,
        unless a few far ones make that large.
    wide_tolerance : float, default=0.01
        The same where the leaves of some tree would span more than seven bits otherwise.
    saturation : float, optional
        A difference of scores that counts as much as any larger one, as one of log-odds
        does. By default the scores themselves tell what most of them differ by.
    encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature.
    """

    bin_edges: BinEdges | None = None
    missing: Collection[int] = ()
    leaf_bits: int | None = None
    tolerance: float = 0.005
    wide_tolerance: float = 0.01
    saturation: float | None = None
    encoding: str = "thermometer"


Decoder = SumDecoder | LeafDecoder


class TreeGraphs:
    """The integer graphs of an ensemble: all compute the same, at different costs.

    They compute the rounded sums of the trees, or the number of the leaf of each tree:
    always of a single tree, and of several whose leaves have several values, the
    probabilities of classes, or values so far apart that tables of all their digits would
    cost more, where that takes fewer tables. Numbers lose nothing, and tell the client
    what each tree gave instead of the sum.

    Parameters
    ----------
    ensemble : Ensemble
        Of real thresholds and leaf values.
    X : ndarray of float of shape (n_samples, n_features)
        Calibration rows. If there is none, rows are drawn that end in each leaf.
    options : TreeOptions
    sample_weight : ndarray of shape (n_samples,), optional
        Positive.
    prices : Prices, optional
        What decides between sums and numbers; those of the default ``p_error`` by default.

    Attributes
    ----------
    trees : list of Tree
        With integer leaves.
    encoder : BinEncoder
    """

    #: What the default graph lacks, once it is known.
    _offset: np.ndarray | None = None

    def __init__(
        self,
        ensemble: Ensemble,
        X: np.ndarray,
        options: TreeOptions,
        sample_weight: np.ndarray | None = None,
        prices: Prices | None = None,
    ) -> None:
        prices = prices or ConcreteEngine().prices(2**-64)
        bin_edges = options.bin_edges
        if bin_edges is None:
            bin_edges = _own_edges(ensemble, options.missing)
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        real = on_bins(ensemble, bin_edges)
        if len(X):
            step = -(-len(X) // _ROWS)
            bins, weights = bin_edges.bins(X[::step]), weights[::step]
        else:
            bins = rows_of_leaves(real, [len(edges) for edges in bin_edges.edges], _ROWS)
            weights = np.ones(len(bins))
        self.trees, self._decoder = _integer_trees(
            real, bin_edges, bins, weights, options, prices
        )
        used = {split.feature for tree in self.trees for split in splits(tree)}
        self.encoder = _ENCODERS[options.encoding](*_sent(bin_edges, used))
        # Of integers, bins are compared in one way or the other, whichever is cheaper.
        self._encodings = (
            ("integer", "digits")
            if options.encoding == "integer" and self.encoder.high > _SMALL_BINS
            else (options.encoding,)
        )
        self._bits = Bits(self.encoder.features, self.encoder.sizes)

    def default(self) -> tuple[Graph, Decoder]:
        """Return a graph for clear integers, found at once, not the cheapest one."""
        graph, self._offset, _ = self._default()
        return graph, replace(self._decoder, offset=self._offset)

    def _default(self) -> Lowered:
        sums = TableSum.unmerged(self.trees, self._bits, _STATES_IN_CLEAR)
        columns = sorted(sums.columns(), key=lambda column: column.output)
        return sums.lowered(columns, self._encodings[0])

    @stage("search of tables")
    def cheapest(self, build: Build[Built], prices: Prices) -> Built:
        """Build the graph that is cheapest for server and client.

        Sizes of tables are tried from the one of the lowest estimate on, as long as the
        estimate is below the best price found; larger ones are not looked at once the
        estimate rises. For each, it is searched how much room columns can take: parameters
        come in few levels, and the fewest columns of the cheapest level cost least.

        Parameters
        ----------
        build : callable
            Compiles a graph, whose recombined results are those of `default`; what it
            returns has a `cost`.
        prices : Prices
            What tables cost at least where that is.

        Returns
        -------
        built : object
            What `build` has returned.

        Raises
        ------
        CompilationError
            If no graph has parameters, or a row would take hours.

        Warns
        -----
        CostWarning
            If a row would take minutes.
        """
        some = _some(self.trees)
        if len(some) == len(self.trees):
            return self._cheapest(some, build, prices)
        with _without_collector():
            return self._cheapest(some, build, prices)

    def _cheapest(self, some: list[Tree], build: Build[Built], prices: Prices) -> Built:
        """Return `cheapest`, for which `some` of the trees tell sizes."""
        scale = len(self.trees) / len(some)
        sums: dict[int, TableSum] = {}
        estimates: dict[int, float] = {}
        for bits, found in zip(
            _TABLE_BITS,
            TableSum.of_sizes(some, self._bits, _TABLE_BITS),
            strict=True,
        ):
            sums[bits], estimates[bits] = found, _estimate(found, prices, scale)
            if estimates[bits] > min(estimates.values()):
                break
        ranked = sorted(estimates, key=lambda bits: estimates[bits])
        whole = self._whole(sums[ranked[0]], ranked[0], len(some))
        self._check_cost(whole, prices)
        # More trees find more to be merged with: estimates of some are too high.
        least, of_whole = estimates[ranked[0]], _estimate(whole, prices)
        less = of_whole / least if least else 1.0
        offset = self._default().offset if self._offset is None else self._offset
        circuits: list[tuple[float, Built]] = []
        failure = None
        for bits in ranked:
            if circuits:
                best = min(price for price, _ in circuits)
                # Sums of many tables are wide. That costs tables of another size more,
                # too: at least the root of the factor for the first in all cases measured.
                many = len(some) < len(self.trees) and of_whole
                wide = math.sqrt(best / of_whole) if many else 1.0
                if estimates[bits] * less * wide >= best:
                    break
            if bits != ranked[0]:
                whole = self._whole(sums[bits], bits, len(some))
            for encoding in self._encodings:
                try:
                    circuits += priced_circuits(whole, encoding, offset, build, prices)
                except CompilationError as error:
                    failure = error
        if not circuits:
            assert failure is not None
            raise failure
        return min(circuits, key=lambda entry: entry[0])[1]

    def _whole(self, sums: TableSum, bits: int, n_trees: int) -> TableSum:
        """Return the sum of all trees, divided as the sum of `n_trees` of them is."""
        if n_trees == len(self.trees):
            return sums
        whole = TableSum.unmerged(self.trees, self._bits, sums.piece_states)
        return whole.merged(1 << bits)

    def _check_cost(self, sums: TableSum, prices: Prices) -> None:
        check_affordable(
            prices.seconds(_work(sums, prices)),
            f"{len(self.trees)} trees take {sums.n_tables} table look-ups",
            "Use fewer or smaller trees (n_estimators, max_depth, max_leaf_nodes), or "
            "fewer bins (n_bits).",
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Return a context in which no garbage of cycles is looked for.

    The groups of large ensembles are hundreds of thousands of objects without cycles, all
    of which would be looked at time and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _some(trees: list[Tree]) -> list[Tree]:
    """Return trees that tell which sizes are best: all, or some of many."""
    n_leaves = sum(1 for tree in trees for _ in leaves(tree))
    if n_leaves <= _MANY_LEAVES:
        return trees
    number = -(-len(trees) * _MANY_LEAVES // n_leaves)
    chosen = np.random.default_rng(0).permutation(len(trees))[:number]
    return [trees[place] for place in sorted(chosen.tolist())]


def _estimate(sums: TableSum, prices: Prices, scale: float = 1) -> float:
    """Return a price that no circuit with `scale` times these tables falls below."""
    keys = prices.key_operations(sums.table_bits)
    return scale * _work(sums, prices) + keys


def _work(sums: TableSum, prices: Prices) -> float:
    """Return a complexity that no circuit with these tables falls below."""
    return sums.n_tables * prices.operations(sums.table_bits)


def _integer_trees(
    trees: list[Tree],
    bin_edges: BinEdges,
    bins: np.ndarray,
    weights: np.ndarray,
    options: TreeOptions,
    prices: Prices,
) -> IntegerTrees:
    """Return trees with integer leaves, numbered or rounded, and their decoder."""
    if len(trees) == 1:
        return numbered_leaves(trees)
    rounded = rounded_leaves(
        trees,
        bins,
        weights,
        options.leaf_bits,
        options.tolerance,
        options.wide_tolerance,
        options.saturation,
    )
    if len(next(leaves(rounded.trees[0])).value) == 1 and _width_factor(rounded.trees) == 1:
        # Numbers save tables only where leaves have several values, or far ones.
        return rounded
    found = rounded, numbered_leaves(trees)
    return min(found, key=lambda integers: _expected(integers, bin_edges, prices))


def _width_factor(trees: Sequence[Tree]) -> float:
    """Return how much more tables cost because of the widths of the values of trees."""
    spans = [np.ptp([leaf.value for leaf in leaves(tree)], axis=0).max() for tree in trees]
    if int(sum(spans)).bit_length() > WIDEST_SUM:
        return np.inf
    # Functions of one feature are written in digits where they need be.
    looked_up = [
        int(span).bit_length()
        for span, tree in zip(spans, trees, strict=True)
        if len({split.feature for split in splits(tree)}) > 1
    ]
    least = max(bits for bits in WIDE_VALUES if bits <= max(looked_up, default=0))
    return WIDE_VALUES[least]


def _expected(integer_trees: IntegerTrees, bin_edges: BinEdges, prices: Prices) -> float:
    """Return an estimate of the operations of trees, without merging tables."""
    features = tuple(range(len(bin_edges.edges)))
    bits = Bits(features, tuple(map(len, bin_edges.edges)))
    # Some of the trees tell what all of them take.
    trees = integer_trees.trees
    sample = trees[:: -(-len(trees) // _SAMPLE)]
    sums = TableSum.unmerged(sample, bits, _STATES_IN_CLEAR)
    n_tables = sums.n_tables * len(trees) / len(sample)
    of_outputs = prices.operations_per_result * len(sums.constant)
    of_tables = prices.operations(4) * n_tables
    return (of_tables + of_outputs) * _width_factor(trees)


def _own_edges(ensemble: Ensemble, missing: Collection[int]) -> BinEdges:
    """Return the thresholds of an ensemble as edges of bins."""
    edges = []
    for feature in range(ensemble.n_features):
        thresholds = ensemble.thresholds.get(feature, np.empty(0))
        end = [np.inf] if feature in missing else []
        edges.append(np.append(thresholds[np.isfinite(thresholds)], end))
    return BinEdges(edges)


def _sent(bin_edges: BinEdges, used: set[int]) -> tuple[BinEdges, tuple[int, ...]]:
    """Return edges of bins and the features to send, so that at least one bit is."""
    if used:
        return bin_edges, tuple(sorted(used))
    for feature, edges in enumerate(bin_edges.edges):
        if len(edges):
            return bin_edges, (feature,)
    return BinEdges([np.zeros(1), *bin_edges.edges[1:]]), (0,)
