"""Which nodes are cut off, and what the parts compute one after the other."""

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.rewrite import cut
from tests.core.graph.graphs import BIAS, WEIGHTS, assert_same_meaning, float_graph, gemm


def operators_of(graph):
    return [node.op for node in graph]


def names_of(values):
    return [value.name for value in values]


def test_cut_of_a_linear_classifier():
    """The product is encrypted; the link and the decision are not."""
    graph = float_graph(
        Node("Cast", ("x",), ("f",), {"to": 11}),
        gemm("f", "score"),
        Node("Sigmoid", ("score",), ("p",)),
        Node("Sub", ("one", "p"), ("q",)),
        Node("Concat", ("q", "p"), ("y",), {"axis": 1}),
        Node("ArgMax", ("score",), ("class",), {"axis": 1}),
        outputs=("class", "y"),
        w=WEIGHTS,
        b=BIAS,
        one=np.ones(1),
    )
    encrypted, clear = cut(graph)
    assert operators_of(encrypted) == ["Cast", "Gemm"]
    assert operators_of(clear) == ["Sigmoid", "Sub", "Concat", "ArgMax"]
    assert names_of(encrypted.outputs) == names_of(clear.inputs) == ["score"]
    assert sorted(encrypted.constants) == ["b", "w"]
    assert sorted(clear.constants) == ["one"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_of_a_net():
    """Activations between products are encrypted, the last one is not."""
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "g"),
        Node("Softmax", ("g",), ("y",)),
        w=WEIGHTS,
        b=BIAS,
    )
    encrypted, clear = cut(graph)
    assert operators_of(encrypted) == ["Gemm", "Relu", "Gemm"]
    assert operators_of(clear) == ["Softmax"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_with_nothing_behind_the_last_product():
    encrypted, clear = cut(float_graph(gemm("x", "y"), w=WEIGHTS, b=BIAS))
    assert operators_of(encrypted) == ["Gemm"]
    assert clear == Graph((), encrypted.outputs, encrypted.outputs)


def test_cut_where_the_end_reads_inputs_and_several_products():
    graph = float_graph(
        gemm("x", "h"),
        Node("Relu", ("h",), ("r",)),
        gemm("r", "g"),
        Node("Add", ("g", "x"), ("s",)),
        Node("Mul", ("s", "h"), ("y",)),
        w=WEIGHTS,
        b=BIAS,
    )
    encrypted, clear = cut(graph)
    assert names_of(encrypted.outputs) == ["x", "h", "g"]
    assert operators_of(clear) == ["Add", "Mul"]
    assert_same_meaning(graph, encrypted, clear)


def test_cut_of_a_graph_without_products():
    graph = float_graph(Node("Tanh", ("x",), ("y",)))
    encrypted, clear = cut(graph)
    assert encrypted is graph
    assert operators_of(clear) == []
    assert names_of(clear.inputs) == names_of(clear.outputs) == ["y"]
    assert_same_meaning(graph, encrypted, clear)
