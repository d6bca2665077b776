"""Batch normalization of integers."""

import numpy as np
from hypothesis import given

from fhe_estimators.core.graph import Node
from tests.core.operators.test_slicing import SHAPE, rows_of
from tests.core.operators.tools import bits, compared, examples, float_graph, seeds, whole


@given(n_bits=bits, seed=seeds)
@examples
def test_batch_normalization(n_bits, seed):
    """It costs nothing, whatever the sign of its factors."""
    names = ["scale", "shift", "mean", "variance"]
    arrays = np.random.default_rng(seed).normal(size=(4, 3))
    arrays[3] = arrays[3] ** 2 + 0.1
    node = Node("BatchNormalization", ("x", *names), ("y",), {"epsilon": 0.01})
    graph = float_graph([node], dict(zip(names, arrays, strict=True)), SHAPE)
    module = whole(graph, rows_of(seed), n_bits)
    assert module.graph.nodes == ()
    result, expected = compared(module, graph, rows_of(seed + 1))
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_batch_normalization_by_zero():
    names = ["scale", "shift", "mean", "variance"]
    arrays = np.array([[0.0, 1, 2], [1, 2, 3], [0, 0, 0], [1, 1, 1]])
    node = Node("BatchNormalization", ("x", *names), ("y",))
    graph = float_graph([node], dict(zip(names, arrays, strict=True)), SHAPE)
    rows = rows_of(0)
    result, expected = compared(whole(graph, rows, 8), graph, rows)
    assert np.abs(result - expected).max() <= np.ptp(expected) / 255
