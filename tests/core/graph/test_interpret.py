"""The interpreter of graphs."""

import numpy as np
import pytest

from fhe_estimators.core.graph import Node, evaluate
from fhe_estimators.core.operators import lookup
from tests.core.graph.graphs import float_graph


def implementation(node):
    return lookup(node.op, 17)(node)


def test_nodes_run_in_order_and_are_observed():
    graph = float_graph(
        Node("Add", ("x", "one"), ("a",)),
        Node("Mul", ("a", "a"), ("m",)),
        Node("Sub", ("m", "x"), ("y",)),
        one=np.ones(1),
    )
    seen = []

    def observe(node, name, result):
        seen.append((node.op, name, result.tolist()))
        return result

    results = evaluate(graph, {"x": np.array([1.0, 2.0])}, implementation, observe)
    assert seen == [("Add", "a", [2, 3]), ("Mul", "m", [4, 9]), ("Sub", "y", [3, 7])]
    assert sorted(results) == ["a", "m", "one", "x", "y"]


def test_what_the_observer_returns_takes_the_place_of_the_result():
    graph = float_graph(Node("Abs", ("x",), ("a",)), Node("Neg", ("a",), ("y",)))
    results = evaluate(
        graph,
        {"x": np.array([3.0])},
        implementation,
        lambda node, name, result: 10 * result,
    )
    assert results["a"] == 30
    assert results["y"] == -300


def test_inputs_left_out_are_none_and_several_results_have_names():
    node = Node("Split", ("x", "", "c"), ("low", "high"))
    graph = float_graph(node, outputs=("low", "high"), c=np.array(2))

    def split(node):
        return lambda x, missing, c: (x[:c], x[c:], missing)[:2]

    results = evaluate(graph, {"x": np.arange(5)}, split)
    assert results["low"].tolist() == [0, 1]
    assert results["high"].tolist() == [2, 3, 4]
    with pytest.raises(ValueError, match="longer than"):
        evaluate(graph, {"x": np.arange(5)}, lambda node: lambda *arrays: arrays)
