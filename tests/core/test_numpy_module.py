"""Float graphs as functions of arrays."""

import pytest

from fhe_estimators.core.graph import Node
from fhe_estimators.core.numpy_module import NumpyModule
from tests.core.graph.graphs import BIAS, RELU, float_graph


def test_numpy_module_wants_every_input():
    with pytest.raises(TypeError, match=r"takes 1 inputs \(x\); got 2"):
        NumpyModule(RELU)(BIAS, BIAS)


def test_numpy_module_returns_several_outputs():
    graph = float_graph(
        Node("Relu", ("x",), ("r",)), Node("Neg", ("x",), ("n",)), outputs=("r", "n")
    )
    r, n = NumpyModule(graph)(BIAS)
    assert r.tolist() == [0.25, 0]
    assert n.tolist() == [-0.25, 1]
