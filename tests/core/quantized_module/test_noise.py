"""How exact results of tables have to be encrypted."""

import numpy as np
import pytest

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.quantized_module.noise import noise_bits


def graph_of(weights, n_bits=4):
    """Return tables of four bits, and sums of their results."""
    top = int(np.abs(weights).sum(axis=0).max()) << n_bits
    n_features, n_outputs = weights.shape
    x = Value("x", (None, n_features), 0, 2**n_bits - 1)
    t = Value("t", (None, n_features), 0, 2**n_bits - 1)
    y = Value("y", (None, n_outputs), -top, top - 1)
    return Graph(
        (
            Node("TableLookup", ("x", "table"), ("t",), {"first": 0}),
            Node("MatMul", ("t", "w"), ("y",)),
        ),
        (x,),
        (y,),
        {"table": np.random.default_rng(0).permutation(2**n_bits), "w": weights},
        {"t": t, "y": y},
    )


def test_bits_of_sums_and_the_norm_of_weights():
    graph = graph_of(np.array([[3, 0], [4, 1]]))  # norms 5 and 1
    assert graph.value("y").bits == 8
    assert noise_bits(graph) == {"t": pytest.approx(8 + np.log2(5))}


def test_of_several_ways_the_worst_counts():
    """Through a sum of two products; a table begins anew."""
    graph = graph_of(np.array([[3, 0], [4, 1]]))
    nodes = (
        *graph.nodes,
        Node("Mul", ("y", "factor"), ("m",)),
        Node("Add", ("m", "y"), ("s",)),
        Node("TableLookup", ("s", "table"), ("u",), {"first": 0}),
    )
    values = {
        "m": Value("m", (None, 2), -1024, 1023),
        "s": Value("s", (None, 2), -1200, 1199),
        "u": Value("u", (None, 2), 0, 15),
    }
    constants = {**graph.constants, "factor": np.array([8])}
    wide = Graph(nodes, graph.inputs, (values["u"],), constants, {**graph.values, **values})
    norm = 5 * np.hypot(8, 1)
    assert noise_bits(wide) == {"t": pytest.approx(12 + np.log2(norm)), "u": 4}


@pytest.mark.simulate
def test_what_is_more_exact_costs_more():
    """The compiler charges for it as prices say."""
    engine = ConcreteEngine()
    bits, costs = [], []
    for factor in (1, 8, 64):
        graph = graph_of(np.tile([[factor], [-factor]], (8, 1)))
        ends = [(np.full((1, 16), end),) for end in (0, 15)]
        bits.append(noise_bits(graph)["t"])
        costs.append(engine.compile(graph, 1, ends, 2**-40).facts.complexity)
    assert np.diff(bits) == pytest.approx([6, 6])
    prices = [engine.prices(2**-40).operations(4, exact_to) for exact_to in bits]
    assert costs[2] > 1.3 * costs[0]
    prices = np.divide(prices, prices[0])
    np.testing.assert_allclose(np.divide(costs, costs[0]), prices, rtol=0.5)
