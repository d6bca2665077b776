"""Thresholds on edges of bins, leaves as integers."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier

from fhe_estimators.core.frontends.torch import export_trees
from fhe_estimators.core.frontends.trees import TreeArrays
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.trees import (
    BinEdges,
    Ensemble,
    Leaf,
    SplitNode,
    TreeGraphs,
    TreeOptions,
    evaluate_tree,
    leaf_rows,
    leaves,
    mapped,
)
from fhe_estimators.core.trees.encoders import LeafDecoder, SumDecoder
from fhe_estimators.core.trees.leaves import (
    numbered_leaves,
    on_bins,
    rounded_leaves,
    rows_of_leaves,
)


def split(edge, below, above):
    return SplitNode(0, edge, below, above)


def leaf(*values):
    return Leaf(np.array(values, float))


def random_trees(seed, n_trees, n_outputs=1):
    random = np.random.default_rng(seed)
    return [
        split(
            random.integers(8),
            SplitNode(
                1,
                random.integers(8),
                *(Leaf(random.normal(size=n_outputs)) for _ in "ab"),
            ),
            Leaf(random.normal(size=n_outputs)),
        )
        for _ in range(n_trees)
    ], random.integers(0, 9, size=(500, 2))


def test_thresholds_move_to_the_nearest_edge():
    ensemble = Ensemble(
        (split(0, leaf(0.0), split(1, leaf(1.0), leaf(2.0))),),
        {0: np.array([1.4, 7.0])},
        1,
    )
    (tree,) = on_bins(ensemble, BinEdges([np.array([1.0, 2.0, 3.0])]))
    assert (tree.edge, tree.above.edge) == (0, 2)
    # Where nothing can be told apart, there is one bin.
    (tree,) = on_bins(ensemble, BinEdges([np.empty(0)]))
    assert tree.value == 0.0


@pytest.mark.parametrize("n_trees", [1, 6])
def test_numbered_leaves_are_exact(n_trees):
    trees, bins = random_trees(0, n_trees, n_outputs=3)
    trees[-1] = leaf(0.5, 1.0, 2.0) if n_trees > 1 else trees[-1]
    integer, decoder = numbered_leaves(trees)
    numbers = sum(evaluate_tree(tree, bins) for tree in integer)
    assert numbers.shape == (len(bins), n_trees)
    assert numbers.max() == 2
    exact = sum(evaluate_tree(tree, bins) for tree in trees)
    np.testing.assert_allclose(decoder.dequant(numbers), exact, rtol=0, atol=1e-11)
    if n_trees == 1:
        np.testing.assert_array_equal(decoder.dequant(numbers), exact)


def test_ties_do_not_depend_on_the_order_of_trees():
    trees = [leaf(0.1, 0.3), leaf(0.2, 0.2), leaf(0.3, 0.1)]
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    _, decoder = numbered_leaves(trees)
    ((first, second),) = decoder.dequant(np.zeros((1, 3), int))
    assert first == second == 0.6


@pytest.mark.parametrize("tolerance", [0.05, 0.005, 2**-12])
def test_error_is_within_the_tolerance(tolerance):
    trees, bins = random_trees(1, 30)
    weights = np.random.default_rng(0).uniform(size=len(bins))
    integer, decoder = rounded_leaves(trees, bins, weights, None, tolerance)
    exact = sum(evaluate_tree(tree, bins) for tree in trees)[:, 0]
    error = decoder.dequant(sum(evaluate_tree(tree, bins) for tree in integer))[:, 0]
    error = error - exact
    mean = np.average(exact, weights=weights)
    deviation = np.sqrt(np.average((exact - mean) ** 2, weights=weights))
    relative = np.sqrt(np.average(error**2, weights=weights)) / deviation
    assert relative <= tolerance
    # No finer than it has to be.
    assert relative > tolerance / 4


def test_wide_leaves_are_rounded_no_more_than_to_seven_bits():
    """Twice the error is tolerated where it saves a bit of wide leaves, and only there."""
    for seed in range(20):
        trees, bins = random_trees(seed, 3 + 7 * seed)
        exact = sum(evaluate_tree(tree, bins) for tree in trees)
        found = []
        for wide in (0.005, 0.01):
            integer, decoder = rounded_leaves(
                trees, bins, np.ones(len(bins)), None, 0.005, wide
            )
            spans = [np.ptp([leaf.value for leaf in leaves(tree)]) for tree in integer]
            error = decoder.dequant(sum(evaluate_tree(tree, bins) for tree in integer))
            error = np.sqrt(np.mean((error - exact) ** 2)) / exact.std()
            found.append((max(spans), error))
        (strict, small), (span, larger) = found
        assert small <= 0.005
        assert larger <= (0.01 if strict >= 2 * 64 else 0.005)
        assert 64 <= span < strict or span == strict


@pytest.mark.parametrize("leaf_bits", [1, 3, 8])
def test_bits_of_leaves(leaf_bits):
    """No tree's integers span more than these bits, and one's do."""
    trees, bins = random_trees(2, 10)
    integer, decoder = rounded_leaves(trees, bins, np.ones(len(bins)), leaf_bits, 0.01)
    widths = [np.ptp([leaf.value for leaf in leaves(tree)]) for tree in integer]
    assert max(widths) in (2**leaf_bits - 1, 2**leaf_bits)
    exact = sum(evaluate_tree(tree, bins) for tree in trees)
    found = decoder.dequant(sum(evaluate_tree(tree, bins) for tree in integer))
    assert np.abs(found - exact).max() <= len(trees) * decoder.scale / 2 * (1 + 1e-9)


@pytest.mark.parametrize("leaf_bits", [None, 4])
def test_constants_are_exact(leaf_bits):
    """Also where no row, or no tree, tells how large scores are."""
    stump = split(3, leaf(0.1, 5.0), leaf(0.3, 5.0))
    for trees in ([leaf(0.37, 2.0)] * 3, [stump, stump]):
        bins = np.zeros((4, 1), np.int64)
        integer, decoder = rounded_leaves(trees, bins, np.ones(4), leaf_bits, 0.01)
        found = decoder.dequant(sum(evaluate_tree(tree, bins) for tree in integer))
        exact = sum(evaluate_tree(tree, bins) for tree in trees)
        np.testing.assert_allclose(found, exact, atol=1e-12 if leaf_bits else 1e-3)


def test_error_is_the_same_on_other_rows():
    """Rounding that is fitted to the rows it is judged by would not tell."""
    trees, bins = random_trees(3, 40)
    seen, unseen = bins[:20], bins[20:]
    integer, decoder = rounded_leaves(trees, seen, np.ones(20), None, 0.01)
    exact = sum(evaluate_tree(tree, unseen) for tree in trees)
    found = decoder.dequant(sum(evaluate_tree(tree, unseen) for tree in integer))
    assert np.std(found - exact) < 2 * 0.01 * np.std(exact)


def test_infinite_thresholds_decide():
    always, never = np.array([np.inf]), np.array([-np.inf])
    bin_edges = BinEdges([np.array([1.0, 2.0])])
    for thresholds, expected in ((always, 1.0), (never, 2.0)):
        ensemble = Ensemble((split(0, leaf(1.0), leaf(2.0)),), {0: thresholds}, 1)
        (tree,) = on_bins(ensemble, bin_edges)
        assert tree.value == expected


def wine_forest(max_depth):
    """Return a forest of seven trees, what it exports to, and rows."""
    X, y = load_wine(return_X_y=True)
    X = X.astype(np.float32)
    model = RandomForestClassifier(7, max_depth=max_depth, random_state=0).fit(X, y)
    trees = [estimator.tree_ for estimator in model.estimators_]
    arrays = [
        TreeArrays(
            tree.feature,
            tree.threshold,
            tree.children_left,
            tree.children_right,
            tree.value[:, 0] / len(trees),
        )
        for tree in trees
    ]
    return model, export_trees(arrays, X.shape[1], np.zeros(3)), X


def test_probabilities_add_up_to_one():
    """Those of stumps, which need no tables, are summed encrypted."""
    _, exported, X = wine_forest(max_depth=1)
    module = to_quantized_module(
        exported, Calibration([X]), Options(trees=TreeOptions(leaf_bits=3))
    )
    # The last class is left to the client.
    assert module.graph.outputs[0].shape == (None, 2)
    np.testing.assert_allclose(module(X).sum(axis=1), 1)


def test_probabilities_of_deep_trees_are_exact():
    """A table for each class would cost more than the number of the leaf of each tree."""
    model, exported, X = wine_forest(max_depth=3)
    module = to_quantized_module(exported, Calibration([X]))
    assert module.graph.outputs[0].shape == (None, len(model.estimators_))
    np.testing.assert_allclose(module(X), model.predict_proba(X), rtol=0, atol=1e-11)


def test_rows_without_weight_do_not_count():
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X.astype(np.float32)
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, y)
    arrays = [
        TreeArrays(t.feature, t.threshold, t.children_left, t.children_right, t.value[:, 0])
        for t in (estimator.tree_ for estimator in model.estimators_)
    ]
    exported = export_trees(arrays, X.shape[1], np.zeros(3))
    weights = (np.arange(len(X)) < 200).astype(float)
    one, other = (
        to_quantized_module(exported, Calibration([rows], sample_weight=weight))
        for rows, weight in ((X, weights), (X[:200], None))
    )
    np.testing.assert_array_equal(one(X), other(X))


# Scales --------------------------------------------------------------------------------


def decoded(integer_trees, bins):
    trees, decoder = integer_trees
    return decoder.dequant(sum(evaluate_tree(tree, bins) for tree in trees))


@pytest.mark.parametrize("leaf_bits", [None, 6])
def test_outputs_of_different_scales(leaf_bits):
    """Each has a unit of its own: a small one is as precise as if it were alone."""
    trees, bins = random_trees(4, 20, n_outputs=3)
    scales = np.array([1.0, 1e-6, 1e9])
    scaled = [mapped(tree, lambda found: Leaf(found.value * scales)) for tree in trees]
    exact = sum(evaluate_tree(tree, bins) for tree in scaled)
    found = rounded_leaves(scaled, bins, np.ones(len(bins)), leaf_bits, 0.005)
    assert found.decoder.scale.shape == (3,)
    error = np.sqrt(np.mean((decoded(found, bins) - exact) ** 2, axis=0))
    assert (error <= (0.005 if leaf_bits is None else 0.02) * exact.std(axis=0)).all()
    for output in range(3):
        alone = [
            mapped(tree, lambda leaf, o=output: Leaf(leaf.value[o : o + 1]))
            for tree in scaled
        ]
        own = rounded_leaves(alone, bins, np.ones(len(bins)), leaf_bits, 0.005)
        assert own.decoder.scale[0] == found.decoder.scale[output]


@pytest.mark.parametrize("saturation", [None, 8.0])
@pytest.mark.parametrize("far", [1e3, 1e11, -1e11])
def test_one_far_leaf_does_not_erase_the_others(far, saturation):
    """Rows in it, and rows that are not, are told apart as without it."""
    trees, bins = random_trees(5, 20)
    near = sum(evaluate_tree(tree, bins) for tree in trees)[:, 0]
    trees[3] = split(0, Leaf(np.array([far])), leaf(0.0))
    exact = sum(evaluate_tree(tree, bins) for tree in trees)[:, 0]
    found = rounded_leaves(
        trees, bins, np.ones(len(bins)), None, 0.005, saturation=saturation
    )
    error = np.abs(decoded(found, bins)[:, 0] - exact)
    # The precision of floats that large is 1e-5.
    assert error.max() <= 0.2 * near.std()
    assert error.max() <= found.decoder.rounding_error_bound[0] + 1e-4


@pytest.mark.parametrize("one_left_out", [False, True])
def test_bound_of_the_error_holds_for_every_row(one_left_out):
    trees, bins = random_trees(6, 9, n_outputs=2)
    if one_left_out:
        trees = [
            mapped(tree, lambda found: Leaf(np.append(found.value, -found.value.sum())))
            for tree in trees
        ]
    found = rounded_leaves(trees, bins[:30], np.ones(30), None, 0.05)
    every = np.stack(np.meshgrid(range(9), range(9)), axis=-1).reshape(-1, 2)
    error = decoded(found, every) - sum(evaluate_tree(tree, every) for tree in trees)
    bound = found.decoder.rounding_error_bound
    assert bound.shape == (2 + one_left_out,)
    assert (np.abs(error) <= bound * (1 + 1e-9)).all()
    assert (np.abs(error).max(axis=0) > bound / 10).all()


def test_digits_of_numbered_leaves_are_those_of_the_row():
    """A leaf of 1e11 does not take the digits of rows that do not end in it."""
    trees = [split(0, leaf(1e11, 0.0), leaf(0.123456, 3.0)), leaf(0.1, 0.2)]
    found = numbered_leaves(trees)
    rows = np.array([[0], [1]])
    exact = sum(evaluate_tree(tree, rows) for tree in trees)
    np.testing.assert_allclose(decoded(found, rows), exact, rtol=1e-11)
    error = np.abs(decoded(found, rows) - exact)
    assert (error <= found.decoder.rounding_error_bound).all()
    # One output, which is not compared with others, is the very sum.
    alone = [
        mapped(tree, lambda found: Leaf(found.value[:1])) for tree in (*trees, leaf(0.3))
    ]
    exact = sum(evaluate_tree(tree, rows) for tree in alone)
    np.testing.assert_array_equal(decoded(numbered_leaves(alone), rows), exact)
    assert numbered_leaves(alone).decoder.rounding_error_bound == 0


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("quantized", [numbered_leaves, None])
def test_decoding_is_total(quantized, n_outputs):
    """Whatever is decrypted with a high p_error, scores are some that trees can give."""
    trees, bins = random_trees(7, 5, n_outputs)
    found = (
        numbered_leaves(trees)
        if quantized
        else rounded_leaves(trees, bins, np.ones(len(bins)), 4, 0.01)
    )
    random = np.random.default_rng(0)
    n_sums = len(trees) if quantized else n_outputs
    wrong = random.integers(-(2**40), 2**40, (100, n_sums)) >> random.integers(
        0, 38, (100, n_sums)
    )
    values = [np.array([leaf.value for leaf in leaves(tree)]) for tree in trees]
    low = sum(value.min(axis=0) for value in values)
    high = sum(value.max(axis=0) for value in values)
    bound = found.decoder.rounding_error_bound + 1e-9
    for q in (wrong, wrong.astype(np.float64)):
        scores = found.decoder.dequant(q)
        assert (scores >= low - bound).all()
        assert (scores <= high + bound).all()


def test_rows_are_drawn_for_each_leaf():
    trees, _ = random_trees(8, 10)
    bins = rows_of_leaves(trees, [8, 8, 3], 100)
    assert len(bins) == 90
    assert (bins >= 0).all()
    assert (bins <= [8, 8, 3]).all()
    np.testing.assert_array_equal(bins, rows_of_leaves(trees, [8, 8, 3], 100))
    for tree in trees:
        for rows, _ in leaf_rows(tree, bins):
            assert len(rows) >= 3


@pytest.mark.parametrize(
    ("far", "depth", "expected"),
    [
        (1.0, 2, SumDecoder),
        (1e11, 2, LeafDecoder),
        # Functions of one feature take no tables: they may be wide.
        (1e6, 1, SumDecoder),
        (1e14, 1, LeafDecoder),
    ],
)
def test_far_leaves_are_numbered_where_tables_cannot_hold_them(far, depth, expected):
    trees, bins = random_trees(9, 6)
    if depth == 1:
        trees = [split(n, leaf(n / 10), leaf(1 - n / 7)) for n in range(6)]
    trees[0] = split(3, leaf(0.0), leaf(far))
    if depth == 2:
        trees[0] = SplitNode(1, 4, trees[0], leaf(0.5))
    thresholds = {0: np.arange(8.0), 1: np.arange(8.0)}
    graphs = TreeGraphs(
        Ensemble(tuple(trees), thresholds, 2), bins.astype(float), TreeOptions()
    )
    _, decoder = graphs.default()
    assert isinstance(decoder, expected)


@pytest.mark.parametrize("far", [1.0, 1e6, 1e9])
def test_constant_outputs_keep_their_own_numbers(far):
    """What one of them is said to be the rest of a sum was 0.0017 off beside 1e9."""
    trees = [leaf(far, 0.2117102497), leaf(far, -0.1)]
    integers = rounded_leaves(trees, np.zeros((3, 1), int), np.ones(3), None, 1e-3)
    decoded = integers.decoder.dequant(np.zeros((1, 2)))
    np.testing.assert_array_equal(decoded, [[2 * far, 0.2117102497 - 0.1]])
