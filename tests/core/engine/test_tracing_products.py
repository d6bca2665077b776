"""Products of many weights, most of them zero, are sums of what is not."""

import math

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import _tracing
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.trees import TableSum, evaluate_tree
from tests.core.trees.random_trees import BITS, ENCODINGS, encoded, small_ensemble


@pytest.fixture
def _few(monkeypatch):
    monkeypatch.setattr(_tracing, "_FEW_WEIGHTS", 0)


def lowered(encoding, monkeypatch):
    """Return a sum of tables, rows for it, and what it gives."""
    seen = []
    found = _tracing._few_summands

    def few_summands(graph, node):
        seen.append(found(graph, node) is not None)
        return found(graph, node)

    monkeypatch.setattr(_tracing, "_few_summands", few_summands)
    monkeypatch.setattr(_tracing, "_SPARSE", 0)
    trees, bins = small_ensemble(3)
    sums = TableSum.of(trees, BITS, 3)
    expected = sum(evaluate_tree(tree, bins) for tree in trees)
    return sums.lowered(sums.columns(5), encoding), bins, expected, seen


def product(weights, low, high):
    """Return the graph of a product of rows of bits, and of a table of its results."""
    n_inputs, n_results = weights.shape
    values = {
        "x": Value("x", (None, n_inputs), 0, 1),
        "y": Value("y", (None, n_results), low, high),
        "z": Value("z", (None, n_results), -3, 4),
    }
    entries = np.arange(high - low + 1) % 8 - 3
    return Graph(
        (
            Node("MatMul", ("x", "weights"), ("y",)),
            Node("TableLookup", ("y", "entries"), ("z",), {"first": low}),
        ),
        (values["x"],),
        (values["z"],),
        {"weights": weights, "entries": entries},
        values,
    )


def random_product(seed):
    """Return a graph whose columns have up to four weights, one of them none at all."""
    random = np.random.default_rng(seed)
    weights = np.zeros((60, 9), np.int64)
    for column in range(8):
        places = random.choice(60, 1 + column % 4, replace=False)
        weights[places, column] = random.integers(-3, 4, len(places))
    low = int(np.minimum(weights, 0).sum(axis=0).min())
    high = int(np.maximum(weights, 0).sum(axis=0).max())
    return product(weights, low, high), random.integers(0, 2, (20, 60))


@pytest.mark.simulate
@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("seed", range(3))
def test_simulated_products_are_those_of_all_weights(seed):
    graph, rows = random_product(seed)
    assert _tracing._few_summands(graph, next(iter(graph))) is not None
    weights, entries = graph.constants["weights"], graph.constants["entries"]
    first = next(node for node in graph if node.op == "TableLookup").attributes["first"]
    expected = entries[rows @ weights - first]
    np.testing.assert_array_equal(Circuit(graph).simulate(rows), expected)


@pytest.mark.usefixtures("_few")
def test_parameters_stay_what_they_are(monkeypatch):
    graph, _ = random_product(0)
    cost = Circuit(graph).complexity
    monkeypatch.setattr(_tracing, "_FEW_WEIGHTS", math.inf)
    assert Circuit(graph).complexity == cost


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.simulate
def test_sums_of_tables(encoding, monkeypatch):
    (graph, offset, scales), bins, expected, seen = lowered(encoding, monkeypatch)
    found = Circuit(graph).simulate(encoded(bins, BITS, encoding))
    assert any(seen)
    np.testing.assert_array_equal(found @ scales + offset, expected)


@pytest.mark.fhe
@pytest.mark.usefixtures("_few")
def test_encrypted_products_are_those_of_all_weights():
    graph, rows = random_product(0)
    weights, entries = graph.constants["weights"], graph.constants["entries"]
    first = next(node for node in graph if node.op == "TableLookup").attributes["first"]
    expected = entries[rows @ weights - first]
    # One row, and several in one call.
    circuit = Circuit(graph, p_error=2**-40)
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows[:1]), expected[:1])
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows[:18]), expected[:18])
