"""Values, nodes and graphs: what is known of them."""

from dataclasses import FrozenInstanceError

import pytest

from fhe_estimators.core.graph import Graph, Node, Value, bits_of_range
from tests.core.graph.graphs import X, Y, float_graph


def test_bits_hold_the_range_and_no_less_would():
    for low in range(-40, 41):
        for high in range(low, 41):
            bits = bits_of_range(low, high)
            if low >= 0:
                assert high < 2**bits
                assert bits == 1 or high >= 2 ** (bits - 1)
            else:
                assert -(2 ** (bits - 1)) <= low
                assert high < 2 ** (bits - 1)
                half = 2 ** max(bits - 2, 0)
                assert bits == 1 or low < -half or high >= half


def test_bits_of_a_value():
    assert X.bits is None
    assert Value("q", None, -8, 7).bits == 4


def test_graphs_do_not_change():
    graph = float_graph(Node("Relu", ("x",), ("y",)))
    with pytest.raises(FrozenInstanceError):
        graph.opset = 3
    with pytest.raises(FrozenInstanceError):
        graph.nodes[0].op = "Tanh"


def test_what_is_known_of_values():
    first, second = Node("Relu", ("x",), ("h",)), Node("Relu", ("h",), ("y",))
    graph = Graph((first, second), (X,), (Y,), {}, {"h": Value("h", (None, 2))})
    assert graph.value("x") is X
    assert graph.value("y") is Y
    assert graph.value("h").shape == (None, 2)
    assert graph.value("other") == Value("other")
    assert list(graph) == [first, second]
    assert str(first) == "Relu (x) -> h"
