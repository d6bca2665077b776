"""Sums of tables in clear, run by run, against the integer graph itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from fhe_estimators.core.engine import run_clear
from fhe_estimators.core.trees import (
    BinEdges,
    Bits,
    Leaf,
    TableSum,
    mapped,
    parts,
    simplified,
)
from fhe_estimators.core.trees.encoders import BinEncoder, ThermometerEncoder
from fhe_estimators.core.trees.runs import RunsEvaluator
from tests.core.trees.random_trees import (
    BITS,
    ENCODINGS,
    N_EDGES,
    N_FEATURES,
    ROOMS,
    ensembles,
    small_ensemble,
)


def rows_of(random, edges, dtype):
    """Return rows that lie between edges and on them."""
    columns = [
        random.choice(np.concatenate([own, own - 0.5, own + 0.5]), 90) for own in edges
    ]
    return np.stack(columns, axis=1).astype(dtype)


def assert_same(graph, encoder, X):
    expected = run_clear(graph, [encoder.quant(X)])[0]
    evaluator = RunsEvaluator(graph, encoder)
    np.testing.assert_array_equal(evaluator(X), expected)
    # Blocks end within the rows.
    evaluator._step = 7
    np.testing.assert_array_equal(evaluator(X), expected)


@settings(max_examples=300, deadline=None)
@given(
    ensembles(),
    st.integers(2, 6),
    st.sampled_from(ROOMS),
    st.sampled_from(ENCODINGS),
    st.sampled_from([1, 40, 5_000, 10**8]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_columns_are_those_of_the_graph(
    forest, table_bits, room, encoding, factor, dtype, seed
):
    """Integers of any width, on features that lie elsewhere in the data."""
    random = np.random.default_rng(seed)
    features = tuple(random.permutation(N_FEATURES + 2)[:N_FEATURES].tolist())
    edges = [np.sort(random.choice(50, N_EDGES, replace=False)) / 3 for _ in range(6)]
    # The values of leaves, and the sums, need more bits.
    wide = [mapped(tree, lambda leaf: Leaf(leaf.value * factor)) for tree in forest]
    bits = Bits(tuple(range(N_FEATURES)), (N_EDGES,) * N_FEATURES)
    sums = TableSum.of([simplified(tree) for tree in wide], bits, table_bits)
    graph, *_ = sums.lowered(sums.columns(room), encoding)
    kind = ThermometerEncoder if encoding == "thermometer" else BinEncoder
    assert_same(graph, kind(BinEdges(edges), features), rows_of(random, edges, dtype))


@pytest.mark.parametrize("room", [1, 4])
def test_products_in_parts(room, monkeypatch):
    """Of many tables and many outputs the graph has several products, and joins them."""
    for limit in ("_MANY_WEIGHTS", "_FEW_WEIGHTS"):
        monkeypatch.setattr(parts, limit, 0)
    trees, _ = small_ensemble(70)
    sums = TableSum.of(trees, BITS, 4)
    graph, *_ = sums.lowered(sums.columns(room))
    assert {"Slice", "Concat"} <= {node.op for node in graph}
    edges = [np.arange(N_EDGES) / 3] * N_FEATURES
    encoder = ThermometerEncoder(BinEdges(edges), BITS.features)
    assert_same(graph, encoder, rows_of(np.random.default_rng(0), edges, np.float64))


@pytest.mark.parametrize("n_bins", [127, 128, 129, 200])
def test_bins_beyond_a_byte(n_bins):
    """A feature of so many bins, and another that has none."""
    bin_edges = BinEdges([np.arange(n_bins - 1.0), np.empty(0)])
    encoder = BinEncoder(bin_edges, (0, 1))
    X = np.stack([np.linspace(-1, n_bins, 301), np.zeros(301)], axis=1)
    chosen = np.array([1, 0])
    expected = encoder.quant(X)[:, chosen].T
    np.testing.assert_array_equal(encoder.runs(chosen)(X), expected)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=5, random_state=0, input_encoding="integer"),
        RandomForestClassifier(n_estimators=5, max_depth=4, n_bits=8, random_state=0),
        GradientBoostingRegressor(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
    ],
    ids=lambda model: type(model).__name__,
)
def test_scores_are_those_of_the_integers(model):
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 6)).round(1)
    model.fit(X, (X[:, 0] + X[:, 1] * X[:, 2] + random.normal(size=300)).round() % 3)
    module = model.quantized_module
    rows = np.concatenate([X, random.normal(size=(3000, 6)) * 3])
    expected = module.dequantize_output(
        module.quantized_forward(module.quantize_input(rows))
    )
    np.testing.assert_array_equal(module.scores(rows), expected)
    rows[-1, -1] = np.nan
    with pytest.raises(ValueError, match="nan"):
        module.scores(rows)
