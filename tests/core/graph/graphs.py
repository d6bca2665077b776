"""Small float graphs of two features, for several files."""

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.numpy_module import NumpyModule

X, Y = Value("x", (None, 2)), Value("y", (None, 2))
WEIGHTS = np.array([[1.0, -2.0], [0.5, 3.0]])
BIAS = np.array([0.25, -1.0])


def float_graph(*nodes, outputs=("y",), **constants):
    return Graph(tuple(nodes), (X,), tuple(map(Value, outputs)), constants)


def gemm(source, result, weights="w", bias="b"):
    return Node("Gemm", (source, weights, bias), (result,))


RELU = float_graph(Node("Relu", ("x",), ("y",)))


ROWS = np.random.default_rng(0).normal(size=(6, 2))


def assert_same_meaning(graph, *rewritten):
    """Compare a graph with others that follow one another; all of them are legal."""
    results = (ROWS,)
    for part in rewritten:
        results = NumpyModule(part)(*results)
        results = results if isinstance(results, tuple) else (results,)
    expected = NumpyModule(graph)(ROWS)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for result, real in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, real)
