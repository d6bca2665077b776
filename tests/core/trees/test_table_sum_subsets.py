"""Ensembles that compare categories, and missing values: what they cost, and compute."""

import numpy as np
import pytest

from fhe_estimators.core.frontends.onnx import read_onnx
from fhe_estimators.core.frontends.torch import export_trees
from fhe_estimators.core.frontends.trees import TreeArrays
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.rewrite import clean
from fhe_estimators.core.trees import (
    BinEdges,
    Bits,
    Leaf,
    TableSum,
    mapped,
    recognize,
)
from fhe_estimators.core.trees.leaves import on_bins
from fhe_estimators.core.trees.tree import split_by
from tests.core.trees.random_trees import ENCODINGS, ROOMS, bounds_of, random_arrays, run

N_CODES = 6


def value(number):
    return Leaf(np.array([number]))


def random_tables(random, depth, n_features, n_outputs):
    """Return a tree that compares numbers, missing ones too, or, of odd features, codes."""
    tree = random_arrays(random, depth, n_features, n_outputs, np.arange(1, 6) / 2)
    inner = np.flatnonzero(tree.left >= 0)
    codes = {
        node: sorted(np.flatnonzero(random.random(N_CODES) < 0.5).tolist())
        for node in inner.tolist()
        if tree.feature[node] % 2
    }
    missing_left = random.random(len(tree.feature)) < 0.5
    return tree._replace(missing_left=missing_left, categories=codes)


def random_rows(random, n_rows, n_features):
    """Return numbers on and between thresholds, and codes; some of each are missing."""
    X = random.choice(np.arange(13) / 4, size=(n_rows, n_features))
    X[:, 1::2] = random.integers(0, N_CODES, X[:, 1::2].shape)
    X[random.random(X.shape) < 0.2] = np.nan
    return X


def walked(tree, row):
    node = 0
    while tree.left[node] >= 0:
        number = row[tree.feature[node]]
        if np.isnan(number):
            left = tree.missing_left[node]
        elif node in tree.categories:
            left = number in tree.categories[node]
        else:
            left = number <= tree.threshold[node]
        node = (tree.left if left else tree.right)[node]
    return tree.value[node]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_ensembles(seed):
    """From a model in ONNX, as exported, to an integer graph of the same results."""
    random = np.random.default_rng(seed)
    for _ in range(500):
        compare(random, random.integers(13), random.integers(1, 4))


@pytest.mark.parametrize("seed", range(4))
def test_ensembles(seed):
    random = np.random.default_rng(seed)
    for _ in range(10):
        compare(random, random.integers(6), random.integers(1, 4))


def compare(random, depth, n_trees):
    n_features, n_outputs = random.integers(1, 7), random.choice([1, 1, 2, 3, 10])
    trees = [random_tables(random, depth, n_features, n_outputs) for _ in range(n_trees)]
    model = export_trees(trees, int(n_features), np.zeros(n_outputs))
    X = random_rows(random, 40, n_features)
    expected = [sum(walked(tree, row) for tree in trees) for row in X]
    np.testing.assert_array_equal(NumpyModule(model)(X), expected)
    ensemble, _ = recognize(clean(read_onnx(model)))
    numbers, codes = np.arange(1, 6) / 2, np.arange(N_CODES - 1) + 0.5
    bin_edges = BinEdges(
        [np.append(codes if f % 2 else numbers, np.inf) for f in range(n_features)]
    )
    integers = [
        mapped(tree, lambda leaf: Leaf(leaf.value.astype(np.int64)))
        for tree in on_bins(ensemble, bin_edges)
    ]
    bits = Bits(tuple(range(n_features)), tuple(map(len, bin_edges.edges)))
    table_bits, room = int(random.integers(2, 6)), random.choice(ROOMS)
    encoding = str(random.choice(ENCODINGS))
    found = run(integers, bin_edges.bins(X), bits, table_bits, room, encoding)
    np.testing.assert_array_equal(found, expected)


def test_a_subset_of_categories_is_two_states():
    """However the categories of a subset lie, it is one of two atoms."""
    bits = Bits((0, 1, 2, 3), (20,) * 4)
    tree = value(5)
    for feature in range(4):
        odd = bounds_of(range(1, 20, 2), 20)
        tree = split_by(feature, odd, tree, value(feature))
    sums = TableSum.of([tree], bits, 4)
    assert (sums.n_tables, sums.table_bits) == (1, 4)


def test_functions_of_one_feature_stay_free():
    bits = Bits((0, 1), (9, 9))
    stumps = [
        split_by(feature, bounds_of(bins, 9), value(3), value(-1))
        for feature in range(2)
        for bins in ([0, 2, 4], [9], [1, 2, 3, 9])
    ]
    assert TableSum.of(stumps, bits, 4).n_tables == 0


def test_missing_values_take_no_table_of_their_own():
    """Missing to the left at a threshold: two states, as without missing values."""
    bits = Bits((0, 1, 2, 3), (6,) * 4)

    def conjunction(missing):
        tree = value(7)
        for feature in range(4):
            tree = split_by(
                feature, bounds_of([0, 1, 2, *missing], 6), tree, value(feature)
            )
        return tree

    for missing in ([], [6]):
        sums = TableSum.of([conjunction(missing)], bits, 4)
        assert (sums.n_tables, sums.table_bits) == (1, 4)


def test_trees_share_tables_of_subsets():
    """Subsets of a feature that cut it into the same atoms are merged."""
    bits = Bits((0, 1), (8, 8))
    some, others = bounds_of([1, 4, 6], 8), bounds_of([0, 2, 3, 5, 7, 8], 8)
    trees = [
        split_by(0, one, split_by(1, other, value(1), value(4)), value(9))
        for one in (some, some, others)
        for other in (some, others)
    ]
    assert TableSum.of(trees, bits, 2).n_tables == 1


def test_features_without_a_bin_for_missing_values():
    """Which way they would go does not matter."""
    tree = TreeArrays(
        *map(np.array, ([0, -1, -1], [1.5, 0, 0], [1, -1, -1], [2, -1, -1])),
        np.array([[0.0], [1.0], [2.0]]),
        np.array([True, False, False]),
    )
    ensemble, _ = recognize(clean(read_onnx(export_trees([tree], 1, np.zeros(1)))))
    (found,) = on_bins(ensemble, BinEdges([np.array([1.0, 9.0])]))
    assert (found.feature, found.edge) == (0, 0)
    assert (found.below.value, found.above.value) == (1.0, 2.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_model_in_onnx_means_the_same_elsewhere(seed):
    """ONNX Runtime computes in single precision what we do; all numbers here are exact."""
    onnxruntime = pytest.importorskip("onnxruntime")
    random = np.random.default_rng(seed)
    trees = [random_tables(random, 6, 4, 3) for _ in range(3)]
    model = export_trees(trees, 4, np.zeros(3))
    X = random_rows(random, 60, 4)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (name,) = (value.name for value in session.get_inputs())
    (found,) = session.run(None, {name: X})
    np.testing.assert_array_equal(found, NumpyModule(model)(X))
