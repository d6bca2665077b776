"""Encrypted tensors while a graph is being quantized."""

import numpy as np
import pytest

from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import Encrypted
from fhe_estimators.core.operators import _base
from fhe_estimators.core.operators.layout import Layout
from fhe_estimators.exceptions import GraphError
from tests.core.operators.tools import compared, whole


@pytest.fixture
def trilu(monkeypatch):
    """An operator that moves integers and writes zeros, as the guide says to write one."""
    monkeypatch.setattr(_base, "_REGISTRY", dict(_base._REGISTRY))

    @_base.register("UpperPart", since=14)
    class Trilu(Layout):
        """The lower or upper triangle, zeros elsewhere."""

        integer = True

        @staticmethod
        def f(x, k=0, *, upper=1):
            return np.triu(x, k) if upper else np.tril(x, k)

    return Trilu


def test_zeros_that_a_layout_writes_are_zeros(trilu):
    nodes = (Node("UpperPart", ("x",), ("t",), {"upper": 0}), Node("Relu", ("t",), ("y",)))
    graph = Graph(nodes, (Value("x", (None, 3, 3)),), (Value("y", (None, 3, 3)),))
    rows = np.random.default_rng(0).normal(size=(50, 3, 3)) + 5
    result, expected = compared(whole(graph, rows, 6), graph, rows)
    np.testing.assert_allclose(result, expected, atol=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": np.array([[0.0, 1.0]])},
        {"scale": np.array([[np.inf, 1.0]])},
        {"offset": np.array([[np.nan, 1.0]])},
        {"low": np.array([[9, 9]])},
    ],
)
def test_tensors_that_cannot_be(wrong):
    one = np.ones((1, 2))
    arrays = {"scale": one, "offset": one, "low": one.astype(int), "high": one.astype(int)}
    Encrypted("x", **arrays)
    with pytest.raises(GraphError, match="encrypted tensor 'x'"):
        Encrypted("x", **{**arrays, **wrong})
