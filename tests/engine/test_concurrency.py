"""Calls of one circuit may run side by side."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fhe_estimators.circuit import Circuit
from fhe_estimators.graph import Graph, Node, Value

pytestmark = pytest.mark.fhe


def test_calls_from_several_threads_keep_their_own_inputs():
    weights = np.random.default_rng(0).integers(-8, 8, (40, 3))
    total = Value("y", (None, 3), -8 * 7 * 40, 7 * 7 * 40)
    graph = Graph(
        (Node("MatMul", ("x", "weights"), ("y",), {}),),
        (Value("x", (None, 40), 0, 7),),
        (total,),
        {"weights": weights},
        {"y": total},
    )
    circuit = Circuit(graph, p_error=2**-40)
    rows = np.random.default_rng(1).integers(0, 8, (16, 1, 40))
    sent = [circuit.encrypt(row) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            results = list(pool.map(circuit.run, sent))
            for row, result in zip(rows, results, strict=True):
                (opened,) = circuit.decrypt(result)
                np.testing.assert_array_equal(opened, row @ weights)
