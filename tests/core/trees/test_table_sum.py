"""Integer graphs of ensembles against the float graphs that they come from."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.engine import run_clear
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.trees import (
    BinEdges,
    Bits,
    Leaf,
    SplitNode,
    TableSum,
    evaluate_tree,
    mapped,
    parts,
    recognize,
)
from fhe_estimators.core.trees.leaves import on_bins
from tests.core.trees.random_trees import (
    BITS,
    ENCODINGS,
    N_EDGES,
    N_FEATURES,
    ROOMS,
    encoded,
    ensembles,
    float_graph,
    random_arrays,
    run,
    small_ensemble,
)


@settings(max_examples=300, deadline=None)
@given(
    ensembles() | ensembles(subsets=True),
    st.integers(2, 6),
    st.sampled_from(ROOMS),
    st.sampled_from(ENCODINGS),
    st.integers(0, 2**32 - 1),
)
def test_graph_is_sum_of_trees(forest, table_bits, room, encoding, seed):
    random = np.random.default_rng(seed)
    bins = random.integers(0, N_EDGES + 1, size=(60, N_FEATURES))
    expected = sum(evaluate_tree(tree, bins) for tree in forest)
    found = run(forest, bins, BITS, table_bits, room, encoding)
    np.testing.assert_array_equal(found, expected)


def test_results_have_the_order_of_the_columns_that_were_asked_for():
    """However many: a graph for clear integers has a column for each output, in order."""
    n_outputs = parts.BLOCK + 6
    trees, _ = small_ensemble(n_outputs)
    sums = TableSum.of(trees, BITS, 3)
    columns = sorted(sums.columns(), key=lambda column: column.output)
    found = sums.lowered(columns)
    np.testing.assert_array_equal(found.scales, np.eye(n_outputs, dtype=np.int64))
    reverse = sums.lowered(columns[::-1])
    np.testing.assert_array_equal(reverse.scales, found.scales[::-1])


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 100),
    st.sampled_from([2, 4, math.inf]),
    st.sampled_from([0, 1 << 19]),
    st.integers(0, 2**32 - 1),
)
def test_columns_in_any_order_keep_their_results(n_outputs, room, many, seed):
    """Some columns of any number of outputs: in whatever order, each is what it was."""
    random = np.random.default_rng(seed)
    trees, bins = small_ensemble(n_outputs)
    sums = TableSum.of(trees, BITS, 3)
    columns = sums.columns(room)
    order = random.permutation(len(columns))[: random.integers(1, len(columns) + 1)]
    rows = encoded(bins, BITS, "thermometer")

    def results(chosen):
        """Return the columns, and what they add to outputs, less what these lack."""
        graph, offset, scales = sums.lowered(chosen)
        (found,) = run_clear(graph, [rows])
        return found, scales, offset

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_MANY_WEIGHTS", many)
        found, scales, _ = results([columns[place] for place in order])
        every, scales_of_all, offset = results(columns)
    expected = sum(evaluate_tree(tree, bins) for tree in trees)
    np.testing.assert_array_equal(every @ scales_of_all + offset, expected)
    np.testing.assert_array_equal(scales, scales_of_all[order])
    # Each of them is off by a constant of its own, which the offset makes up for.
    assert not np.ptp(found - every[:, order], axis=0).any()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("n_outputs", [1, 3, pytest.param(70, marks=pytest.mark.nightly)])
def test_products_in_blocks_give_the_same(n_outputs, encoding, monkeypatch):
    """Of many columns, few a product: the results are the same in another order."""
    for limit in ("_MANY_WEIGHTS", "_FEW_WEIGHTS"):
        monkeypatch.setattr(parts, limit, 0)
    monkeypatch.setattr(parts, "BLOCK", 2)
    trees, bins = small_ensemble(n_outputs)
    expected = sum(evaluate_tree(tree, bins) for tree in trees)
    for room in (1, 4, math.inf):
        found = run(trees, bins, BITS, 3, room, encoding)
        np.testing.assert_array_equal(found, expected)
    sums = TableSum.of(trees, BITS, 3)
    graph, _, _ = sums.lowered(sums.columns(1))
    assert sum(node.op == "Slice" for node in graph) > 1
    assert [node.op for node in graph][-1] == "Concat"


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 20))]
)
def test_ten_thousand_ensembles(seed):
    """From a float graph, as exported, to an integer graph of the same results."""
    random = np.random.default_rng(seed)
    for _ in range(500):
        depth = random.integers(13)
        n_features, n_outputs = random.integers(1, 7), random.choice([1, 1, 2, 3, 10])
        thresholds = np.sort(random.choice(np.arange(40) / 4, size=random.integers(1, 16)))
        trees = [
            random_arrays(random, depth, n_features, n_outputs, thresholds)
            for _ in range(random.integers(1, 4))
        ]
        graph = float_graph(trees, n_features)
        ensemble, rest = recognize(graph)
        assert not rest.nodes
        edges = [ensemble.thresholds.get(f, np.zeros(1)) for f in range(n_features)]
        bin_edges = BinEdges(edges)
        real = on_bins(ensemble, bin_edges)
        integers = [
            mapped(tree, lambda leaf: Leaf(leaf.value.astype(np.int64))) for tree in real
        ]
        # On thresholds, between them and beyond.
        X = random.choice(np.arange(-1, 42) / 4, size=(40, n_features))
        bits = Bits(tuple(range(n_features)), tuple(map(len, edges)))
        found = run(
            integers,
            bin_edges.bins(X),
            bits,
            int(random.integers(2, 6)),
            random.choice(ROOMS),
            str(random.choice(ENCODINGS)),
        )
        np.testing.assert_array_equal(found, NumpyModule(graph)(X))


def test_functions_of_one_feature_take_no_table():
    stumps = [
        SplitNode(feature, edge, Leaf(np.array([edge])), Leaf(np.array([-feature])))
        for feature in range(N_FEATURES)
        for edge in range(N_EDGES)
    ]
    sums = TableSum.of(stumps, BITS, 4)
    assert sums.n_tables == 0
    assert [node.op for node in sums.lowered().graph] == [
        "Gather",
        "MatMul",
    ]


def test_trees_that_cancel_take_no_table():
    leaf = [Leaf(np.array([value])) for value in (0, 1, 4)]
    tree = SplitNode(0, 1, leaf[0], SplitNode(1, 2, leaf[1], leaf[2]))
    bins = np.random.default_rng(0).integers(0, N_EDGES + 1, size=(50, N_FEATURES))
    opposite = mapped(tree, lambda leaf: Leaf(-leaf.value))
    assert TableSum.of([tree, opposite], BITS, 4).n_tables == 0
    assert not run([tree, opposite], bins, BITS, 4, math.inf, "thermometer").any()


def test_trees_share_tables():
    """The same comparisons in other trees take no more tables."""
    leaf = [Leaf(np.array([value])) for value in (0, 1, 5, 7)]
    tree = SplitNode(
        0, 1, SplitNode(1, 2, leaf[0], leaf[1]), SplitNode(1, 2, leaf[2], leaf[3])
    )
    other = SplitNode(1, 2, SplitNode(0, 1, leaf[3], leaf[1]), leaf[2])
    assert TableSum.of([tree], BITS, 3).n_tables == 1
    assert TableSum.of([tree, other, tree], BITS, 3).n_tables == 1


def test_tables_of_vectors_are_those_of_the_rank():
    one_hot = np.eye(3, dtype=np.int64)
    tree = SplitNode(
        0, 0, Leaf(one_hot[0]), SplitNode(1, 0, Leaf(one_hot[1]), Leaf(one_hot[2]))
    )
    # Less a constant, the leaves differ in two directions.
    assert TableSum.of([tree], BITS, 3).n_tables == 2


def test_leaf_behind_more_gates_than_states():
    """A path of 12 features needs 13 states, whatever is asked for."""
    tree = Leaf(np.array([1]))
    for feature in range(12):
        tree = SplitNode(feature, 0, tree, Leaf(np.array([0])))
    bits = Bits(tuple(range(12)), (1,) * 12)
    sums = TableSum.of([tree], bits, 3)
    assert (sums.n_tables, sums.table_bits) == (1, 4)
    bins = np.random.default_rng(0).integers(0, 2, size=(99, 12))
    bins[0] = 0
    expected = evaluate_tree(tree, bins)
    assert expected.any()
    np.testing.assert_array_equal(run([tree], bins, bits, 3, 4, "thermometer"), expected)
